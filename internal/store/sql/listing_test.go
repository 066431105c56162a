package sql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func TestSessionsAreListed(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		at := clock.Now()
		planted := func(sid string, age, left time.Duration) session.Session {
			s := newSession("somebody", at.Add(-age))
			s.SID, s.ExpiresAt = sid, at.UTC().Add(left)
			plant(t, store, s)
			return s
		}
		planted("b-same-age", time.Hour, time.Hour)
		newest := planted("z-newest", time.Minute, time.Microsecond)
		planted("a-same-age", time.Hour, time.Hour)
		planted("oldest", 2*time.Hour, time.Hour)
		planted("over", 30*time.Minute, 0)
		planted("revoked", 10*time.Minute, time.Hour)
		_, err := store.EndSessions(t.Context(), session.Filter{SID: "revoked"}, session.Ending{Reason: session.Operator}, 1)
		require.NoError(t, err)
		for name, tc := range map[string]struct {
			filter session.Filter
			limit  int
			want   []string
			total  int
		}{
			"live":              {session.Filter{}, 10, []string{"z-newest", "a-same-age", "b-same-age", "oldest"}, 4},
			"the first two":     {session.Filter{}, 2, []string{"z-newest", "a-same-age"}, 4},
			"just how many":     {session.Filter{}, 0, []string{}, 4},
			"as many as are":    {session.Filter{}, 4, []string{"z-newest", "a-same-age", "b-same-age", "oldest"}, 4},
			"ended ones too":    {session.Filter{Ended: true}, 10, []string{"z-newest", "revoked", "over", "a-same-age", "b-same-age", "oldest"}, 6},
			"ended, the first":  {session.Filter{Ended: true}, 3, []string{"z-newest", "revoked", "over"}, 6},
			"one that is over":  {session.Filter{Ended: true, SID: "over"}, 10, []string{"over"}, 1},
			"none":              {session.Filter{Subject: "nobody"}, 10, []string{}, 0},
			"those of a number": {session.Filter{Phone: alpha}, 10, []string{}, 0}, // the account has no identity
		} {
			t.Run(name, func(t *testing.T) {
				listed, total, err := store.Sessions(t.Context(), tc.filter, tc.limit)
				require.NoError(t, err)
				require.Equal(t, tc.want, sids(listed))
				require.Equal(t, tc.total, total)
			})
		}
		listed, _, err := store.Sessions(t.Context(), session.Filter{Ended: true}, 3)
		require.NoError(t, err)
		require.Equal(t, newest, listed[0].Session)
		require.Equal(t, session.Operator, listed[1].RevokedReason)

		for sid, want := range map[string]bool{"z-newest": true, "oldest": true, "over": false, "revoked": false, "unknown": false} {
			live, err := store.Live(t.Context(), sid)
			require.NoError(t, err)
			require.Equal(t, want, live, sid)
		}
		clock.Advance(time.Millisecond)
		live, err := store.Live(t.Context(), "z-newest")
		require.NoError(t, err)
		require.False(t, live, "it is over by now")
	})
}

func TestTheOldestSessionsBeyondTheLimitEnd(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		signIn := func(e164 string, keep int) session.Session {
			clock.Advance(time.Second)
			opened, err := opening(t.Context(), store, e164, keep, nil)
			require.NoError(t, err)
			return opened
		}
		hr(t, store, person("1", alpha))
		other := signIn(beta, 5)
		var own []session.Session
		newest := func(n int) []string {
			var want []string
			for i := range n {
				want = append(want, own[len(own)-1-i].SID)
			}
			return want
		}
		live := func() []string { return liveSIDs(t, store, session.Filter{Phone: alpha}) }
		for i := range 7 {
			own = append(own, signIn(alpha, 5))
			require.Equal(t, newest(min(i+1, 5)), live())
		}
		ended := events(t, store, audit.SessionEnded)
		require.Len(t, ended, 2)
		for i, e := range ended {
			require.Equal(t, own[i].SID, e.SID)
			require.Equal(t, "too_many_sessions", e.Reason)
			require.Equal(t, audit.System, e.Actor)
			require.JSONEq(t, `{"limit": 5}`, e.Detail)
			require.NotEmpty(t, e.UserID)
			require.Equal(t, session.TooMany, standing(t, store, e.SID).Session.RevokedReason)
		}
		own = append(own, signIn(alpha, 0), signIn(alpha, 0))
		require.Equal(t, newest(7), live(), "0 is any number")
		own = append(own, signIn(alpha, 2))
		require.Equal(t, newest(2), live(), "a lower limit ends all that are beyond")

		_, err := store.EndSessions(t.Context(), session.Filter{SID: own[len(own)-2].SID}, session.Ending{Reason: session.SignedOut}, 1)
		require.NoError(t, err)
		own = append(own[:len(own)-2], own[len(own)-1], signIn(alpha, 2))
		require.Equal(t, newest(2), live(), "one that was ended does not count")
		require.Equal(t, []string{other.SID}, liveSIDs(t, store, session.Filter{Phone: beta}), "nobody else's end")

		clock.Advance(2 * time.Hour)
		own = append(own, signIn(alpha, 2), signIn(alpha, 2))
		require.Equal(t, newest(2), live(), "those that are over do not count")
		require.Len(t, events(t, store, audit.SessionEnded), 2+6+1)
	})
}

// Sign-ins that count before the others have written may leave more for a moment: as many as came
// together. The next one ends them.
func TestSignInsThatRaceForTheLimit(t *testing.T) {
	const keep, racing = 5, 10
	for name, already := range map[string]int{"from the limit": keep, "from none": 0} {
		t.Run(name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, store *sql.Store) {
				open(t, store, alpha, func(s *session.Session) { s.ExpiresAt = s.AuthTime }) // there is an account
				for range already {
					open(t, store, alpha, nil)
				}
				together(t, racing, func(int) error {
					_, err := opening(t.Context(), store, alpha, keep, nil)
					return err
				})
				left := liveSIDs(t, store, session.Filter{})
				if already == keep {
					require.Len(t, left, keep)
				}
				last, err := opening(t.Context(), store, alpha, keep, nil)
				require.NoError(t, err)
				left = liveSIDs(t, store, session.Filter{})
				require.Len(t, left, keep)
				require.Equal(t, last.SID, left[0])
				require.Len(t, events(t, store, audit.SessionEnded), already+racing+1-keep)
			})
		})
	}
}
