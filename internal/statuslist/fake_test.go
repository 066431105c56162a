package statuslist_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/statuslist"
)

const (
	base = "https://id.example.com/status-lists/"
	ttl  = time.Minute
)

// start is in the middle of a window.
var start = time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)

var errDown = errors.New("the record is down")

// memory is a statuslist.Store. Its clock is its own.
type memory struct {
	mu      sync.Mutex
	clock   func() time.Time
	lists   []statuslist.List // the oldest first
	revoked []statuslist.Cursor
	tick    int64
	calls   map[string]int
	down    map[string]bool // by method: it fails
	before  map[string]func(call int)
}

func newMemory(lists ...string) *memory {
	m := &memory{calls: map[string]int{}, down: map[string]bool{}, before: map[string]func(int){}}
	m.clock = func() time.Time { return start }
	for _, id := range lists {
		m.lists = append(m.lists, statuslist.List{ID: id})
	}
	return m
}

// enter counts a call, and returns with the lock held.
func (m *memory) enter(ctx context.Context, method string) error {
	m.mu.Lock()
	m.calls[method]++
	if before := m.before[method]; before != nil {
		call := m.calls[method]
		m.mu.Unlock()
		before(call)
		m.mu.Lock()
	}
	if m.down[method] {
		return errDown
	}
	return ctx.Err()
}

func (m *memory) Lists(ctx context.Context) ([]statuslist.List, time.Time, error) {
	defer m.mu.Unlock()
	if err := m.enter(ctx, "Lists"); err != nil {
		return nil, time.Time{}, err
	}
	return slices.Clone(m.lists), m.clock(), nil
}

func (m *memory) OpenList(ctx context.Context, id string, below int) error {
	defer m.mu.Unlock()
	if err := m.enter(ctx, "OpenList"); err != nil {
		return err
	}
	if !slices.ContainsFunc(m.lists, func(l statuslist.List) bool { return l.Leased < below }) {
		m.lists = append(m.lists, statuslist.List{ID: id})
	}
	return nil
}

func (m *memory) Lease(ctx context.Context, n int) (statuslist.Lease, error) {
	defer m.mu.Unlock()
	if err := m.enter(ctx, "Lease"); err != nil {
		return statuslist.Lease{}, err
	}
	for i := range m.lists {
		if l := &m.lists[i]; l.Leased+n <= statuslist.Size {
			l.Leased += n
			return statuslist.Lease{List: l.ID, From: l.Leased - n, To: l.Leased}, nil
		}
	}
	return statuslist.Lease{}, statuslist.ErrNoRoom
}

func (m *memory) Revocations(ctx context.Context, after statuslist.Cursor, limit int) ([]statuslist.Cursor, error) {
	defer m.mu.Unlock()
	if err := m.enter(ctx, "Revocations"); err != nil {
		return nil, err
	}
	from, exact := slices.BinarySearchFunc(m.revoked, after, compare)
	if exact {
		from++
	}
	return slices.Clone(m.revoked[from:min(from+limit, len(m.revoked))]), nil
}

func compare(a, b statuslist.Cursor) int {
	return cmp.Or(cmp.Compare(a.Tick, b.Tick), cmp.Compare(a.Place.List, b.Place.List), cmp.Compare(a.Place.Index, b.Place.Index))
}

// revoke revokes the places of a list in one tick.
func (m *memory) revoke(list string, indexes ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick++
	for _, i := range indexes {
		m.revoked = append(m.revoked, statuslist.Cursor{Tick: m.tick, Place: statuslist.Place{List: list, Index: i}})
	}
	slices.SortFunc(m.revoked, compare)
}

// change edits the record.
func (m *memory) change(edit func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit()
}

// on calls before ahead of each call of method, with its number.
func (m *memory) on(method string, before func(call int)) {
	m.change(func() { m.before[method] = before })
}

func (m *memory) fail(method string, down bool) { m.change(func() { m.down[method] = down }) }

func (m *memory) count(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

// keys is a statuslist.Keys that counts, and whose signatures are worth nothing.
type keys struct {
	mu     sync.Mutex
	signed int
	failAt int // the number of a signature that fails, once
	kid    string
	during func() // is called in the middle of a signature; may be nil
}

func (k *keys) Signer(string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kid
}

func (k *keys) Sign(_ context.Context, algorithm, typ string, payload []byte) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signed++
	if k.signed == k.failAt {
		return "", errDown
	}
	if k.during != nil {
		k.during()
	}
	b64 := base64.RawURLEncoding.EncodeToString
	digest := sha256.Sum256(payload)
	return b64([]byte(`{"alg":"`+algorithm+`","kid":"`+k.kid+`","typ":"`+typ+`"}`)) + "." + b64(payload) + "." + b64(digest[:]), nil
}

// rotate makes another key the one that signs.
func (k *keys) rotate(kid string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kid = kid
}

func (k *keys) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.signed
}

// clock is one that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a board over a record, both on one clock unless a test says otherwise.
type fixture struct {
	*statuslist.Board
	store *memory
	keys  *keys
	clock *clock
	log   *bytes.Buffer
}

func newFixture(lists ...string) *fixture {
	f := &fixture{store: newMemory(lists...), keys: &keys{}, clock: &clock{now: start}, log: &bytes.Buffer{}}
	f.store.clock = f.clock.Now
	f.Board = statuslist.NewBoard(f.options())
	return f
}

func (f *fixture) options() statuslist.Options {
	return statuslist.Options{
		Store: f.store, Keys: f.keys, Algorithm: keyring.RS256, BaseURI: base, TTL: ttl,
		Log: slog.New(slog.NewTextHandler(f.log, nil)), Now: f.clock.Now,
	}
}

func (f *fixture) poll(t testing.TB) {
	t.Helper()
	require.NoError(t, f.Poll(t.Context()))
}

// list returns what the board serves as list, decoded without looking at the signature.
func (f *fixture) list(t testing.TB, id string) decoded {
	t.Helper()
	served, err := f.Token(id)
	require.NoError(t, err)
	return decode(t, served.Body)
}

var (
	once sync.Once
	ring *keyring.Ring
)

// realRing is a real keyring, made once.
func realRing(t testing.TB) *keyring.Ring {
	t.Helper()
	once.Do(func() { ring = keyringtest.Open(t, keyring.RS256) })
	return ring
}
