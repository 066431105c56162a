package keyring_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

func TestNamesOfWrappers(t *testing.T) {
	one, another := keyringtest.Wrapper(t, 1), keyringtest.Wrapper(t, 2)
	require.Equal(t, one.Name(), keyringtest.Wrapper(t, 1).Name(), "for good")
	require.NotEqual(t, one.Name(), another.Name())
	require.Regexp(t, `\Alocal:[0-9a-f]{8}\z`, one.Name())
	store := newMemory()
	open(t, store, keyring.ES256)
	require.Equal(t, one.Name(), store.find(t, keyring.ES256, keyring.Current).WrappedBy)
}

func (m *memory) officeWith(t *testing.T, primary keyring.Wrapper, former ...keyring.Wrapper) *keyring.Office {
	t.Helper()
	office := m.office(t)
	office.Wrappers = keyring.Wrappers{Primary: primary, Former: former}
	return office
}

func TestFormerWrappers(t *testing.T) {
	store := newMemory()
	old := open(t, store, keyring.ES256)
	options := store.options(t, keyring.ES256, keyring.EdDSA)
	options.Wrappers = keyring.Wrappers{Primary: keyringtest.Wrapper(t, 2), Former: []keyring.Wrapper{keyringtest.Wrapper(t, 3), keyringtest.Wrapper(t, 1)}}
	ring := openWith(t, options)
	require.Equal(t, old.Signer(keyring.ES256), ring.Signer(keyring.ES256))
	require.Equal(t, keyringtest.Wrapper(t, 2).Name(), store.find(t, keyring.EdDSA, keyring.Current).WrappedBy, "new ones are sealed by the primary")
	_, err := openSealedBy(t, store, 1, keyring.ES256)
	require.ErrorContains(t, err, "sealed by "+keyringtest.Wrapper(t, 2).Name()+", which the settings do not name")

	store.Edit(func(keys []keyring.Key) []keyring.Key {
		for i := range keys {
			keys[i].WrappedBy = "" // as in a version before names
		}
		return keys
	})
	openWith(t, options)
	office := store.officeWith(t, options.Wrappers.Primary, options.Wrappers.Former...)
	require.NoError(t, office.Readable(t.Context(), store.snapshot(t)))
	require.Len(t, office.Foreign(store.snapshot(t)), 2, "nobody knows whose they are")
}

func TestRewrap(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256, keyring.EdDSA)
	store.stage(t, keyring.ES256)
	store.rotate(t, keyring.ES256)
	store.stage(t, keyring.ES256)
	gone := store.stage(t, keyring.EdDSA).KID
	store.revoke(t, gone)
	store.step(t, ring)
	jwks, before := ring.JWKS(), store.Keys()
	old, primary := keyringtest.Wrapper(t, 1), keyringtest.Wrapper(t, 2)
	office := store.officeWith(t, primary, old)
	events := len(store.Events())
	moved, err := office.Rewrap(t.Context(), store.snapshot(t), operator)
	require.NoError(t, err)
	require.Len(t, moved, 4)
	for _, k := range before {
		after := store.key(t, k.KID)
		if k.KID == gone {
			require.Equal(t, k, after)
			continue
		}
		require.NotEqual(t, k.Sealed, after.Sealed)
		require.Equal(t, primary.Name(), after.WrappedBy)
		k.Sealed, k.WrappedBy = after.Sealed, after.WrappedBy
		require.Equal(t, k, after, "nothing else has changed")
	}
	require.Equal(t, []audit.Kind{audit.KeyRewrapped, audit.KeyRewrapped, audit.KeyRewrapped, audit.KeyRewrapped}, store.kinds(events))
	detail := store.Events()[events].Detail
	require.Equal(t, old.Name(), detail["from"])
	require.Equal(t, primary.Name(), detail["to"])
	require.Equal(t, operator.Actor, store.Events()[events].Actor)

	store.step(t, ring)
	require.NoError(t, ring.Ready(), "it has its keys in memory, and the old wrapper only")
	require.Equal(t, string(jwks.Body), string(ring.JWKS().Body))
	require.Equal(t, store.snapshot(t).Revision, ring.JWKS().Revision)
	fresh, err := openSealedBy(t, store, 2, keyring.ES256)
	require.NoError(t, err, "without the old one")
	require.Equal(t, string(jwks.Body), string(fresh.JWKS().Body))

	revision := store.snapshot(t).Revision
	again, err := office.Rewrap(t.Context(), store.snapshot(t), operator)
	require.NoError(t, err)
	require.Empty(t, again)
	require.Equal(t, revision, store.snapshot(t).Revision)
	require.Empty(t, office.Foreign(store.snapshot(t)))
}

// garbles is a Wrapper from which nothing comes back.
type garbles struct{ keyring.Wrapper }

func (g garbles) Wrap(ctx context.Context, plain []byte, label string) ([]byte, error) {
	sealed, err := g.Wrapper.Wrap(ctx, plain, label)
	return append(sealed, 0), err
}

func TestAFailedRewrapKeepsEverything(t *testing.T) {
	old, primary := keyringtest.Wrapper(t, 1), keyringtest.Wrapper(t, 2)
	nth := func(n int) keyring.Wrapper { return &failsAt{Wrapper: primary, at: n} }
	for name, tc := range map[string]struct {
		primary keyring.Wrapper
		former  []keyring.Wrapper
		stale   bool
		down    error
		want    string
	}{
		"the first cannot be encrypted":  {primary: nth(1), former: []keyring.Wrapper{old}, want: "encrypt"},
		"the second cannot be encrypted": {primary: nth(2), former: []keyring.Wrapper{old}, want: "encrypt"},
		"it cannot be read back":         {primary: garbles{primary}, former: []keyring.Wrapper{old}, want: "back"},
		"it cannot be read":              {primary: primary, want: "cannot read the signing keys"},
		"the former one is away":         {primary: primary, former: []keyring.Wrapper{&faulty{Wrapper: old, unwrap: errDown}}, want: errDown.Error()},
		"the keys have changed":          {primary: primary, former: []keyring.Wrapper{old}, stale: true, want: keyring.ErrChanged.Error()},
		"the record is away":             {primary: primary, former: []keyring.Wrapper{old}, down: errDown, want: errDown.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			open(t, store, keyring.ES256, keyring.EdDSA)
			snapshot := store.snapshot(t)
			if tc.stale {
				store.stage(t, keyring.ES256)
			}
			keys, events := store.Keys(), store.Events()
			store.down = tc.down
			_, err := store.officeWith(t, tc.primary, tc.former...).Rewrap(t.Context(), snapshot, operator)
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, keys, store.Keys())
			require.Equal(t, events, store.Events())
		})
	}
}

// failsAt fails to encrypt the key of a number.
type failsAt struct {
	keyring.Wrapper
	at int
}

func (f *failsAt) Wrap(ctx context.Context, plain []byte, label string) ([]byte, error) {
	if f.at--; f.at == 0 {
		return nil, errDown
	}
	return f.Wrapper.Wrap(ctx, plain, label)
}
