package keyring_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/outage"
)

func TestAKeyThatCannotBeReadWhileRunning(t *testing.T) {
	store := newMemory()
	w := &faulty{Wrapper: keyringtest.Wrapper(t, 1)}
	options := store.options(t, keyring.ES256)
	options.Wrappers.Primary = w
	ring := openWith(t, options)
	store.step(t, ring)
	served, before := ring.JWKS().Revision, ring.JWKS()
	require.Equal(t, store.snapshot(t).Revision, served)
	w.unwrap = errDown
	next := store.stage(t, keyring.ES256)
	store.clock.Advance(time.Second)
	require.NoError(t, ring.Sync(t.Context()))
	require.NoError(t, ring.Ready(), "it goes on with what it can read")
	sign(t, ring, keyring.ES256, "JWT", "{}")
	require.Equal(t, before, ring.JWKS(), "and claims nothing of the new revision")
	require.Equal(t, served, store.snapshot(t).Live()[0].Revision)
	require.Equal(t, []keyring.Replica{store.snapshot(t).Replicas[0]}, store.snapshot(t).Behind(next.Revision))

	tries := w.unwrapped
	store.clock.Advance(14 * time.Second)
	require.NoError(t, ring.Sync(t.Context()))
	require.Equal(t, tries, w.unwrapped)
	w.unwrap = nil
	store.clock.Advance(time.Second)
	require.NoError(t, ring.Sync(t.Context()))
	require.Equal(t, tries+1, w.unwrapped, "it is tried again after a while, that key alone")
	require.Contains(t, published(t, ring), next.KID)
	require.Equal(t, next.Revision, ring.JWKS().Revision)
	require.Equal(t, next.Revision, store.snapshot(t).Live()[0].Revision)
}

// A key that was revoked signs nothing, even if the one in its place cannot be read.
func TestNoKeyRatherThanARevokedOne(t *testing.T) {
	store := newMemory()
	w := &faulty{Wrapper: keyringtest.Wrapper(t, 1)}
	options := store.options(t, keyring.ES256)
	options.Wrappers.Primary = w
	ring := openWith(t, options)
	w.unwrap = errDown
	store.revoke(t, ring.Signer(keyring.ES256))
	require.NoError(t, ring.Sync(t.Context()))
	_, err := ring.Sign(t.Context(), keyring.ES256, "JWT", []byte("{}"))
	require.True(t, outage.Is(err), "%v", err)
	require.Error(t, ring.Ready())
	require.Empty(t, ring.Signer(keyring.ES256))
}

// Once a key is open nobody asks the wrapper again.
func TestARunningReplicaNeedsNoWrapperForTheKeysItHas(t *testing.T) {
	store := newMemory()
	w := &faulty{Wrapper: keyringtest.Wrapper(t, 1)}
	options := store.options(t, keyring.ES256)
	options.Wrappers.Primary = w
	ring := openWith(t, options)
	next := store.stage(t, keyring.ES256)
	store.step(t, ring)
	w.hangs = true
	store.clock.Advance(30 * day)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, ring.Sync(ctx))
	require.NoError(t, ring.Keep(ctx))
	require.NoError(t, ring.Sync(ctx))
	require.Equal(t, next.KID, ring.Signer(keyring.ES256))
	require.Len(t, published(t, ring), 2)
}

func TestAKeyManagementServiceThatIsAwayStopsTheStart(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256, keyring.EdDSA)
	options := store.options(t, keyring.ES256)
	options.Wrappers.Primary = &faulty{Wrapper: keyringtest.Wrapper(t, 1), unwrap: errors.New("kms: timed out")}
	keys := store.Keys()
	_, err := keyring.Open(t.Context(), options)
	var unreadable *keyring.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	for _, k := range keys {
		require.ErrorContains(t, err, k.KID)
	}
	require.ErrorContains(t, err, "kms: timed out")
	require.ErrorContains(t, err, "keys.wrapping")
	require.Equal(t, keys, store.Keys())

	options = newMemory().options(t, keyring.ES256)
	options.Wrappers.Primary = &faulty{Wrapper: keyringtest.Wrapper(t, 1), wrap: errDown}
	_, err = keyring.Open(t.Context(), options)
	require.ErrorIs(t, err, errDown, "no key can be made")
}

func TestLostKeysAreNamed(t *testing.T) {
	store := newMemory()
	log := &logged{}
	options := store.options(t, keyring.ES256)
	options.Log = log.logger()
	ring := openWith(t, options)
	restore := store.Backup()
	kept := ring.Signer(keyring.ES256)
	store.stage(t, keyring.ES256)
	store.rotate(t, keyring.ES256)
	store.step(t, ring)
	lost := ring.Signer(keyring.ES256)
	store.revoke(t, kept)
	store.step(t, ring)
	require.Empty(t, log.String(), "a key that was revoked is not lost")
	restore()
	store.clock.Advance(time.Second)
	store.step(t, ring)
	require.Contains(t, log.String(), lost)
	require.Contains(t, log.String(), "level=ERROR")
	require.Equal(t, kept, ring.Signer(keyring.ES256))
	sign(t, ring, keyring.ES256, "JWT", "{}")
	said := log.String()
	store.clock.Advance(time.Minute)
	store.step(t, ring)
	require.Equal(t, said, log.String(), "once")
}

func TestALeaseOnTheKeysInMemory(t *testing.T) {
	for keepAfter, lease := range map[time.Duration]time.Duration{time.Hour: 30 * time.Minute, 10 * time.Minute: 5 * time.Minute, day: 30 * time.Minute} {
		store := newMemory()
		options := store.options(t, keyring.ES256)
		options.Rules.KeepAfter = keepAfter
		ring := openWith(t, options)
		for _, lasting := range []bool{true, false} {
			store.down = errDown
			store.clock.Advance(lease)
			require.Error(t, ring.Sync(t.Context()))
			require.NoError(t, ring.Ready())
			sign(t, ring, keyring.ES256, "JWT", "{}")
			store.clock.Advance(time.Microsecond)
			_, err := ring.Sign(t.Context(), keyring.ES256, "JWT", []byte("{}"))
			require.ErrorIs(t, err, keyring.ErrBehind)
			require.True(t, outage.Is(err))
			require.ErrorIs(t, ring.Ready(), keyring.ErrBehind)
			store.down = nil
			if lasting { // the keys are the same
				require.NoError(t, ring.Sync(t.Context()))
			} else {
				require.NoError(t, ring.Reload(t.Context()))
			}
			require.NoError(t, ring.Ready())
			sign(t, ring, keyring.ES256, "JWT", "{}")
		}
	}
}

// A version before revisions adds a key and no revision.
func TestAKeyWithoutARevisionIsNoticed(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	elsewhere := newMemory()
	open(t, elsewhere, keyring.EdDSA)
	old := elsewhere.find(t, keyring.EdDSA, keyring.Current)
	old.Revision, old.WrappedBy = 0, ""
	store.Edit(func(keys []keyring.Key) []keyring.Key { return append(keys, old) })
	store.clock.Advance(15 * time.Second)
	require.NoError(t, ring.Sync(t.Context()))
	require.Equal(t, old.KID, ring.Signer(keyring.EdDSA))
}

// A new algorithm in a running fleet: others publish its first key before it signs.
func TestANewAlgorithmWaitsForReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyringtest.NewMemory(time.Now)
		store := &memory{Memory: m}
		first := openWith(t, keyringtest.Options(t, m, keyring.ES256))
		require.NoError(t, first.Sync(t.Context()))
		line := &keyringtest.Line{Record: m}
		polled := false
		line.Before = func(_ context.Context, method string) error {
			staged, ok := store.snapshot(t).Find(keyring.EdDSA, keyring.Next)
			if method == "ChangeKeys" && ok {
				require.Contains(t, published(t, first), staged.KID, "before it signs")
				polled = true
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		go first.Run(ctx, nil)
		options := keyringtest.Options(t, line, keyring.ES256, keyring.EdDSA)
		options.ID = "second"
		at := time.Now()
		second := openWith(t, options)
		require.Less(t, time.Since(at), 3*time.Second)
		require.True(t, polled)
		require.NoError(t, second.Ready())
		cancel()
	})
}

func TestANewAlgorithmWaitsTenSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyringtest.NewMemory(time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { // one that is there and reads nothing
			for ctx.Err() == nil {
				_ = m.Attend(ctx, keyring.Replica{ID: "stuck", Revision: 1})
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}()
		synctest.Wait()
		at := time.Now()
		ring := openWith(t, keyringtest.Options(t, m, keyring.ES256))
		require.InDelta(t, 10, time.Since(at).Seconds(), 0.5)
		require.NoError(t, ring.Ready())
		require.Len(t, published(t, ring), 1)

		gone, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := keyring.Open(gone, keyringtest.Options(t, m, keyring.EdDSA))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestTenThatOpenAtOnceMakeOneKeyOfEachAlgorithm(t *testing.T) {
	m := keyringtest.NewMemory(time.Now)
	errs := make(chan error)
	for range 10 {
		go func() {
			_, err := keyring.Open(t.Context(), keyringtest.Options(t, m, keyring.ES256, keyring.EdDSA))
			errs <- err
		}()
	}
	for range 10 {
		require.NoError(t, <-errs)
	}
	require.Len(t, m.Keys(), 2)
	require.Len(t, m.Events(), 2)
}

// Tokens that live longer need keys that stay longer, before the first of them is signed.
func TestLongerTokensExtendKeys(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256, keyring.EdDSA)
	store.stage(t, keyring.ES256)
	store.rotate(t, keyring.ES256)
	store.stage(t, keyring.ES256)
	before := len(store.Events())
	options := store.options(t, keyring.ES256)
	options.Longest = 12 * time.Hour
	ring := openWith(t, options)
	for _, state := range []keyring.State{keyring.Current, keyring.Next} {
		require.Equal(t, 12*time.Hour, store.find(t, keyring.ES256, state).Longest)
	}
	require.Equal(t, time.Hour, store.find(t, keyring.ES256, keyring.Previous).Longest, "it signs none of them")
	require.Equal(t, time.Hour, store.find(t, keyring.EdDSA, keyring.Current).Longest, "we sign nothing with it")
	require.Len(t, store.Events(), before, "no event in a key's life")
	revision := store.snapshot(t).Revision
	open(t, store, keyring.ES256)
	require.Equal(t, revision, store.snapshot(t).Revision, "shorter tokens change nothing")

	store.revoke(t, store.find(t, keyring.ES256, keyring.Current).KID, store.find(t, keyring.ES256, keyring.Next).KID)
	require.Equal(t, time.Hour, store.find(t, keyring.ES256, keyring.Current).Longest, "made by a command with other settings")
	store.step(t, ring)
	require.Equal(t, 12*time.Hour, store.find(t, keyring.ES256, keyring.Current).Longest)
}

// Whatever the names are that a version before wrote.
func TestAPreviousKeyIsStillVerified(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	token := sign(t, ring, keyring.ES256, "JWT", "{}")
	store.rotate(t, keyring.ES256)
	fresh := open(t, store, keyring.ES256)
	_, err := fresh.Verify(token, "JWT")
	require.NoError(t, err)
	require.NoError(t, ring.Sync(t.Context()))
	require.Equal(t, fresh.JWKS(), ring.JWKS())
}
