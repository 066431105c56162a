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

// crowd is the load: people who sign in, a few at a time, each as soon as the one before is in.
type crowd struct {
	workers int
	inbox   *inbox
	people  []string
}

// measurement is what one subject did in one stretch of load.
type measurement struct {
	timings []timing
	took    time.Duration
	cpu     time.Duration
}

// warmUp lets each person sign in once: accounts are made, connections opened, statements prepared.
func (c crowd) warmUp(ctx context.Context, s *subject) error {
	for i, a := range algorithms {
		half := c
		half.people = c.people[i*len(c.people)/len(algorithms) : (i+1)*len(c.people)/len(algorithms)]
		if _, err := half.run(ctx, s, a.client, a.name, func(n int) bool { return n < len(half.people) }); err != nil {
			return err
		}
	}
	return nil
}

// measure loads s for about the duration.
func (c crowd) measure(ctx context.Context, s *subject, client, algorithm string, duration time.Duration) (measurement, error) {
	before, err := s.process.cpu()
	if err != nil {
		return measurement{}, err
	}
	begun := time.Now()
	m, err := c.run(ctx, s, client, algorithm, func(int) bool { return time.Since(begun) < duration })
	if err != nil {
		return m, err
	}
	m.took = time.Since(begun)
	after, err := s.process.cpu()
	m.cpu = after - before
	return m, err
}

// run lets people sign in, one after the other through the list and from its start again, while more,
// which is told how many have begun, says so. Nobody signs in twice at once.
func (c crowd) run(ctx context.Context, s *subject, client, algorithm string, more func(begun int) bool) (measurement, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	timings := make([][]timing, c.workers)
	var workers sync.WaitGroup
	for w := range c.workers {
		workers.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			a := app{
				http: &http.Client{Transport: transport, Timeout: textTimeout}, inbox: c.inbox,
				baseURL: s.baseURL, client: client, algorithm: algorithm,
			}
			for {
				n := int(next.Add(1)) - 1
				if ctx.Err() != nil || !more(n) {
					return
				}
				number := c.people[n%len(c.people)]
				t, err := a.signIn(ctx, number)
				if err != nil {
					cancel(fmt.Errorf("sign-in of %s at %s: %w", number, client, err))
					return
				}
				timings[w] = append(timings[w], t)
			}
		})
	}
	workers.Wait()
	var m measurement
	for _, each := range timings {
		m.timings = append(m.timings, each...)
	}
	if ctx.Err() != nil {
		return m, context.Cause(ctx)
	}
	if len(m.timings) == 0 {
		return m, errors.New("nobody signed in: give it more time with -duration")
	}
	return m, nil
}

// fetchJWKS returns how many times a second the published keys are answered.
func fetchJWKS(ctx context.Context, s *subject, opts options) (float64, error) {
	var answered atomic.Int64
	var failed error
	var once sync.Once
	begun := time.Now()
	var workers sync.WaitGroup
	for range opts.workers {
		workers.Go(func() {
			for time.Since(begun) < opts.duration/2 {
				if err := ask(ctx, s.baseURL+"/.well-known/jwks.json"); err != nil {
					once.Do(func() { failed = err })
					return
				}
				answered.Add(1)
			}
		})
	}
	workers.Wait()
	return float64(answered.Load()) / time.Since(begun).Seconds(), failed
}
