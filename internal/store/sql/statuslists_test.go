package sql_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func lists(t *testing.T, store *sql.Store) []statuslist.List {
	t.Helper()
	all, _, err := store.Lists(t.Context())
	require.NoError(t, err)
	return all
}

func leaseAll(t *testing.T, store *sql.Store, list string, leased int) {
	t.Helper()
	execute(t, store, "UPDATE status_lists SET leased = ? WHERE id = ?", leased, list)
}

func TestListsAreOpenedInOrder(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		none, now, err := store.Lists(t.Context())
		require.NoError(t, err)
		require.Empty(t, none)
		require.Equal(t, clock.Now().UTC(), now)
		_, err = store.Lease(t.Context(), 1)
		require.ErrorIs(t, err, statuslist.ErrNoRoom)

		for _, step := range []struct {
			name, id string
			below    int
			leased   map[string]int // of lists, beforehand
			want     []statuslist.List
		}{
			{"the first", "m", 1, nil, []statuslist.List{{ID: "m"}}},
			{"one is empty", "n", 1, nil, []statuslist.List{{ID: "m"}}},
			{"one has as few", "n", 11, map[string]int{"m": 10}, []statuslist.List{{ID: "m", Leased: 10}}},
			{"none has as few", "z", 10, nil, []statuslist.List{{ID: "m", Leased: 10}, {ID: "z"}}},
			{"at the same time", "b", 0, nil, []statuslist.List{{ID: "m", Leased: 10}, {ID: "b"}, {ID: "z"}}},
			{"a later one", "a", 10, map[string]int{"b": 11, "z": statuslist.Size},
				[]statuslist.List{{ID: "m", Leased: 10}, {ID: "b", Leased: 11}, {ID: "z", Leased: statuslist.Size}, {ID: "a"}}},
		} {
			if step.name == "none has as few" || step.name == "a later one" {
				clock.Advance(time.Second)
			}
			for id, n := range step.leased {
				leaseAll(t, store, id, n)
			}
			require.NoError(t, store.OpenList(t.Context(), step.id, step.below), step.name)
			all, now, err := store.Lists(t.Context())
			require.NoError(t, err)
			require.Equal(t, step.want, all, step.name)
			require.Equal(t, clock.Now().UTC(), now)
		}

		for _, step := range []struct {
			name string
			n    int
			want statuslist.Lease
		}{
			{"of the oldest", 256, statuslist.Lease{List: "m", From: 10, To: 266}},
			{"the next of it", 1, statuslist.Lease{List: "m", From: 266, To: 267}},
			{"too much for it", statuslist.Size - 10, statuslist.Lease{List: "a", From: 0, To: statuslist.Size - 10}},
			{"all that it has", statuslist.Size - 267, statuslist.Lease{List: "m", From: 267, To: statuslist.Size}},
			{"it is full", 5, statuslist.Lease{List: "b", From: 11, To: 16}},
		} {
			lease, err := store.Lease(t.Context(), step.n)
			require.NoError(t, err, step.name)
			require.Equal(t, step.want, lease, step.name)
		}
		before := lists(t, store)
		_, err = store.Lease(t.Context(), statuslist.Size)
		require.ErrorIs(t, err, statuslist.ErrNoRoom)
		require.Equal(t, before, lists(t, store))
		require.Equal(t, clock.Now().UnixMicro(), query(t, store, "SELECT leased_at FROM status_lists WHERE id = 'b'"))
	})
}

func TestLeasesNeverOverlap(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		const room, n = 400, 7 // does not divide it: a place is left over in each list
		for _, id := range []string{"a", "b"} {
			require.NoError(t, store.OpenList(t.Context(), id, 0))
			leaseAll(t, store, id, statuslist.Size-room)
		}
		var mu sync.Mutex
		leased := map[string][]int{}
		together(t, 8, func(int) error {
			for {
				var lease statuslist.Lease
				err := untilFree(func() (err error) {
					lease, err = store.Lease(t.Context(), n)
					return err
				})
				if errors.Is(err, statuslist.ErrNoRoom) {
					return nil
				}
				if err != nil {
					return err
				}
				mu.Lock()
				for ordinal := lease.From; ordinal < lease.To; ordinal++ {
					leased[lease.List] = append(leased[lease.List], ordinal)
				}
				mu.Unlock()
			}
		})
		for _, id := range []string{"a", "b"} {
			got := slices.Sorted(slices.Values(leased[id]))
			require.Len(t, got, room-room%n)
			for i, ordinal := range got {
				require.Equal(t, statuslist.Size-room+i, ordinal)
			}
			last, err := store.Lease(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, statuslist.Lease{List: id, From: statuslist.Size - 1, To: statuslist.Size}, last)
		}
		_, err := store.Lease(t.Context(), 1)
		require.ErrorIs(t, err, statuslist.ErrNoRoom)
	})
}

func TestListsOpenedTogether(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		together(t, 8, func(int) error { return store.OpenList(t.Context(), session.NewSID()[:10], 1) })
		require.NotEmpty(t, lists(t, store))
		n := len(lists(t, store))
		require.NoError(t, store.OpenList(t.Context(), "late", 1))
		require.Len(t, lists(t, store), n)
	})
}

// The place of a session is no other's, even once the session has ended; a code has one use (C3).
func TestNoTwoSessionsShareAPlaceOrACode(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		place := session.Place{List: "list", Index: 0}
		first := open(t, store, alpha, func(s *session.Session) { s.Place, s.CodeUse = place, "use" })
		rows := "SELECT (SELECT COUNT(*) FROM accounts) + (SELECT COUNT(*) FROM identities) + (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM audit_events)"
		refused := func(name string) {
			for what, tc := range map[string]struct {
				place session.Place
				use   string
				want  error
			}{
				"the same place":   {place, "another", login.ErrPlaceTaken},
				"the same code":    {session.Place{List: "list", Index: 1}, "use", otp.ErrInvalidCode},
				"both":             {place, "use", otp.ErrInvalidCode},
				"a code, no place": {session.Place{}, "use", otp.ErrInvalidCode},
			} {
				for _, e164 := range []string{alpha, beta} {
					before := query(t, store, rows)
					_, err := opening(t.Context(), store, e164, 1, func(s *session.Session) { s.Place, s.CodeUse = tc.place, tc.use })
					require.ErrorIs(t, err, tc.want, "%s, %s", name, what)
					require.Equal(t, before, query(t, store, rows), "%s, %s", name, what)
				}
			}
		}
		refused("while it lives")
		require.Equal(t, first, standing(t, store, first.SID).Session)
		_, err := store.EndSessions(t.Context(), session.Filter{All: true}, session.Ending{Reason: session.Operator}, 10)
		require.NoError(t, err)
		refused("after it was ended")
		for _, free := range []session.Place{{List: "list", Index: 1}, {List: "other", Index: 0}, {}, {}} {
			open(t, store, alpha, func(s *session.Session) { s.Place = free })
		}
	})
}

func TestSignInsThatRaceForAPlace(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		numbers := []string{alpha, beta, gamma, delta}
		var opened, taken atomic.Int64
		together(t, 16, func(i int) error {
			_, err := opening(t.Context(), store, numbers[i%len(numbers)], 0, func(s *session.Session) {
				s.Place = session.Place{List: "list", Index: 5}
			})
			switch {
			case err == nil:
				opened.Add(1)
			case errors.Is(err, login.ErrPlaceTaken):
				taken.Add(1)
				err = nil
			}
			return err
		})
		require.EqualValues(t, 1, opened.Load())
		require.EqualValues(t, 15, taken.Load())
		require.EqualValues(t, 1, query(t, store, "SELECT COUNT(*) FROM accounts"))
		require.Len(t, events(t, store, audit.SignInSucceeded), 1)
	})
}

// A Board over the real record sees what was revoked, page by page and after a restart.
func TestPlacesComeFromTheRecord(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		replicas := make([]*statuslist.Places, 4)
		for i := range replicas {
			var err error
			replicas[i], err = statuslist.NewPlaces(store, []byte("a secret of thirty-two bytes or more"))
			require.NoError(t, err)
		}
		var mu sync.Mutex
		taken := map[statuslist.Place]bool{}
		take := func(ctx context.Context, from *statuslist.Places) error {
			for range 300 { // more than a block
				place, err := from.Take(ctx)
				if err != nil {
					return err
				}
				mu.Lock()
				taken[place] = true
				mu.Unlock()
			}
			return nil
		}
		together(t, len(replicas), func(i int) error { return take(t.Context(), replicas[i]) })
		require.Len(t, taken, 300*len(replicas))
		leased := 0
		for _, l := range lists(t, store) {
			leased += l.Leased
		}
		require.Equal(t, 2*256*len(replicas), leased)
	})
}
