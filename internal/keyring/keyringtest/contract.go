package keyringtest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/outage"
)

// TestStore runs the contract. open returns an empty record that goes by now.
func TestStore(t *testing.T, open func(t *testing.T, now func() time.Time) keyring.Record) {
	run := func(name string, f func(t *testing.T, s suite)) {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			f(t, suite{t: t, Record: open(t, clock.Now), clock: clock})
		})
	}
	run("an empty record has a revision and a clock", empty)
	run("a key comes back as it was kept", fieldsOfAdded)
	run("a changed key comes back as it was changed", fieldsOfChanged)
	run("algorithm and creation are for good", unchangeable)
	run("each change makes the next revision", revisions)
	run("a change of another revision is refused", otherRevision)
	run("a change is made as a whole or not at all", whole)
	run("one key of an algorithm is current, and one is next", unique)
	run("who goes makes room for who comes", room)
	run("a key that ever was is known", known)
	run("the newest key comes first", order)
	run("what is gone is remembered for a week", remembered)
	run("replicas are there until they leave", replicas)
	run("replicas that went without leaving are forgotten", forgotten)
	run("one has the claim until it ends or is given back", claims)
	run("of changes on one revision one is made", raceChanges)
	run("of claims at once one is granted", raceClaims)
	run("nobody sees half a rotation", raceReaders)
	run("a call that was given up changes nothing", givenUp)
}

type suite struct {
	keyring.Record
	t     *testing.T
	clock *Clock
}

// key is a new one, as long as nobody opens it.
func (s suite) key(algorithm string, state keyring.State) keyring.Key {
	now := s.clock.Now()
	return keyring.Key{
		KID: rand.Text(), Algorithm: algorithm, State: state, Origin: keyring.Generated, Sealed: []byte("sealed"), WrappedBy: "local:1",
		Longest: time.Hour, CreatedAt: now, PublishedAt: now,
	}
}

func (s suite) snapshot() keyring.Snapshot {
	s.t.Helper()
	snapshot, err := s.KeySet(s.t.Context())
	require.NoError(s.t, err)
	return snapshot
}

func (s suite) revision() int64 {
	s.t.Helper()
	revision, err := s.KeyRevision(s.t.Context())
	require.NoError(s.t, err)
	return revision
}

func (s suite) attend(r keyring.Replica) {
	s.t.Helper()
	require.NoError(s.t, s.Attend(s.t.Context(), r))
}

// try makes a change on the revision that there is.
func (s suite) try(changed, added []keyring.Key) error {
	s.t.Helper()
	return s.ChangeKeys(s.t.Context(), keyring.Change{From: s.revision(), Changed: changed, Added: added})
}

func (s suite) add(keys ...keyring.Key) {
	s.t.Helper()
	require.NoError(s.t, s.try(nil, keys))
}

func (s suite) change(keys ...keyring.Key) {
	s.t.Helper()
	require.NoError(s.t, s.try(keys, nil))
}

// find returns the key that is kept as kid.
func (s suite) find(kid string) (keyring.Key, bool) {
	s.t.Helper()
	keys := s.snapshot().Keys
	at := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.KID == kid })
	if at < 0 {
		return keyring.Key{}, false
	}
	return keys[at], true
}

// holds says that the record has k as it is here.
func (s suite) holds(k keyring.Key) {
	s.t.Helper()
	have, ok := s.find(k.KID)
	require.True(s.t, ok, "%s is gone", k.KID)
	if len(k.Sealed) == 0 {
		require.Empty(s.t, have.Sealed)
		k.Sealed = have.Sealed
	}
	require.Equal(s.t, k, have)
}

// full is a key with everything that a key can say.
func (s suite) full(state keyring.State) keyring.Key {
	k, now := s.key(keyring.ES256, state), s.clock.Now()
	k.Origin, k.Sealed, k.WrappedBy = keyring.Imported, []byte{0, 1, 2, 0xff, '\'', 0}, "kms:projects/a?b=c"
	k.Longest, k.Revision, k.Reason = 25*time.Hour+3*time.Microsecond, 1<<40, "a laptop was lost; it's \"the\" one – möglich"
	k.CreatedAt, k.PublishedAt, k.ActivatedAt = now.Add(-5*time.Hour), now.Add(-4*time.Hour), now.Add(-3*time.Hour)
	k.StoppedAt, k.EndedAt = now.Add(-2*time.Hour), now.Add(-time.Microsecond)
	return k
}

func empty(t *testing.T, s suite) {
	snapshot := s.snapshot()
	require.Empty(t, snapshot.Keys)
	require.Empty(t, snapshot.Replicas)
	require.Equal(t, s.revision(), snapshot.Revision)
	require.Equal(t, s.clock.Now(), snapshot.Now)
	s.clock.Advance(-time.Hour)
	require.Equal(t, s.clock.Now(), s.snapshot().Now, "whichever way it goes")
}

func fieldsOfAdded(_ *testing.T, s suite) {
	for _, state := range []keyring.State{keyring.Next, keyring.Current, keyring.Previous, keyring.Retired, keyring.Revoked} {
		k := s.full(state)
		s.add(k)
		s.holds(k)
	}
	bare := keyring.Key{KID: "bare", Algorithm: keyring.EdDSA, State: keyring.Next, PublishedAt: s.clock.Now()}
	s.add(bare)
	s.holds(bare)
}

func fieldsOfChanged(_ *testing.T, s suite) {
	k := s.key(keyring.ES256, keyring.Next)
	other := s.key(keyring.EdDSA, keyring.Next)
	s.add(k, other)
	changed := s.full(keyring.Previous)
	changed.KID, changed.CreatedAt = k.KID, k.CreatedAt
	s.change(changed)
	s.holds(changed)
	ended := changed
	ended.State, ended.Sealed, ended.Longest, ended.Revision, ended.Reason, ended.WrappedBy = keyring.Revoked, nil, 0, 0, "", ""
	ended.ActivatedAt, ended.StoppedAt = time.Time{}, time.Time{}
	s.change(ended)
	s.holds(ended)
	s.holds(other)
}

func unchangeable(t *testing.T, s suite) {
	k := s.key(keyring.ES256, keyring.Next)
	s.add(k)
	changed := k
	changed.Algorithm, changed.CreatedAt, changed.WrappedBy = keyring.RS256, time.Time{}, "local:2"
	s.change(changed)
	k.WrappedBy = "local:2"
	s.holds(k)
	require.ErrorIs(t, s.try([]keyring.Key{s.key(keyring.ES256, keyring.Current)}, nil), keyring.ErrChanged, "a key that is not there")
	require.Len(t, s.snapshot().Keys, 1)
}

func revisions(t *testing.T, s suite) {
	before := s.revision()
	s.add(s.key(keyring.ES256, keyring.Current))
	require.Equal(t, before+1, s.revision())
	require.Equal(t, before+1, s.snapshot().Revision)
	s.change()
	require.Equal(t, before+2, s.revision(), "even an empty one")
}

func otherRevision(t *testing.T, s suite) {
	k := s.key(keyring.ES256, keyring.Current)
	s.add(k)
	at := s.revision()
	changed := k
	changed.State = keyring.Revoked
	for _, from := range []int64{at - 1, at + 1, 0, -1} {
		err := s.ChangeKeys(t.Context(), keyring.Change{From: from, Changed: []keyring.Key{changed}, Added: []keyring.Key{s.key(keyring.EdDSA, keyring.Next)}})
		require.ErrorIs(t, err, keyring.ErrChanged)
	}
	require.Equal(t, at, s.revision())
	require.Len(t, s.snapshot().Keys, 1)
	s.holds(k)
}

func whole(t *testing.T, s suite) {
	k := s.key(keyring.ES256, keyring.Current)
	s.add(k)
	at := s.revision()
	stopped := k
	stopped.State = keyring.Previous
	require.ErrorIs(t, s.try([]keyring.Key{stopped}, []keyring.Key{s.key(keyring.EdDSA, keyring.Current), k}), keyring.ErrKnown)
	twins := []keyring.Key{s.key(keyring.EdDSA, keyring.Current), s.key(keyring.EdDSA, keyring.Current)}
	require.ErrorIs(t, s.try([]keyring.Key{stopped}, twins), keyring.ErrChanged)
	require.Equal(t, at, s.revision())
	require.Len(t, s.snapshot().Keys, 1)
	s.holds(k)
	s.change(stopped)
	s.holds(stopped)
}

func unique(t *testing.T, s suite) {
	for _, state := range []keyring.State{keyring.Next, keyring.Current} {
		one, another := s.key(keyring.ES256, state), s.key(keyring.ES256, state)
		s.add(one)
		require.ErrorIs(t, s.try(nil, []keyring.Key{another}), keyring.ErrChanged, "added: %s", state)
		another.State = keyring.Previous
		s.add(another)
		moved := another
		moved.State = state
		require.ErrorIs(t, s.try([]keyring.Key{moved}, nil), keyring.ErrChanged, "changed: %s", state)
		s.holds(another)
		s.add(s.key(keyring.EdDSA, state))
	}
	for _, state := range []keyring.State{keyring.Previous, keyring.Retired, keyring.Revoked} {
		one, another := s.key(keyring.ES256, state), s.key(keyring.ES256, state)
		one.EndedAt, another.EndedAt = s.clock.Now(), s.clock.Now()
		s.add(one, another)
		s.holds(one)
	}
}

func room(t *testing.T, s suite) {
	current, next, after := s.key(keyring.ES256, keyring.Current), s.key(keyring.ES256, keyring.Next), s.key(keyring.ES256, keyring.Next)
	s.add(current, next)
	current.State, next.State = keyring.Previous, keyring.Current
	require.ErrorIs(t, s.try([]keyring.Key{next, current}, nil), keyring.ErrChanged, "in this order there are two current ones for a moment")
	require.NoError(t, s.try([]keyring.Key{current, next}, []keyring.Key{after}))
	for _, k := range []keyring.Key{current, next, after} {
		s.holds(k)
	}
}

func known(t *testing.T, s suite) {
	for _, state := range []keyring.State{keyring.Next, keyring.Current, keyring.Previous, keyring.Retired, keyring.Revoked} {
		k := s.key(keyring.ES256, state)
		k.EndedAt = s.clock.Now()
		s.add(k)
		s.clock.Advance(keyring.Remembered + time.Hour)
		again := k
		again.Algorithm, again.State = keyring.EdDSA, keyring.Previous
		require.ErrorIs(t, s.try(nil, []keyring.Key{again}), keyring.ErrKnown, "%s, a week ago", state)
	}
}

func order(t *testing.T, s suite) {
	var want []string
	for _, kid := range []string{"d", "b", "c", "a"} {
		k := s.key(keyring.ES256, keyring.Previous)
		k.KID = kid
		s.add(k)
		twin := k
		twin.KID += "2"
		s.add(twin)
		want = append([]string{kid, kid + "2"}, want...)
		s.clock.Advance(time.Microsecond)
	}
	var have []string
	for _, k := range s.snapshot().Keys {
		have = append(have, k.KID)
	}
	require.Equal(t, want, have, "then by kid: the JWKS is the same bytes everywhere")
}

func remembered(t *testing.T, s suite) {
	for _, state := range []keyring.State{keyring.Retired, keyring.Revoked} {
		k := s.key(keyring.ES256, state)
		k.EndedAt = s.clock.Now()
		s.add(k)
		s.clock.Advance(keyring.Remembered - time.Microsecond)
		s.holds(k)
		s.clock.Advance(time.Microsecond)
		_, ok := s.find(k.KID)
		require.False(t, ok, state)
	}
	for _, state := range []keyring.State{keyring.Next, keyring.Current, keyring.Previous} {
		k := s.key(keyring.ES256, state)
		s.add(k)
		s.clock.Advance(10 * keyring.Remembered)
		s.holds(k)
	}
}

func replicas(t *testing.T, s suite) {
	began := s.clock.Now()
	wrong := began.Add(-time.Hour) // clocks of replicas differ: the record's counts
	s.attend(keyring.Replica{ID: "a", Version: "1", StartedAt: wrong, SeenAt: wrong, Revision: 3})
	s.clock.Advance(time.Second)
	s.attend(keyring.Replica{ID: "b", Version: "2", StartedAt: wrong, SeenAt: wrong, Revision: 4})
	s.clock.Advance(5 * time.Second)
	s.attend(keyring.Replica{ID: "a", Version: "1", StartedAt: wrong, SeenAt: wrong, Revision: 2})
	a := keyring.Replica{ID: "a", Version: "1", StartedAt: began, SeenAt: began.Add(6 * time.Second), Revision: 2}
	b := keyring.Replica{ID: "b", Version: "2", StartedAt: began.Add(time.Second), SeenAt: began.Add(time.Second), Revision: 4}
	require.Equal(t, []keyring.Replica{a, b}, s.snapshot().Replicas)
	require.NoError(t, s.Leave(t.Context(), "a"))
	require.NoError(t, s.Leave(t.Context(), "nobody"))
	require.Equal(t, []keyring.Replica{b}, s.snapshot().Replicas)
}

func forgotten(t *testing.T, s suite) {
	s.attend(keyring.Replica{ID: "crashed"})
	s.clock.Advance(24 * time.Hour)
	s.attend(keyring.Replica{ID: "leaves"})
	require.NoError(t, s.Leave(t.Context(), "leaves"))
	require.Len(t, s.snapshot().Replicas, 1, "a day is not over")
	s.clock.Advance(time.Microsecond)
	require.NoError(t, s.Leave(t.Context(), "leaves"))
	require.Empty(t, s.snapshot().Replicas)
}

func claims(t *testing.T, s suite) {
	claim := func(want bool, why string) {
		t.Helper()
		mine, err := s.ClaimKeys(t.Context(), 10*time.Second)
		require.NoError(t, err)
		require.Equal(t, want, mine, why)
	}
	claim(true, "the first")
	claim(false, "another has it")
	s.clock.Advance(10*time.Second - time.Microsecond)
	claim(false, "still")
	s.clock.Advance(time.Microsecond)
	claim(true, "it has ended")
	require.NoError(t, s.ReleaseKeys(t.Context()))
	claim(true, "it was given back")
	s.clock.Advance(-24 * time.Hour)
	claim(true, "no claim ends so late: the clock was set back")
	require.NoError(t, s.ReleaseKeys(t.Context()))
	require.NoError(t, s.ReleaseKeys(t.Context()), "twice")
}

// crowd is how many call at once.
const crowd = 8

// atOnce calls f that often at once, again where the database was too busy, and returns how it ended.
func atOnce(f func(i int) error) []error {
	errs := make([]error, crowd)
	gate := make(chan struct{})
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() {
			<-gate
			for errs[i] = f(i); outage.Is(errs[i]); errs[i] = f(i) {
			}
		})
	}
	close(gate)
	done.Wait()
	return errs
}

func raceChanges(t *testing.T, s suite) {
	for range 5 {
		before := s.snapshot()
		current, rotates := before.Find(keyring.ES256, keyring.Current)
		kids := make([]string, crowd)
		errs := atOnce(func(i int) error {
			k := s.key(keyring.ES256, keyring.Current)
			c := keyring.Change{From: before.Revision, Added: []keyring.Key{k}, Events: []audit.Event{{At: s.clock.Now(), Kind: audit.KeyCreated}}}
			if rotates {
				stopped := current
				stopped.State = keyring.Previous
				c.Changed = []keyring.Key{stopped}
			}
			kids[i] = k.KID
			return s.ChangeKeys(t.Context(), c)
		})
		won := slices.Index(errs, nil)
		require.GreaterOrEqual(t, won, 0, "one is made: %v", errs)
		for i, err := range errs {
			if i != won {
				require.ErrorIs(t, err, keyring.ErrChanged)
			}
		}
		after := s.snapshot()
		require.Equal(t, before.Revision+1, after.Revision)
		signs, _ := after.Find(keyring.ES256, keyring.Current)
		require.Equal(t, kids[won], signs.KID)
		require.Len(t, after.Keys, len(before.Keys)+1)
	}
}

func raceClaims(t *testing.T, s suite) {
	for range 5 {
		granted := make([]bool, crowd)
		errs := atOnce(func(i int) (err error) {
			granted[i], err = s.ClaimKeys(t.Context(), 10*time.Second)
			return err
		})
		require.NoError(t, errors.Join(errs...))
		require.Len(t, slices.DeleteFunc(granted, func(mine bool) bool { return !mine }), 1)
		s.clock.Advance(10 * time.Second)
	}
}

func raceReaders(t *testing.T, s suite) {
	s.add(s.key(keyring.ES256, keyring.Current), s.key(keyring.ES256, keyring.Next))
	done := make(chan struct{})
	var readers sync.WaitGroup
	var torn []error
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			snapshot, err := s.KeySet(context.WithoutCancel(t.Context()))
			_, signs := snapshot.Find(keyring.ES256, keyring.Current)
			_, staged := snapshot.Find(keyring.ES256, keyring.Next)
			if err == nil && (!signs || !staged) {
				torn = append(torn, errors.New("half a rotation was seen"))
			}
		}
	})
	for range 20 {
		before := s.snapshot()
		current, _ := before.Find(keyring.ES256, keyring.Current)
		next, _ := before.Find(keyring.ES256, keyring.Next)
		current.State, next.State = keyring.Previous, keyring.Current
		after := s.key(keyring.ES256, keyring.Next)
		err := outage.Wrap("not yet", errors.New("tried"))
		for outage.Is(err) {
			err = s.ChangeKeys(t.Context(), keyring.Change{From: before.Revision, Changed: []keyring.Key{current, next}, Added: []keyring.Key{after}})
		}
		require.NoError(t, err)
	}
	close(done)
	readers.Wait()
	require.Empty(t, torn)
}

func givenUp(t *testing.T, s suite) {
	before := s.revision()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.KeySet(ctx)
	require.Error(t, err)
	_, err = s.KeyRevision(ctx)
	require.Error(t, err)
	require.Error(t, s.ChangeKeys(ctx, keyring.Change{From: before, Added: []keyring.Key{s.key(keyring.ES256, keyring.Next)}}))
	require.Error(t, s.Attend(ctx, keyring.Replica{ID: "a"}))
	mine, err := s.ClaimKeys(ctx, time.Hour)
	require.Error(t, err)
	require.False(t, mine)
	require.Error(t, s.ReleaseKeys(ctx))
	require.Equal(t, before, s.revision())
	require.Empty(t, s.snapshot().Keys)
	require.Empty(t, s.snapshot().Replicas)
	mine, err = s.ClaimKeys(t.Context(), time.Hour)
	require.NoError(t, err)
	require.True(t, mine)
}
