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
	// flushAgain is when a record that was away is tried again.
	flushAgain = time.Second
)

// ledger writes in batches what became of texts: at a rush a row each would cost more than sending.
type ledger struct {
	store    Store
	log      *slog.Logger
	texts    pile[sms.Record]
	redeemed pile[redemption]
	wake     chan struct{}

	mu     sync.Mutex
	news   []news
	closed bool
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
	return &ledger{store: store, log: log, wake: make(chan struct{}, 1)}
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
	poke(l.wake)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run flushes until ctx ends, and once more then. moved hears of news that moved a text, and must not wait.
func (l *ledger) run(ctx context.Context, moved func([]sms.Moved)) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	away := false
	for {
		select {
		case <-tick.C:
			if away = l.flush(ctx, moved) != nil; away {
				tick.Reset(flushAgain) // each try may take a while, and a line in the log
			} else {
				tick.Reset(flushEvery)
			}
		case <-l.wake:
			if !away {
				_ = l.flushTexts(ctx) // so that news finds the text that it is of; a failure is met again at the tick
			}
			l.flushNews(ctx, moved)
		case <-ctx.Done():
			l.close(context.WithoutCancel(ctx), moved)
			return
		}
	}
}

// close writes what is left. Whatever comes later is refused, or lost.
func (l *ledger) close(ctx context.Context, moved func([]sms.Moved)) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if err := l.flush(ctx, moved); err != nil {
		l.log.ErrorContext(ctx, "texts and used codes are missing in the report: the record is away at the end",
			"texts", l.texts.len(), "codes", l.redeemed.len(), "error", err)
	}
}

// flush returns the outage that kept something from being written.
func (l *ledger) flush(ctx context.Context, moved func([]sms.Moved)) error {
	err := l.flushTexts(ctx)
	l.flushNews(ctx, moved)
	if err != nil {
		return err
	}
	return l.flushRedeemed(ctx)
}

func (l *ledger) flushTexts(ctx context.Context) error {
	all := func(texts []sms.Record) int { return len(texts) }
	return flush(ctx, l.log, &l.texts, "texts", all, l.store.RecordTexts)
}

func (l *ledger) flushRedeemed(ctx context.Context) error {
	return flush(ctx, l.log, &l.redeemed, "used codes", sameTime, func(ctx context.Context, batch []redemption) error {
		challenges := make([]string, len(batch))
		for i, each := range batch {
			challenges[i] = each.challenge
		}
		return l.store.Redeemed(ctx, challenges, batch[0].at)
	})
}

// sameTime is how many of a batch were used at about the same time: they go with one time to the record.
func sameTime(batch []redemption) int {
	for i, each := range batch {
		if each.at.Sub(batch[0].at) > time.Second {
			return i
		}
	}
	return len(batch)
}

// flush writes a pile, and tells of what is lost of it.
func flush[T any](ctx context.Context, log *slog.Logger, p *pile[T], what string, cut func([]T) int, to func(context.Context, []T) error) error {
	if dropped := p.lost(); dropped > 0 {
		log.ErrorContext(ctx, "the report is incomplete: the record was away for too long", "lost", what, "number", dropped)
	}
	refused, first := 0, error(nil)
	err := p.write(context.WithoutCancel(ctx), cut, to, func(_ T, err error) {
		refused++
		if first == nil {
			first = err
		}
	})
	if refused > 0 {
		log.ErrorContext(ctx, "the report is incomplete: the record does not take them", "lost", what, "number", refused, "error", first)
	}
	if err != nil {
		log.WarnContext(ctx, "not on record yet", "waiting", what, "number", p.len(), "error", err)
	}
	return err
}

// flushNews writes what tellers wait for, and tells them. In an outage they tell again, or nobody does.
func (l *ledger) flushNews(ctx context.Context, moved func([]sms.Moved)) {
	l.mu.Lock()
	all := l.news
	l.news = nil
	l.mu.Unlock()
	for len(all) > 0 {
		batch := all[:min(len(all), maxBatch)]
		n, err := writeAll(context.WithoutCancel(ctx), batch, func(ctx context.Context, some []news) error {
			return l.write(ctx, some, moved)
		}, func(each news, err error) { each.done <- err })
		all = all[n:]
		if err == nil {
			continue
		}
		for _, each := range all {
			each.done <- err
		}
		return
	}
}

func (l *ledger) write(ctx context.Context, some []news, moved func([]sms.Moved)) error {
	deliveries := make([]sms.Delivery, len(some))
	for i, each := range some {
		deliveries[i] = each.delivery
	}
	forward, err := l.store.Deliver(ctx, deliveries)
	if err != nil {
		return err
	}
	for _, each := range some {
		each.done <- nil
	}
	moved(forward)
	return nil
}

// poke wakes whoever waits for c, which has room for one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
