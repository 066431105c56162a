package keyring_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

var all = []string{keyring.RS256, keyring.ES256, keyring.EdDSA}

// memory is a keyring.Store.
type memory struct {
	mu   sync.Mutex
	keys []keyring.Key
	down error
}

func (m *memory) Keys(context.Context) ([]keyring.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	published := slices.DeleteFunc(slices.Clone(m.keys), func(k keyring.Key) bool { return !k.State.Published() })
	return published, m.down
}

func (m *memory) AddCurrent(_ context.Context, key keyring.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	if !slices.ContainsFunc(m.keys, func(k keyring.Key) bool {
		return k.Algorithm == key.Algorithm && k.State == keyring.Current
	}) {
		m.keys = append(m.keys, key)
	}
	return nil
}

// change edits the stored keys.
func (m *memory) change(edit func(keys []keyring.Key)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit(m.keys)
}

var errDown = errors.New("the store is down")

func wrapper(t *testing.T, secret byte) *keyring.AESGCM {
	t.Helper()
	w, err := keyring.NewAESGCM(bytes.Repeat([]byte{secret}, 32))
	require.NoError(t, err)
	return w
}

func open(t *testing.T, store keyring.Store, algorithms ...string) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(t.Context(), store, wrapper(t, 1), algorithms, time.Now())
	require.NoError(t, err)
	return ring
}

func sign(t *testing.T, ring *keyring.Ring, algorithm, typ, payload string) string {
	t.Helper()
	token, err := ring.Sign(t.Context(), algorithm, typ, []byte(payload))
	require.NoError(t, err)
	return token
}

// kidOf returns the kid of the key that signs for algorithm.
func (m *memory) kidOf(t *testing.T, algorithm string) string {
	t.Helper()
	return m.current(t, algorithm).KID
}

func (m *memory) current(t *testing.T, algorithm string) keyring.Key {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.Algorithm == algorithm && k.State == keyring.Current {
			return k
		}
	}
	t.Fatalf("no current key for %s", algorithm)
	return keyring.Key{}
}

// private opens the key that signs for algorithm, as somebody with the secret can.
func (m *memory) private(t *testing.T, algorithm string) crypto.Signer {
	t.Helper()
	key := m.current(t, algorithm)
	plain, err := wrapper(t, 1).Unwrap(t.Context(), key.Sealed, "latchkey/signing-key/"+key.Algorithm+"/"+key.KID)
	require.NoError(t, err)
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	require.NoError(t, err)
	return parsed.(crypto.Signer)
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// respell returns token with one of its three segments changed.
func respell(t *testing.T, token string, segment int, change func(string) string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	parts[segment] = change(parts[segment])
	return strings.Join(parts, ".")
}

// plain is a Wrapper that keeps keys as they are.
type plain struct{}

func (plain) Wrap(_ context.Context, key []byte, _ string) ([]byte, error)   { return key, nil }
func (plain) Unwrap(_ context.Context, key []byte, _ string) ([]byte, error) { return key, nil }

var zeroTime time.Time
