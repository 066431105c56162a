package sql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func TestStandingIsWhatWasWritten(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		at := clock.Now().UTC()
		odd := 123_457 * time.Microsecond // as fine as the record keeps times
		want := open(t, store, alpha, func(s *session.Session) {
			s.ClientID, s.Scope = "web", scope.Set{"openid", "offline_access", "phone"}
			s.Audience, s.Tier, s.Device = "https://api.example.com/", "employee", "Zoë's phone 📱 'a' \"b\" \\ ?"
			s.Address, s.LastAddress = "192.0.2.1", "2001:db8::1"
			s.AuthTime, s.LastUsedAt, s.ExpiresAt = at.Add(-3*odd), at.Add(-2*odd), at.Add(odd)
			s.RotatedAt, s.Place = at.Add(-odd), session.Place{List: "list", Index: 1<<20 - 1}
		})
		st := standing(t, store, want.SID)
		require.Equal(t, want, st.Session)
		require.Equal(t, at, st.Now)

		clock.Advance(time.Minute)
		after := want
		after.Family = session.Family{Generation: 1<<32 + 5, RotatedAt: at.Add(5 * odd), LateGeneration: 1<<32 + 4, LateStreak: 2}
		after.Tier, after.LastAddress, after.LastUsedAt, after.ExpiresAt = "manager", "198.51.100.7", at.Add(6*odd), at.Add(time.Hour+odd)
		after.Place = session.Place{List: "another", Index: 1}
		asked := after // a use says these of its own tokens; the record keeps the sign-in's
		asked.Audience, asked.Scope, asked.ClientID, asked.Device, asked.Address = "other", scope.Set{"email"}, "app", "other", "192.0.2.9"
		asked.AuthTime, asked.Subject, asked.CodeUse, asked.Identifier = at, "other", "other", beta
		advanced, err := store.Advance(t.Context(), want, asked, nil)
		require.NoError(t, err)
		require.True(t, advanced)
		st = standing(t, store, want.SID)
		require.Equal(t, after, st.Session)
		require.Equal(t, at.Add(time.Minute), st.Now)

		clock.Advance(time.Minute)
		_, err = store.EndSessions(t.Context(), session.Filter{SID: want.SID}, session.Ending{Reason: session.SignedOut}, 1)
		require.NoError(t, err)
		after.RevokedAt, after.RevokedReason = at.Add(2*time.Minute), session.SignedOut
		require.Equal(t, after, standing(t, store, want.SID).Session, "one that was ended is still told of")

		_, err = store.Standing(t.Context(), "unknown")
		require.ErrorIs(t, err, login.ErrSessionEnded)
	})
}

func TestStandingOfAnEmployee(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		ann := directory.Person{
			ExternalID: "1", Name: "Zoë O'Neill", Phone: number(alpha), Email: "zoe@example.com", Department: "Sales",
			Title: "Head", EmploymentType: "contractor", Groups: []string{"a", "b"}, Active: true,
		}
		hr(t, store, ann)
		opened := open(t, store, alpha, nil)
		st := standing(t, store, opened.SID)
		require.NotNil(t, st.User)
		require.Equal(t, ann, st.User.Person)
		require.Equal(t, st.UserID, st.User.ID)
		require.Equal(t, "hr", st.User.Source)
		require.WithinDuration(t, time.Now(), st.User.CreatedAt, time.Minute)
		require.WithinDuration(t, time.Now(), st.User.UpdatedAt, time.Minute)
		require.Zero(t, st.Entered)

		hr(t, store, ann, person("2", alpha))
		require.Zero(t, standing(t, store, opened.SID).Entered, "who has a User waits for none")
		promoted := ann
		promoted.Groups, promoted.Title = nil, "Director"
		hr(t, store, promoted)
		require.Equal(t, promoted, standing(t, store, opened.SID).User.Person, "a refresh sees what HR says now")

		hr(t, store, person("2", beta))
		left := standing(t, store, opened.SID)
		require.Equal(t, st.UserID, left.UserID)
		require.Nil(t, left.User)
		require.Zero(t, left.Entered)
	})
}

func TestStandingOfAWaitingPerson(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		waiting := open(t, store, alpha, nil)
		other := open(t, store, beta, nil)
		unproven := newSession(waiting.Subject, time.Now())
		unproven.Method = "totp"
		plant(t, store, unproven)
		gone := person("1", alpha)
		gone.Active = false
		for _, step := range []struct {
			name    string
			people  []directory.Person
			entered int
		}{
			{"nobody has the number", []directory.Person{person("9", delta)}, 0},
			{"one has it", []directory.Person{person("1", alpha)}, 1},
			{"two have it", []directory.Person{person("1", alpha), person("2", alpha)}, 2},
			{"one of them is gone", []directory.Person{gone, person("2", alpha)}, 1},
			{"it went to neither", []directory.Person{person("1", gamma), person("2", "")}, 0},
		} {
			hr(t, store, step.people...)
			st := standing(t, store, waiting.SID)
			require.Equal(t, step.entered, st.Entered, step.name)
			require.Empty(t, st.UserID)
			require.Nil(t, st.User)
			require.Zero(t, standing(t, store, other.SID).Entered, "another number")
			require.Zero(t, standing(t, store, unproven.SID).Entered, "a session that no number proved")
		}
		require.Equal(t, account.SMS, waiting.Method)
	})
}
