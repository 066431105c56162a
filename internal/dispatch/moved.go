package dispatch

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

const (
	// lookAgain is when news of a text that was not on record is looked at once more: the replica that
	// sent it has written it down by then.
	lookAgain = 2 * time.Second
	// maxEarly is how much of such news is kept.
	maxEarly = 1000
	// lastTexts is among how many texts to a number that of the news is looked for.
	lastTexts = 20
	// actTimeout bounds what is done about all news at the end.
	actTimeout = 5 * time.Second
)

// actor does what news of texts calls for. Whoever told has an answer already, and nobody waits.
type actor struct {
	*Service
	waiting pile[sms.Moved]
	wake    chan struct{}
	// early is news of texts that were not on record; only run touches it.
	early []early
}

type early struct {
	moved sms.Moved
	at    time.Time
}

func newActor(s *Service) *actor { return &actor{Service: s, wake: make(chan struct{}, 1)} }

// take never waits.
func (a *actor) take(moved []sms.Moved) {
	for _, each := range moved {
		a.waiting.add(each)
	}
	poke(a.wake)
}

// run acts until ctx ends, and then on what is left.
func (a *actor) run(ctx context.Context) {
	tick := time.NewTicker(lookAgain / 2)
	defer tick.Stop()
	for {
		select {
		case <-a.wake:
			a.act(ctx)
		case now := <-tick.C:
			a.revisit(ctx, now.Add(-lookAgain))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
			defer cancel()
			a.act(last)
			a.revisit(last, time.Now())
			if left := a.waiting.len() + len(a.early); left > 0 {
				a.Log.ErrorContext(last, "nothing was done about the last news of texts: stores are too slow at the end", "lost", left)
			}
			return
		}
	}
}

// act does what waits. What is left when ctx ends waits on.
func (a *actor) act(ctx context.Context) {
	if dropped := a.waiting.lost(); dropped > 0 {
		a.Log.ErrorContext(ctx, "news of texts came faster than it could be acted upon", "lost", dropped)
	}
	for ctx.Err() == nil {
		batch := a.waiting.oldest(maxBatch)
		if len(batch) == 0 {
			return
		}
		a.waiting.done(a.each(ctx, batch, false))
	}
}

// revisit looks once more at news that came before until, and before its text.
func (a *actor) revisit(ctx context.Context, until time.Time) {
	due := 0
	for due < len(a.early) && !a.early[due].at.After(until) {
		due++
	}
	batch := make([]sms.Moved, due)
	for i := range batch {
		batch[i] = a.early[i].moved
	}
	a.early = a.early[a.each(ctx, batch, true):]
}

// each acts on news until ctx ends, and returns on how many. News without a text is kept for revisit, which
// comes again for it.
func (a *actor) each(ctx context.Context, news []sms.Moved, again bool) (n int) {
	var arrived []phone.Number
	for ; n < len(news) && ctx.Err() == nil; n++ {
		a.try(ctx, func(ctx context.Context) (err error) {
			d := news[n]
			switch {
			case again:
				if d.Text, err = a.find(ctx, d.Delivery); err != nil {
					return err
				}
			case d.Text == nil && a.keep(d):
				return nil
			}
			if a.one(ctx, d) {
				arrived = append(arrived, d.Text.To)
			}
			return nil
		})
	}
	if len(arrived) > 0 {
		a.try(ctx, func(ctx context.Context) error { return a.Store.Deliverable(ctx, arrived...) })
	}
	return n
}

// keep keeps news for revisit, if it calls for anything.
func (a *actor) keep(d sms.Moved) bool {
	if !d.Status.Bad() && d.Status != sms.Delivered || len(a.early) >= maxEarly {
		return false
	}
	a.early = append(a.early, early{d, time.Now()})
	return true
}

// one acts on news of a text, and reports whether it has arrived.
func (a *actor) one(ctx context.Context, d sms.Moved) (arrived bool) {
	if d.Text == nil { // none of ours: of that no number suffers
		a.Observer.Delivered("", d.Status)
		return false
	}
	d.To = d.Text.To
	a.Observer.Delivered(d.Text.Country, d.Status)
	if d.Status.Bad() {
		a.failed(ctx, d.Delivery, d.Text.Country)
	}
	return d.Status == sms.Delivered
}

// try bounds one step; the others go on without it.
func (a *actor) try(ctx context.Context, step func(context.Context) error) {
	if err := safely(context.WithoutCancel(ctx), step); err != nil {
		a.Log.WarnContext(ctx, "nothing was done about news of texts", "error", err)
	}
}

// find returns the text that d is news of, nil if there is none. That the provider tells its number makes
// no text of it: its own name for it has to be that of one we sent.
func (a *actor) find(ctx context.Context, d sms.Delivery) (*sms.Record, error) {
	if d.To.IsZero() {
		return nil, nil
	}
	texts, err := a.Store.TextsTo(ctx, d.To, lastTexts)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		if text.Provider == d.Provider && text.ProviderID == d.ProviderID {
			return &text.Record, nil
		}
	}
	return nil, nil
}
