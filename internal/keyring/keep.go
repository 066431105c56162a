package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
)

const (
	system = audit.System
	// pollEvery is how often a replica looks whether the keys have changed.
	pollEvery = time.Second
	// rest is between two looks, however often we are woken: every sign-out anywhere wakes everybody.
	rest = 100 * time.Millisecond
	// attendWait bounds telling the record that we are there.
	attendWait = 2 * time.Second
	// claim is for how long one replica does what is due, and others leave it alone.
	claim = 10 * time.Second
	// maxDisagreement is how far our clock and the record's may be apart for us to believe that
	// something is due. Either may have jumped, and a key that was retired too early does not come back.
	maxDisagreement = 5 * time.Minute
	// complain is how often a fault that lasts is logged.
	complain = time.Minute
)

// Run keeps the ring and the record in step until ctx ends: it notices what others change, when
// woken at once, and does what is due.
func (r *Ring) Run(ctx context.Context, woken <-chan struct{}) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var said time.Time
	for ctx.Err() == nil {
		err := r.step(ctx)
		if err != nil && ctx.Err() == nil && time.Since(said) > complain {
			said = time.Now()
			r.options.Log.WarnContext(ctx, "signing keys: going on with those in memory", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-woken:
			_ = pause(ctx, rest)
		}
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = r.options.Store.Leave(leaving, r.options.ID) // or it is seen to be gone
}

func (r *Ring) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, claim)
	defer cancel()
	if err := r.Sync(ctx); err != nil {
		return err
	}
	if err := r.Keep(ctx); err != nil {
		r.failures.Add(1)
		return err
	}
	r.testify(ctx)
	if unreadable := r.set.Load().unreadable; unreadable != nil {
		return unreadable
	}
	return nil
}

// Sync notices what has changed, and tells the record which revision we serve.
func (r *Ring) Sync(ctx context.Context) error {
	r.syncing.Lock()
	defer r.syncing.Unlock()
	at := r.options.Now()
	revision, err := r.options.Store.KeyRevision(ctx)
	if err != nil {
		return fmt.Errorf("look for changed signing keys: %w", err)
	}
	if s := r.set.Load(); revision != s.snapshot.Revision || at.Sub(r.loaded) >= reloadEvery {
		if err := r.reload(ctx); err != nil {
			return err
		}
	} else {
		r.heard.Store(&at)
	}
	served := r.set.Load().served
	if r.attended.Revision == served && at.Sub(r.attended.SeenAt) < attendEvery {
		return nil
	}
	me := Replica{ID: r.options.ID, Version: r.options.Version, StartedAt: r.started, SeenAt: at, Revision: served}
	// However long the wrapper took: others wait for those who are there and behind.
	attending, cancel := context.WithTimeout(context.WithoutCancel(ctx), attendWait)
	defer cancel()
	if err := r.options.Store.Attend(attending, me); err != nil {
		return fmt.Errorf("say which signing keys are served: %w", err)
	}
	r.attended = me
	return nil
}

// Keep does what is due, if no other replica is at it. An error says why something that is due is
// not done; it is tried again.
func (r *Ring) Keep(ctx context.Context) error {
	s := r.set.Load()
	if len(r.due(s.snapshot, r.recordTime(s))) == 0 && len(r.extensions(s.snapshot)) == 0 && !r.lacking(s.snapshot) {
		return nil
	}
	if now := r.options.Now(); now.UnixNano() < r.rests.Load() {
		return nil
	}
	mine, err := r.options.Store.ClaimKeys(ctx, claim)
	if err != nil || !mine {
		return err
	}
	if err = r.keep(ctx); err != nil { // what is wrong may be wrong with us alone: others shall have a chance
		r.rests.Store(r.options.Now().Add(claim).UnixNano())
	}
	return errors.Join(err, r.options.Store.ReleaseKeys(ctx))
}

// keep does what is due; nobody else is at it.
func (r *Ring) keep(ctx context.Context) error {
	if err := r.Reload(ctx); err != nil {
		return err
	}
	s := r.set.Load()
	if apart := s.at.Sub(s.snapshot.Now).Abs(); apart > maxDisagreement {
		return fmt.Errorf("keyring: our clock and the database's are %s apart: nothing is rotated or retired before one is set right", apart.Round(time.Second))
	}
	p, err := r.plan(s.snapshot)
	if len(p.Moves) > 0 {
		p.Makes = nil // in the next round: what needs no wrapper does not wait for it
	}
	p.Makes = p.Makes[:min(1, len(p.Makes))] // a slow wrapper has time for one
	if !p.Empty() {
		switch _, err := r.office.Apply(ctx, p, Who{Actor: system, Cause: "due"}); {
		case errors.Is(err, ErrChanged): // by somebody who was quicker
		case err != nil:
			return err
		default:
			p.log(ctx, r.options.Log)
		}
	}
	return err
}

// due are the steps whose time has come.
func (r *Ring) due(s Snapshot, now time.Time) []Step { return r.options.Rules.Due(s.Published(), now) }

// lacking reports whether one of our algorithms has no current key any more, as after a restored backup.
func (r *Ring) lacking(s Snapshot) bool {
	return slices.ContainsFunc(r.options.Algorithms, func(a string) bool { _, signs := s.Find(a, Current); return !signs })
}

// plan is what is due and can be done. The error says what cannot.
func (r *Ring) plan(s Snapshot) (Plan, error) {
	p := Plan{Snapshot: s, Moves: r.extensions(s)}
	if !p.Empty() {
		return p, nil // first, and by itself: the same keys may be about to move
	}
	r.announce(&p)
	var held []error
	for _, step := range r.due(s, s.Now) {
		switch step.Action {
		case Stage:
			p.Makes = append(p.Makes, Make{Algorithm: step.Algorithm, State: Next})
		case Retire:
			i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.KID == step.KID })
			p.Moves = append(p.Moves, Move{s.Keys[i], Retired})
		case Rotate:
			next, _ := s.Find(step.Algorithm, Next)
			if behind := s.behind(next.Revision, max(absent, r.options.Rules.lease())); len(behind) > 0 {
				held = append(held, fmt.Errorf("keyring: %s is not rotated: %s do not publish the next key yet", step.Algorithm, ids(behind)))
				continue
			}
			p.rotate(step.Algorithm)
		}
	}
	return p, errors.Join(held...)
}

func ids(replicas []Replica) string {
	names := make([]string, len(replicas))
	for i, r := range replicas {
		names[i] = r.ID
	}
	return strings.Join(names, ", ")
}

// recordTime is the record's clock now, as far as can be told without asking.
func (r *Ring) recordTime(s *set) time.Time { return s.snapshot.Now.Add(r.options.Now().Sub(s.at)) }

// Standing is how an algorithm stands, for those who watch.
type Standing struct {
	Algorithm string
	// Age is for how long its current key has signed.
	Age time.Duration
	// Rotates is in how long the next one takes over; negative if that is overdue. Never says that
	// it does not by itself.
	Rotates time.Duration
	Never   bool
	// Staged is the next key, if there is one.
	Staged *Key
}

// Standings returns how each algorithm stands that has a current key.
func (r *Ring) Standings() []Standing {
	s := r.set.Load()
	now := r.recordTime(s)
	var all []Standing
	for _, algorithm := range s.snapshot.InUse() {
		current, ok := s.snapshot.Find(algorithm, Current)
		if !ok {
			continue
		}
		each := Standing{Algorithm: algorithm, Age: now.Sub(current.ActivatedAt)}
		if next, ok := s.snapshot.Find(algorithm, Next); ok {
			each.Staged = &next
		}
		at := r.options.Rules.RotatesAt(current, each.Staged)
		each.Rotates, each.Never = at.Sub(now), at.IsZero()
		all = append(all, each)
	}
	return all
}

// Failures counts how often something was due and could not be done.
func (r *Ring) Failures() int64 { return r.failures.Load() }
