package statuslist_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func newPlaces(t *testing.T, store statuslist.Store) *statuslist.Places {
	t.Helper()
	p, err := statuslist.NewPlaces(store, secret)
	require.NoError(t, err)
	return p
}

func take(t *testing.T, p *statuslist.Places) statuslist.Place {
	t.Helper()
	place, err := p.Take(t.Context())
	require.NoError(t, err)
	return place
}

func TestOneCallFor256Places(t *testing.T) {
	store := newMemory("one")
	places := newPlaces(t, store)
	seen := map[statuslist.Place]bool{}
	for range 1024 {
		place := take(t, places)
		require.Equal(t, "one", place.List)
		require.True(t, 0 <= place.Index && place.Index < statuslist.Size, place.Index)
		require.False(t, seen[place], place)
		seen[place] = true
	}
	require.Equal(t, 4, store.count("Lease"))
	require.Equal(t, 1024, store.lists[0].Leased)
}

// Two replicas, each with many sign-ins at once, over the end of two lists.
func TestNoPlaceIsHandedOutTwice(t *testing.T) {
	store := newMemory("one", "two")
	store.lists[0].Leased = statuslist.Size - 4_000
	store.lists[1].Leased = statuslist.Size - 4_000
	replicas := []*statuslist.Places{newPlaces(t, store), newPlaces(t, store)}
	var mu sync.Mutex
	seen := map[statuslist.Place]bool{}
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for range 1_000 {
				place, err := replicas[worker%2].Take(t.Context())
				if err != nil {
					t.Errorf("Take: %v", err)
					return
				}
				mu.Lock()
				if seen[place] {
					t.Errorf("%v twice", place)
				}
				seen[place] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	require.Len(t, seen, 16_000)
	require.Len(t, store.lists, 3)
}

func TestWithoutRoomAListIsOpened(t *testing.T) {
	store := newMemory("one")
	store.lists[0].Leased = statuslist.Size - 255 // not enough for a block
	places := newPlaces(t, store)
	place := take(t, places)
	require.Len(t, store.lists, 2)
	require.Equal(t, store.lists[1].ID, place.List)
	require.Regexp(t, `^[a-z2-7]{10}$`, place.List)
	require.Equal(t, 2, store.count("Lease"))

	// Somebody else has opened one meanwhile: there is room.
	store.lists[0].Leased, store.lists[1].Leased = statuslist.Size, statuslist.Size
	store.on("OpenList", func(int) {
		store.change(func() {
			store.lists = append(store.lists, statuslist.List{ID: "theirs", Leased: statuslist.Size - 256})
		})
	})
	places.Discard()
	require.Equal(t, "theirs", take(t, places).List)
	require.Len(t, store.lists, 3)
}

func TestPlacesInAnOutage(t *testing.T) {
	for _, tc := range []struct {
		method string
		want   error
	}{{"Lease", errDown}, {"OpenList", errDown}} {
		store := newMemory()
		places := newPlaces(t, store)
		store.fail(tc.method, true)
		_, err := places.Take(t.Context())
		require.ErrorIs(t, err, tc.want)
		store.fail(tc.method, false)
		take(t, places)
	}
	// A list was opened, and others have taken all of it already.
	store := newMemory()
	store.on("Lease", func(int) {
		store.change(func() { store.lists = nil })
	})
	_, err := newPlaces(t, store).Take(t.Context())
	require.ErrorIs(t, err, statuslist.ErrNoRoom)
}

func TestDiscard(t *testing.T) {
	store := newMemory("one")
	places := newPlaces(t, store)
	places.Discard() // of nothing
	first := take(t, places)
	places.Discard()
	seen := map[statuslist.Place]bool{first: true}
	for range 256 {
		place := take(t, places)
		require.False(t, seen[place])
		seen[place] = true
	}
	require.Equal(t, 2, store.count("Lease"))
}

// A list of which all is leased may go with its last session: no place in it may come after that.
func TestABlockGetsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory("one", "two")
		store.lists[0].Leased = statuslist.Size - 256
		places := newPlaces(t, store)
		require.Equal(t, "one", take(t, places).List)
		time.Sleep(statuslist.MaxBlockAge - time.Nanosecond)
		require.Equal(t, "one", take(t, places).List)
		time.Sleep(time.Nanosecond)
		require.Equal(t, "two", take(t, places).List)
		time.Sleep(statuslist.MaxBlockAge - time.Nanosecond)
		require.Equal(t, "two", take(t, places).List, "its own age counts")
		require.Equal(t, 2, store.count("Lease"))
	})
}

// A failover lost a lease: the record gives its ordinals to another replica.
func TestDiscardAfterAFailover(t *testing.T) {
	store := newMemory("one")
	ours, theirs := newPlaces(t, store), newPlaces(t, store)
	seen := map[statuslist.Place]bool{take(t, ours): true}
	store.lists[0].Leased = 0
	require.True(t, seen[take(t, theirs)], "that is the danger")
	ours.Discard()
	for range 255 {
		seen[take(t, theirs)] = true
	}
	for range 256 {
		require.False(t, seen[take(t, ours)])
	}
}

// crooked leases what no honest record does.
type crooked struct {
	*memory
	lease statuslist.Lease
}

func (c crooked) Lease(context.Context, int) (statuslist.Lease, error) { return c.lease, nil }

func TestALeaseOutsideTheListIsRefused(t *testing.T) {
	for _, lease := range []statuslist.Lease{
		{List: "one"}, {List: "one", From: 5, To: 5}, {List: "one", From: 6, To: 5}, {List: "one", From: -1, To: 5},
		{List: "one", From: statuslist.Size - 255, To: statuslist.Size + 1},
	} {
		_, err := newPlaces(t, crooked{newMemory("one"), lease}).Take(t.Context())
		require.Error(t, err, lease)
	}
	place, err := newPlaces(t, crooked{newMemory("one"), statuslist.Lease{
		List: "one", From: statuslist.Size - 1, To: statuslist.Size,
	}}).Take(t.Context())
	require.NoError(t, err)
	require.Less(t, place.Index, statuslist.Size)
}

// One waits for the record; the others wait for that one, as long as they like.
func TestTakeWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory("one")
		answer := make(chan struct{})
		store.on("Lease", func(int) { <-answer })
		places := newPlaces(t, store)
		type result struct {
			place statuslist.Place
			err   error
		}
		results := make(chan result, 3)
		try := func(ctx context.Context) {
			place, err := places.Take(ctx)
			results <- result{place, err}
		}
		go try(t.Context())
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go try(impatient)
		go try(t.Context())
		synctest.Wait()
		require.Empty(t, results)
		require.Equal(t, 1, store.count("Lease"))
		after(time.Second)
		require.Len(t, results, 1)
		first := <-results
		require.True(t, errors.Is(first.err, context.DeadlineExceeded), first.err)

		close(answer)
		synctest.Wait()
		require.Len(t, results, 2)
		one, other := <-results, <-results
		require.NoError(t, one.err)
		require.NoError(t, other.err)
		require.NotEqual(t, one.place, other.place)
		require.Equal(t, 1, store.count("Lease"))
	})
}

// The one that asks the record goes away: the next one asks for itself.
func TestTakeAfterTheOneThatLeasedWentAway(t *testing.T) {
	store := newMemory("one")
	places := newPlaces(t, store)
	gone, cancel := context.WithCancel(t.Context())
	store.on("Lease", func(int) { cancel() })
	_, err := places.Take(gone)
	require.ErrorIs(t, err, context.Canceled)
	take(t, places)
}
