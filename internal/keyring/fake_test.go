package keyring_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

var all = []string{keyring.RS256, keyring.ES256, keyring.EdDSA}

// memory is a record, its clock, and a way to it that can break.
type memory struct {
	*keyringtest.Memory
	clock *keyringtest.Clock
	line  *keyringtest.Line
	down  error // what every call answers; nil while the line works
}

func newMemory() *memory {
	clock := keyringtest.NewClock()
	m := &memory{Memory: keyringtest.NewMemory(clock.Now), clock: clock}
	m.line = &keyringtest.Line{Record: m.Memory, Before: func(context.Context, string) error { return m.down }}
	return m
}

var errDown = errors.New("the store is down")

// options are those of a ring over m, on m's clock.
func (m *memory) options(t testing.TB, algorithms ...string) keyring.Options {
	t.Helper()
	options := keyringtest.Options(t, m.line, algorithms...)
	options.Now = m.clock.Now
	return options
}

func open(t *testing.T, store *memory, algorithms ...string) *keyring.Ring {
	t.Helper()
	return openWith(t, store.options(t, algorithms...))
}

func openWith(t *testing.T, options keyring.Options) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(t.Context(), options)
	require.NoError(t, err)
	return ring
}

// openSealedBy opens a ring whose secret is another.
func openSealedBy(t *testing.T, store *memory, secret byte, algorithms ...string) (*keyring.Ring, error) {
	t.Helper()
	options := store.options(t, algorithms...)
	options.Wrappers.Primary = keyringtest.Wrapper(t, secret)
	return keyring.Open(t.Context(), options)
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
	return m.find(t, algorithm, keyring.Current).KID
}

// find returns the key of an algorithm in a state.
func (m *memory) find(t *testing.T, algorithm string, state keyring.State) keyring.Key {
	t.Helper()
	for _, k := range m.Keys() {
		if k.Algorithm == algorithm && k.State == state {
			return k
		}
	}
	t.Fatalf("no %s key for %s", state, algorithm)
	return keyring.Key{}
}

// key returns the key with a kid.
func (m *memory) key(t *testing.T, kid string) keyring.Key {
	t.Helper()
	for _, k := range m.Keys() {
		if k.KID == kid {
			return k
		}
	}
	t.Fatalf("no key %s", kid)
	return keyring.Key{}
}

// private opens the key that signs for algorithm, as somebody with the secret can.
func (m *memory) private(t *testing.T, algorithm string) crypto.Signer {
	t.Helper()
	key := m.find(t, algorithm, keyring.Current)
	plain, err := keyringtest.Wrapper(t, 1).Unwrap(t.Context(), key.Sealed, "latchkey/signing-key/"+key.Algorithm+"/"+key.KID)
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

func (plain) Name() string                                                   { return "plain" }
func (plain) Wrap(_ context.Context, key []byte, _ string) ([]byte, error)   { return key, nil }
func (plain) Unwrap(_ context.Context, key []byte, _ string) ([]byte, error) { return key, nil }

// step is what a replica does each second.
func (m *memory) step(t *testing.T, rings ...*keyring.Ring) {
	t.Helper()
	for _, ring := range rings {
		require.NoError(t, ring.Sync(t.Context()))
		require.NoError(t, ring.Keep(t.Context()))
		require.NoError(t, ring.Sync(t.Context()))
	}
}

// logged is what was logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
