package login_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/tier"
)

// waiting is the phone of somebody whom HR has not entered yet, where the waiting stay signed in.
func waiting(t *testing.T) (*parts, login.Tokens) {
	t.Helper()
	p := newParts(t)
	p.Tiers = tiers(t, func(anonymous, _, _ *tier.Tier) { anonymous.Scopes = append(anonymous.Scopes, "offline_access") })
	p.staff(t, person(t, "2", bob, ""))
	tokens := p.signIn(t, "app", alice)
	require.Equal(t, "anonymous", tokens.Tier)
	p.clock.Advance(time.Hour)
	return p, tokens
}

func TestAWaitingPersonIsRaised(t *testing.T) {
	p, first := waiting(t)
	subject := claims(t, first.Access)["sub"].(string)
	second := p.refreshed(t, "app", first.Refresh)
	require.Equal(t, "anonymous", second.Tier, "and waits on")
	require.Equal(t, 5*time.Minute, second.ExpiresIn)

	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	before := len(p.events(t))
	third := p.refreshed(t, "app", second.Refresh)
	require.Equal(t, "employee", third.Tier)
	require.Equal(t, subject, claims(t, third.Access)["sub"], "who they are stays")
	require.Equal(t, subject, claims(t, third.ID)["sub"])
	require.Equal(t, []any{"shifts:read"}, claims(t, third.Access)["permissions"])
	require.Equal(t, "openid phone offline_access", third.Scope.String(), "and what was granted")
	require.Equal(t, 15*time.Minute, third.ExpiresIn)
	require.Equal(t, int64(2), p.session(t, first.SessionID).Generation)

	linked := p.events(t)[before:]
	require.Len(t, linked, 1)
	require.Equal(t, event{kind: "account.linked", actor: subject, subject: subject, userID: linked[0].userID, client: "app",
		sid: first.SessionID, source: away, phone: "***001"}, linked[0])
	require.NotEmpty(t, linked[0].userID)
	p.refreshed(t, "app", third.Refresh)
	require.Len(t, p.events(t), before+1, "once")
	require.Empty(t, p.ended(t))
	require.Equal(t, subject, claims(t, p.signIn(t, "app", alice).Access)["sub"])
}

// Whoever had the number before may hold a session of the waiting account still. When the account
// becomes a person's, by a sign-in or by a refresh of theirs, sessions proven long ago do not.
func TestOldSessionsAreNotRaisedWithTheAccount(t *testing.T) {
	for name, link := range map[string]func(p *parts, young login.Tokens){
		"by a sign-in": func(p *parts, _ login.Tokens) { p.signIn(t, "app", alice) },
		"by a refresh": func(p *parts, young login.Tokens) { p.refreshed(t, "app", young.Refresh) },
	} {
		t.Run(name, func(t *testing.T) {
			p, old := waiting(t)
			p.clock.Advance(limits.RaiseWithin)
			old = p.refreshed(t, "app", old.Refresh)
			young := p.signIn(t, "app", alice)
			p.clock.Advance(time.Minute)
			p.staff(t, person(t, "1", alice, "Manager"), person(t, "2", bob, ""))
			link(p, young)
			_, err := p.UserInfo(t.Context(), old.Access)
			require.ErrorIs(t, err, login.ErrSessionEnded, "nor do they tell whose the number is now")
			_, err = p.refresh(t, "app", old.Refresh)
			require.ErrorIs(t, err, login.ErrRefreshToken)
			require.Equal(t, []string{"proof_too_old"}, reasons(p.ended(t)))
			require.Equal(t, old.SessionID, p.ended(t)[0].sid)
			require.Equal(t, "manager", p.refreshed(t, "app", young.Refresh).Tier, "proven lately")
		})
	}
}

// A phone that lost the answer is raised too, and gets the same successor.
func TestAWaitingPersonIsRaisedByARepeat(t *testing.T) {
	p, first := waiting(t)
	second := p.refreshed(t, "app", first.Refresh)
	p.staff(t, person(t, "1", alice, "Manager"))
	again := p.refreshed(t, "app", first.Refresh)
	require.Equal(t, "manager", again.Tier)
	require.True(t, second.Refresh == again.Refresh)
}

// Of many refreshes at once, one raises the person.
func TestAWaitingPersonIsRaisedOnce(t *testing.T) {
	p, first := waiting(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	r := p.refreshRequest(t, "app", first.Refresh)
	tiers, errs := make([]string, 10), make([]error, 10)
	var all sync.WaitGroup
	for i := range tiers {
		all.Go(func() {
			tokens, err := p.Refresh(t.Context(), r)
			tiers[i], errs[i] = tokens.Tier, err
		})
	}
	all.Wait()
	for i := range tiers {
		require.NoError(t, errs[i])
		require.Equal(t, "employee", tiers[i])
	}
	require.Equal(t, []string{"account.created", "signin.succeeded", "account.linked"}, kinds(p.events(t)))
	require.Equal(t, int64(1), p.session(t, first.SessionID).Generation)
}

// After some time the number may be somebody else's: they prove it again (P3).
func TestAnOldProofDoesNotRaise(t *testing.T) {
	for name, tc := range map[string]struct {
		age    time.Duration
		raised bool
	}{"as old as may be": {limits.RaiseWithin, true}, "a second older": {limits.RaiseWithin + time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			p, first := waiting(t)
			second := p.refreshed(t, "app", first.Refresh) // proves nothing
			p.clock.Advance(tc.age - time.Hour)
			p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
			third, err := p.refresh(t, "app", second.Refresh)
			if tc.raised {
				require.NoError(t, err)
				require.Equal(t, "employee", third.Tier)
				return
			}
			require.ErrorIs(t, err, login.ErrRefreshToken)
			subject := claims(t, first.Access)["sub"].(string)
			require.Equal(t, []event{{kind: "session.ended", actor: "system", subject: subject, client: "app",
				sid: first.SessionID, source: away, reason: "proof_too_old"}}, p.ended(t))
			again := p.signIn(t, "app", alice)
			require.Equal(t, "employee", again.Tier)
			require.Equal(t, subject, claims(t, again.Access)["sub"])
		})
	}
}

// Two people with one number match nobody (P6), until HR has sorted it out.
func TestTwoPeopleWithTheNumberOfOneWhoWaits(t *testing.T) {
	p, tokens := waiting(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "3", alice, "Manager"))
	tokens = p.refreshed(t, "app", tokens.Refresh)
	require.Equal(t, "anonymous", tokens.Tier)
	require.NotContains(t, claims(t, tokens.Access), "permissions")
	p.staff(t, person(t, "3", alice, "Manager"))
	require.Equal(t, "manager", p.refreshed(t, "app", tokens.Refresh).Tier)
	require.Empty(t, p.ended(t))
}

// HR enters the waiting person's number for somebody who has an account of their own.
func TestTheNumberOfOneWhoWaitsGoesToAnAccount(t *testing.T) {
	p, tokens := waiting(t)
	bobs := p.signIn(t, "app", bob)
	p.staff(t, person(t, "2", alice, ""))
	before := len(p.events(t))
	_, err := p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	ended := p.ended(t)
	require.Len(t, ended, 2)
	require.Equal(t, []string{bobs.SessionID, "number_moved", "test"}, []string{ended[0].sid, ended[0].reason, ended[0].actor})
	require.Equal(t, event{kind: "session.ended", actor: "system", subject: claims(t, tokens.Access)["sub"].(string), client: "app",
		sid: tokens.SessionID, source: away, reason: "number_moved"}, ended[1])
	require.Len(t, p.events(t), before, "a refresh moves no number")
	again := p.signIn(t, "app", alice)
	require.Equal(t, claims(t, bobs.Access)["sub"], claims(t, again.Access)["sub"], "a new proof opens the account")
}

// HR's next change may come between the look and the link.
func TestHRChangesWhileAPersonIsRaised(t *testing.T) {
	for name, tc := range map[string]struct {
		between func(t *testing.T) []directory.Person
		tier    string
	}{
		"the person is removed again": {func(t *testing.T) []directory.Person {
			return []directory.Person{person(t, "2", bob, "")}
		}, "anonymous"},
		"a second gets the number": {func(t *testing.T) []directory.Person {
			return []directory.Person{person(t, "1", alice, ""), person(t, "2", alice, "")}
		}, "anonymous"},
		"another gets the number": {func(t *testing.T) []directory.Person {
			return []directory.Person{person(t, "1", stranger, ""), person(t, "3", alice, "Manager")}
		}, "manager"},
	} {
		t.Run(name, func(t *testing.T) {
			p, tokens := waiting(t)
			p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
			p.store.before = func() error {
				p.store.before = nil
				p.staff(t, tc.between(t)...)
				return nil
			}
			second := p.refreshed(t, "app", tokens.Refresh)
			require.Nil(t, p.store.before, "there was a look in between")
			require.Equal(t, tc.tier, second.Tier)
			require.Equal(t, claims(t, tokens.Access)["sub"], claims(t, second.Access)["sub"])
			require.Equal(t, int64(1), p.session(t, tokens.SessionID).Generation)
			require.Empty(t, p.ended(t))
		})
	}
}

func TestAnOutageWhileAPersonIsRaised(t *testing.T) {
	for name, order := range map[string]func(f *faulty){
		"before the link": func(f *faulty) { f.before = fails }, "after the link": func(f *faulty) { f.after = fails },
	} {
		t.Run(name, func(t *testing.T) {
			p, tokens := waiting(t)
			p.staff(t, person(t, "1", alice, ""))
			order(p.store)
			_, err := p.refresh(t, "app", tokens.Refresh)
			require.True(t, outage.Is(err), "%v", err)
			require.NotErrorIs(t, err, login.ErrRefreshToken)
			p.store.before, p.store.after = nil, nil
			second := p.refreshed(t, "app", tokens.Refresh)
			require.Equal(t, "employee", second.Tier)
			require.True(t, second.Refresh == p.RefreshTokens.Token(tokens.SessionID, 1))
		})
	}
}
