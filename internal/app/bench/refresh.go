package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// holder is an application with somebody signed in, and the refresh token that it got last.
type holder struct {
	app
	token string
}

// refresh trades the token for new ones.
func (h *holder) refresh(ctx context.Context) (timing, error) {
	var got tokens
	begun := time.Now()
	if err := h.post(ctx, "/oauth/token", map[string]string{
		"grant_type": "refresh_token", "client_id": h.client, "refresh_token": h.token,
	}, &got); err != nil {
		return timing{}, fmt.Errorf("refresh at %s: %w", h.client, err)
	}
	t := timing{token: time.Since(begun)}
	if got.Refresh == "" || got.Refresh == h.token {
		return t, errors.New("a refresh was answered without a new refresh token")
	}
	h.token = got.Refresh
	return t, h.check(got)
}

// refreshes is a job: each worker refreshes a session of its own.
func refreshes(holders []*holder) job {
	return func(ctx context.Context, worker int) (timing, error) { return holders[worker].refresh(ctx) }
}

// refreshWarmUp is how often each session is refreshed before it counts.
const refreshWarmUp = 20

// stay signs a person in for each worker, and warms the way of a refresh up.
func (c crowd) stay(ctx context.Context, s *subject, a algorithm) ([]*holder, func(), error) {
	apps, hangUp := c.apps(s, a)
	holders := make([]*holder, len(apps))
	for i, each := range apps {
		got, _, err := each.signIn(ctx, c.people[i], stayScope)
		if err != nil {
			return nil, hangUp, fmt.Errorf("sign-in at %s: %w", s.name, err)
		}
		holders[i] = &holder{app: each, token: got.Refresh}
	}
	_, err := load(ctx, c.workers, times(refreshWarmUp*c.workers), refreshes(holders))
	return holders, hangUp, err
}

// compareRefreshes measures refreshes. The sessions are the same ones through all rounds.
func (c crowd) compareRefreshes(ctx context.Context, subjects []*subject, opts options) ([]comparison, error) {
	type entrant struct {
		subject   *subject
		algorithm algorithm
	}
	signedIn := map[entrant][]*holder{}
	for _, s := range subjects {
		for _, a := range algorithms {
			holders, hangUp, err := c.stay(ctx, s, a)
			defer hangUp()
			if err != nil {
				return nil, err
			}
			signedIn[entrant{s, a}] = holders
		}
	}
	return compare(ctx, "refreshes", subjects, opts, func(ctx context.Context, s *subject, a algorithm) (measurement, error) {
		return s.measure(ctx, c.workers, opts.duration, refreshes(signedIn[entrant{s, a}]))
	})
}
