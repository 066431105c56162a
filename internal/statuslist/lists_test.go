package statuslist_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

func TestAListThatTheRecordHasNotIsDropped(t *testing.T) {
	f := newFixture("one", "two")
	f.store.revoke("two", 2)
	f.poll(t)
	f.store.change(func() { f.store.lists = f.store.lists[1:] })
	f.poll(t)
	_, err := f.Token("one")
	require.ErrorIs(t, err, statuslist.ErrUnknownList)
	require.Equal(t, []int{2}, f.list(t, "two").revoked())
	require.Equal(t, 2, f.keys.count())
}

func TestWhatIsOfNoListOrOutsideIsIgnored(t *testing.T) {
	f := newFixture("one")
	f.poll(t)
	f.store.revoke("no such list", 1, 2)
	f.store.revoke("one", -1, statuslist.Size, 5)
	f.poll(t)
	require.Equal(t, []int{5}, f.list(t, "one").revoked())
	_, err := f.Token("no such list")
	require.ErrorIs(t, err, statuslist.ErrUnknownList)
}

// A list is opened, and a place in it taken and revoked, after the board has read the lists and
// before it reads the revocations.
func TestARevocationInAListOpenedMeanwhile(t *testing.T) {
	f := newFixture("one")
	f.poll(t)
	f.store.on("Revocations", func(int) {
		f.store.on("Revocations", nil)
		f.store.change(func() { f.store.lists = append(f.store.lists, statuslist.List{ID: "two"}) })
		f.store.revoke("two", 9)
		f.store.revoke("one", 1)
	})
	f.poll(t)
	require.Equal(t, []int{1}, f.list(t, "one").revoked())
	f.poll(t)
	require.Equal(t, []int{9}, f.list(t, "two").revoked())
	require.Equal(t, 3, f.keys.count())
}

func TestEveryTenMinutesSweptBitsGo(t *testing.T) {
	f := newFixture("one", "two")
	f.store.revoke("one", 1, 2)
	f.store.revoke("two", 3)
	f.poll(t)
	f.store.change(func() { // the session at place 1 is swept
		f.store.revoked = slices.DeleteFunc(f.store.revoked, func(c statuslist.Cursor) bool { return c.Place.Index == 1 })
	})
	f.clock.add(10*time.Minute - time.Second)
	f.poll(t)
	require.Equal(t, []int{1, 2}, f.list(t, "one").revoked())
	signed := f.keys.count()

	f.clock.add(time.Second) // still the same window
	f.store.fail("Revocations", true)
	require.ErrorIs(t, f.Poll(t.Context()), errDown)
	require.Equal(t, []int{1, 2}, f.list(t, "one").revoked(), "a list that was half read is served")
	f.store.fail("Revocations", false)
	f.poll(t)
	require.Equal(t, []int{2}, f.list(t, "one").revoked())
	require.Equal(t, []int{3}, f.list(t, "two").revoked())
	require.Equal(t, signed+1, f.keys.count(), "only one list has changed")

	fresh := statuslist.NewBoard(f.options())
	require.NoError(t, fresh.Poll(t.Context()))
	want, err := fresh.Token("one")
	require.NoError(t, err)
	got, err := f.Token("one")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestAListIsKeptOpen(t *testing.T) {
	f := newFixture()
	o := f.options()
	f.poll(t)
	require.Zero(t, f.store.count("OpenList"), "a board that was not told to opened a list")
	o.Open = true
	f.Board = statuslist.NewBoard(o)
	f.poll(t)
	require.Len(t, f.store.lists, 1)
	first := f.store.lists[0].ID
	require.Regexp(t, `^[a-z2-7]{10}$`, first)
	require.Empty(t, f.list(t, first).revoked(), "it is served at once")

	const enough = statuslist.Size * 9 / 10
	f.store.change(func() { f.store.lists[0].Leased = enough })
	f.poll(t)
	require.Len(t, f.store.lists, 1)
	f.store.change(func() { f.store.lists[0].Leased = enough + 1 })
	f.poll(t)
	f.poll(t)
	require.Len(t, f.store.lists, 2)
	require.NotEqual(t, first, f.store.lists[1].ID)
	require.Empty(t, f.list(t, f.store.lists[1].ID).revoked())
	require.Equal(t, 2, f.store.count("OpenList"))
	require.Equal(t, base+first, f.URI(first))
}

// In a database that takes no writes nobody signs in, but everybody signed in must be able to go on.
func TestAListThatCannotBeOpenedHoldsNothingUp(t *testing.T) {
	f := newFixture("one")
	f.store.lists[0].Leased = statuslist.Size
	f.store.fail("OpenList", true)
	o := f.options()
	o.Open = true
	f.Board = statuslist.NewBoard(o)
	f.store.revoke("one", 6)
	require.ErrorIs(t, f.Poll(t.Context()), errDown)
	require.Equal(t, []int{6}, f.list(t, "one").revoked())
	f.store.fail("OpenList", false)
	f.poll(t)
	require.Len(t, f.store.lists, 2)
}
