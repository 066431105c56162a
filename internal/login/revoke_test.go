package login_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
)

func (p *parts) revoke(t *testing.T, app, raw string, everywhere bool) {
	t.Helper()
	require.NoError(t, p.Revoke(t.Context(), login.RevokeRequest{
		Client: p.client(t, app), Token: raw, Everywhere: everywhere, Address: away,
	}))
}

func TestRevoke(t *testing.T) {
	type phone struct{ first, newest login.Tokens }
	here, both := []bool{false}, []bool{false, true}
	for name, tc := range map[string]struct {
		app   string
		raw   func(p *parts, of phone) string
		wait  time.Duration
		ended bool
		// everywhere is whether all of the person's devices are meant: no, or no and yes.
		everywhere []bool
	}{
		"the newest refresh token":         {"app", func(_ *parts, of phone) string { return string(of.newest.Refresh) }, 0, true, both},
		"an old one":                       {"app", func(_ *parts, of phone) string { return string(of.first.Refresh) }, 0, true, here},
		"one ahead of the record":          {"app", func(p *parts, of phone) string { return string(p.RefreshTokens.Token(of.first.SessionID, 9)) }, 0, true, here},
		"the access token":                 {"app", func(_ *parts, of phone) string { return of.newest.Access }, 0, true, here},
		"an older access token":            {"app", func(_ *parts, of phone) string { return of.first.Access }, 0, true, here},
		"an expired access token":          {"app", func(_ *parts, of phone) string { return of.newest.Access }, 15 * time.Minute, false, both},
		"an ID token":                      {"app", func(_ *parts, of phone) string { return of.newest.ID }, 0, false, here},
		"another client's refresh token":   {"staff", func(_ *parts, of phone) string { return string(of.newest.Refresh) }, 0, false, both},
		"another client's old one":         {"staff", func(_ *parts, of phone) string { return string(of.first.Refresh) }, 0, false, here},
		"another client's access token":    {"staff", func(_ *parts, of phone) string { return of.newest.Access }, 0, false, here},
		"nothing":                          {"app", func(*parts, phone) string { return "" }, 0, false, here},
		"rubbish":                          {"app", func(*parts, phone) string { return "v1.x" }, 0, false, here},
		"of a session that nobody knows":   {"app", func(p *parts, _ phone) string { return string(p.RefreshTokens.Token(session.NewSID(), 0)) }, 0, false, here},
		"the refresh token, later":         {"app", func(_ *parts, of phone) string { return string(of.newest.Refresh) }, 20 * 24 * time.Hour, true, here},
		"the refresh token, after its end": {"app", func(_ *parts, of phone) string { return string(of.newest.Refresh) }, limits.Idle, false, both},
	} {
		for _, everywhere := range tc.everywhere {
			t.Run(name, func(t *testing.T) {
				p := newParts(t)
				p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
				first := p.signIn(t, "app", alice)
				p.clock.Advance(time.Second)
				of := phone{first, p.refreshed(t, "app", first.Refresh)}
				p.clock.Advance(tc.wait)
				tablet, bobs := p.signIn(t, "app", alice), p.signIn(t, "app", bob)
				elsewhere := p.signIn(t, "staff", alice)
				for range 2 { // the second time nothing is left to do
					p.revoke(t, tc.app, tc.raw(p, of), everywhere)
				}
				var sids []string
				for _, e := range p.ended(t) {
					sids = append(sids, e.sid)
					require.Equal(t, event{kind: "session.ended", actor: e.subject, subject: claims(t, first.Access)["sub"].(string),
						userID: e.userID, client: e.client, sid: e.sid, source: away, reason: e.reason}, e)
					require.Equal(t, map[bool]string{false: "signed_out", true: "signed_out_everywhere"}[everywhere], e.reason)
				}
				switch {
				case !tc.ended:
					require.Empty(t, sids)
				case everywhere:
					require.ElementsMatch(t, []string{first.SessionID, tablet.SessionID, elsewhere.SessionID}, sids)
				default:
					require.Equal(t, []string{first.SessionID}, sids)
				}
				if tc.ended {
					p.over(t, of.newest, 3)
					_, err := p.UserInfo(t.Context(), of.newest.Access)
					require.Error(t, err)
				}
				if !tc.ended || !everywhere {
					p.refreshed(t, "app", tablet.Refresh)
					p.refreshed(t, "staff", elsewhere.Refresh)
				}
				p.refreshed(t, "app", bobs.Refresh)
				if !tc.ended && tc.wait == 0 {
					p.refreshed(t, "app", of.newest.Refresh)
				}
			})
		}
	}
}

// Every service sees access tokens, and old refresh tokens lie in old backups: neither signs a person out
// everywhere.
func TestRevokeEverywhereNeedsACurrentRefreshToken(t *testing.T) {
	p, first := signedIn(t)
	tablet := p.signIn(t, "app", alice)
	err := p.Revoke(t.Context(), login.RevokeRequest{Client: p.client(t, "app"), Token: tablet.Access, Everywhere: true})
	require.ErrorIs(t, err, login.ErrEverywhere)
	require.Empty(t, p.ended(t), "nor does it do half of what was asked")

	newest := p.refreshed(t, "app", p.refreshed(t, "app", first.Refresh).Refresh)
	p.revoke(t, "app", string(first.Refresh), true)
	require.Equal(t, []string{"signed_out"}, reasons(p.ended(t)), "two behind ends its own session")
	p.over(t, newest, 3)

	tablet = p.refreshed(t, "app", tablet.Refresh)
	phone := p.signIn(t, "app", alice)
	again := p.refreshed(t, "app", phone.Refresh)
	p.revoke(t, "app", string(phone.Refresh), true)
	p.over(t, again, 2)
	p.over(t, tablet, 2)
}

// A token of a session that was ended already has no say over the others.
func TestRevokeEverywhereWithAnEndedSession(t *testing.T) {
	p, tokens := signedIn(t)
	tablet := p.signIn(t, "app", alice)
	p.revoke(t, "app", string(tokens.Refresh), false)
	p.revoke(t, "app", string(tokens.Refresh), true)
	require.Equal(t, []string{"signed_out"}, reasons(p.ended(t)))
	p.refreshed(t, "app", tablet.Refresh)
}

// Also a session without refresh tokens can be signed out.
func TestRevokeAnAnonymousSession(t *testing.T) {
	p := newParts(t)
	tokens := p.signIn(t, "app", stranger)
	p.revoke(t, "app", tokens.Access, false)
	require.Equal(t, []event{{kind: "session.ended", actor: claims(t, tokens.Access)["sub"].(string),
		subject: claims(t, tokens.Access)["sub"].(string), client: "app", sid: tokens.SessionID, source: away, reason: "signed_out"}}, p.ended(t))
	_, err := p.UserInfo(t.Context(), tokens.Access)
	require.ErrorIs(t, err, login.ErrSessionEnded)
}

// An app signs out and is closed at once: the request had come, and so the session ends.
func TestRevokeForACallerWhoHangsUp(t *testing.T) {
	p, tokens := signedIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.store.end = func() error { cancel(); return nil }
	require.NoError(t, p.Revoke(ctx, login.RevokeRequest{Client: p.client(t, "app"), Token: string(tokens.Refresh)}))
	require.Equal(t, []string{"signed_out"}, reasons(p.ended(t)))
	p.store.end = nil

	tokens = p.signIn(t, "app", alice)
	p.refreshed(t, "app", p.refreshed(t, "app", tokens.Refresh).Refresh)
	ctx, cancel = context.WithCancel(t.Context())
	p.store.end = func() error { cancel(); return nil }
	_, err := p.Refresh(ctx, login.RefreshRequest{Client: p.client(t, "app"), Token: string(tokens.Refresh)})
	require.ErrorIs(t, err, login.ErrRefreshToken, "nor does a thief escape by not waiting")
	require.Equal(t, []string{"signed_out", "refresh_replayed"}, reasons(p.ended(t)))
}

func TestRevokeDuringAnOutage(t *testing.T) {
	p, tokens := signedIn(t)
	for name, order := range map[string]func(f *faulty){
		"at the look": func(f *faulty) { f.standing = fails }, "at the write": func(f *faulty) { f.end = fails },
	} {
		order(p.store)
		err := p.Revoke(t.Context(), login.RevokeRequest{Client: p.client(t, "app"), Token: string(tokens.Refresh)})
		require.True(t, outage.Is(err), "%s: nobody is told that they are signed out: %v", name, err)
		p.store.standing, p.store.end = nil, nil
	}
	p.refreshed(t, "app", tokens.Refresh)
}

// A person has a number of sessions at most; the oldest make room, whoever's the newest is.
func TestTheOldestSessionMakesRoom(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	bobs := p.signIn(t, "app", bob)
	var all []login.Tokens
	for i := range limits.PerPerson {
		p.clock.Advance(time.Minute)
		all = append(all, p.signIn(t, []string{"app", "staff"}[i%2], alice))
	}
	require.Empty(t, p.ended(t))
	all[0].Refresh = p.refreshed(t, "app", all[0].Refresh).Refresh // used lately, but the oldest
	for i := range 2 {
		p.clock.Advance(time.Minute)
		all = append(all, p.signIn(t, "app", alice))
		events := p.ended(t)
		require.Len(t, events, i+1)
		subject := claims(t, bobs.Access)["sub"]
		require.NotEqual(t, subject, events[i].subject)
		require.Equal(t, event{kind: "session.ended", actor: "system", subject: events[i].subject, userID: events[i].userID,
			client: []string{"app", "staff"}[i%2], sid: all[i].SessionID, reason: "too_many_sessions", detail: `{"limit":5}`}, events[i])
	}
	_, err := p.refresh(t, "app", all[0].Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	for i, tokens := range all[2:] {
		p.refreshed(t, []string{"app", "staff", "app", "app", "app"}[i], tokens.Refresh)
	}
	p.refreshed(t, "app", bobs.Refresh)
	require.Len(t, p.live(t), limits.PerPerson+1)
}

// Sessions that are over need no room.
func TestOnlyLiveSessionsCount(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	var all []login.Tokens
	for range limits.PerPerson {
		p.clock.Advance(time.Minute)
		all = append(all, p.signIn(t, "app", alice))
	}
	p.revoke(t, "app", string(all[4].Refresh), false)
	p.clock.Advance(time.Minute)
	p.signIn(t, "app", alice)
	require.Equal(t, []string{"signed_out"}, reasons(p.ended(t)))
	p.clock.Advance(limits.Idle)
	for range limits.PerPerson {
		p.clock.Advance(time.Minute)
		p.signIn(t, "app", alice)
	}
	require.Len(t, p.ended(t), 1)
}
