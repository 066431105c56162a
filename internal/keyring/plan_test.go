package keyring_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

var operator = keyring.Who{Actor: "ops@example.com", Cause: "operator", Reason: "a laptop was lost"}

func (m *memory) office(t *testing.T) *keyring.Office {
	t.Helper()
	return &keyring.Office{Store: m.line, Wrappers: keyring.Wrappers{Primary: keyringtest.Wrapper(t, 1)}, Longest: time.Hour}
}

func (m *memory) snapshot(t *testing.T) keyring.Snapshot {
	t.Helper()
	snapshot, err := m.Memory.KeySet(t.Context())
	require.NoError(t, err)
	return snapshot
}

// apply makes the change that plan thinks of, as an operator does.
func (m *memory) apply(t *testing.T, plan func(keyring.Snapshot) keyring.Plan) []keyring.Key {
	t.Helper()
	added, err := m.office(t).Apply(t.Context(), plan(m.snapshot(t)), operator)
	require.NoError(t, err)
	return added
}

func (m *memory) stage(t *testing.T, algorithm string) keyring.Key {
	t.Helper()
	return m.apply(t, func(s keyring.Snapshot) keyring.Plan { return keyring.PlanStage(s, algorithm) })[0]
}

func (m *memory) rotate(t *testing.T, algorithms ...string) {
	t.Helper()
	m.apply(t, func(s keyring.Snapshot) keyring.Plan { return keyring.PlanRotate(s, algorithms...) })
}

func (m *memory) revoke(t *testing.T, kids ...string) {
	t.Helper()
	m.apply(t, func(s keyring.Snapshot) keyring.Plan { return keyring.PlanRevoke(s, kids) })
}

// kinds are the events that have been written since there were n.
func (m *memory) kinds(n int) []audit.Kind {
	var kinds []audit.Kind
	for _, e := range m.Events()[n:] {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestStage(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256)
	store.clock.Advance(time.Minute)
	before := len(store.Events())
	first := store.stage(t, keyring.ES256)
	require.Equal(t, keyring.Key{
		KID: first.KID, Algorithm: keyring.ES256, State: keyring.Next, Origin: keyring.Generated, Sealed: first.Sealed, WrappedBy: first.WrappedBy,
		Longest: time.Hour, Revision: store.snapshot(t).Revision, CreatedAt: store.clock.Now(), PublishedAt: store.clock.Now(),
	}, store.key(t, first.KID))
	store.clock.Advance(time.Minute)
	second := store.stage(t, keyring.ES256)
	gone := store.key(t, first.KID)
	require.Equal(t, keyring.Retired, gone.State, "it makes room")
	require.Equal(t, store.clock.Now(), gone.EndedAt)
	require.Empty(t, gone.Sealed)
	require.True(t, gone.StoppedAt.IsZero(), "it has never signed")
	require.Equal(t, second.KID, store.find(t, keyring.ES256, keyring.Next).KID)
	require.Equal(t, []audit.Kind{audit.KeyStaged, audit.KeyRetired, audit.KeyStaged}, store.kinds(before))
	e := store.Events()[before]
	require.Equal(t, audit.Event{
		At: store.clock.Now().Add(-time.Minute), Kind: audit.KeyStaged, Actor: operator.Actor, Reason: "operator",
		Detail: map[string]any{"kid": first.KID, "algorithm": keyring.ES256, "reason": operator.Reason},
	}, e)
}

func TestImport(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.EdDSA)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	plan := func(s keyring.Snapshot) keyring.Plan { return keyring.PlanImport(s, keyring.EdDSA, private) }
	imported := store.apply(t, plan)[0]
	kid, err := keyring.Thumbprint(private)
	require.NoError(t, err)
	require.Equal(t, kid, imported.KID)
	require.Equal(t, keyring.Imported, store.key(t, kid).Origin)
	require.Contains(t, store.kinds(0), audit.KeyImported)
	store.rotate(t, keyring.EdDSA)
	require.NoError(t, ring.Reload(t.Context()))
	require.Equal(t, kid, ring.Signer(keyring.EdDSA))
	require.Equal(t, crypto.Signer(private), store.private(t, keyring.EdDSA))

	store.revoke(t, kid)
	_, err = store.office(t).Apply(t.Context(), plan(store.snapshot(t)), operator)
	require.ErrorIs(t, err, keyring.ErrKnown, "a key that was revoked does not come back")
}

func TestRotateTwiceInARow(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	first := ring.Signer(keyring.ES256)
	second := store.stage(t, keyring.ES256)
	store.clock.Advance(day)
	before := len(store.Events())
	require.Empty(t, keyring.PlanRotate(store.snapshot(t), keyring.ES256).Unannounced())
	store.rotate(t, keyring.ES256)
	require.Equal(t, []audit.Kind{audit.KeyReplaced, audit.KeyActivated}, store.kinds(before))
	require.Equal(t, keyring.Previous, store.key(t, first).State)
	require.Equal(t, store.clock.Now(), store.key(t, first).StoppedAt)
	require.NotEmpty(t, store.key(t, first).Sealed)
	require.Equal(t, store.clock.Now(), store.key(t, second.KID).ActivatedAt)

	again := keyring.PlanRotate(store.snapshot(t), keyring.ES256)
	require.Equal(t, []string{keyring.ES256}, again.Unannounced(), "nobody has seen the one after it")
	store.clock.Advance(time.Second)
	store.rotate(t, keyring.ES256)
	third := store.find(t, keyring.ES256, keyring.Current)
	require.Equal(t, store.clock.Now(), third.ActivatedAt)
	require.Equal(t, store.clock.Now(), third.PublishedAt)
	for _, kid := range []string{first, second.KID} {
		require.Equal(t, keyring.Previous, store.key(t, kid).State, "the tokens of both are still there")
	}
	require.NoError(t, ring.Reload(t.Context()))
	require.Len(t, published(t, ring), 3)
}

func TestRotateSeveral(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256)
	next := store.stage(t, keyring.ES256)
	p := keyring.PlanRotate(store.snapshot(t), keyring.ES256, keyring.EdDSA)
	require.Equal(t, []string{keyring.EdDSA}, p.Unannounced())
	revision := store.snapshot(t).Revision
	_, err := store.office(t).Apply(t.Context(), p, operator)
	require.NoError(t, err)
	require.Equal(t, revision+1, store.snapshot(t).Revision, "in one change")
	require.Equal(t, next.KID, store.kidOf(t, keyring.ES256))
	store.kidOf(t, keyring.EdDSA)
	require.True(t, keyring.PlanRotate(store.snapshot(t)).Empty())
}

// Two that plan on the same keys: one change is made, and the other hears of it.
func TestOfTwoRotationsOneIsMade(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256)
	store.stage(t, keyring.ES256)
	one, another := keyring.PlanRotate(store.snapshot(t), keyring.ES256), keyring.PlanRotate(store.snapshot(t), keyring.ES256)
	_, err := store.office(t).Apply(t.Context(), one, operator)
	require.NoError(t, err)
	before, keys := store.Events(), store.Keys()
	_, err = store.office(t).Apply(t.Context(), another, operator)
	require.ErrorIs(t, err, keyring.ErrChanged)
	require.Equal(t, before, store.Events())
	require.Equal(t, keys, store.Keys())
}

func TestRevoke(t *testing.T) {
	for name, tc := range map[string]struct {
		staged bool
		revoke func(current, next, previous string) []string
		made   int // new keys that sign at once
		events []audit.Kind
	}{
		"the only key":                {false, func(c, _, _ string) []string { return []string{c} }, 1, []audit.Kind{audit.KeyRevoked, audit.KeyCreated}},
		"the current of two":          {true, func(c, _, _ string) []string { return []string{c} }, 0, []audit.Kind{audit.KeyRevoked, audit.KeyActivated}},
		"both current and next":       {true, func(c, n, _ string) []string { return []string{n, c} }, 1, []audit.Kind{audit.KeyRevoked, audit.KeyRevoked, audit.KeyCreated}},
		"the next":                    {true, func(_, n, _ string) []string { return []string{n} }, 0, []audit.Kind{audit.KeyRevoked}},
		"a previous":                  {true, func(_, _, p string) []string { return []string{p} }, 0, []audit.Kind{audit.KeyRevoked}},
		"everything":                  {true, func(c, n, p string) []string { return []string{c, n, p} }, 1, []audit.Kind{audit.KeyRevoked, audit.KeyRevoked, audit.KeyRevoked, audit.KeyCreated}},
		"the same twice, and unknown": {false, func(c, _, _ string) []string { return []string{c, "unknown", c} }, 1, []audit.Kind{audit.KeyRevoked, audit.KeyCreated}},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			ring := open(t, store, keyring.ES256, keyring.EdDSA)
			other := ring.Signer(keyring.EdDSA)
			previous := ring.Signer(keyring.ES256)
			store.stage(t, keyring.ES256)
			store.rotate(t, keyring.ES256)
			require.NoError(t, ring.Reload(t.Context()))
			current := ring.Signer(keyring.ES256)
			next := ""
			if tc.staged {
				next = store.stage(t, keyring.ES256).KID
			}
			store.clock.Advance(time.Minute)
			before := len(store.Events())
			kids := tc.revoke(current, next, previous)
			p := keyring.PlanRevoke(store.snapshot(t), kids)
			require.Len(t, p.Unannounced(), tc.made)
			store.revoke(t, kids...)
			require.Equal(t, tc.events, store.kinds(before))
			signs := store.find(t, keyring.ES256, keyring.Current)
			require.NoError(t, ring.Reload(t.Context()))
			require.Equal(t, signs.KID, ring.Signer(keyring.ES256))
			require.Equal(t, other, ring.Signer(keyring.EdDSA), "another algorithm")
			require.NotContains(t, kids, signs.KID)
			for _, kid := range kids {
				if kid == "unknown" || kid == "" {
					continue
				}
				k := store.key(t, kid)
				require.Equal(t, keyring.Revoked, k.State)
				require.Equal(t, operator.Reason, k.Reason)
				require.Equal(t, store.clock.Now(), k.EndedAt)
				require.Empty(t, k.Sealed, "nobody needs it any more")
				require.NotContains(t, published(t, ring), kid)
				require.Equal(t, kid == current, k.StoppedAt.Equal(store.clock.Now()), "it stopped only if it signed")
			}
			require.True(t, keyring.PlanRevoke(store.snapshot(t), kids).Empty(), "once is enough")
		})
	}
}

func TestARetiredKeyCanBeRevoked(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256)
	first := store.stage(t, keyring.ES256).KID
	store.stage(t, keyring.ES256)
	require.Equal(t, keyring.Retired, store.key(t, first).State)
	store.revoke(t, first)
	require.Equal(t, keyring.Revoked, store.key(t, first).State)
}

// Whatever fails, nothing was changed.
func TestAFailedChangeChangesNothing(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	keys, events := store.Keys(), store.Events()
	office := store.office(t)
	office.Wrappers.Primary = &faulty{Wrapper: office.Wrappers.Primary, wrap: errDown}
	for _, p := range []keyring.Plan{
		keyring.PlanStage(store.snapshot(t), keyring.ES256),
		keyring.PlanRotate(store.snapshot(t), keyring.ES256),
		keyring.PlanRevoke(store.snapshot(t), []string{ring.Signer(keyring.ES256)}),
	} {
		_, err := office.Apply(t.Context(), p, operator)
		require.ErrorIs(t, err, errDown)
	}
	_, err := store.office(t).Apply(t.Context(), keyring.PlanStage(store.snapshot(t), "PS256"), operator)
	require.ErrorContains(t, err, "no such algorithm")
	store.down = errDown
	_, err = store.office(t).Apply(t.Context(), keyring.PlanStage(store.snapshot(t), keyring.ES256), operator)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, keys, store.Keys())
	require.Equal(t, events, store.Events())
}

// A key that is to sign longer tokens stays for longer, and never for less.
func TestKeysSignForTheLongerOfTwoSettings(t *testing.T) {
	for _, tc := range []struct{ made, rotates, want time.Duration }{
		{time.Hour, 2 * time.Hour, 2 * time.Hour}, {2 * time.Hour, time.Hour, 2 * time.Hour},
	} {
		store := newMemory()
		open(t, store, keyring.ES256)
		office := store.office(t)
		office.Longest = tc.made
		_, err := office.Apply(t.Context(), keyring.PlanStage(store.snapshot(t), keyring.ES256), operator)
		require.NoError(t, err)
		office.Longest = tc.rotates
		_, err = office.Apply(t.Context(), keyring.PlanRotate(store.snapshot(t), keyring.ES256), operator)
		require.NoError(t, err)
		require.Equal(t, tc.want, store.find(t, keyring.ES256, keyring.Current).Longest)
		require.Equal(t, time.Hour, store.find(t, keyring.ES256, keyring.Previous).Longest, "it signs no more")
	}
}

// faulty is a Wrapper that fails, or hangs until its caller gives up.
type faulty struct {
	keyring.Wrapper
	wrap, unwrap error
	hangs        bool
	unwrapped    int
}

var errHangs = errors.New("the wrapper hangs")

func (f *faulty) Wrap(ctx context.Context, plain []byte, label string) ([]byte, error) {
	if f.hangs {
		<-ctx.Done()
		return nil, errHangs
	}
	if f.wrap != nil {
		return nil, f.wrap
	}
	return f.Wrapper.Wrap(ctx, plain, label)
}

func (f *faulty) Unwrap(ctx context.Context, sealed []byte, label string) ([]byte, error) {
	f.unwrapped++
	if f.hangs {
		<-ctx.Done()
		return nil, errHangs
	}
	if f.unwrap != nil {
		return nil, f.unwrap
	}
	return f.Wrapper.Unwrap(ctx, sealed, label)
}
