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
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// published returns the JWKS by kid.
func published(t *testing.T, ring *keyring.Ring) map[string]map[string]any {
	t.Helper()
	body, _ := ring.JWKS()
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(body, &set))
	byKID := map[string]map[string]any{}
	for _, key := range set.Keys {
		kid, _ := key["kid"].(string)
		require.NotContains(t, byKID, kid, "kids are unique")
		byKID[kid] = key
	}
	return byKID
}

func TestJWKSHoldsPublicMembersOnly(t *testing.T) {
	store := &memory{}
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
	store := &memory{}
	ring := open(t, store, keyring.ES256)
	body, etag := ring.JWKS()
	require.Regexp(t, `\A"[0-9a-f]{16}"\z`, etag)
	require.NoError(t, ring.Reload(t.Context()))
	bodyAgain, again := ring.JWKS()
	require.Equal(t, etag, again, "the same keys")
	require.Equal(t, string(body), string(bodyAgain))
	_, elsewhere := open(t, store, keyring.ES256).JWKS()
	require.Equal(t, etag, elsewhere, "another replica")
	_, more := open(t, store, keyring.ES256, keyring.EdDSA).JWKS()
	require.NotEqual(t, etag, more, "one key more")
}

func TestOpenMakesOnlyWhatIsMissing(t *testing.T) {
	store := &memory{}
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
	_, err = keyring.Open(t.Context(), store, wrapper(t, 1), []string{"HS256"}, time.Now())
	require.ErrorContains(t, err, `no such algorithm: "HS256"`)
}

func TestRingsOpeningAtOnceAgree(t *testing.T) {
	onSQLite := "sqlite:" + filepath.Join(t.TempDir(), "keys.db")
	inMemory, another := &memory{}, &memory{}
	for name, tc := range map[string]struct {
		rings      int
		algorithms []string
		store      func() keyring.Store
	}{
		"memory":         {2, all, func() keyring.Store { return inMemory }},
		"several on one": {16, []string{keyring.ES256, keyring.EdDSA}, func() keyring.Store { return another }},
		"sqlite":         {4, []string{keyring.ES256, keyring.EdDSA}, func() keyring.Store { return migrated(t, onSQLite) }},
	} {
		t.Run(name, func(t *testing.T) {
			rings := make([]*keyring.Ring, tc.rings)
			errs := make([]error, tc.rings)
			stores := make([]keyring.Store, tc.rings)
			for i := range stores {
				stores[i] = tc.store()
			}
			w := wrapper(t, 1)
			gate := make(chan struct{})
			var done sync.WaitGroup
			for i := range rings {
				done.Go(func() {
					<-gate
					rings[i], errs[i] = keyring.Open(t.Context(), stores[i], w, tc.algorithms, time.Now())
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
	ring := open(t, store, keyring.ES256)
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

func jwks(ring *keyring.Ring) string {
	body, _ := ring.JWKS()
	return string(body)
}

func TestAnotherSecretMakesNoKey(t *testing.T) {
	store := &memory{}
	open(t, store, all...)
	before := slices.Clone(store.keys)
	_, err := keyring.Open(t.Context(), store, wrapper(t, 2), all, time.Now())
	var unreadable *keyring.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	var kids []string
	for _, key := range before {
		kids = append(kids, key.KID)
		require.ErrorContains(t, err, key.KID)
	}
	require.ElementsMatch(t, kids, unreadable.KIDs)
	require.ErrorContains(t, err, "secret_key", "what to do about it")
	require.Equal(t, before, store.keys, "new keys would make every token out there invalid")

	_, err = keyring.Open(t.Context(), store, wrapper(t, 2), append([]string{"PS256"}, all...), time.Now())
	require.ErrorAs(t, err, &unreadable, "not even for an algorithm without a key")
	require.Equal(t, before, store.keys)
}

func TestOneUnreadableKeyIsNamedAlone(t *testing.T) {
	store := &memory{}
	open(t, store, keyring.ES256, keyring.EdDSA)
	broken := store.kidOf(t, keyring.EdDSA)
	for name, sealed := range map[string]func(old []byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"unknown version": func(old []byte) []byte { return append([]byte{2}, old[1:]...) },
		"flipped bit":     func(old []byte) []byte { c := slices.Clone(old); c[len(c)-1] ^= 1; return c },
		"cut short":       func(old []byte) []byte { return old[:5] },
		"another's":       func([]byte) []byte { return store.current(t, keyring.ES256).Sealed },
	} {
		t.Run(name, func(t *testing.T) {
			copied := &memory{keys: slices.Clone(store.keys)}
			copied.change(func(keys []keyring.Key) {
				at := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.KID == broken })
				keys[at].Sealed = sealed(keys[at].Sealed)
			})
			_, err := keyring.Open(t.Context(), copied, wrapper(t, 1), []string{keyring.ES256}, time.Now())
			var unreadable *keyring.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			require.Equal(t, []string{broken}, unreadable.KIDs)
		})
	}
}

func TestAFailedReloadKeepsTheKeys(t *testing.T) {
	store := &memory{}
	ring := open(t, store, keyring.ES256)
	token := sign(t, ring, keyring.ES256, "JWT", "{}")
	body, etag := ring.JWKS()
	for name, breakIt := range map[string]func(){
		"store down": func() { store.down = errDown },
		"unreadable": func() {
			store.down = nil
			store.change(func(keys []keyring.Key) { keys[0].Sealed = nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			breakIt()
			require.Error(t, ring.Reload(t.Context()))
			_, err := ring.Verify(token, "JWT")
			require.NoError(t, err)
			sign(t, ring, keyring.ES256, "JWT", "{}")
			bodyAfter, etagAfter := ring.JWKS()
			require.Equal(t, string(body), string(bodyAfter))
			require.Equal(t, etag, etagAfter)
		})
	}
}

func TestOpenNeedsTheStore(t *testing.T) {
	_, err := keyring.Open(t.Context(), &memory{down: errDown}, wrapper(t, 1), []string{keyring.ES256}, time.Now())
	require.ErrorIs(t, err, errDown)
}

func TestPrivateKeysRestEncrypted(t *testing.T) {
	store := &memory{}
	open(t, store, all...)
	for _, key := range store.keys {
		private := store.private(t, key.Algorithm)
		plain := pkcs8(t, private)
		require.Greater(t, len(key.Sealed), len(plain))
		for at := 0; at+16 <= len(plain); at += 16 {
			require.NotContains(t, string(key.Sealed), string(plain[at:at+16]))
		}
	}
	_, err := keyring.NewAESGCM(make([]byte, 31))
	require.Error(t, err, "a short secret")
	w := wrapper(t, 1)
	one, err := w.Wrap(t.Context(), []byte("key"), "label")
	require.NoError(t, err)
	two, err := w.Wrap(t.Context(), []byte("key"), "label")
	require.NoError(t, err)
	require.NotEqual(t, one, two, "a nonce for each")
	_, err = w.Unwrap(t.Context(), one, "another label")
	require.Error(t, err)
}
