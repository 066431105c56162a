package keyringtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Memory is a keyring.Record in memory.
type Memory struct {
	now func() time.Time

	mu    sync.Mutex
	state state
}

// state is what a backup of a Memory holds.
type state struct {
	revision int64
	keys     []keyring.Key // all that there ever were
	replicas []keyring.Replica
	claimed  time.Time // until then
	events   []audit.Event
}

func (s state) clone() state {
	keys := slices.Clone(s.keys)
	for i := range keys {
		keys[i].Sealed = slices.Clone(keys[i].Sealed)
	}
	s.keys, s.replicas, s.events = keys, slices.Clone(s.replicas), slices.Clone(s.events)
	return s
}

// NewMemory returns an empty record whose clock is now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, state: state{revision: 1}}
}

var _ keyring.Record = (*Memory)(nil)

// KeySet implements keyring.Store.
func (m *Memory) KeySet(ctx context.Context) (keyring.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return keyring.Snapshot{}, err
	}
	now, s := stored(m.now()), m.state.clone()
	keys := slices.DeleteFunc(s.keys, func(k keyring.Key) bool {
		return !k.State.Published() && !k.EndedAt.After(now.Add(-keyring.Remembered))
	})
	slices.SortFunc(keys, func(a, b keyring.Key) int {
		return cmp.Or(b.PublishedAt.Compare(a.PublishedAt), strings.Compare(a.KID, b.KID))
	})
	return keyring.Snapshot{Revision: s.revision, Now: now, Keys: keys, Replicas: s.replicas}, nil
}

// KeyRevision implements keyring.Record.
func (m *Memory) KeyRevision(ctx context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.revision, ctx.Err()
}

// ChangeKeys implements keyring.Store.
func (m *Memory) ChangeKeys(ctx context.Context, c keyring.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.From != m.state.revision {
		return keyring.ErrChanged
	}
	after := m.state.clone()
	after.revision++
	for _, k := range c.Changed {
		if err := after.change(k); err != nil {
			return err
		}
	}
	for _, k := range c.Added {
		if err := after.add(k); err != nil {
			return err
		}
	}
	after.events = append(after.events, c.Events...)
	m.state = after.clone()
	return nil
}

func (s *state) change(k keyring.Key) error {
	at := slices.IndexFunc(s.keys, func(other keyring.Key) bool { return other.KID == k.KID })
	if at < 0 {
		return keyring.ErrChanged
	}
	k.Algorithm, k.CreatedAt = s.keys[at].Algorithm, s.keys[at].CreatedAt // for good
	s.keys[at] = rounded(k)
	return s.unique(k)
}

func (s *state) add(k keyring.Key) error {
	if slices.ContainsFunc(s.keys, func(other keyring.Key) bool { return other.KID == k.KID }) {
		return keyring.ErrKnown
	}
	s.keys = append(s.keys, rounded(k))
	return s.unique(k)
}

// unique is keyring.ErrChanged if k is where another key is, and only one can be.
func (s *state) unique(k keyring.Key) error {
	if k.State != keyring.Next && k.State != keyring.Current {
		return nil
	}
	if slices.ContainsFunc(s.keys, func(other keyring.Key) bool {
		return other.KID != k.KID && other.Algorithm == k.Algorithm && other.State == k.State
	}) {
		return keyring.ErrChanged
	}
	return nil
}

// Attend implements keyring.Record.
func (m *Memory) Attend(ctx context.Context, r keyring.Replica) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := stored(m.now())
	at := slices.IndexFunc(m.state.replicas, func(other keyring.Replica) bool { return other.ID == r.ID })
	switch {
	case ctx.Err() != nil:
	case at < 0:
		r.StartedAt, r.SeenAt = now, now
		m.state.replicas = append(m.state.replicas, r)
	default:
		m.state.replicas[at].SeenAt, m.state.replicas[at].Revision = now, r.Revision
	}
	return ctx.Err()
}

// Leave implements keyring.Record.
func (m *Memory) Leave(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() == nil {
		dayAgo := m.now().Add(-24 * time.Hour)
		m.state.replicas = slices.DeleteFunc(m.state.replicas, func(r keyring.Replica) bool { return r.ID == id || r.SeenAt.Before(dayAgo) })
	}
	return ctx.Err()
}

// ClaimKeys implements keyring.Record.
func (m *Memory) ClaimKeys(ctx context.Context, length time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := stored(m.now())
	if ctx.Err() != nil || m.state.claimed.After(now) && !m.state.claimed.After(now.Add(length)) {
		return false, ctx.Err()
	}
	m.state.claimed = now.Add(length)
	return true, nil
}

// ReleaseKeys implements keyring.Record.
func (m *Memory) ReleaseKeys(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() == nil {
		m.state.claimed = time.Time{}
	}
	return ctx.Err()
}

// Keys returns all keys that there ever were, the oldest first.
func (m *Memory) Keys() []keyring.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone().keys
}

// Events returns what was written for the audit.
func (m *Memory) Events() []audit.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.state.events)
}

// Edit changes keys behind everybody's back: the revision stays what it is.
func (m *Memory) Edit(edit func(keys []keyring.Key) []keyring.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.keys = edit(m.state.keys)
}

// Backup returns what brings the record back to what it is now.
func (m *Memory) Backup() (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.state.clone()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state = kept.clone()
	}
}

// rounded is a key as a database gives it back.
func rounded(k keyring.Key) keyring.Key {
	for _, at := range []*time.Time{&k.CreatedAt, &k.PublishedAt, &k.ActivatedAt, &k.StoppedAt, &k.EndedAt} {
		*at = stored(*at)
	}
	k.Longest = k.Longest.Truncate(time.Microsecond)
	return k
}

func stored(at time.Time) time.Time {
	if at.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(at.UnixMicro()).UTC()
}
