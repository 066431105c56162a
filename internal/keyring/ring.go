package keyring

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Options are what a Ring needs.
type Options struct {
	Store    Record
	Wrappers Wrappers
	// Algorithms are those that our clients' tokens are signed with.
	Algorithms []string
	Rules      Rules
	// Longest is how long a token may live at most by our settings.
	Longest time.Duration
	// ID and Version say to operators which replica we are.
	ID, Version string
	// Witness may be nil.
	Witness Witness
	// Resigned is called after another key has begun to sign here. It must not wait; it may be nil.
	Resigned func()
	Log      *slog.Logger
	Now      func() time.Time
}

// Ring signs and verifies with the keys of a store. It works from memory: no call reaches the store
// but Sync, Keep and Run. It is safe for concurrent use.
type Ring struct {
	options Options
	office  *Office
	set     atomic.Pointer[set]
	// heard is our time when the record last told us which revision it is at.
	heard    atomic.Pointer[time.Time]
	failures atomic.Int64
	// rests is until when, by our clock in nanoseconds, we leave what is due to others, having failed at it.
	rests atomic.Int64
	// slots bound how many signatures are computed at once: more would only make all of them
	// slower, since RSA keeps a core busy.
	slots chan struct{}

	started   time.Time
	testified time.Time // by Run alone

	syncing  sync.Mutex // guards what is below
	loaded   time.Time
	attended Replica
}

// set is what is in memory; it is replaced, never changed.
type set struct {
	snapshot Snapshot
	at       time.Time // ours when the snapshot was asked for
	opened   map[string]crypto.Signer
	signing  map[string]signingKey // by algorithm
	public   map[string]jwk.Key    // by kid
	jwks     JWKS
	// unreadable is what the record publishes and we cannot; nil if that is nothing.
	unreadable *UnreadableError
	served     int64 // the newest revision of which nothing is missing
}

type signingKey struct {
	kid     string
	private crypto.Signer
}

const (
	// reloadEvery is how often keys are read although the revision is the same: a version before
	// revisions may have added one, and an unreadable one may be readable again.
	reloadEvery = 15 * time.Second
	// openWait is for how long keys may take to be decrypted, all together.
	openWait = 5 * time.Second
	// introduction is for how long a new algorithm waits for other replicas to publish its first key.
	introduction = 10 * time.Second
)

// Open loads the keys, and makes a first one for each algorithm that has none. Keys that cannot be
// read are an *UnreadableError, and nothing is made.
func Open(ctx context.Context, options Options) (*Ring, error) {
	r := &Ring{
		options: options, started: options.Now(), slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		office: &Office{Store: options.Store, Wrappers: options.Wrappers, Longest: options.Longest},
	}
	if err := r.Reload(ctx); err != nil {
		return nil, err
	}
	if unreadable := r.set.Load().unreadable; unreadable != nil {
		return nil, unreadable
	}
	r.recall(ctx)
	if err := r.introduce(ctx); err != nil {
		return nil, err
	}
	if unreadable := r.set.Load().unreadable; unreadable != nil { // made by somebody else in the meantime
		return nil, unreadable
	}
	return r, nil
}

// introduce sees to it that each of our algorithms has a current key, which may sign for as long as our
// tokens live. Other replicas get time to publish a new one first.
func (r *Ring) introduce(ctx context.Context) error {
	for {
		s := r.set.Load().snapshot
		p := Plan{Snapshot: s, Moves: r.extensions(s)}
		waiting := false
		if p.Empty() {
			waiting = r.announce(&p)
		}
		if p.Empty() && !waiting {
			return nil
		}
		var err error
		if p.Empty() {
			err = pause(ctx, 100*time.Millisecond)
		} else {
			_, err = r.office.Apply(ctx, p, Who{Actor: system, Cause: "first"})
		}
		if err != nil && !errors.Is(err, ErrChanged) { // else another replica was quicker
			return err
		}
		if err := r.Reload(ctx); err != nil {
			return err
		}
	}
}

// announce plans the first keys of our algorithms: published while others are there to publish them, and
// signing when all have, or have had their time. It reports whether there is one to wait for.
func (r *Ring) announce(p *Plan) (waiting bool) {
	s := p.Snapshot
	for _, algorithm := range r.options.Algorithms {
		if _, signs := s.Find(algorithm, Current); signs {
			continue
		}
		switch next, staged := s.Find(algorithm, Next); {
		case staged && len(s.Behind(next.Revision)) > 0 && s.Now.Sub(next.PublishedAt).Abs() < introduction:
			waiting = true
		case staged || len(s.Live()) == 0:
			p.succeed(algorithm)
		default:
			p.Makes = append(p.Makes, Make{Algorithm: algorithm, State: Next})
		}
	}
	return waiting
}

// extensions are the keys that were made for shorter tokens than ours: they have to stay published
// for longer.
func (r *Ring) extensions(s Snapshot) []Move {
	var moves []Move
	for _, k := range s.Keys {
		if (k.State == Current || k.State == Next) && k.Longest < r.options.Longest && slices.Contains(r.options.Algorithms, k.Algorithm) {
			moves = append(moves, Move{k, k.State})
		}
	}
	return moves
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reload reads the keys anew; until it succeeds the ring goes on with those it has. A key that cannot be
// read now is left out, and said to be missing, but does not keep others out or in.
func (r *Ring) Reload(ctx context.Context) error {
	r.syncing.Lock()
	defer r.syncing.Unlock()
	return r.reload(ctx)
}

func (r *Ring) reload(ctx context.Context) error {
	at := r.options.Now()
	s, err := r.options.Store.KeySet(ctx)
	if err != nil {
		return fmt.Errorf("load signing keys: %w", err)
	}
	before := r.set.Load()
	if before == nil {
		before = &set{}
	}
	r.compare(ctx, marks(before.snapshot), s)
	after, err := r.newSet(ctx, s, before)
	if err != nil {
		return err
	}
	after.at = at
	r.set.Store(after)
	if r.options.Resigned != nil && !maps.EqualFunc(before.signing, after.signing, func(a, b signingKey) bool { return a.kid == b.kid }) {
		r.options.Resigned()
	}
	r.heard.Store(&at)
	r.loaded = at
	return nil
}

// newSet opens what is published. Keys that are open already are not decrypted again, so that a
// key-management service may be away once we run.
func (r *Ring) newSet(ctx context.Context, s Snapshot, before *set) (*set, error) {
	after := &set{snapshot: s, opened: map[string]crypto.Signer{}, signing: map[string]signingKey{}, public: map[string]jwk.Key{}}
	if before.jwks.Body != nil { // there is something to go on with, and to be told of
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openWait)
		defer cancel()
	}
	var unreadable UnreadableError
	for _, k := range s.Published() {
		private, ok := before.opened[k.KID]
		if !ok || !fits(private, k.Algorithm) { // a row that was tampered with is authenticated anew, and found out
			var err error
			if private, err = r.options.Wrappers.open(ctx, k); err != nil {
				unreadable.KIDs, unreadable.Cause = append(unreadable.KIDs, k.KID), err
				continue
			}
		}
		public, err := publicKey(k, private)
		if err != nil {
			unreadable.KIDs, unreadable.Cause = append(unreadable.KIDs, k.KID), err
			continue
		}
		after.opened[k.KID], after.public[k.KID] = private, public
		if k.State == Current {
			after.signing[k.Algorithm] = signingKey{k.KID, private}
		}
	}
	after.served = s.Revision
	if len(unreadable.KIDs) > 0 {
		after.unreadable, after.served = &unreadable, min(before.served, s.Revision)
	}
	var err error
	after.jwks, err = newJWKS(s, after.public, after.served, r.options.Rules.JWKSMaxAge())
	return after, err
}

// Algorithms returns those that the ring can sign with, sorted.
func (r *Ring) Algorithms() []string {
	var names []string
	for algorithm := range r.set.Load().signing {
		names = append(names, algorithm)
	}
	slices.Sort(names)
	return names
}

// Signer returns the kid of the current key for algorithm; "" if there is none.
func (r *Ring) Signer(algorithm string) string { return r.set.Load().signing[algorithm].kid }

// Ready says why tokens cannot be signed; nil if they can.
func (r *Ring) Ready() error {
	s := r.set.Load()
	for _, algorithm := range r.options.Algorithms {
		if _, ok := s.signing[algorithm]; !ok {
			return fmt.Errorf("keyring: no current key for %s", algorithm)
		}
	}
	return r.current()
}

// ErrBehind means that we have not heard from the record for so long that the keys in memory may
// have been replaced.
var ErrBehind = errors.New("keyring: the keys have not been checked for too long")

// current is ErrBehind if the keys in memory are too old to sign with.
func (r *Ring) current() error {
	now, heard := r.options.Now(), *r.heard.Load()
	// The monotonic clock stands still while the machine sleeps, the other one may be set.
	if max(now.Sub(heard), now.Round(0).Sub(heard.Round(0))) > r.options.Rules.lease() {
		return ErrBehind
	}
	return nil
}
