package login_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/session"
)

// Tier and person are those of now at each refresh (P3).
func TestRefreshFindsTheTier(t *testing.T) {
	p, tokens := signedIn(t)
	subject := claims(t, tokens.Access)["sub"]
	renamed := person(t, "1", alice, "")
	renamed.Name = "Alice Married"
	for _, step := range []struct {
		now               directory.Person
		tier, name        string
		scope, permission string
	}{
		{person(t, "1", alice, "Manager"), "manager", "Person 1", "openid profile email phone offline_access", "shifts:approve"},
		{person(t, "1", alice, "Clerk"), "employee", "Person 1", "openid profile email phone offline_access", "shifts:read"},
		{renamed, "employee", "Alice Married", "openid profile email phone offline_access", "shifts:read"},
	} {
		p.clock.Advance(time.Minute)
		p.staff(t, step.now, person(t, "2", bob, ""))
		tokens = p.refreshed(t, "app", tokens.Refresh)
		require.Equal(t, step.tier, tokens.Tier)
		require.Equal(t, step.scope, tokens.Scope.String(), "no refresh widens the grant, not for a higher tier")
		access := claims(t, tokens.Access)
		require.Equal(t, step.tier, access["tier"])
		require.Equal(t, []any{step.permission}, access["permissions"])
		require.Equal(t, subject, access["sub"])
		require.Equal(t, step.name, claims(t, tokens.ID)["name"])
		require.Equal(t, step.tier, p.session(t, tokens.SessionID).Tier)
	}
	require.Empty(t, p.ended(t))
}

func TestADemotedManagerLosesTheScopes(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, "Manager"))
	tokens := p.signIn(t, "app", alice)
	require.True(t, tokens.Scope.Has("approve"))
	p.staff(t, person(t, "1", alice, ""))
	tokens = p.refreshed(t, "app", tokens.Refresh)
	require.Equal(t, "openid profile email phone offline_access", tokens.Scope.String())
	p.staff(t, person(t, "1", alice, "Manager"))
	require.True(t, p.refreshed(t, "app", tokens.Refresh).Scope.Has("approve"), "it was granted, and may come back")
}

func TestRefreshWhenHREndedTheSession(t *testing.T) {
	bobsToo := func(t *testing.T, people ...directory.Person) []directory.Person {
		return append(people, person(t, "2", bob, ""))
	}
	for name, tc := range map[string]struct {
		then   func(t *testing.T, p *parts)
		want   error
		reason string
	}{
		"the person left": {func(t *testing.T, p *parts) { p.staff(t, bobsToo(t)...) }, login.ErrUserGone, "user_left"},
		"the person left and came back": {func(t *testing.T, p *parts) {
			p.staff(t, bobsToo(t)...)
			p.staff(t, bobsToo(t, person(t, "1", alice, ""))...)
		}, login.ErrUserGone, "user_left"},
		"the number changed": {func(t *testing.T, p *parts) {
			p.staff(t, bobsToo(t, person(t, "1", stranger, ""))...)
		}, login.ErrRefreshToken, "number_moved"},
		"the number went to a colleague": {func(t *testing.T, p *parts) {
			p.staff(t, bobsToo(t, person(t, "1", stranger, ""), person(t, "3", alice, ""))...)
		}, login.ErrRefreshToken, "number_moved"},
		"the number was removed": {func(t *testing.T, p *parts) {
			p.staff(t, bobsToo(t, directory.Person{ExternalID: "1", Name: "Person 1", Active: true})...)
		}, login.ErrRefreshToken, "number_moved"},
	} {
		t.Run(name, func(t *testing.T) {
			p, tokens := signedIn(t)
			bobs := p.signIn(t, "app", bob)
			tc.then(t, p)
			for range 2 {
				got, err := p.refresh(t, "app", tokens.Refresh)
				require.ErrorIs(t, err, tc.want)
				require.Equal(t, login.Tokens{SessionID: tokens.SessionID}, got)
			}
			ended := p.ended(t)
			require.Len(t, ended, 1)
			require.Equal(t, []string{"session.ended", "test", tokens.SessionID, tc.reason},
				[]string{ended[0].kind, ended[0].actor, ended[0].sid, ended[0].reason})
			p.refreshed(t, "app", bobs.Refresh)
		})
	}
}

// HR's changes end sessions by themselves. Should one be left, its next refresh ends it.
func TestRefreshWhenASessionWasLeft(t *testing.T) {
	for name, tc := range map[string]struct {
		statement string
		want      error
		reason    string
	}{
		"of a leaver":              {"UPDATE users SET active = FALSE WHERE external_id = '1'", login.ErrUserGone, "user_left"},
		"of a number that moved":   {"UPDATE users SET phone = '" + stranger + "' WHERE external_id = '1'", login.ErrRefreshToken, "number_moved"},
		"of a number that is gone": {"UPDATE users SET phone = NULL WHERE external_id = '1'", login.ErrRefreshToken, "number_moved"},
	} {
		t.Run(name, func(t *testing.T) {
			p, tokens := signedIn(t)
			subject := claims(t, tokens.Access)["sub"].(string)
			p.exec(t, tc.statement)
			for range 2 {
				_, err := p.refresh(t, "app", tokens.Refresh)
				require.ErrorIs(t, err, tc.want)
			}
			ended := p.ended(t)
			require.Len(t, ended, 1)
			require.Equal(t, event{kind: "session.ended", actor: "system", subject: subject, userID: ended[0].userID, client: "app",
				sid: tokens.SessionID, source: away, reason: tc.reason}, ended[0])
			require.NotEmpty(t, ended[0].userID)
			require.Empty(t, p.live(t))
		})
	}
}

// A former owner's session, of whatever age, never becomes the new owner's.
func TestALeaversNumberGoesToANewPerson(t *testing.T) {
	p, tokens := signedIn(t)
	p.staff(t, person(t, "2", bob, ""))
	p.staff(t, person(t, "2", bob, ""), person(t, "3", alice, "Manager"))
	_, err := p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrUserGone)
	require.Equal(t, string(session.UserLeft), p.ended(t)[0].reason)
}
