package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/internal/ops"
	"github.com/latchkey-id/latchkey/internal/spend"
)

// spendingEvery is how old what metrics tell of the day's money may be.
const spendingEvery = 15 * time.Second

// spending knows what texts have cost today, so that reading metrics asks no store.
type spending struct{ known atomic.Pointer[ops.Spending] }

func (s *spending) last() ops.Spending {
	if known := s.known.Load(); known != nil {
		return *known
	}
	return ops.Spending{}
}

func (s *spending) run(ctx context.Context, purse *spend.Service, log *slog.Logger) {
	tick := time.NewTicker(spendingEvery)
	defer tick.Stop()
	for {
		standing, err := purse.Standing(ctx)
		switch {
		case err == nil:
			const unit = 1e6
			s.known.Store(&ops.Spending{Spent: float64(standing.Spent) / unit, Budget: float64(standing.Budget) / unit})
		case ctx.Err() == nil:
			log.DebugContext(ctx, "what texts cost today could not be read", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
