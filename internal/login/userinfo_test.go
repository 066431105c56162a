package login_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/token"
)

func (p *parts) userInfo(t *testing.T, accessToken string) map[string]any {
	t.Helper()
	info, err := p.UserInfo(t.Context(), accessToken)
	require.NoError(t, err)
	text, err := json.Marshal(info)
	require.NoError(t, err)
	var said map[string]any
	require.NoError(t, json.Unmarshal(text, &said))
	return said
}

func (p *parts) signInFor(t *testing.T, number, asked string) login.Tokens {
	t.Helper()
	r := p.request(t, "app", number, p.code(t, "app", number))
	r.Scope = scope.Parse(asked)
	tokens, err := p.SignIn(t.Context(), r)
	require.NoError(t, err)
	return tokens
}

func TestUserInfoByScope(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	updated := p.clock.Now().UTC().Format(time.RFC3339)
	for asked, want := range map[string]map[string]any{
		"openid":         {},
		"openid profile": {"name": "Person 1", "nickname": "Person 1", "updated_at": updated},
		"openid email":   {"email": "1@example.com", "email_verified": false},
		"openid phone":   {"phone_number": alice, "phone_number_verified": true},
	} {
		tokens := p.signInFor(t, alice, asked)
		want["sub"] = claims(t, tokens.ID)["sub"]
		require.Equal(t, want, p.userInfo(t, tokens.Access), asked)
	}
	tokens := p.signInFor(t, stranger, "openid profile email phone")
	require.Equal(t, map[string]any{
		"sub": claims(t, tokens.ID)["sub"], "phone_number": stranger, "phone_number_verified": true,
	}, p.userInfo(t, tokens.Access), "nothing is said of whom HR does not know")
}

func TestUserInfoIsOfNow(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	tokens := p.signIn(t, "app", alice)
	renamed := person(t, "1", alice, "")
	renamed.Name, renamed.Email = "Alice Married", ""
	p.clock.Advance(time.Minute)
	p.staff(t, renamed)
	said := p.userInfo(t, tokens.Access)
	require.Equal(t, "Alice Married", said["name"])
	require.Equal(t, p.clock.Now().UTC().Format(time.RFC3339), said["updated_at"])
	require.NotContains(t, said, "email")
	require.NotContains(t, said, "email_verified")
}

func TestUserInfoTakesTokensForServices(t *testing.T) {
	p := newParts(t)
	r := p.request(t, "app", alice, p.code(t, "app", alice))
	r.Audience = "https://shifts.example"
	tokens, err := p.SignIn(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, claims(t, tokens.ID)["sub"], p.userInfo(t, tokens.Access)["sub"])
}

func TestUserInfoRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		// raw has the token that is shown, once what has to happen has happened.
		raw  func(t *testing.T, p *parts) string
		want error
	}{
		"nothing":     {func(*testing.T, *parts) string { return "" }, token.ErrInvalid},
		"rubbish":     {func(*testing.T, *parts) string { return "a.b.c" }, token.ErrInvalid},
		"an ID token": {func(t *testing.T, p *parts) string { return p.signIn(t, "app", alice).ID }, token.ErrInvalid},
		"a token that is over": {func(t *testing.T, p *parts) string {
			tokens := p.signIn(t, "app", alice)
			p.clock.Advance(tokens.ExpiresIn + time.Second)
			return tokens.Access
		}, token.ErrInvalid},
		"a token without openid": {func(t *testing.T, p *parts) string {
			return p.signInFor(t, alice, "profile").Access
		}, login.ErrScope},
		"the person left": {func(t *testing.T, p *parts) string {
			tokens := p.signIn(t, "app", alice)
			p.staff(t, person(t, "2", bob, ""))
			return tokens.Access
		}, login.ErrSessionEnded},
		"the person left and came back": {func(t *testing.T, p *parts) string {
			tokens := p.signIn(t, "app", alice)
			p.staff(t, person(t, "2", bob, ""))
			p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
			return tokens.Access
		}, login.ErrSessionEnded},
		"the number was taken away": {func(t *testing.T, p *parts) string {
			tokens := p.signIn(t, "app", alice)
			p.staff(t, person(t, "1", stranger, ""), person(t, "2", bob, ""))
			return tokens.Access
		}, login.ErrSessionEnded},
		"a session that the record does not know": {func(t *testing.T, p *parts) string {
			tokens := p.signIn(t, "app", alice)
			_, err := p.raw.ExecContext(t.Context(), "DELETE FROM sessions")
			require.NoError(t, err)
			return tokens.Access
		}, login.ErrSessionEnded},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
			info, err := p.UserInfo(t.Context(), tc.raw(t, p))
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, login.UserInfo{}, info)
		})
	}
}
