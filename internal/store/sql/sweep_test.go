package sql_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

const (
	every = 10 * time.Second
	grace = time.Hour
)

// plantOver plants n sessions whose sids go from first on, and that ended ago.
func plantOver(t *testing.T, store *sql.Store, clock *otptest.Clock, first, n int, ago time.Duration) {
	t.Helper()
	for i := first; i < first+n; i++ {
		s := newSession("somebody", clock.Now())
		s.SID, s.ExpiresAt = fmt.Sprintf("s%03d", i), clock.Now().Add(-ago)
		plant(t, store, s)
	}
}

func sweep(t *testing.T, store *sql.Store, limit int) int {
	t.Helper()
	n, err := store.Sweep(t.Context(), every, grace, limit)
	require.NoError(t, err)
	return n
}

func TestOneReplicaSweepsInAnInterval(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		plantOver(t, store, clock, 0, 50, 2*grace)
		for round := range 3 {
			var swept, calls atomic.Int64
			together(t, 10, func(int) error {
				n, err := store.Sweep(t.Context(), every, grace, 10)
				swept.Add(int64(n))
				if n > 0 {
					calls.Add(1)
				}
				return err
			})
			require.EqualValues(t, 10, swept.Load(), round)
			require.EqualValues(t, 1, calls.Load())
			clock.Advance(every - time.Millisecond)
			require.Zero(t, sweep(t, store, 10), "it is not due yet")
			clock.Advance(time.Millisecond)
		}
		require.EqualValues(t, 20, query(t, store, "SELECT COUNT(*) FROM sessions"))
	})
}

func TestSweepWalksThroughAllAndStartsAgain(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		plantOver(t, store, clock, 0, 4, 2*grace)
		plantOver(t, store, clock, 4, 10, -time.Hour) // live
		plantOver(t, store, clock, 14, 3, 2*grace)
		plantOver(t, store, clock, 17, 8, grace/2) // over, but not for long enough
		run := func() int {
			clock.Advance(every)
			return sweep(t, store, 10)
		}
		require.Equal(t, []int{4, 3, 0}, []int{run(), run(), run()}, "s000 to s009, to s019, to the end")
		require.EqualValues(t, 18, query(t, store, "SELECT COUNT(*) FROM sessions"))
		require.Zero(t, run(), "again from the start: nothing is old enough yet")
		clock.Advance(grace / 2)
		plantOver(t, store, clock, 0, 2, 2*grace) // in what it has just walked through
		require.Equal(t, []int{8, 2}, []int{run(), run()})
		require.EqualValues(t, 10, query(t, store, "SELECT COUNT(*) FROM sessions"))
		clock.Advance(3 * time.Hour)
		require.Equal(t, []int{2, 8, 0}, []int{run(), run(), run()})
		require.Zero(t, query(t, store, "SELECT COUNT(*) FROM sessions"))
	})
}

func TestSweepDeletesWhatIsLongOver(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		at := clock.Now()
		var all []session.Session
		for i, tc := range []struct {
			name    string
			over    time.Duration // ago
			revoked bool
			goes    bool
		}{
			{"live", -time.Hour, false, false},
			{"revoked, and its tokens would live on", -time.Hour, true, false},
			{"just over", time.Second, false, false},
			{"over for as long as the grace", grace, false, false},
			{"over for longer", grace + time.Microsecond, false, true},
			{"revoked, and its tokens just over", time.Second, true, false},
			{"revoked, and long over", grace + time.Microsecond, true, true},
		} {
			s := newSession("somebody", at)
			s.Device = tc.name
			s.Place = session.Place{List: "list", Index: i}
			plant(t, store, s)
			if tc.revoked {
				_, err := store.EndSessions(t.Context(), session.Filter{SID: s.SID}, session.Ending{Reason: session.Operator}, 1)
				require.NoError(t, err)
			}
			execute(t, store, "UPDATE sessions SET expires_at = ? WHERE sid = ?", at.Add(-tc.over).UnixMicro(), s.SID)
			if tc.goes {
				s.SID += " goes"
				execute(t, store, "UPDATE sessions SET sid = ? WHERE sid = ?", s.SID, s.SID[:26])
			}
			all = append(all, s)
		}
		require.Equal(t, 2, sweep(t, store, 100))
		for _, s := range all {
			_, err := store.Standing(t.Context(), s.SID)
			if len(s.SID) > 26 {
				require.ErrorIs(t, err, login.ErrSessionEnded, s.Device)
			} else {
				require.NoError(t, err, s.Device)
			}
		}
		require.Len(t, events(t, store, audit.SessionEnded), 3, "the audit stays")
		revocations, err := store.Revocations(t.Context(), statuslist.Cursor{}, 10)
		require.NoError(t, err)
		require.Len(t, revocations, 2, "what nobody could use any more need not be listed")
	})
}

func TestSweepClosesLists(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		const long = 2*statuslist.MaxBlockAge + time.Minute
		for _, l := range []struct {
			id     string
			leased int
			ago    time.Duration
		}{
			{"a, empty", 0, long},
			{"b, not all leased", statuslist.Size - 1, long},
			{"c, leased of late", statuslist.Size, 2*statuslist.MaxBlockAge - every},
			{"d, with a session", statuslist.Size, long},
			{"e, goes", statuslist.Size, long},
		} {
			require.NoError(t, store.OpenList(t.Context(), l.id, 0))
			execute(t, store, "UPDATE status_lists SET leased = ?, leased_at = ? WHERE id = ?", l.leased, clock.Now().Add(-l.ago).UnixMicro(), l.id)
		}
		s := newSession("somebody", clock.Now())
		s.Place = session.Place{List: "d, with a session", Index: 9}
		plant(t, store, s)
		ids := func() []string {
			var ids []string
			for _, l := range lists(t, store) {
				ids = append(ids, l.ID[:1])
			}
			return ids
		}
		sweep(t, store, 1)
		require.Equal(t, []string{"a", "b", "c", "d", "e"}, ids(), "the walk has not come to its end")
		clock.Advance(every)
		sweep(t, store, 1)
		require.Equal(t, []string{"a", "b", "c", "d"}, ids())
		clock.Advance(time.Hour + grace - every)
		require.Zero(t, sweep(t, store, 10))
		require.Equal(t, []string{"a", "b", "d"}, ids(), "c by now; the session of d is over, and kept for the grace")
		clock.Advance(every)
		require.Equal(t, 1, sweep(t, store, 10))
		require.Equal(t, []string{"a", "b"}, ids())
	})
}

func TestSweepsBesideSignIns(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		var over []session.Session
		for range 300 {
			s := newSession("somebody", time.Now())
			s.ExpiresAt = s.AuthTime.Add(-2 * grace)
			over = append(over, s)
		}
		plant(t, store, over...)
		done := make(chan struct{})
		var sweeping sync.WaitGroup
		var swept int
		var failed error
		sweeping.Go(func() {
			for failed == nil {
				err := untilFree(func() error {
					n, err := store.Sweep(t.Context(), 0, grace, 20)
					swept += n
					return err
				})
				select {
				case <-done:
					failed = err
					return
				case <-time.After(time.Millisecond): // SQLite has no queue for its lock
					failed = err
				}
			}
		})
		numbers := []string{alpha, beta, gamma, delta}
		together(t, 100, func(i int) error {
			return untilFree(func() error {
				_, err := opening(t.Context(), store, numbers[i%len(numbers)], 10, nil)
				return err
			})
		})
		close(done)
		sweeping.Wait()
		require.NoError(t, failed)
		require.Positive(t, swept)
		require.EqualValues(t, 100, query(t, store, "SELECT COUNT(*) FROM sessions WHERE subject <> 'somebody'"))
		require.EqualValues(t, len(over)-swept, query(t, store, "SELECT COUNT(*) FROM sessions WHERE subject = 'somebody'"))
	})
}
