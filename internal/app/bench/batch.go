package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// refreshEvery is how often each worker refreshes while a command revokes: what counts is how
	// long others wait then, and not how much the machine can do at the same time.
	refreshEvery = 40 * time.Millisecond
	// calm is how long that is measured before the command.
	calm = 5 * time.Second
)

// batchRevocation is what one command that ends a tenth of all sessions does.
type batchRevocation struct {
	Sessions int `json:"sessions"`
	// Command is until it has ended, Listed until every replica shows all of them, from its start.
	Command float64 `json:"command_seconds"`
	Listed  float64 `json:"listed_everywhere_seconds"`
	// Before and Meanwhile are refreshes of other people's sessions, at both replicas.
	Before    latency `json:"refresh_ms_before"`
	Meanwhile latency `json:"refresh_ms_meanwhile"`
}

// revokeBatch ends the sessions of a client by latchkey sessions revoke, while others go on.
func (r *revoker) revokeBatch(ctx context.Context, workers int) (batchRevocation, error) {
	var f batchRevocation
	ended, err := r.layout.retired().find(ctx, r.home.database)
	if err != nil {
		return f, err
	}
	f.Sessions = len(ended)
	holders, err := r.holders(ctx, workers)
	if err != nil {
		return f, err
	}
	for _, each := range holders {
		defer each.http.CloseIdleConnections()
	}
	refreshing := paced(refreshes(holders), workers)
	if _, err := load(ctx, workers, times(refreshWarmUp*workers), refreshing); err != nil {
		return f, err
	}
	progress("refreshing for %v", calm)
	before, err := load(ctx, workers, until(calm), refreshing)
	if err != nil {
		return f, err
	}
	f.Before = answersOf(before)
	progress("revoking %d sessions by one command", f.Sessions)
	var over atomic.Bool
	var meanwhile []timing
	refreshed := make(chan error, 1)
	go func() {
		var err error
		meanwhile, err = load(ctx, workers, func(int) bool { return !over.Load() }, refreshing)
		refreshed <- err
	}()
	err = r.command(ctx, &f, indexes(ended))
	over.Store(true)
	if failed := <-refreshed; failed != nil {
		return f, failed
	}
	f.Meanwhile = answersOf(meanwhile)
	return f, err
}

// command runs it, and returns when every replica shows what it did.
func (r *revoker) command(ctx context.Context, f *batchRevocation, places []int) error {
	begun := time.Now()
	if err := r.world.command(r.home, "sessions", "revoke", "--client", retired, "--reason", "the bench"); err != nil {
		return err
	}
	f.Command = time.Since(begun).Seconds()
	took, err := r.awaitAll(ctx, begun, places)
	f.Listed = slices.Max(took).Seconds()
	return err
}

// holders are people who stay signed in, by turns at one replica and the other.
func (r *revoker) holders(ctx context.Context, n int) ([]*holder, error) {
	staying, err := r.layout.staying(n).find(ctx, r.home.database)
	if err != nil {
		return nil, err
	}
	holders := make([]*holder, n)
	for i, each := range staying {
		holders[i] = &holder{
			app: app{
				http: newHTTP(), baseURL: r.replicas[i%len(r.replicas)].baseURL,
				client: algorithms[0].client, algorithm: algorithms[0].name,
			},
			token: string(r.tokens.Token(each.sid, 0)),
		}
	}
	return holders, nil
}

// paced lets each worker do its job once every refreshEvery, one after the other.
func paced(do job, workers int) job {
	due := make([]time.Time, workers)
	for w := range due {
		due[w] = time.Now().Add(time.Duration(w) * refreshEvery / time.Duration(workers))
	}
	return func(ctx context.Context, worker int) (timing, error) {
		if err := pause(ctx, time.Until(due[worker])); err != nil {
			return timing{}, err
		}
		due[worker] = time.Now().Add(refreshEvery)
		return do(ctx, worker)
	}
}

func answersOf(all []timing) latency {
	answers := make([]time.Duration, len(all))
	for i, t := range all {
		answers[i] = t.token
	}
	return latencyOf(answers)
}
