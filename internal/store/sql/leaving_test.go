package sql_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func TestChangesByHREndSessions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		hr(t, store, person("leaver", alpha), person("moved", beta), person("renamed", gamma))
		sessions := map[string]session.Session{}
		for name, e164 := range map[string]string{"first": alpha, "second": alpha, "moved": beta, "renamed": gamma, "stranger": delta} {
			sessions[name] = open(t, store, e164, nil)
		}
		ended := open(t, store, alpha, nil)
		_, err := store.EndSessions(t.Context(), session.Filter{SID: ended.SID}, session.Ending{Reason: session.SignedOut}, 1)
		require.NoError(t, err)
		over := open(t, store, alpha, func(s *session.Session) { s.ExpiresAt = s.AuthTime })
		execute(t, store, "DELETE FROM audit_events")

		renamed := person("renamed", gamma)
		renamed.Name, renamed.Email = "Another name", "new@example.com"
		report := hr(t, store, person("moved", "+447700900012"), renamed)
		require.Equal(t, 3, report.SessionsEnded)
		written := events(t, store, audit.SessionEnded)
		require.Len(t, written, 3)
		for name, reason := range map[string]session.Reason{
			"first": session.UserLeft, "second": session.UserLeft, "moved": session.NumberMoved, "renamed": "", "stranger": "",
		} {
			now := standing(t, store, sessions[name].SID)
			require.Equal(t, reason, now.Session.RevokedReason, name)
			require.Equal(t, reason != "", now.Session.Revoked(), name)
			for _, e := range written {
				if e.SID != now.Session.SID {
					continue
				}
				require.Equal(t, string(reason), e.Reason)
				require.Equal(t, "test", e.Actor)
				require.JSONEq(t, `{"source": "hr"}`, e.Detail)
				require.Equal(t, now.UserID, e.UserID)
				require.Equal(t, now.Session.Subject, e.Subject)
				require.Equal(t, now.Session.RevokedAt.UnixMicro(), e.At)
			}
		}
		require.False(t, standing(t, store, over.SID).Session.Revoked(), "what is over needs no end")
		require.Equal(t, session.SignedOut, standing(t, store, ended.SID).Session.RevokedReason, "what has ended keeps its reason")
		require.NotEmpty(t, liveSIDs(t, store, session.Filter{SID: sessions["renamed"].SID}))
	})
}

// Leavers by the thousand are one change set, of more statements than one.
func TestMoreLeaversThanAStatementCarries(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		const n = 601
		var staff []directory.Person
		for range n {
			staff = append(staff, person(session.NewSID(), ""))
		}
		hr(t, store, append(staff, person("stays", alpha))...)
		stays := open(t, store, alpha, nil)
		execute(t, store, "INSERT INTO accounts (subject, user_id, created_at) SELECT external_id, id, 0 FROM users WHERE phone IS NULL")
		var many []session.Session
		for _, p := range staff {
			many = append(many, newSession(p.ExternalID, time.Now()))
		}
		plant(t, store, many...)
		report := hr(t, store, person("stays", alpha))
		require.Equal(t, n, report.SessionsEnded)
		require.Equal(t, []string{stays.SID}, liveSIDs(t, store, session.Filter{}))
		require.EqualValues(t, n, query(t, store, "SELECT COUNT(DISTINCT sid) FROM audit_events WHERE kind = ?", audit.SessionEnded))
	})
}

// Wakes come after the commit: whoever hears one finds the sessions revoked.
func TestRevokedIsCalledAfterTheCommit(t *testing.T) {
	reconcile := func(opts directory.Options, people ...directory.Person) func(*testing.T, *sql.Store) {
		return func(t *testing.T, store *sql.Store) {
			opts.Actor = "test"
			_, err := directory.Reconcile(t.Context(), store, directory.Feed{Source: "hr", Mode: directory.Full, People: people}, opts)
			if refused := (*directory.GuardError)(nil); err != nil {
				require.ErrorAs(t, err, &refused)
			}
		}
	}
	end := func(filter session.Filter, detail map[string]any) func(*testing.T, *sql.Store) {
		return func(t *testing.T, store *sql.Store) {
			_, err := store.EndSessions(t.Context(), filter, session.Ending{Reason: session.Operator, Detail: detail}, 10)
			require.Equal(t, detail == nil, err == nil)
		}
	}
	staff := []directory.Person{person("1", alpha), person("2", beta), person("nobody signed in", gamma)}
	confirmed := directory.Options{Confirmed: true}
	for name, tc := range map[string]struct {
		change func(*testing.T, *sql.Store)
		calls  int
		left   int // live sessions, of four
	}{
		"a person leaves":              {reconcile(confirmed, staff[1:]...), 1, 1},
		"everybody leaves":             {reconcile(confirmed, person("3", "")), 1, 0},
		"a number moves, one leaves":   {reconcile(confirmed, person("1", delta)), 1, 0},
		"a dry run":                    {reconcile(directory.Options{Confirmed: true, DryRun: true}, staff[1:]...), 0, 4},
		"a change that the guard held": {reconcile(directory.Options{}, staff[1:]...), 0, 4},
		"nobody had a session":         {reconcile(confirmed, staff[:2]...), 0, 4},
		"nothing changes":              {reconcile(confirmed, staff...), 0, 4},
		"sessions are ended":           {end(session.Filter{Phone: alpha}, nil), 1, 1},
		"none is ended":                {end(session.Filter{Phone: delta}, nil), 0, 4},
		"an end that fails":            {end(session.Filter{}, unwritable), 0, 4},
		"too many sessions": {func(t *testing.T, store *sql.Store) {
			_, err := opening(t.Context(), store, alpha, 2, nil)
			require.NoError(t, err)
		}, 1, 3},
		"as many as allowed": {func(t *testing.T, store *sql.Store) {
			_, err := opening(t.Context(), store, alpha, 4, nil)
			require.NoError(t, err)
		}, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var store *sql.Store
			calls, seen := 0, -1
			onEachEngineWith(t, func() sql.Options {
				calls, seen = 0, -1
				return sql.Options{MaxOpenConns: 10, Now: time.Now, Changed: func() {
					calls++
					_, total, err := store.Sessions(t.Context(), session.Filter{}, 10)
					require.NoError(t, err)
					seen = total
				}}
			}, func(t *testing.T, opened *sql.Store) {
				store = opened
				hr(t, store, staff...)
				for _, e164 := range []string{alpha, alpha, alpha, beta} {
					open(t, store, e164, nil)
				}
				tc.change(t, store)
				require.Equal(t, tc.calls, calls)
				require.Len(t, liveSIDs(t, store, session.Filter{}), tc.left)
				if calls > 0 {
					require.Equal(t, tc.left, seen, "it was called before others could see it")
				}
			})
		})
	}
}

// Once a leaver's change is committed, no refresh of theirs comes through, whatever was under way.
func TestRefreshesRaceALeaver(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		const n = 4
		hr(t, store, person("1", alpha), person("2", beta))
		sessions := make([]session.Session, n)
		for i := range sessions {
			sessions[i] = open(t, store, alpha, nil)
		}
		stays := open(t, store, beta, nil)
		var gone atomic.Bool
		var refreshing, busy sync.WaitGroup
		busy.Add(n)
		advances := make([]int, n)
		for i := range n {
			refreshing.Go(func() {
				events := []audit.Event{}
				for after := 0; after < 5; {
					left := gone.Load() // before the call
					if left {
						after++
					}
					next := rotated(sessions[i])
					var advanced bool
					err := untilFree(func() (err error) {
						advanced, err = store.Advance(t.Context(), sessions[i], next, events)
						return err
					})
					if err != nil || left && advanced {
						t.Errorf("session %d: advanced %v after its person had left (%v), %v", i, advanced, left, err)
					}
					if advanced {
						sessions[i] = next
						advances[i]++
					}
					if advances[i] == 3 && len(events) == 0 {
						events = append(events, audit.Event{At: time.Now(), Kind: audit.RefreshRepeated}) // the other way to write
						busy.Done()
					}
					time.Sleep(time.Millisecond) // or SQLite, which has no queue, would let nobody else in
				}
			})
		}
		busy.Wait()
		hr(t, store, person("2", beta))
		gone.Store(true)
		refreshing.Wait()
		for _, s := range sessions {
			now := standing(t, store, s.SID).Session
			require.Equal(t, session.UserLeft, now.RevokedReason)
			require.Equal(t, s.Family, now.Family, "the last refresh that came through is on record")
		}
		require.Len(t, events(t, store, audit.SessionEnded), n)
		advanced, err := store.Advance(t.Context(), stays, rotated(stays), nil)
		require.NoError(t, err)
		require.True(t, advanced)
	})
}
