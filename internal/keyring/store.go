package keyring

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
)

var (
	// ErrChanged means that the keys are not as they were when a change was planned; nothing was changed.
	ErrChanged = errors.New("keyring: the keys have changed in the meantime")
	// ErrKnown means a key that the record has, or had, already.
	ErrKnown = errors.New("keyring: the record knows this key")
)

// Store keeps keys.
type Store interface {
	// KeySet returns what is published, or was until Remembered ago, and who serves it.
	KeySet(ctx context.Context) (Snapshot, error)
	// ChangeKeys makes a change as a whole, and its events, if the record is still at the revision
	// that it was planned on; otherwise, or if a key to be changed is not there, it is ErrChanged. A
	// key to be added that there is, or was at any time, is ErrKnown.
	ChangeKeys(ctx context.Context, c Change) error
}

// Record is the Store of a replica.
type Record interface {
	Store
	// KeyRevision returns the revision of the key set.
	KeyRevision(ctx context.Context) (int64, error)
	// Attend says that a replica is there, and which revision it serves.
	Attend(ctx context.Context, r Replica) error
	// Leave says that it is not any more.
	Leave(ctx context.Context, id string) error
	// ClaimKeys makes the caller the one to do what is due, for so long or until ReleaseKeys; it
	// returns false if another one is.
	ClaimKeys(ctx context.Context, length time.Duration) (bool, error)
	ReleaseKeys(ctx context.Context) error
}

// Remembered is for how long a Snapshot holds keys that are retired or revoked.
const Remembered = 7 * 24 * time.Hour

// Change is what is to be done to the keys of revision From.
type Change struct {
	From int64
	// Changed are as they are to be, in an order in which no algorithm ever has two current, or two
	// next, keys. Added follow them.
	Changed []Key
	Added   []Key
	Events  []audit.Event
}

// Snapshot is the key set as the record had it.
type Snapshot struct {
	Revision int64
	// Now is the record's clock.
	Now      time.Time
	Keys     []Key
	Replicas []Replica
}

// Replica is a server and the newest revision that it serves.
type Replica struct {
	ID        string
	Version   string
	StartedAt time.Time
	SeenAt    time.Time
	Revision  int64
}

const (
	// attendEvery is how often a replica says that it is there.
	attendEvery = 5 * time.Second
	// absent is how long after that it is taken for gone.
	absent = 3 * attendEvery
)

// Published returns the keys that are in the JWKS.
func (s Snapshot) Published() []Key {
	return slices.DeleteFunc(slices.Clone(s.Keys), func(k Key) bool { return !k.State.Published() })
}

// Find returns the next or the current key of an algorithm.
func (s Snapshot) Find(algorithm string, state State) (Key, bool) {
	return find(s.Keys, algorithm, state)
}

// Live returns the replicas that are there.
func (s Snapshot) Live() []Replica {
	return slices.DeleteFunc(slices.Clone(s.Replicas), func(r Replica) bool { return s.gone(r, absent) })
}

// Behind returns the live replicas that do not serve a revision yet.
func (s Snapshot) Behind(revision int64) []Replica { return s.behind(revision, absent) }

// behind takes replicas for gone after silence: one that has only lost its way to the record serves
// what it has for longer.
func (s Snapshot) behind(revision int64, silence time.Duration) []Replica {
	return slices.DeleteFunc(slices.Clone(s.Replicas), func(r Replica) bool {
		return r.Revision >= revision || s.gone(r, silence)
	})
}

// Lost returns the replicas that did not serve a revision when they fell silent, and may still run on
// what they have in memory.
func (s Snapshot) Lost(revision int64) []Replica {
	return slices.DeleteFunc(s.behind(revision, maxLease), func(r Replica) bool { return !s.gone(r, absent) })
}

// gone also takes who was last seen in the future for gone: the clock was set back since, and whoever is
// there says so every few seconds.
func (s Snapshot) gone(r Replica, silence time.Duration) bool {
	return s.Now.Sub(r.SeenAt).Abs() > silence
}

// InUse returns the algorithms that have a current or a next key, in a fixed order.
func (s Snapshot) InUse() []string {
	return slices.DeleteFunc(slices.Clone(Algorithms), func(a string) bool {
		_, signs := s.Find(a, Current)
		_, staged := s.Find(a, Next)
		return !signs && !staged
	})
}
