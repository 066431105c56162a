package limit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	refreshEvery = time.Second     // Level, and blocks
	patience     = 2 * time.Second // for one go at the store
	batch        = 500             // returns or blocks in one go
)

// Run refreshes Level and lists blocks every second, and gives back what Undo was told to every
// FlushEvery, until ctx ends; then it does so once more. A failure is logged when it begins and when it is over.
func (s *Service) Run(ctx context.Context) {
	quick, slow := time.NewTicker(s.opts.FlushEvery), time.NewTicker(refreshEvery)
	defer quick.Stop()
	defer slow.Stop()
	s.attempt(ctx, false, s.Refresh)
	failing := false
	for {
		select {
		case <-ctx.Done():
			s.attempt(context.WithoutCancel(ctx), failing, s.Flush, s.List)
			return
		case <-quick.C:
			failing = s.attempt(ctx, failing, s.Flush)
		case <-slow.C:
			failing = s.attempt(ctx, failing, s.Refresh, s.List)
		}
	}
}

// attempt takes and returns whether the store has been failing.
func (s *Service) attempt(ctx context.Context, failing bool, steps ...func(context.Context) error) bool {
	trying, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var errs []error
	for _, step := range steps {
		errs = append(errs, step(trying))
	}
	err := errors.Join(errs...)
	switch {
	case ctx.Err() != nil: // we are told to stop: no failure of the store's
		return failing
	case err != nil && !failing:
		s.opts.Log.WarnContext(ctx, "limits are not brought up to date; trying on", "error", err)
	case err == nil && failing:
		s.opts.Log.InfoContext(ctx, "limits are up to date again")
	}
	return err != nil
}

// Flush gives back what Undo was told to. What cannot be given back now is kept for the next time. The
// error is an outage.
func (s *Service) Flush(ctx context.Context) error {
	waiting := s.returns.drain()
	for len(waiting) > 0 {
		n := min(batch, len(waiting))
		if err := s.store.Return(ctx, waiting[:n]); err != nil {
			for i := range waiting {
				// It may have been given back, and what all together have guessed is only a number: rather
				// counted too often than given back twice.
				waiting[i].Minute = 0
			}
			s.returns.add(waiting...)
			return fmt.Errorf("limit: give back: %w", err)
		}
		waiting = waiting[n:]
	}
	return nil
}

// List lists the blocks that were noted, and tells Blocked of new ones. What cannot be listed now is kept for
// the next time. The error is an outage.
func (s *Service) List(ctx context.Context) error {
	waiting := s.notes.drain()
	for len(waiting) > 0 {
		n := min(batch, len(waiting))
		fresh, err := s.store.Note(ctx, waiting[:n])
		if err != nil {
			s.notes.restore(waiting)
			return fmt.Errorf("limit: list blocks: %w", err)
		}
		if len(fresh) > 0 {
			s.opts.Blocked(fresh)
		}
		waiting = waiting[n:]
	}
	return nil
}
