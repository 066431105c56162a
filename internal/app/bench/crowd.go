package main

import (
	"context"
	"fmt"
)

// crowd is the load: people who sign in, a few at a time, each as soon as the one before is in.
type crowd struct {
	workers int
	inbox   *inbox
	people  []string
}

// apps returns an application for each worker, and what ends their connections.
func (c crowd) apps(s *subject, a algorithm) ([]app, func()) {
	apps := make([]app, c.workers)
	for i := range apps {
		apps[i] = app{http: newHTTP(), inbox: c.inbox, baseURL: s.baseURL, client: a.client, algorithm: a.name}
	}
	return apps, func() {
		for _, each := range apps {
			each.http.CloseIdleConnections()
		}
	}
}

// warmUp lets each person sign in once: accounts are made, connections opened, statements prepared.
func (c crowd) warmUp(ctx context.Context, s *subject) error {
	for i, a := range algorithms {
		half := c
		half.people = c.people[i*len(c.people)/len(algorithms) : (i+1)*len(c.people)/len(algorithms)]
		apps, hangUp := c.apps(s, a)
		defer hangUp()
		if _, err := load(ctx, c.workers, times(len(half.people)), half.signIns(s, apps)); err != nil {
			return err
		}
	}
	return nil
}

// measure is a contest of sign-ins.
func (c crowd) measure(opts options) contest {
	return func(ctx context.Context, s *subject, a algorithm) (measurement, error) {
		apps, hangUp := c.apps(s, a)
		defer hangUp()
		return s.measure(ctx, c.workers, opts.duration, c.signIns(s, apps))
	}
}

// signIns lets people sign in, one after the other through the list and from its start again: nobody
// signs in twice at once, and all have about as many sessions.
func (c crowd) signIns(s *subject, apps []app) job {
	return func(ctx context.Context, worker int) (timing, error) {
		number := c.people[int(s.turn.Add(1)-1)%len(c.people)]
		_, t, err := apps[worker].signIn(ctx, number, signInScope)
		if err != nil {
			err = fmt.Errorf("sign-in of %s at %s: %w", number, apps[worker].client, err)
		}
		return t, err
	}
}
