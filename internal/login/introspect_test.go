package login_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
)

// Callers of introspection: a service, one of another audience, and one of none.
var (
	shiftsService  = &client.Client{ID: "shifts", Audiences: []string{shifts}}
	payrollService = &client.Client{ID: "payroll", Audiences: []string{"https://payroll.example"}}
	nobodysService = &client.Client{ID: "nobodys"}
)

// inspect returns the answer as the caller reads it.
func (p *parts) inspect(t *testing.T, caller *client.Client, raw string) map[string]any {
	t.Helper()
	said, err := p.Introspect(t.Context(), caller, raw)
	require.NoError(t, err)
	text, err := json.Marshal(said)
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(text, &answer))
	return answer
}

// inactive is all that is said of what is none of the caller's business, or no good.
var inactive = map[string]any{"active": false}

// forShifts is a manager's phone with tokens for a service.
func forShifts(t *testing.T) (*parts, login.Tokens) {
	t.Helper()
	p := newParts(t)
	p.staff(t, person(t, "1", alice, "Manager"), person(t, "2", bob, ""))
	r := p.request(t, "app", alice, p.code(t, "app", alice))
	r.Audience = shifts
	tokens, err := p.SignIn(t.Context(), r)
	require.NoError(t, err)
	p.clock.Advance(time.Minute)
	return p, tokens
}

func TestIntrospectAnAccessToken(t *testing.T) {
	p, tokens := forShifts(t)
	said := claims(t, tokens.Access)
	want := map[string]any{
		"active": true, "token_type": "Bearer", "sub": said["sub"], "client_id": "app", "scope": tokens.Scope.String(), "iss": issuer,
		"exp": said["exp"], "iat": said["iat"], "aud": shifts, "jti": said["jti"], "sid": tokens.SessionID,
		"auth_time": said["auth_time"], "tier": "manager", "acr": "aal1", "amr": []any{"sms"}, "permissions": []any{"shifts:approve"},
	}
	require.Equal(t, want, p.inspect(t, shiftsService, tokens.Access), "its audience")
	require.Equal(t, want, p.inspect(t, p.client(t, "app"), tokens.Access), "its client")
	for _, caller := range []*client.Client{payrollService, nobodysService, p.client(t, "staff")} {
		require.Equal(t, inactive, p.inspect(t, caller, tokens.Access), caller.ID)
	}
	r := p.refreshRequest(t, "app", tokens.Refresh)
	r.Audience = issuer + "userinfo"
	forUs, err := p.Refresh(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, true, p.inspect(t, p.client(t, "app"), forUs.Access)["active"])
	require.Equal(t, inactive, p.inspect(t, shiftsService, forUs.Access), "not meant for it")
}

func TestIntrospectARefreshToken(t *testing.T) {
	p, first := forShifts(t)
	second := p.refreshed(t, "app", first.Refresh)
	of := p.session(t, first.SessionID)
	want := map[string]any{
		"active": true, "sub": of.Subject, "client_id": "app", "scope": first.Scope.String(), "iss": issuer,
		"exp": float64(of.ExpiresAt.Unix()), "sid": first.SessionID, "auth_time": float64(of.AuthTime.Unix()), "tier": "manager",
	}
	app := p.client(t, "app")
	require.Equal(t, want, p.inspect(t, app, string(second.Refresh)))
	require.Equal(t, want, p.inspect(t, app, string(first.Refresh)), "the one before would be answered too")
	for _, caller := range []*client.Client{shiftsService, payrollService, nobodysService, p.client(t, "staff")} {
		require.Equal(t, inactive, p.inspect(t, caller, string(second.Refresh)), caller.ID)
	}
	p.clock.Advance(time.Hour)
	third := p.refreshed(t, "app", second.Refresh)
	before := p.session(t, first.SessionID)
	p.clock.Advance(time.Hour)
	for range 5 {
		require.Equal(t, inactive, p.inspect(t, app, string(first.Refresh)), "two behind")
		require.Equal(t, true, p.inspect(t, app, string(second.Refresh))["active"], "one behind, late")
	}
	require.Equal(t, before, p.session(t, first.SessionID), "a look changes nothing")
	require.Empty(t, p.ended(t))
	p.refreshed(t, "app", third.Refresh)
}

func TestIntrospectOfWhatIsNoGood(t *testing.T) {
	for name, tc := range map[string]struct {
		then func(t *testing.T, p *parts, of login.Tokens)
		// access and refresh are whether these are active afterwards.
		access, refresh bool
	}{
		"nothing happened": {func(*testing.T, *parts, login.Tokens) {}, true, true},
		"the access token expired": {func(_ *testing.T, p *parts, _ login.Tokens) {
			p.clock.Advance(15 * time.Minute)
		}, false, true},
		"the session is over by its idle end": {func(_ *testing.T, p *parts, _ login.Tokens) {
			p.clock.Advance(limits.Idle)
		}, false, false},
		"signed out": {func(t *testing.T, p *parts, of login.Tokens) {
			p.revoke(t, "app", string(of.Refresh), false)
		}, false, false},
		"replayed": {func(t *testing.T, p *parts, of login.Tokens) {
			p.refreshed(t, "app", p.refreshed(t, "app", of.Refresh).Refresh)
			_, err := p.refresh(t, "app", of.Refresh)
			require.ErrorIs(t, err, login.ErrRefreshToken)
		}, false, false},
		"the person left": {func(t *testing.T, p *parts, _ login.Tokens) {
			p.staff(t, person(t, "2", bob, ""))
		}, false, false},
		"the number moved": {func(t *testing.T, p *parts, _ login.Tokens) {
			p.staff(t, person(t, "1", stranger, ""), person(t, "2", bob, ""))
		}, false, false},
		"the session is unknown":  {func(t *testing.T, p *parts, _ login.Tokens) { p.exec(t, "DELETE FROM sessions") }, false, false},
		"the limits were lowered": {func(_ *testing.T, p *parts, _ login.Tokens) { p.Limits.Idle = time.Minute }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, tokens := forShifts(t)
			tc.then(t, p, tokens)
			for _, caller := range []*client.Client{shiftsService, p.client(t, "app")} {
				said := p.inspect(t, caller, tokens.Access)
				require.Equal(t, tc.access, said["active"], caller.ID)
				require.True(t, tc.access || len(said) == 1)
			}
			said := p.inspect(t, p.client(t, "app"), string(tokens.Refresh))
			require.Equal(t, tc.refresh, said["active"])
			require.True(t, tc.refresh || len(said) == 1)
		})
	}
}

func TestIntrospectOfWhatIsNoToken(t *testing.T) {
	p, tokens := forShifts(t)
	p.store.standing = func() error { t.Error("looked it up"); return nil }
	p.store.live = p.store.standing
	others, err := session.NewRefreshTokens(make([]byte, 32))
	require.NoError(t, err)
	for name, raw := range map[string]string{
		"nothing": "", "rubbish": "a.b.c", "an ID token": tokens.ID, "a forged access token": tokens.Access[:len(tokens.Access)-10] + "AAAAAAAAAA",
		"a refresh token of another key": string(others.Token(tokens.SessionID, 0)), "a refresh token, cut short": string(tokens.Refresh)[:40],
	} {
		require.Equal(t, inactive, p.inspect(t, p.client(t, "app"), raw), name)
	}
}

func TestIntrospectAnAnonymousToken(t *testing.T) {
	p := newParts(t)
	tokens := p.signIn(t, "app", stranger)
	said := p.inspect(t, p.client(t, "app"), tokens.Access)
	require.Equal(t, "anonymous", said["tier"])
	require.NotContains(t, said, "permissions")
}

func TestIntrospectDuringAnOutage(t *testing.T) {
	p, tokens := forShifts(t)
	p.store.standing, p.store.live = fails, fails
	for _, raw := range []string{tokens.Access, string(tokens.Refresh)} {
		said, err := p.Introspect(t.Context(), p.client(t, "app"), raw)
		require.True(t, outage.Is(err), "never a \"no\" for want of an answer: %v", err)
		require.Equal(t, login.Introspection{}, said)
	}
}
