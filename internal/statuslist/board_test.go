package statuslist_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

func TestChangesAppear(t *testing.T) {
	f := newFixture("one", "two")
	f.poll(t)
	require.Empty(t, f.list(t, "one").revoked())
	before, err := f.Token("two")
	require.NoError(t, err)

	f.store.revoke("one", 70, 3)
	require.Empty(t, f.list(t, "one").revoked(), "Token reads the record")
	f.poll(t)
	require.Equal(t, []int{3, 70}, f.list(t, "one").revoked())
	require.Empty(t, f.list(t, "two").revoked())
	f.store.revoke("two", 8)
	f.store.revoke("one", 4)
	f.poll(t)
	require.Equal(t, []int{3, 4, 70}, f.list(t, "one").revoked())
	require.Equal(t, []int{8}, f.list(t, "two").revoked())

	after, err := f.Token("two")
	require.NoError(t, err)
	require.NotEqual(t, before.ETag, after.ETag)
	digest := sha256.Sum256(after.Body)
	require.Equal(t, `"`+hex.EncodeToString(digest[:8])+`"`, after.ETag)
}

func TestUnknownList(t *testing.T) {
	f := newFixture("one")
	_, err := f.Token("one")
	require.ErrorIs(t, err, statuslist.ErrStale, "nothing is known before the first poll")
	f.poll(t)
	_, err = f.Token("two")
	require.ErrorIs(t, err, statuslist.ErrUnknownList)
	_, err = f.Token("")
	require.ErrorIs(t, err, statuslist.ErrUnknownList)
}

func TestNothingIsSignedWithoutAChange(t *testing.T) {
	f := newFixture("one", "two", "three")
	f.poll(t)
	require.Equal(t, 3, f.keys.count())
	read := f.store.count("Revocations")
	for range 20 {
		f.clock.add(time.Second)
		f.poll(t)
	}
	require.Equal(t, 3, f.keys.count())
	require.Equal(t, read+20, f.store.count("Revocations"))
	f.store.revoke("two", 1)
	f.poll(t)
	require.Equal(t, 4, f.keys.count(), "one list has changed")
	f.store.revoke("two", 1)
	f.poll(t)
	require.Equal(t, 4, f.keys.count(), "that was no news")
}

func TestTheWindowMovesOn(t *testing.T) {
	f := newFixture("one", "two")
	f.poll(t)
	require.Equal(t, start.Truncate(ttl), f.list(t, "one").iat)
	f.clock.add(29*time.Second + 999*time.Millisecond)
	f.poll(t)
	require.Equal(t, 2, f.keys.count())
	f.clock.add(time.Millisecond)
	f.poll(t)
	require.Equal(t, 4, f.keys.count())
	for _, id := range []string{"one", "two"} {
		d := f.list(t, id)
		require.Equal(t, start.Truncate(ttl).Add(ttl), d.iat)
		require.Equal(t, d.iat.Add(5*time.Minute), d.exp)
	}
}

// The key that signed a list may be revoked: nobody is left with it.
func TestAnotherKeySignsEverythingAnew(t *testing.T) {
	f := newFixture("one", "two")
	f.keys.rotate("first")
	f.poll(t)
	f.store.revoke("two", 7)
	f.poll(t)
	before := map[string]decoded{"one": f.list(t, "one"), "two": f.list(t, "two")}
	signed := f.keys.count()
	f.keys.rotate("second")
	f.poll(t)
	require.Equal(t, signed+2, f.keys.count())
	for id, was := range before {
		is := f.list(t, id)
		require.Contains(t, string(was.header), `"kid":"first"`)
		require.Contains(t, string(is.header), `"kid":"second"`)
		require.Equal(t, string(was.payload), string(is.payload), "and says the same")
	}
	f.poll(t)
	require.Equal(t, signed+2, f.keys.count(), "once")

	f.keys.rotate("third")
	f.keys.failAt = signed + 3
	require.ErrorIs(t, f.Poll(t.Context()), errDown)
	f.poll(t)
	require.Equal(t, signed+5, f.keys.count(), "what failed is made good for")
}

// A key that changes between the question which one signs and the signature.
func TestAKeyThatChangesWhileAListIsSigned(t *testing.T) {
	f := newFixture("one")
	f.keys.rotate("first")
	f.keys.during = func() { f.keys.kid = "second" }
	f.poll(t)
	f.poll(t)
	require.Equal(t, 2, f.keys.count(), "once more than needed, and never once too few")
	f.poll(t)
	require.Equal(t, 2, f.keys.count())
}

// A failover may bring a record whose clock is behind: iat follows it, rather than be in its future.
func TestTheRecordsClockGoesBack(t *testing.T) {
	f := newFixture("one")
	recorded := start
	f.store.clock = func() time.Time { return recorded }
	f.poll(t)
	recorded = start.Add(-2 * time.Minute)
	f.poll(t)
	require.Equal(t, recorded.Truncate(ttl), f.list(t, "one").iat)
	f.clock.add(4*time.Minute + 30*time.Second)
	_, err := f.Token("one")
	require.ErrorIs(t, err, statuslist.ErrStale)
}

func TestAllReplicasMakeTheSameBytes(t *testing.T) {
	f := newFixture("one", "two")
	var boards []*statuslist.Board
	for _, wrong := range []time.Duration{0, 0, 30 * time.Second, -30 * time.Second, 3 * time.Hour} {
		o := f.options()
		o.Keys = realRing(t)
		o.Now = func() time.Time { return f.clock.Now().Add(wrong) }
		boards = append(boards, statuslist.NewBoard(o))
	}
	late := boards[1] // it sees all at once, at the end
	for minute := range 4 {
		f.store.revoke("one", 10*minute, 10*minute+1)
		f.store.revoke("two", minute)
		f.clock.add(45 * time.Second)
		var want statuslist.Served
		for i, board := range boards {
			if board == late && minute < 3 {
				continue
			}
			require.NoError(t, board.Poll(t.Context()))
			served, err := board.Token("one")
			require.NoError(t, err)
			if i == 0 {
				want = served
			}
			require.Equal(t, want, served, "replica %d", i)
			d := decode(t, served.Body)
			require.False(t, d.iat.After(f.clock.Now()), "issued in the future")
			require.Len(t, d.revoked(), 2*(minute+1))
		}
	}
}

func TestExpiryGoesByTheRecordsClock(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"right": 0, "fast": 30 * time.Second, "slow": -30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			f := newFixture("one")
			o := f.options()
			o.Now = func() time.Time { return f.clock.Now().Add(wrong) }
			f.Board = statuslist.NewBoard(o)
			f.poll(t) // 30 seconds into the window
			served, err := f.Token("one")
			require.NoError(t, err)
			require.Equal(t, ttl, served.MaxAge)

			f.store.fail("Lists", true)
			f.clock.add(240*time.Second - 500*time.Millisecond)
			require.ErrorIs(t, f.Poll(t.Context()), errDown)
			served, err = f.Token("one")
			require.NoError(t, err)
			require.Equal(t, 30*time.Second, served.MaxAge, "a cache would keep it longer than it lives")
			f.clock.add(30 * time.Second)
			served, err = f.Token("one")
			require.NoError(t, err)
			require.Zero(t, served.MaxAge)

			f.clock.add(500 * time.Millisecond)
			for _, id := range []string{"one", "opened by others meanwhile"} {
				_, err = f.Token(id)
				require.ErrorIs(t, err, statuslist.ErrStale)
			}
			require.Equal(t, 1, f.keys.count(), "signed without having read the record")
			require.Equal(t, 270*time.Second, f.Age())
			f.store.fail("Lists", false)
			f.poll(t)
			require.Equal(t, f.clock.Now().Truncate(ttl), f.list(t, "one").iat)
			require.Zero(t, f.Age())
		})
	}
}

// The record takes 20 seconds to answer, and nobody knows when in them it looked at its clock.
func TestASlowAnswerMakesNothingFresher(t *testing.T) {
	f := newFixture("one")
	f.store.clock = func() time.Time { return start.Truncate(ttl) }
	f.store.on("Lists", func(int) { f.clock.add(20 * time.Second) })
	f.poll(t)
	require.Equal(t, 20*time.Second, f.Age())
	f.clock.add(statuslist.Lifetime - 20*time.Second)
	_, err := f.Token("one")
	require.ErrorIs(t, err, statuslist.ErrStale)
}

func TestAge(t *testing.T) {
	f := newFixture("one")
	f.clock.add(3 * time.Second)
	require.Equal(t, 3*time.Second, f.Age(), "since it was made")
	f.poll(t)
	require.Zero(t, f.Age())
	f.clock.add(2 * time.Second)
	f.store.fail("Revocations", true)
	require.ErrorIs(t, f.Poll(t.Context()), errDown)
	require.Equal(t, 2*time.Second, f.Age())
}

func TestAfterAnOutageNothingIsMissing(t *testing.T) {
	for _, method := range []string{"Lists", "Revocations"} {
		t.Run(method, func(t *testing.T) {
			f := newFixture("one")
			f.store.revoke("one", 1)
			f.poll(t)
			f.store.fail(method, true)
			f.store.revoke("one", 2)
			for range 3 {
				f.clock.add(20 * time.Second)
				require.ErrorIs(t, f.Poll(t.Context()), errDown)
			}
			require.Equal(t, []int{1}, f.list(t, "one").revoked())
			require.Equal(t, start.Truncate(ttl), f.list(t, "one").iat)
			f.store.fail(method, false)
			f.store.revoke("one", 3)
			f.poll(t)
			require.Equal(t, []int{1, 2, 3}, f.list(t, "one").revoked())
		})
	}
}

// The second of three pages fails: what the first one brought must neither show nor get lost.
func TestHalfOfATickIsNotShown(t *testing.T) {
	f := newFixture("one")
	f.poll(t)
	many := make([]int, 25_000)
	for i := range many {
		many[i] = 40 * i
	}
	f.store.revoke("one", many...)
	calls := f.store.count("Revocations")
	f.store.on("Revocations", func(call int) { f.store.fail("Revocations", call == calls+2) })
	require.ErrorIs(t, f.Poll(t.Context()), errDown)
	require.Equal(t, calls+2, f.store.count("Revocations"))
	require.Empty(t, f.list(t, "one").revoked())
	f.poll(t)
	require.Equal(t, many, f.list(t, "one").revoked())
	require.Equal(t, 2, f.keys.count())
}

func TestManyRevocationsOfOneTick(t *testing.T) {
	f := newFixture("one", "two")
	f.store.revoke("two", 5)
	f.poll(t)
	want := map[string][]int{"two": {5}}
	for i := range 50_000 { // 100,000 places of two lists
		want["one"] = append(want["one"], 20*i)
		want["two"] = append(want["two"], 20*i+7)
	}
	f.store.change(func() {
		f.store.tick++
		for list, indexes := range want {
			for _, i := range indexes {
				f.store.revoked = append(f.store.revoked, statuslist.Cursor{
					Tick: f.store.tick, Place: statuslist.Place{List: list, Index: i},
				})
			}
		}
		slices.SortFunc(f.store.revoked, compare)
	})
	calls := f.store.count("Revocations")
	f.poll(t)
	require.Equal(t, want["one"], f.list(t, "one").revoked())
	require.Equal(t, want["two"], f.list(t, "two").revoked())
	require.Equal(t, 11, f.store.count("Revocations")-calls)
	require.Equal(t, 4, f.keys.count())
}

func TestAfterAFailedSignatureNothingIsMissing(t *testing.T) {
	for failing := 3; failing <= 4; failing++ { // the first and the second of those for this change
		f := newFixture("one", "two")
		f.poll(t)
		f.store.revoke("one", 1)
		f.store.revoke("two", 2)
		f.keys.failAt = failing
		require.ErrorIs(t, f.Poll(t.Context()), errDown)
		require.Empty(t, f.list(t, "one").revoked(), "half of the lists are new")
		require.Empty(t, f.list(t, "two").revoked())
		f.poll(t) // there is nothing new in the record
		require.Equal(t, []int{1}, f.list(t, "one").revoked())
		require.Equal(t, []int{2}, f.list(t, "two").revoked())
		require.Equal(t, 5, f.keys.count(), "what had been signed is used")
	}
}

func TestAFailedSignatureOfANewWindow(t *testing.T) {
	f := newFixture("one")
	f.poll(t)
	f.clock.add(ttl)
	f.keys.failAt = 2
	require.ErrorIs(t, f.Poll(t.Context()), errDown)
	require.Equal(t, start.Truncate(ttl), f.list(t, "one").iat)
	f.poll(t)
	require.Equal(t, start.Truncate(ttl).Add(ttl), f.list(t, "one").iat)
}
