package app

import (
	"context"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/verifier"
)

const (
	// flushEvery is how often fetches of the JWKS are written down, if there were any.
	flushEvery = 5 * time.Second
	// countEvery is how often the verifiers that lack the next key are counted.
	countEvery = 30 * time.Second
	// gatheredVerifiers bounds those told apart between two flushes, keptVerifiers those in the record.
	gatheredVerifiers = 1000
	keptVerifiers     = 5000
)

// verifiers remembers who fetches the JWKS, and counts who lacks the next key.
type verifiers struct {
	*verifier.Fetches
	store  *sql.Store
	keys   *keyring.Ring
	window time.Duration
	now    func() time.Time
	log    *slog.Logger
	counts atomic.Pointer[map[string]int]
}

func newVerifiers(store *sql.Store, keys *keyring.Ring, window time.Duration, now func() time.Time, log *slog.Logger) *verifiers {
	v := &verifiers{Fetches: verifier.NewFetches(now, gatheredVerifiers), store: store, keys: keys, window: window, now: now, log: log}
	v.counts.Store(&map[string]int{})
	return v
}

// run writes down what was seen until ctx ends, and then once more.
func (v *verifiers) run(ctx context.Context) {
	flush, count := time.NewTicker(flushEvery), time.NewTicker(countEvery)
	defer flush.Stop()
	defer count.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-flush.C:
			v.flush(ctx)
		case <-count.C:
			v.count(ctx)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	v.flush(last)
}

func (v *verifiers) flush(ctx context.Context) {
	batch := v.Drain()
	if batch.Dropped > 0 {
		v.log.WarnContext(ctx, "more verifiers fetch the signing keys than can be remembered", "fetches", batch.Dropped)
	}
	if len(batch.Fetched) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushEvery)
	defer cancel()
	if err := v.store.SaveFetches(ctx, batch.Fetched, v.now(), keptVerifiers); err != nil {
		batch.Dropped = 0 // said already
		v.Restore(batch)
		v.log.DebugContext(ctx, "fetches of the signing keys not written yet", "error", err)
	}
}

// count judges every verifier against each next key.
func (v *verifiers) count(ctx context.Context) {
	counts := map[string]int{}
	for _, standing := range v.keys.Standings() {
		counts[standing.Algorithm] = 0
	}
	ctx, cancel := context.WithTimeout(ctx, flushEvery)
	defer cancel()
	all, now, err := v.store.Verifiers(ctx, keptVerifiers)
	if err != nil {
		return // the count of before stands
	}
	for _, standing := range v.keys.Standings() {
		if next := standing.Staged; next != nil {
			counts[standing.Algorithm] = len(behind(all, *next, now, v.window))
		}
	}
	v.counts.Store(&counts)
}

// behind are the verifiers that would refuse tokens of next, as far as is known.
func behind(all []verifier.Verifier, next keyring.Key, now time.Time, window time.Duration) []verifier.Verifier {
	var lacking []verifier.Verifier
	for _, each := range all {
		if each.Standing(next.Revision, next.PublishedAt, now, window).Blocks() {
			lacking = append(lacking, each)
		}
	}
	return lacking
}

// behind is how many verifiers lack the next key, by algorithm, as of the last count.
func (v *verifiers) behind() map[string]int { return maps.Clone(*v.counts.Load()) }
