package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/session"
)

// listFigures are those of status lists, on two replicas with one database and one Redis.
type listFigures struct {
	FillSeconds float64 `json:"fill_seconds"`
	// States are: nobody signed in, 0.1 % revoked, 10 % revoked.
	States []listState     `json:"states"`
	Single singleFigures   `json:"single_revocations"`
	Batch  batchRevocation `json:"batch_revocation"`
}

// measureLists fills a database with sessions, starts replicas on it and revokes.
func measureLists(ctx context.Context, w world, opts options) (*listFigures, error) {
	home, err := w.prepareOffice(ctx)
	if err != nil {
		return nil, err
	}
	l := layout{opts.sessions}
	var f listFigures
	if err := f.measureStates(ctx, w, home, l); err != nil {
		return nil, err
	}
	return &f, f.measureRevocations(ctx, w, home, l, opts)
}

func (f *listFigures) measureStates(ctx context.Context, w world, home installation, l layout) error {
	open := fmt.Sprintf("INSERT INTO status_lists (id, leased, leased_at, opened_at) VALUES ('%s', 0, 0, 0)", listID)
	if err := execute(ctx, home.database, open); err != nil {
		return err
	}
	first, _, err := startReplica(ctx, w, home, "replica") // makes the keys, for which the others need not wait
	if err != nil {
		return err
	}
	if err := first.process.stop(); err != nil {
		return err
	}
	fill := func() error {
		progress("filling in %d sessions", l.sessions)
		begun := time.Now()
		err := l.fill(ctx, home.database)
		f.FillSeconds = time.Since(begun).Seconds()
		return err
	}
	for _, state := range []struct {
		sessions, revoked int
		make              func() error
	}{
		{0, 0, func() error { return nil }},
		{l.sessions, l.few(), fill},
		{l.sessions, l.many(), func() error { return l.revokeMany(ctx, home.database) }},
	} {
		if err := state.make(); err != nil {
			return err
		}
		measured, err := measureState(ctx, w, home, state.sessions, state.revoked)
		if err != nil {
			return err
		}
		f.States = append(f.States, measured)
	}
	return nil
}

// revoker revokes at the first of the replicas and looks at all.
type revoker struct {
	world     world
	home      installation
	layout    layout
	replicas  []*subject
	verifiers []*verifier
	tokens    *session.RefreshTokens
}

func (f *listFigures) measureRevocations(ctx context.Context, w world, home installation, l layout, opts options) (err error) {
	r := revoker{world: w, home: home, layout: l}
	if r.tokens, err = session.NewRefreshTokens(home.secret); err != nil {
		return err
	}
	defer func() { err = stopAll(r.replicas, err) }()
	for _, name := range []string{"replica A", "replica B"} {
		s, _, err := startReplica(ctx, w, home, name)
		if err != nil {
			return err
		}
		r.replicas = append(r.replicas, s)
		r.verifiers = append(r.verifiers, &verifier{url: listURL(s.baseURL)})
	}
	if f.Single, err = r.revokeSingly(ctx); err != nil {
		return err
	}
	f.Batch, err = r.revokeBatch(ctx, opts.workers)
	return err
}

// awaitAll returns how long it takes until each replica shows the places, counted from begun.
func (r *revoker) awaitAll(ctx context.Context, begun time.Time, places []int) ([]time.Duration, error) {
	took := make([]time.Duration, len(r.verifiers))
	failed := make(chan error, len(r.verifiers))
	for i, v := range r.verifiers {
		go func() {
			err := v.await(ctx, places...)
			took[i] = time.Since(begun)
			failed <- err
		}()
	}
	var all []error
	for range r.verifiers {
		all = append(all, <-failed)
	}
	return took, errors.Join(all...)
}
