package sql_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// rotated is a session after one refresh more.
func rotated(s session.Session) session.Session {
	s.Generation++
	s.RotatedAt = s.RotatedAt.Add(time.Second)
	return s
}

// withAndWithout runs a test of Advance both ways: with an event it is another statement of SQL.
func withAndWithout(t *testing.T, test func(t *testing.T, store *sql.Store, events func(session.Session) []audit.Event)) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		t.Run("without an event", func(t *testing.T) {
			test(t, store, func(session.Session) []audit.Event { return nil })
		})
		t.Run("with an event", func(t *testing.T) {
			test(t, store, func(of session.Session) []audit.Event {
				return []audit.Event{{At: time.Now(), Kind: audit.RefreshRepeated, SID: of.SID, Address: of.LastAddress}}
			})
		})
	})
}

func TestOfManyAdvancesOneWins(t *testing.T) {
	withAndWithout(t, func(t *testing.T, store *sql.Store, eventsOf func(session.Session) []audit.Event) {
		before := open(t, store, alpha, nil)
		var winners atomic.Int64
		var address atomic.Value
		together(t, 50, func(i int) error {
			after := rotated(before)
			after.LastAddress = fmt.Sprintf("192.0.2.%d", i)
			advanced, err := store.Advance(t.Context(), before, after, eventsOf(after))
			if advanced {
				winners.Add(1)
				address.Store(after.LastAddress)
			}
			return err
		})
		require.EqualValues(t, 1, winners.Load())
		now := standing(t, store, before.SID).Session
		require.EqualValues(t, 1, now.Generation)
		require.Equal(t, address.Load(), now.LastAddress)
		written := events(t, store, audit.RefreshRepeated)
		require.Len(t, written, len(eventsOf(now)))
		for _, e := range written {
			require.Equal(t, now.SID, e.SID)
			require.Equal(t, address.Load(), e.Address, "the event is the winner's")
		}
	})
}

func TestAnAdvanceThatComesTooLate(t *testing.T) {
	withAndWithout(t, func(t *testing.T, store *sql.Store, eventsOf func(session.Session) []audit.Event) {
		for name, meanwhile := range map[string]func(before session.Session) session.Session{
			"revoked": func(before session.Session) session.Session {
				ended, err := store.EndSessions(t.Context(), session.Filter{SID: before.SID}, session.Ending{Reason: session.Operator}, 1)
				require.NoError(t, err)
				require.Len(t, ended, 1)
				return ended[0].Session
			},
			"rotated": func(before session.Session) session.Session {
				advanced, err := store.Advance(t.Context(), before, rotated(before), nil)
				require.NoError(t, err)
				require.True(t, advanced)
				return rotated(before)
			},
			"asked for again late": func(before session.Session) session.Session {
				late := before
				late.LateGeneration, late.LateStreak = 3, 1
				advanced, err := store.Advance(t.Context(), before, late, nil)
				require.NoError(t, err)
				require.True(t, advanced)
				return late
			},
		} {
			t.Run(name, func(t *testing.T) {
				before := open(t, store, alpha, nil)
				now := meanwhile(before)
				after := rotated(rotated(before))
				after.Tier, after.LastAddress = "late", "192.0.2.200"
				advanced, err := store.Advance(t.Context(), before, after, eventsOf(after))
				require.NoError(t, err)
				require.False(t, advanced)
				require.Equal(t, now, standing(t, store, before.SID).Session)
				require.Empty(t, events(t, store, audit.RefreshRepeated))
			})
		}
		t.Run("swept", func(t *testing.T) {
			nobody := newSession("nobody", time.Now())
			advanced, err := store.Advance(t.Context(), nobody, rotated(nobody), eventsOf(nobody))
			require.NoError(t, err)
			require.False(t, advanced)
			require.Empty(t, events(t, store, audit.RefreshRepeated))
		})
	})
}

func TestAnAdvanceIsOneTransaction(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		before := open(t, store, alpha, nil)
		good := audit.Event{At: time.Now(), Kind: audit.RefreshRepeated, SID: before.SID}
		bad := good
		bad.Detail = unwritable
		advanced, err := store.Advance(t.Context(), before, rotated(before), []audit.Event{good, bad})
		require.Error(t, err)
		require.False(t, advanced)
		require.Equal(t, before, standing(t, store, before.SID).Session)
		require.Empty(t, events(t, store, audit.RefreshRepeated))

		advanced, err = store.Advance(t.Context(), before, rotated(before), []audit.Event{good, good})
		require.NoError(t, err)
		require.True(t, advanced)
		require.Len(t, events(t, store, audit.RefreshRepeated), 2)
	})
}

// unwritable is a detail that has no JSON: whatever comes with it is rolled back.
var unwritable = map[string]any{"detail": func() {}}

func TestAnAdvanceToAPlaceThatIsTaken(t *testing.T) {
	withAndWithout(t, func(t *testing.T, store *sql.Store, eventsOf func(session.Session) []audit.Event) {
		place := session.Place{List: "list", Index: len(eventsOf(session.Session{}))}
		open(t, store, beta, func(s *session.Session) { s.Place = place })
		before := open(t, store, alpha, nil)
		after := rotated(before)
		after.Place = place
		advanced, err := store.Advance(t.Context(), before, after, eventsOf(after))
		require.Error(t, err)
		require.False(t, advanced)
		require.Equal(t, before, standing(t, store, before.SID).Session)
		require.Empty(t, events(t, store, audit.RefreshRepeated))
	})
}
