package login_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/tier"
)

const (
	shifts = "https://shifts.example"
	// away is where refreshes come from.
	away = "198.51.100.20"
)

func (p *parts) refreshRequest(t *testing.T, app string, raw session.RefreshToken) login.RefreshRequest {
	t.Helper()
	return login.RefreshRequest{Client: p.client(t, app), Token: string(raw), Address: away}
}

func (p *parts) refresh(t *testing.T, app string, raw session.RefreshToken) (login.Tokens, error) {
	t.Helper()
	return p.Refresh(t.Context(), p.refreshRequest(t, app, raw))
}

func (p *parts) refreshed(t *testing.T, app string, raw session.RefreshToken) login.Tokens {
	t.Helper()
	tokens, err := p.refresh(t, app, raw)
	require.NoError(t, err)
	return tokens
}

// signedIn is an employee's phone an hour after the sign-in.
func signedIn(t *testing.T) (*parts, login.Tokens) {
	t.Helper()
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	tokens := p.signIn(t, "app", alice)
	p.clock.Advance(time.Hour)
	return p, tokens
}

func TestRefresh(t *testing.T) {
	p, first := signedIn(t)
	before, events := p.session(t, first.SessionID), p.count(t, "audit_events")
	second := p.refreshed(t, "app", first.Refresh)
	require.Equal(t, first.SessionID, second.SessionID)
	require.Equal(t, "openid profile email phone offline_access", second.Scope.String())
	require.Equal(t, "employee", second.Tier)
	require.False(t, second.Repeated)
	require.Equal(t, alice, second.Phone.E164())
	require.Equal(t, 15*time.Minute, second.ExpiresIn)
	require.True(t, second.Refresh == p.RefreshTokens.Token(first.SessionID, 1), "the next generation")

	now := float64(p.clock.Now().Unix())
	for name, pair := range map[string][2]map[string]any{
		"access": {claims(t, first.Access), claims(t, second.Access)}, "ID": {claims(t, first.ID), claims(t, second.ID)},
	} {
		want, got := pair[0], pair[1]
		require.Equal(t, now, got["iat"], name)
		require.Greater(t, got["exp"], now, name)
		if name == "access" {
			require.NotEqual(t, want["jti"], got["jti"], name)
		} else {
			require.NotEqual(t, want["at_hash"], got["at_hash"], name)
		}
		for _, changes := range []string{"iat", "exp", "jti", "at_hash"} {
			delete(want, changes)
			delete(got, changes)
		}
		require.Equal(t, want, got, "%s: all the rest is as it was, sub and auth_time too, and there is no nonce", name)
		require.NotContains(t, got, "nonce")
	}
	require.Equal(t, claims(t, second.ID)["sub"], p.userInfo(t, second.Access)["sub"])

	after := before
	after.Generation, after.RotatedAt, after.LastUsedAt = 1, p.clock.Now().UTC(), p.clock.Now().UTC()
	after.LastAddress, after.ExpiresAt = away, p.clock.Now().UTC().Add(limits.Idle)
	require.Equal(t, after, p.session(t, first.SessionID))
	require.Equal(t, events, p.count(t, "audit_events"), "a refresh is no news")
	require.Empty(t, p.log.String())
}

// What a refresh asks for narrows its tokens, and nothing else (RFC 6749 §6).
func TestRefreshScope(t *testing.T) {
	for name, tc := range map[string]struct {
		granted, asked, want string
		known                bool // whether the ID token names the person
		id                   bool
	}{
		"as the mobile SDKs ask":    {"openid profile email phone offline_access", "openid profile email", "openid profile email offline_access", true, true},
		"one":                       {"openid profile offline_access", "profile", "profile offline_access", true, true},
		"in another order":          {"openid profile email offline_access", "offline_access email openid", "openid email offline_access", false, true},
		"empty":                     {"openid profile offline_access", "", "offline_access", false, true},
		"wider":                     {"openid offline_access", "openid profile phone", "openid offline_access", false, true},
		"of a higher tier":          {"openid profile offline_access", "openid profile approve admin:all", "openid profile offline_access", true, true},
		"nonsense":                  {"openid profile offline_access", "nonsense", "offline_access", false, true},
		"not even a scope":          {"openid profile offline_access", "\"\\ 東京 \x00", "offline_access", false, true},
		"another case":              {"openid profile offline_access", "OPENID Profile", "offline_access", false, true},
		"openid, never granted":     {"profile offline_access", "openid profile", "profile offline_access", false, false},
		"offline_access and itself": {"offline_access", "offline_access", "offline_access", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, ""))
			first := p.signInFor(t, alice, tc.granted)
			r := p.refreshRequest(t, "app", first.Refresh)
			r.Scope = scope.Parse(tc.asked)
			second, err := p.Refresh(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, tc.want, second.Scope.String())
			require.Equal(t, tc.want, claims(t, second.Access)["scope"])
			require.Equal(t, tc.id, second.ID != "", "single-page apps fail without an ID token")
			if tc.id {
				require.Equal(t, claims(t, second.Access)["sub"], claims(t, second.ID)["sub"])
				_, named := claims(t, second.ID)["name"]
				require.Equal(t, tc.known, named)
			}
			require.NotEmpty(t, second.Refresh)
			require.Equal(t, tc.granted, p.session(t, first.SessionID).Scope.String())
			require.Equal(t, tc.granted, p.refreshed(t, "app", second.Refresh).Scope.String(), "the next may have all of it")
		})
	}
}

func TestRefreshFollowsTheClientsScopes(t *testing.T) {
	p, first := signedIn(t)
	r := p.refreshRequest(t, "app", first.Refresh)
	narrowed := *r.Client
	narrowed.Scopes = []string{"openid", "offline_access", "approve"}
	r.Client = &narrowed
	second, err := p.Refresh(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "openid offline_access", second.Scope.String())
	require.NotContains(t, claims(t, second.ID), "name")
	narrowed.Scopes = []string{"profile", "offline_access"}
	r.Token = string(second.Refresh)
	third, err := p.Refresh(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "profile offline_access", third.Scope.String())
	require.Empty(t, third.ID)
	require.Equal(t, first.Scope, p.refreshed(t, "app", third.Refresh).Scope, "and when they come back")
}

func TestNoRefreshTokenWithoutOfflineAccess(t *testing.T) {
	for name, tc := range map[string]struct{ app, number, asked string }{
		"not asked for":           {"app", alice, "openid profile"},
		"nothing asked for":       {"app", alice, ""},
		"a tier without it":       {"app", stranger, "openid offline_access"},
		"a client without it":     {"narrow", alice, "openid offline_access"},
		"spelled in another case": {"app", alice, "openid Offline_Access"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, ""))
			r := p.request(t, tc.app, tc.number, p.code(t, tc.app, tc.number))
			if r.Scope = nil; tc.asked != "" {
				r.Scope = scope.Parse(tc.asked)
			}
			tokens, err := p.SignIn(t.Context(), r)
			require.NoError(t, err)
			require.Empty(t, string(tokens.Refresh))
			require.Equal(t, p.clock.Now().UTC().Add(tokens.ExpiresIn), p.session(t, tokens.SessionID).ExpiresAt)

			for generation := range int64(3) { // tokens that nobody has been given
				_, err = p.refresh(t, tc.app, p.RefreshTokens.Token(tokens.SessionID, generation))
				require.ErrorIs(t, err, login.ErrRefreshToken)
			}
			require.Equal(t, []string{tokens.SessionID}, p.live(t))
		})
	}
}

func TestRefreshAudience(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	r := p.request(t, "app", alice, p.code(t, "app", alice))
	r.Audience = shifts
	tokens, err := p.SignIn(t.Context(), r)
	require.NoError(t, err)
	for _, step := range []struct{ asked, want string }{
		{"", shifts}, {issuer + "userinfo", issuer + "userinfo"}, {"", shifts}, {shifts, shifts},
	} {
		r := p.refreshRequest(t, "app", tokens.Refresh)
		r.Audience = step.asked
		tokens, err = p.Refresh(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, step.want, claims(t, tokens.Access)["aud"])
		require.Equal(t, "app", claims(t, tokens.ID)["aud"])
		require.Equal(t, shifts, p.session(t, tokens.SessionID).Audience, "the record keeps the sign-in's")
	}
}

// What a refresh is refused for may be put right: nothing is used up, counted or ended.
func TestARefusedRefreshUsesNothingUp(t *testing.T) {
	for name, tc := range map[string]struct {
		audience string
		// change is what happens to the client, and to the tiers.
		change      func(c *client.Client)
		employeeNot string
		want        error
	}{
		"an audience of others":              {"https://payroll.example", nil, "", login.ErrAudience},
		"the issuer as audience":             {issuer, nil, "", login.ErrAudience},
		"the client lost its audience":       {"", func(c *client.Client) { c.Audiences = nil }, "", login.ErrAudience},
		"the client admits the tier no more": {"", func(c *client.Client) { c.Tiers = []string{"manager"} }, "", login.ErrTier},
		"the client lost offline_access":     {"", func(c *client.Client) { c.Scopes = []string{"openid", "profile"} }, "", login.ErrTier},
		"the tier lost offline_access":       {"", nil, scope.OfflineAccess, login.ErrTier},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, ""))
			asked := p.request(t, "app", alice, p.code(t, "app", alice))
			asked.Audience = shifts
			zeroth, err := p.SignIn(t.Context(), asked)
			require.NoError(t, err)
			first := p.refreshed(t, "app", zeroth.Refresh)
			p.clock.Advance(time.Minute)
			before, table := p.session(t, first.SessionID), p.Tiers
			p.Tiers = tiers(t, func(_, _, employee *tier.Tier) {
				employee.Scopes = scope.Set(employee.Scopes).Without(tc.employeeNot)
			})
			for range 4 {
				for _, raw := range []session.RefreshToken{first.Refresh, zeroth.Refresh} { // the newest; and the one before, late
					r := p.refreshRequest(t, "app", raw)
					r.Audience = tc.audience
					if tc.change != nil {
						changed := *r.Client
						tc.change(&changed)
						r.Client = &changed
					}
					tokens, err := p.Refresh(t.Context(), r)
					require.ErrorIs(t, err, tc.want)
					require.Equal(t, login.Tokens{SessionID: first.SessionID}, tokens)
				}
			}
			require.Equal(t, before, p.session(t, first.SessionID))
			require.Empty(t, p.ended(t))
			p.Tiers = table
			second := p.refreshed(t, "app", first.Refresh)
			require.True(t, second.Refresh == p.RefreshTokens.Token(first.SessionID, 2))
		})
	}
}

// What we did not make costs no look at the record.
func TestTokensThatAreNotOurs(t *testing.T) {
	p, tokens := signedIn(t)
	p.store.standing = func() error { t.Error("looked it up"); return nil }
	others, err := session.NewRefreshTokens(make([]byte, 32))
	require.NoError(t, err)
	right := string(tokens.Refresh)
	for name, raw := range map[string]string{
		"nothing": "", "rubbish": "v1.rubbish", "an access token": tokens.Access, "an ID token": tokens.ID,
		"of another key": string(others.Token(tokens.SessionID, 0)), "with a line break": right + "\n", "cut short": right[:len(right)-1],
	} {
		got, err := p.refresh(t, "app", session.RefreshToken(raw))
		require.ErrorIs(t, err, login.ErrRefreshToken, name)
		require.Equal(t, login.Tokens{}, got, name)
	}
	require.Empty(t, p.log.String())
}
