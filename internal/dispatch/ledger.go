package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms"
)

const (
	// flushEvery is how long what became of a text may stay in memory: a crash loses as much of the
	// report, and nothing else.
	flushEvery = 100 * time.Millisecond
	// flushTimeout bounds one write.
	flushTimeout = 5 * time.Second
	// maxBatch is how many rows one statement writes.
	maxBatch = 500
	// maxKept is how much is kept while the record is away; beyond it the newest are dropped.
	maxKept = 20_000
)

// ledger writes in batches what became of texts: at a rush a row each would cost more than sending.
type ledger struct {
	store Store
	log   *slog.Logger
	wake  chan struct{}
	moved chan []sms.Moved

	mu       sync.Mutex
	texts    []sms.Record
	redeemed []redemption
	news     []news
	dropped  int
	closed   bool
}

type redemption struct {
	challenge string
	at        time.Time
}

// news is a delivery whose teller waits to hear that it is on record.
type news struct {
	delivery sms.Delivery
	done     chan error
}

func newLedger(store Store, log *slog.Logger) *ledger {
	return &ledger{store: store, log: log, wake: make(chan struct{}, 1), moved: make(chan []sms.Moved, maxKept/maxBatch)}
}

func (l *ledger) record(r sms.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.texts) >= maxKept {
		l.dropped++
		return
	}
	l.texts = append(l.texts, r)
}

func (l *ledger) redeem(challenge string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.redeemed) < maxKept {
		l.redeemed = append(l.redeemed, redemption{challenge, at})
	}
}

// deliver waits until d is on record: a provider that is told so does not tell again.
func (l *ledger) deliver(ctx context.Context, d sms.Delivery) error {
	done := make(chan error, 1)
	l.mu.Lock()
	if l.closed || len(l.news) >= maxKept {
		l.mu.Unlock()
		return errAway("the record of texts")
	}
	l.news = append(l.news, news{d, done})
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run flushes until ctx ends, and once more then.
func (l *ledger) run(ctx context.Context, moved func(context.Context, []sms.Moved)) {
	// What news calls for may take longer than writing it down, and nobody waits for it.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for news := range l.moved {
			moved(context.WithoutCancel(ctx), news)
		}
	}()
	defer func() {
		close(l.moved)
		<-done
	}()
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.flush(ctx)
		case <-l.wake:
			l.flushNews(ctx)
		case <-ctx.Done():
			l.mu.Lock()
			l.closed = true
			l.mu.Unlock()
			l.flush(context.WithoutCancel(ctx))
			return
		}
	}
}

func (l *ledger) flush(ctx context.Context) {
	l.flushTexts(ctx)
	l.flushNews(ctx)
	l.flushRedeemed(ctx)
}

// flushTexts keeps what could not be written for the next time.
func (l *ledger) flushTexts(ctx context.Context) {
	l.mu.Lock()
	texts, dropped := l.texts, l.dropped
	l.texts, l.dropped = nil, 0
	l.mu.Unlock()
	if dropped > 0 {
		l.log.ErrorContext(ctx, "texts are missing in the report: the record was away for too long", "texts", dropped)
	}
	for len(texts) > 0 {
		batch := texts[:min(len(texts), maxBatch)]
		if err := l.write(ctx, func(ctx context.Context) error { return l.store.RecordTexts(ctx, batch) }); err != nil {
			l.log.WarnContext(ctx, "texts are not on record yet", "texts", len(texts), "error", err)
			l.mu.Lock()
			l.texts = append(texts, l.texts...)
			l.mu.Unlock()
			return
		}
		texts = texts[len(batch):]
	}
}

func (l *ledger) flushRedeemed(ctx context.Context) {
	l.mu.Lock()
	redeemed := l.redeemed
	l.redeemed = nil
	l.mu.Unlock()
	for len(redeemed) > 0 {
		batch := redeemed[:min(len(redeemed), maxBatch)]
		challenges := make([]string, len(batch))
		for i, each := range batch {
			challenges[i] = each.challenge
		}
		at := batch[0].at
		if err := l.write(ctx, func(ctx context.Context) error { return l.store.Redeemed(ctx, challenges, at) }); err != nil {
			l.log.WarnContext(ctx, "used codes are not on record yet", "codes", len(redeemed), "error", err)
			l.mu.Lock()
			l.redeemed = append(redeemed, l.redeemed...)
			l.mu.Unlock()
			return
		}
		redeemed = redeemed[len(batch):]
	}
}

// flushNews writes what tellers wait for, and tells them.
func (l *ledger) flushNews(ctx context.Context) {
	l.mu.Lock()
	all := l.news
	l.news = nil
	l.mu.Unlock()
	for len(all) > 0 {
		batch := all[:min(len(all), maxBatch)]
		all = all[len(batch):]
		deliveries := make([]sms.Delivery, len(batch))
		for i, each := range batch {
			deliveries[i] = each.delivery
		}
		var forward []sms.Moved
		err := l.write(ctx, func(ctx context.Context) (err error) {
			forward, err = l.store.Deliver(ctx, deliveries)
			return err
		})
		for _, each := range batch {
			each.done <- err
		}
		l.moved <- forward
	}
}

func (l *ledger) write(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	return f(ctx)
}
