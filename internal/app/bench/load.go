package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// timing is how long the answers of one sign-in took, or the one answer of a refresh or an
// introspection, for which start is zero.
type timing struct{ start, token time.Duration }

// measurement is what one subject did in one stretch of load.
type measurement struct {
	timings []timing
	took    time.Duration
	cpu     time.Duration
}

// job is what a worker, one of [0, workers), does over and over.
type job func(ctx context.Context, worker int) (timing, error)

// load lets workers do a job, each again as soon as it is done, while more, which is told how often
// it was begun, says so. The first error ends it.
func load(ctx context.Context, workers int, more func(begun int) bool, do job) ([]timing, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	timings := make([][]timing, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for ctx.Err() == nil && more(int(next.Add(1))-1) {
				t, err := do(ctx, w)
				if err != nil {
					cancel(err)
					return
				}
				timings[w] = append(timings[w], t)
			}
		})
	}
	all.Wait()
	var done []timing
	for _, each := range timings {
		done = append(done, each...)
	}
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	if len(done) == 0 {
		return done, errors.New("nothing was done in the time: give it more with -duration")
	}
	return done, nil
}

// until says yes for about the duration.
func until(duration time.Duration) func(int) bool {
	begun := time.Now()
	return func(int) bool { return time.Since(begun) < duration }
}

// times says yes n times.
func times(n int) func(int) bool { return func(begun int) bool { return begun < n } }

// measure loads s for about the duration.
func (s *subject) measure(ctx context.Context, workers int, duration time.Duration, do job) (measurement, error) {
	var m measurement
	before, err := s.process.cpu()
	if err != nil {
		return m, err
	}
	begun := time.Now()
	if m.timings, err = load(ctx, workers, until(duration), do); err != nil {
		return m, err
	}
	m.took = time.Since(begun)
	after, err := s.process.cpu()
	m.cpu = after - before
	return m, err
}

// newHTTP returns a client with connections of its own, as a phone has. CloseIdleConnections ends them.
func newHTTP() *http.Client { return &http.Client{Transport: &http.Transport{}, Timeout: textTimeout} }

// jwksFigures are those of the published keys.
type jwksFigures struct {
	PerSecond float64 `json:"per_second"`
	Bytes     int64   `json:"bytes"`
}

// fetchJWKS measures how many times a second the published keys are answered.
func fetchJWKS(ctx context.Context, s *subject, opts options) (*jwksFigures, error) {
	var size atomic.Int64
	begun := time.Now()
	answered, err := load(ctx, opts.workers, until(opts.duration/2), func(ctx context.Context, _ int) (timing, error) {
		n, err := ask(ctx, s.baseURL+"/.well-known/jwks.json")
		size.Store(n)
		return timing{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("fetch the JWKS: %w", err)
	}
	return &jwksFigures{PerSecond: float64(len(answered)) / time.Since(begun).Seconds(), Bytes: size.Load()}, nil
}
