// Package keyringtest is the contract of keyring.Record: a suite that every record passes, and a
// record in memory for the tests of others.
package keyringtest

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Clock is a time that a test moves, both ways.
type Clock struct{ at atomic.Int64 }

// NewClock starts at a whole second.
func NewClock() *Clock {
	c := &Clock{}
	c.at.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.at.Load()).UTC() }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.at.Add(d.Microseconds()) }

// Wrapper is one with a secret of so many equal bytes.
func Wrapper(t testing.TB, secret byte) *keyring.AESGCM {
	t.Helper()
	w, err := keyring.NewAESGCM(bytes.Repeat([]byte{secret}, 32))
	require.NoError(t, err)
	return w
}

// Options are those of a ring over a record, by the product's own rules.
func Options(t testing.TB, store keyring.Record, algorithms ...string) keyring.Options {
	t.Helper()
	return keyring.Options{
		Store: store, Wrappers: keyring.Wrappers{Primary: Wrapper(t, 1)}, Algorithms: algorithms,
		Rules:   keyring.Rules{RotateEvery: 30 * 24 * time.Hour, PublishBefore: 24 * time.Hour, KeepAfter: time.Hour},
		Longest: time.Hour, ID: "ring", Version: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
}

// Open returns a ring over a record of its own, for tests that only want one.
func Open(t testing.TB, algorithms ...string) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(context.Background(), Options(t, NewMemory(time.Now), algorithms...))
	require.NoError(t, err)
	return ring
}
