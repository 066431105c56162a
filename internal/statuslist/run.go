package statuslist

import (
	"context"
	"time"
)

const (
	interval = time.Second            // between polls when nobody wakes us
	rest     = 200 * time.Millisecond // after each: so many at a time share one encoding and one signature
	patience = time.Minute            // for one poll; a whole reading of millions of revocations takes seconds
)

// Run polls every second, and at once when wake has something, until ctx ends. The sender should
// not wait for it: a channel with room for one is enough, as one poll sees whatever came before it.
// A failure is logged when it begins and when it is over.
func (b *Board) Run(ctx context.Context, wake <-chan struct{}) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var failing time.Time // since when
	for {
		failing = b.attempt(ctx, failing)
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case _, open := <-wake:
			if !open {
				wake = nil // or it would wake us forever
			}
		}
	}
}

// attempt polls once. It takes and returns since when polls have been failing, zero if they are not.
func (b *Board) attempt(ctx context.Context, failing time.Time) time.Time {
	polling, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err, now := b.Poll(polling), b.options.Now()
	switch {
	case ctx.Err() != nil: // we are told to stop: no failure of the record's
		return failing
	case err != nil && failing.IsZero():
		b.options.Log.WarnContext(ctx, "status lists not brought up to date; trying on", "error", err)
		return now
	case err == nil && !failing.IsZero():
		b.options.Log.InfoContext(ctx, "status lists are up to date again", "after", now.Sub(failing))
		return time.Time{}
	default:
		return failing
	}
}
