package app

import (
	"context"
	"time"
)

// sweepGrace is how long a session is kept after its end: what clocks may differ by, and time for an
// operator to see what became of it.
const sweepGrace = time.Hour

// sweep deletes sessions that are over, a few at a time, until ctx ends. Of all replicas one does so
// in each interval.
func (s *server) sweep(ctx context.Context) {
	every := s.config.Sessions.SweepInterval
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		sweeping, cancel := context.WithTimeout(ctx, time.Minute)
		// A little less than the interval: else ticks that come a moment early would do nothing.
		n, err := s.store.Sweep(sweeping, every-every/10, sweepGrace, s.config.Sessions.SweepBatch)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.WarnContext(ctx, "sessions not swept; trying again", "error", err)
		case n > 0:
			s.log.InfoContext(ctx, "sessions swept", "sessions", n)
		}
		s.sweepTexts(ctx, every)
	}
}

// sweepTexts deletes what is kept of texts that are older than the settings keep them.
func (s *server) sweepTexts(ctx context.Context, every time.Duration) {
	sweeping, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n, err := s.store.SweepTexts(sweeping, every-every/10, s.config.SMS.KeepRecords, s.config.Sessions.SweepBatch)
	switch {
	case err != nil && ctx.Err() == nil:
		s.log.WarnContext(ctx, "texts not swept; trying again", "error", err)
	case n > 0:
		s.log.InfoContext(ctx, "texts swept", "rows", n)
	}
}
