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
	if opts.measures(signaturesPart) {
		if r.Signatures, err = measureSignatures(ctx, opts); err != nil {
			return r, fmt.Errorf("signatures: %w", err)
		}
	}
	if !opts.measures(signInPart, startsPart, refreshPart, introspectPart, listsPart) {
		return r, nil // the rest is about servers
	}
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
	texts, err := openInbox(0, nil)
	if err != nil {
		return r, err
	}
	defer texts.close()

	world := world{latchkey: opts.latchkey, folder: folder, stores: stores, twilio: texts.baseURL}
	if opts.measures(signInPart, refreshPart, introspectPart) {
		if err := r.measureSubjects(ctx, world, texts, opts); err != nil {
			return r, err
		}
	}
	if opts.measures(signInPart) {
		if r.StartUps, err = measureStartUps(ctx, world); err != nil {
			return r, err
		}
	}
	if opts.measures(startsPart) {
		if r.Starts, err = measureStarts(ctx, world, texts, opts); err != nil {
			return r, fmt.Errorf("starts: %w", err)
		}
		if r.Rush, err = measureRush(ctx, world, opts); err != nil {
			return r, fmt.Errorf("rush: %w", err)
		}
	}
	if opts.measures(listsPart) {
		if r.Lists, err = measureLists(ctx, world, opts); err != nil {
			return r, fmt.Errorf("status lists: %w", err)
		}
	}
	return r, nil
}

// measureSubjects measures what a client asks for, side by side with the bare handler.
func (r *report) measureSubjects(ctx context.Context, w world, texts *inbox, opts options) (err error) {
	subjects, err := startSubjects(ctx, w)
	defer func() { err = stopAll(subjects, err) }()
	if err != nil {
		return err
	}
	c := crowd{workers: opts.workers, inbox: texts, people: staff()}
	if opts.measures(signInPart) {
		if err := r.measureSignIns(ctx, c, subjects, opts); err != nil {
			return err
		}
	}
	if opts.measures(refreshPart) {
		if r.Refreshes, err = c.compareRefreshes(ctx, subjects, opts); err != nil {
			return err
		}
	}
	if opts.measures(introspectPart) {
		r.Introspections, err = c.measureIntrospections(ctx, subjects[0], opts)
	}
	return err
}

func (r *report) measureSignIns(ctx context.Context, c crowd, subjects []*subject, opts options) (err error) {
	ours := subjects[0]
	if r.RestAfterStart, err = ours.atRest(ctx); err != nil {
		return err
	}
	for _, s := range subjects {
		progress("warming up %s: %d people sign in", s.name, people)
		if err := c.warmUp(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if r.SignIns, err = compare(ctx, "sign-ins", subjects, opts, c.measure(opts)); err != nil {
		return err
	}
	if r.RestAfterLoad, err = ours.atRest(ctx); err != nil {
		return err
	}
	progress("fetching the JWKS")
	r.JWKS, err = fetchJWKS(ctx, ours, opts)
	return err
}

// atRest returns the resident memory after a pause, in bytes.
func (s *subject) atRest(ctx context.Context) (int64, error) {
	if err := pause(ctx, settle); err != nil {
		return 0, err
	}
	return s.process.resident()
}
