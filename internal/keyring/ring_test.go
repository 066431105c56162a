package keyring_test

import (
	stdsql "database/sql"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// published returns the JWKS by kid.
func published(t *testing.T, ring *keyring.Ring) map[string]map[string]any {
	t.Helper()
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(ring.JWKS().Body, &set))
	byKID := map[string]map[string]any{}
	for _, key := range set.Keys {
		kid, _ := key["kid"].(string)
		require.NotContains(t, byKID, kid, "kids are unique")
		byKID[kid] = key
	}
	return byKID
}

func TestJWKSHoldsPublicMembersOnly(t *testing.T) {
	store := newMemory()
	ring := open(t, store, all...)
	keys := published(t, ring)
	require.Len(t, keys, 3)
	for algorithm, want := range map[string][]string{
		keyring.RS256: {"alg", "e", "kid", "kty", "n", "use"},
		keyring.ES256: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		keyring.EdDSA: {"alg", "crv", "kid", "kty", "use", "x"},
	} {
		key := keys[store.kidOf(t, algorithm)]
		require.ElementsMatch(t, want, slices.Collect(maps.Keys(key)), algorithm)
		require.Equal(t, algorithm, key["alg"])
		require.Equal(t, "sig", key["use"])
	}
	rsa := keys[store.kidOf(t, keyring.RS256)]
	require.Equal(t, "AQAB", rsa["e"])
	require.Len(t, rsa["n"], 342, "2048 bits")
	require.Equal(t, "P-256", keys[store.kidOf(t, keyring.ES256)]["crv"])
	require.Equal(t, "Ed25519", keys[store.kidOf(t, keyring.EdDSA)]["crv"])
	require.Equal(t, []string{keyring.ES256, keyring.EdDSA, keyring.RS256}, ring.Algorithms())
}

func TestETagFollowsTheKeys(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	before := ring.JWKS()
	require.Regexp(t, `\A"[0-9a-f]{16}"\z`, before.ETag)
	require.NoError(t, ring.Reload(t.Context()))
	require.Equal(t, before, ring.JWKS(), "the same keys")
	require.Equal(t, before.ETag, open(t, store, keyring.ES256).JWKS().ETag, "another replica")
	require.NotEqual(t, before.ETag, open(t, store, keyring.ES256, keyring.EdDSA).JWKS().ETag, "one key more")
}

func TestOpenMakesOnlyWhatIsMissing(t *testing.T) {
	store := newMemory()
	first := open(t, store, keyring.ES256)
	kid := store.kidOf(t, keyring.ES256)
	second := open(t, store, keyring.ES256, keyring.EdDSA)
	require.Equal(t, kid, store.kidOf(t, keyring.ES256))
	require.Len(t, published(t, second), 2)
	_, err := first.Sign(t.Context(), keyring.EdDSA, "JWT", []byte("{}"))
	require.Error(t, err, "no key that it has not loaded")
	require.NoError(t, first.Reload(t.Context()))
	_, err = first.Sign(t.Context(), keyring.EdDSA, "JWT", []byte("{}"))
	require.NoError(t, err)
	_, err = keyring.Open(t.Context(), store.options(t, "HS256"))
	require.ErrorContains(t, err, `no such algorithm: "HS256"`)
}

func TestRingsOpeningAtOnceAgree(t *testing.T) {
	onSQLite := "sqlite:" + filepath.Join(t.TempDir(), "keys.db")
	inMemory, another := keyringtest.NewMemory(time.Now), keyringtest.NewMemory(time.Now)
	for name, tc := range map[string]struct {
		rings      int
		algorithms []string
		store      func() keyring.Record
	}{
		"memory":         {2, all, func() keyring.Record { return inMemory }},
		"several on one": {16, []string{keyring.ES256, keyring.EdDSA}, func() keyring.Record { return another }},
		"sqlite":         {4, []string{keyring.ES256, keyring.EdDSA}, func() keyring.Record { return migrated(t, onSQLite) }},
	} {
		t.Run(name, func(t *testing.T) {
			rings := make([]*keyring.Ring, tc.rings)
			errs := make([]error, tc.rings)
			stores := make([]keyring.Record, tc.rings)
			for i := range stores {
				stores[i] = tc.store()
			}
			gate := make(chan struct{})
			var done sync.WaitGroup
			for i := range rings {
				done.Go(func() {
					<-gate
					rings[i], errs[i] = keyring.Open(t.Context(), keyringtest.Options(t, stores[i], tc.algorithms...))
				})
			}
			close(gate)
			done.Wait()
			for i := range rings {
				require.NoError(t, errs[i])
				require.Len(t, published(t, rings[i]), len(tc.algorithms), "one key per algorithm")
				for _, algorithm := range tc.algorithms {
					_, err := rings[(i+1)%len(rings)].Verify(sign(t, rings[i], algorithm, "JWT", "{}"), "JWT")
					require.NoError(t, err, "each verifies what another signed")
				}
			}
		})
	}
}

func migrated(t *testing.T, address string) *sql.Store {
	t.Helper()
	store, err := sql.Open(address, sql.Options{MaxOpenConns: 4, Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return store
}

func TestStatesOfAKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "states.db")
	store := migrated(t, "sqlite:"+file)
	raw, err := stdsql.Open("sqlite", file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, raw.Close()) })
	ring := openWith(t, keyringtest.Options(t, store, keyring.ES256))
	token := sign(t, ring, keyring.ES256, "JWT", "{}")
	for state, want := range map[keyring.State]struct{ published, signs bool }{
		keyring.Next:     {published: true},
		keyring.Current:  {published: true, signs: true},
		keyring.Previous: {published: true},
		keyring.Retired:  {},
		keyring.Revoked:  {},
	} {
		t.Run(string(state), func(t *testing.T) {
			_, err := raw.ExecContext(t.Context(), "UPDATE signing_keys SET state = ?", state)
			require.NoError(t, err)
			require.NoError(t, ring.Reload(t.Context()))
			require.Equal(t, want.published, state.Published())
			require.Equal(t, want.published, len(published(t, ring)) == 1, "in the JWKS")
			_, err = ring.Verify(token, "JWT")
			require.Equal(t, want.published, err == nil, "verifies: %v", err)
			_, err = ring.Sign(t.Context(), keyring.ES256, "JWT", []byte("{}"))
			require.Equal(t, want.signs, err == nil, "signs: %v", err)
		})
	}
	require.Contains(t, jwks(ring), `"keys":[`, "a JWKS without keys is still one")
}

func jwks(ring *keyring.Ring) string { return string(ring.JWKS().Body) }

func TestAnotherSecretMakesNoKey(t *testing.T) {
	store := newMemory()
	open(t, store, all...)
	before := store.Keys()
	_, err := openSealedBy(t, store, 2, all...)
	var unreadable *keyring.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	var kids []string
	for _, key := range before {
		kids = append(kids, key.KID)
		require.ErrorContains(t, err, key.KID)
	}
	require.ElementsMatch(t, kids, unreadable.KIDs)
	require.ErrorContains(t, err, "secret_key", "what to do about it")
	require.Equal(t, before, store.Keys(), "new keys would make every token out there invalid")

	_, err = openSealedBy(t, store, 2, append([]string{"PS256"}, all...)...)
	require.ErrorAs(t, err, &unreadable, "not even for an algorithm without a key")
	require.Equal(t, before, store.Keys())
}

func TestOneUnreadableKeyIsNamedAlone(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256, keyring.EdDSA)
	broken := store.kidOf(t, keyring.EdDSA)
	for name, sealed := range map[string]func(old []byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"unknown version": func(old []byte) []byte { return append([]byte{2}, old[1:]...) },
		"flipped bit":     func(old []byte) []byte { c := slices.Clone(old); c[len(c)-1] ^= 1; return c },
		"cut short":       func(old []byte) []byte { return old[:5] },
		"another's":       func([]byte) []byte { return store.find(t, keyring.ES256, keyring.Current).Sealed },
	} {
		t.Run(name, func(t *testing.T) {
			copied := newMemory()
			copied.Edit(func([]keyring.Key) []keyring.Key {
				keys := store.Keys()
				at := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.KID == broken })
				keys[at].Sealed = sealed(keys[at].Sealed)
				return keys
			})
			_, err := keyring.Open(t.Context(), copied.options(t, keyring.ES256))
			var unreadable *keyring.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			require.Equal(t, []string{broken}, unreadable.KIDs)
		})
	}
}

func TestAFailedReloadKeepsTheKeys(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	token := sign(t, ring, keyring.ES256, "JWT", "{}")
	before := ring.JWKS()
	store.down = errDown
	require.ErrorIs(t, ring.Reload(t.Context()), errDown)
	require.ErrorIs(t, ring.Sync(t.Context()), errDown)
	_, err := ring.Verify(token, "JWT")
	require.NoError(t, err)
	sign(t, ring, keyring.ES256, "JWT", "{}")
	require.Equal(t, before, ring.JWKS())
}

func TestOpenNeedsTheStore(t *testing.T) {
	store := newMemory()
	store.down = errDown
	_, err := keyring.Open(t.Context(), store.options(t, keyring.ES256))
	require.ErrorIs(t, err, errDown)
}

func TestPrivateKeysRestEncrypted(t *testing.T) {
	store := newMemory()
	open(t, store, all...)
	for _, key := range store.Keys() {
		private := store.private(t, key.Algorithm)
		plain := pkcs8(t, private)
		require.Greater(t, len(key.Sealed), len(plain))
		for at := 0; at+16 <= len(plain); at += 16 {
			require.NotContains(t, string(key.Sealed), string(plain[at:at+16]))
		}
	}
	_, err := keyring.NewAESGCM(make([]byte, 31))
	require.Error(t, err, "a short secret")
	w := keyringtest.Wrapper(t, 1)
	one, err := w.Wrap(t.Context(), []byte("key"), "label")
	require.NoError(t, err)
	two, err := w.Wrap(t.Context(), []byte("key"), "label")
	require.NoError(t, err)
	require.NotEqual(t, one, two, "a nonce for each")
	_, err = w.Unwrap(t.Context(), one, "another label")
	require.Error(t, err)
}
