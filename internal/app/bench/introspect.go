package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The confidential client that introspects: a service of the audience.
const (
	webClient = "rs-web"
	webSecret = "a secret of the bench alone" // #nosec G101 -- guards nothing
)

// introspect asks after an access token that lives, as RFC 7662 §2.1 has it: a form, with HTTP Basic.
func (a app) introspect(ctx context.Context, token string) (timing, error) {
	form := url.Values{"token": {token}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.baseURL+"/oauth/introspect", strings.NewReader(form))
	if err != nil {
		return timing{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(webClient), url.QueryEscape(webSecret)) // RFC 6749 §2.3.1
	var said struct {
		Active bool `json:"active"`
	}
	begun := time.Now()
	if err := do(a.http, request, &said); err != nil {
		return timing{}, fmt.Errorf("introspection: %w", err)
	}
	if !said.Active {
		return timing{}, errors.New("introspection says that a live token is not active")
	}
	return timing{token: time.Since(begun)}, nil
}

// measureIntrospections lets each worker ask after a token of its own, signed with RS256. There is no bare
// handler for them: what they cannot do without is one SELECT.
func (c crowd) measureIntrospections(ctx context.Context, s *subject, opts options) (*figures, error) {
	apps, hangUp := c.apps(s, algorithms[0])
	defer hangUp()
	access := make([]string, len(apps))
	for i, each := range apps {
		got, _, err := each.signIn(ctx, c.people[i], signInScope)
		if err != nil {
			return nil, fmt.Errorf("sign-in at %s: %w", s.name, err)
		}
		access[i] = got.Access
	}
	ask := func(ctx context.Context, worker int) (timing, error) {
		return apps[worker].introspect(ctx, access[worker])
	}
	if _, err := load(ctx, c.workers, times(refreshWarmUp*c.workers), ask); err != nil {
		return nil, err
	}
	var rounds []measurement
	for round := range opts.rounds {
		progress("introspections, round %d of %d", round+1, opts.rounds)
		m, err := s.measure(ctx, c.workers, opts.duration, ask)
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, m)
	}
	f := figuresOf(rounds)
	return &f, nil
}
