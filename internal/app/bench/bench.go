package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// settle is how long a process is left alone before its memory counts as that of a process at rest.
const settle = 2 * time.Second

// bench starts everything, measures and takes everything down again.
func bench(ctx context.Context, opts options) (_ report, err error) {
	r := newReport(opts)
	folder, err := os.MkdirTemp("", "latchkey-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	progress("starting PostgreSQL and Redis")
	stores, err := openStores()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	texts, err := openInbox()
	if err != nil {
		return r, err
	}
	defer texts.close()

	world := world{latchkey: opts.latchkey, folder: folder, stores: stores, twilio: texts.baseURL}
	subjects, err := startSubjects(ctx, world)
	defer func() { err = errors.Join(err, stopAll(subjects)) }()
	if err != nil {
		return r, err
	}
	ours := subjects[0]
	if r.RestAfterStart, err = ours.atRest(ctx); err != nil {
		return r, err
	}
	crowd := crowd{workers: opts.workers, inbox: texts, people: staff()}
	for _, s := range subjects {
		progress("warming up %s: %d people sign in", s.name, people)
		if err := crowd.warmUp(ctx, s); err != nil {
			return r, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if r.SignIns, err = crowd.compare(ctx, subjects, opts); err != nil {
		return r, err
	}
	if r.RestAfterLoad, err = ours.atRest(ctx); err != nil {
		return r, err
	}
	progress("fetching the JWKS")
	if r.JWKSPerSecond, err = fetchJWKS(ctx, ours, opts); err != nil {
		return r, err
	}
	r.Starts, err = measureStarts(ctx, world)
	return r, err
}

// atRest returns the resident memory after a pause, in bytes.
func (s *subject) atRest(ctx context.Context) (int64, error) {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.process.resident()
}
