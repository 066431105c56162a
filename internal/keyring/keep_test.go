package keyring_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

// replica opens a ring of its own name, over a line of its own.
func (m *memory) replica(t *testing.T, id string, algorithms ...string) (*keyring.Ring, *keyringtest.Line) {
	t.Helper()
	line := &keyringtest.Line{Record: m.Memory}
	options := m.options(t, algorithms...)
	options.Store, options.ID = line, id
	return openWith(t, options), line
}

func TestALifeByTheSchedule(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	first := ring.Signer(keyring.ES256)
	token := sign(t, ring, keyring.ES256, "JWT", "{}")
	states := func(after time.Duration) map[keyring.State]int {
		store.clock.Advance(after)
		store.step(t, ring)
		n := map[keyring.State]int{}
		for _, k := range store.Keys() {
			n[k.State]++
		}
		return n
	}
	require.Equal(t, map[keyring.State]int{keyring.Current: 1}, states(time.Hour-time.Second))
	require.Equal(t, map[keyring.State]int{keyring.Current: 1, keyring.Next: 1}, states(time.Second))
	require.Equal(t, map[keyring.State]int{keyring.Current: 1, keyring.Next: 1}, states(30*day-time.Hour-time.Second))
	require.Equal(t, first, ring.Signer(keyring.ES256))
	require.Equal(t, map[keyring.State]int{keyring.Previous: 1, keyring.Current: 1}, states(time.Second))
	require.NotEqual(t, first, ring.Signer(keyring.ES256))
	_, err := ring.Verify(token, "JWT")
	require.NoError(t, err)
	require.Equal(t, map[keyring.State]int{keyring.Previous: 1, keyring.Current: 1, keyring.Next: 1}, states(2*time.Hour-time.Second))
	require.Equal(t, map[keyring.State]int{keyring.Retired: 1, keyring.Current: 1, keyring.Next: 1}, states(time.Second))
	_, err = ring.Verify(token, "JWT")
	require.ErrorIs(t, err, keyring.ErrSignature)
	require.Equal(t, []audit.Kind{
		audit.KeyCreated, audit.KeyStaged, audit.KeyReplaced, audit.KeyActivated, audit.KeyStaged, audit.KeyRetired,
	}, store.kinds(0))
	require.Equal(t, audit.System, store.Events()[1].Actor)
	require.Equal(t, "due", store.Events()[1].Reason)
	require.Zero(t, ring.Failures())
}

func TestOneReplicaDoesWhatIsDue(t *testing.T) {
	store := newMemory()
	a, _ := store.replica(t, "a", keyring.ES256)
	b, lineB := store.replica(t, "b", keyring.ES256)
	store.clock.Advance(time.Hour)
	require.NoError(t, a.Sync(t.Context()))
	require.NoError(t, b.Sync(t.Context()))
	mine, err := store.ClaimKeys(t.Context(), 10*time.Second)
	require.NoError(t, err)
	require.True(t, mine)
	require.NoError(t, a.Keep(t.Context()), "another is at it")
	require.Len(t, store.Keys(), 1)
	store.clock.Advance(10 * time.Second)
	lineB.Before = func(_ context.Context, method string) error { // the claim ended while b was slow
		if method == "ChangeKeys" {
			lineB.Before = nil
			require.NoError(t, store.ReleaseKeys(t.Context()))
			require.NoError(t, a.Keep(t.Context()))
		}
		return nil
	}
	require.NoError(t, b.Keep(t.Context()), "somebody was quicker: no fault of anybody")
	require.Len(t, store.Keys(), 2)
	require.Zero(t, b.Failures())
}

func TestTheClaimIsGivenBack(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	store.clock.Advance(time.Hour)
	store.step(t, ring)
	mine, err := store.ClaimKeys(t.Context(), time.Hour)
	require.NoError(t, err)
	require.True(t, mine)
}

// The claim is not asked for, and the record not read, while nothing is due.
func TestNothingDueCostsOneQuestion(t *testing.T) {
	store := newMemory()
	ring, line := store.replica(t, "a", keyring.ES256)
	store.step(t, ring)
	calls := map[string]int{}
	line.Before = func(_ context.Context, method string) error { calls[method]++; return nil }
	for range 30 {
		store.clock.Advance(time.Second)
		require.NoError(t, ring.Sync(t.Context()))
		require.NoError(t, ring.Keep(t.Context()))
	}
	require.Equal(t, map[string]int{"KeyRevision": 30, "Attend": 6, "KeySet": 2}, calls)
}

func TestARotationWaitsForAReplicaThatIsBehind(t *testing.T) {
	store := newMemory()
	slow, line := store.replica(t, "slow", keyring.ES256)
	ring, _ := store.replica(t, "quick", keyring.ES256)
	store.clock.Advance(time.Hour)
	store.step(t, slow)
	staged := store.find(t, keyring.ES256, keyring.Next)
	store.revoke(t, staged.KID)
	store.stage(t, keyring.ES256)
	line.Before = func(_ context.Context, method string) error { // it attends, and reads no keys
		if method == "KeySet" {
			return errDown
		}
		return nil
	}
	require.ErrorIs(t, slow.Sync(t.Context()), errDown)
	store.clock.Advance(31 * day)
	attend := func() {
		require.NoError(t, store.Attend(t.Context(), keyring.Replica{ID: "slow", Revision: staged.Revision}))
	}
	before := ring.Signer(keyring.ES256)
	for range 3 {
		attend()
		require.NoError(t, ring.Sync(t.Context()))
		err := ring.Keep(t.Context())
		require.ErrorContains(t, err, "ES256")
		require.ErrorContains(t, err, "slow")
		require.NotContains(t, err.Error(), "quick")
		require.NoError(t, ring.Keep(t.Context()), "it keeps the claim, and tries when that ends")
		require.Equal(t, before, store.kidOf(t, keyring.ES256))
		store.clock.Advance(10 * time.Second)
	}
	line.Before = nil
	store.step(t, slow)
	store.step(t, ring)
	require.NotEqual(t, before, store.kidOf(t, keyring.ES256))
}

// What is held back in one algorithm holds no other up.
func TestOneAlgorithmHoldsNoOtherUp(t *testing.T) {
	store := newMemory()
	ring, _ := store.replica(t, "a", keyring.ES256, keyring.EdDSA)
	first := store.stage(t, keyring.EdDSA)
	second := store.stage(t, keyring.ES256)
	store.clock.Advance(31 * day)
	require.NoError(t, store.Attend(t.Context(), keyring.Replica{ID: "slow", Revision: first.Revision}))
	require.NoError(t, ring.Sync(t.Context()))
	require.ErrorContains(t, ring.Keep(t.Context()), "ES256 is not rotated: slow")
	require.Equal(t, first.KID, store.kidOf(t, keyring.EdDSA))
	require.NotEqual(t, second.KID, store.kidOf(t, keyring.ES256))
}

func TestNothingIsDoneWhileClocksDisagree(t *testing.T) {
	for name, apart := range map[string]time.Duration{"ours is ahead": 5*time.Minute + time.Second, "ours is behind": -5*time.Minute - time.Second} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			options := store.options(t, keyring.ES256)
			options.Now = func() time.Time { return store.clock.Now().Add(apart) }
			ring := openWith(t, options)
			store.clock.Advance(30 * day)
			require.NoError(t, ring.Sync(t.Context()))
			require.ErrorContains(t, ring.Keep(t.Context()), "5m1s apart")
			require.Len(t, store.Keys(), 1)
			sign(t, ring, keyring.ES256, "JWT", "{}")
		})
	}
	for _, apart := range []time.Duration{-30 * time.Second, 30 * time.Second} {
		store := newMemory()
		options := store.options(t, keyring.ES256)
		options.Now = func() time.Time { return store.clock.Now().Add(apart) }
		ring := openWith(t, options)
		store.clock.Advance(time.Hour)
		store.step(t, ring)
		require.Equal(t, store.clock.Now(), store.find(t, keyring.ES256, keyring.Next).PublishedAt, "by the record's clock")
	}
}

func TestFailuresAreCounted(t *testing.T) {
	for name, breaks := range map[string]struct{ call, answer, wrapper string }{
		"the claim": {call: "ClaimKeys"}, "the keys": {call: "KeySet"}, "the change": {call: "ChangeKeys"},
		"its answer": {answer: "ChangeKeys"}, "wrapping": {wrapper: "Wrap"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				failing := func(call string) func(context.Context, string) error {
					return func(_ context.Context, method string) error {
						if broken.Load() && method == call {
							return errDown
						}
						return nil
					}
				}
				m := keyringtest.NewMemory(time.Now)
				log := &logged{}
				options := keyringtest.Options(t, &keyringtest.Line{Record: m, Before: failing(breaks.call), After: failing(breaks.answer)}, keyring.ES256)
				options.Wrappers.Primary = breakable{keyringtest.Wrapper(t, 1), failing(breaks.wrapper)}
				options.Log = log.logger()
				ring := openWith(t, options)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); ring.Run(ctx, nil) }()
				time.Sleep(time.Hour - 10*time.Second)
				require.Zero(t, ring.Failures())
				broken.Store(true)
				time.Sleep(2 * time.Minute)
				if breaks.call != "KeySet" && breaks.answer == "" { // those come before, or it was done all the same
					require.Greater(t, ring.Failures(), int64(5))
					require.LessOrEqual(t, ring.Failures(), int64(120))
				}
				require.Contains(t, log.String(), errDown.Error())
				require.NoError(t, ring.Ready(), "it goes on")
				broken.Store(false)
				time.Sleep(12 * time.Second)
				snapshot, err := m.KeySet(t.Context())
				require.NoError(t, err)
				require.Len(t, snapshot.Keys, 2, "it is tried again")
				failures := ring.Failures()
				time.Sleep(time.Minute)
				require.Equal(t, failures, ring.Failures())
				cancel()
				<-done
				snapshot, err = m.KeySet(t.Context())
				require.NoError(t, err)
				require.Empty(t, snapshot.Replicas, "it has left")
			})
		})
	}
}

// breakable is a Wrapper that fails for as long as somebody says so.
type breakable struct {
	keyring.Wrapper
	fails func(ctx context.Context, method string) error
}

func (b breakable) Wrap(ctx context.Context, plain []byte, label string) ([]byte, error) {
	if err := b.fails(ctx, "Wrap"); err != nil {
		return nil, err
	}
	return b.Wrapper.Wrap(ctx, plain, label)
}

func (b breakable) Unwrap(ctx context.Context, sealed []byte, label string) ([]byte, error) {
	if err := b.fails(ctx, "Unwrap"); err != nil {
		return nil, err
	}
	return b.Wrapper.Unwrap(ctx, sealed, label)
}

// Others' changes are noticed within a second, or sooner when woken.
func TestRunNoticesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyringtest.NewMemory(time.Now)
		store := &memory{Memory: m, line: &keyringtest.Line{Record: m}}
		ring := openWith(t, keyringtest.Options(t, m, keyring.ES256))
		woken := make(chan struct{}, 1)
		go ring.Run(t.Context(), woken)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		for _, wake := range []bool{true, false} {
			before := ring.Signer(keyring.ES256)
			store.revoke(t, before)
			if wake {
				woken <- struct{}{}
				time.Sleep(150 * time.Millisecond)
			} else {
				time.Sleep(time.Second)
			}
			synctest.Wait()
			require.NotEqual(t, before, ring.Signer(keyring.ES256))
			require.NotContains(t, published(t, ring), before)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		replicas := store.snapshot(t).Live()
		require.Len(t, replicas, 1)
		require.Equal(t, store.snapshot(t).Revision, replicas[0].Revision)
		require.Equal(t, "ring", replicas[0].ID)
		require.Equal(t, "test", replicas[0].Version)
	})
}

// One that lacks the record's connection for a step does not keep the others from going on, and mends.
func TestAnOutageOfTheRecordEnds(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	store.clock.Advance(time.Hour)
	store.down = errDown
	require.ErrorIs(t, ring.Sync(t.Context()), errDown)
	require.ErrorIs(t, ring.Keep(t.Context()), errDown)
	store.down = nil
	store.step(t, ring)
	store.find(t, keyring.ES256, keyring.Next)
}

func TestStandings(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.RS256, keyring.EdDSA)
	store.clock.Advance(time.Hour)
	store.step(t, ring, ring) // one key at a time
	standings := ring.Standings()
	require.Len(t, standings, 2)
	require.Equal(t, keyring.RS256, standings[0].Algorithm)
	for _, s := range standings {
		require.Equal(t, time.Hour, s.Age)
		require.Equal(t, 30*day-time.Hour, s.Rotates)
		require.False(t, s.Never)
		require.Equal(t, store.find(t, s.Algorithm, keyring.Next).KID, s.Staged.KID)
	}
	store.clock.Advance(30 * day)
	require.Equal(t, -time.Hour, ring.Standings()[0].Rotates, "overdue")
	options := store.options(t, keyring.EdDSA)
	options.Rules.RotateEvery = 0
	require.True(t, openWith(t, options).Standings()[0].Never)
	require.ErrorIs(t, ring.Ready(), keyring.ErrBehind, "nobody has polled for a month")
}
