package oauth_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/token"
)

// bothTypes are the media types of every POST (wire contract 1).
var bothTypes = []string{jsonType, jsonType + ";charset=UTF-8", formType, formType + ";charset=UTF-8"}

func TestWhatReachesTheRefresh(t *testing.T) {
	s := serve(t)
	bare := refreshRequest.with("scope", left)
	for _, tc := range []struct {
		name    string
		request members
		want    login.RefreshRequest
	}{
		{"nothing but the token", bare, login.RefreshRequest{Token: "v1.opaque"}},
		{"a scope", bare.with("scope", "openid profile email"), login.RefreshRequest{Token: "v1.opaque", Scope: scope.Set{"openid", "profile", "email"}}},
		{"an empty scope is none", bare.with("scope", ""), login.RefreshRequest{Token: "v1.opaque"}},
		{"a blank scope is none", bare.with("scope", "  "), login.RefreshRequest{Token: "v1.opaque"}},
		{"a scope of nothing valid is one", bare.with("scope", `"`), login.RefreshRequest{Token: "v1.opaque", Scope: scope.Set{}}},
		{"an audience", bare.with("audience", "https://api.example.com"), login.RefreshRequest{Token: "v1.opaque", Audience: "https://api.example.com"}},
		{"an empty audience", bare.with("audience", ""), login.RefreshRequest{Token: "v1.opaque"}},
		{"a stray redirect_uri", bare.with("redirect_uri", shop+"/callback"), login.RefreshRequest{Token: "v1.opaque"}},
		{"members of other grants", bare.with("username", alice, "otp", "123456", "realm", "email", "code", "x", "token", "x"),
			login.RefreshRequest{Token: "v1.opaque"}},
		{"unknown members", bare.with("auth0Client", "x", "device", "Pixel", "", "x"), login.RefreshRequest{Token: "v1.opaque"}},
		{"a token as it was sent", bare.with("refresh_token", " v1.a+b/c=%20\x00 "), login.RefreshRequest{Token: " v1.a+b/c=%20\x00 "}},
		{"a client of the legacy door", bare.with("client_id", "legacy"), login.RefreshRequest{Token: "v1.opaque"}}, // wire contract 5
		{"a client with a secret", bare.with("client_id", "web", "client_secret", webSecret), login.RefreshRequest{Token: "v1.opaque"}},
	} {
		for _, media := range bothTypes {
			t.Run(tc.name+" "+media, func(t *testing.T) {
				s.forget()
				a := s.post(t, tokenPath, media, tc.request.as(t, media))
				require.Equal(t, 200, a.status, a.body)
				require.Len(t, s.refreshes, 1)
				require.Equal(t, 1, s.calls())
				got := s.refreshes[0]
				require.Equal(t, tc.request["client_id"], got.Client.ID)
				tc.want.Client, tc.want.Address = got.Client, "127.0.0.1"
				require.Equal(t, tc.want, got, "a scope that was not asked for is nil")
			})
		}
	}
	t.Run("members that nobody reads may be of any type", func(t *testing.T) {
		s.forget()
		a := s.post(t, tokenPath, jsonType, bare.with("redirect_uri", nil, "username", 1, "otp", []int{}, "device", members{}, "everywhere", 1).json(t))
		require.Equal(t, 200, a.status, a.body)
		require.Equal(t, "v1.opaque", s.refreshes[0].Token)
	})
	t.Run("Basic", func(t *testing.T) {
		s.forget()
		a := s.post(t, tokenPath, formType, bare.with("client_id", left).form(), "Authorization", basic(oddID, oddSecret))
		require.Equal(t, 200, a.status, a.body)
		require.Equal(t, oddID, s.refreshes[0].Client.ID)
	})
}

func TestTheRefreshTokenInAnswers(t *testing.T) {
	s := serve(t)
	minted := token.Minted{Access: "a.b.c", ID: "d.e.f", ExpiresIn: 15 * time.Minute}
	for _, tc := range []struct {
		name   string
		tokens login.Tokens
		want   string
	}{
		{
			"with one",
			login.Tokens{Minted: minted, Refresh: "v1.newer", Scope: scope.Set{"openid", "offline_access"}, Tier: "employee", SessionID: "sid"},
			`{"access_token":"a.b.c","id_token":"d.e.f","refresh_token":"v1.newer","token_type":"Bearer","expires_in":900,"scope":"openid offline_access"}`,
		},
		{
			"without one",
			login.Tokens{Minted: minted, Scope: scope.Set{"openid"}},
			`{"access_token":"a.b.c","id_token":"d.e.f","token_type":"Bearer","expires_in":900,"scope":"openid"}`,
		},
		{
			"without openid",
			login.Tokens{Minted: token.Minted{Access: "a.b.c", ExpiresIn: time.Minute}, Refresh: "v1.newer", Scope: scope.Set{"offline_access"}},
			`{"access_token":"a.b.c","refresh_token":"v1.newer","token_type":"Bearer","expires_in":60,"scope":"offline_access"}`,
		},
		{
			"without a scope",
			login.Tokens{Minted: token.Minted{Access: "a.b.c", ExpiresIn: time.Minute}, Refresh: "v1.newer"},
			`{"access_token":"a.b.c","refresh_token":"v1.newer","token_type":"Bearer","expires_in":60}`,
		},
	} {
		for path, good := range doors {
			if good["grant_type"] == nil {
				continue
			}
			t.Run(tc.name+path, func(t *testing.T) {
				s.forget()
				s.tokens = tc.tokens
				a := s.post(t, path, formType, good.form(), "Origin", shop)
				require.Equal(t, 200, a.status, a.body)
				requireJSON(t, a)
				require.JSONEq(t, tc.want, a.body)
				require.Equal(t, "no-store", a.header.Get("Cache-Control"))
				require.Equal(t, "no-cache", a.header.Get("Pragma"))
				require.Equal(t, shop, a.header.Get("Access-Control-Allow-Origin"))
				var body map[string]any
				require.NoError(t, json.Unmarshal([]byte(a.body), &body))
				for name, value := range body {
					require.NotEmpty(t, value, name)
				}
			})
		}
	}
}

func TestRefreshWithoutAToken(t *testing.T) {
	s := serve(t)
	for name, tc := range map[string]struct {
		value       any
		description string
	}{
		"left out": {left, "refresh_token is missing."},
		"null":     {nil, "refresh_token is missing."},
		"empty":    {"", "refresh_token is missing."},
		"blank":    {" \t", "refresh_token is missing."},
		"array":    {[]string{"v1.opaque"}, "refresh_token must be a string."},
		"number":   {1, "refresh_token must be a string."},
		"object":   {members{"token": "v1.opaque"}, "refresh_token must be a string."},
		"true":     {true, "refresh_token must be a string."},
		"false":    {false, "refresh_token must be a string."},
	} {
		t.Run(name, func(t *testing.T) {
			changed := refreshRequest.with("refresh_token", tc.value)
			requireError(t, s.post(t, tokenPath, jsonType, changed.json(t)), 400, "invalid_request", tc.description)
			if _, text := tc.value.(string); text || tc.value == left {
				requireError(t, s.post(t, tokenPath, formType, changed.form()), 400, "invalid_request", tc.description)
			}
			require.Zero(t, s.calls())
		})
	}
	t.Run("only under the name of another grant", func(t *testing.T) {
		a := s.post(t, tokenPath, formType, refreshRequest.with("refresh_token", left, "token", "v1.opaque").form())
		requireError(t, a, 400, "invalid_request", "refresh_token is missing.")
	})
	t.Run("only in the URL", func(t *testing.T) {
		a := s.post(t, tokenPath+"?refresh_token=v1.opaque", formType, refreshRequest.with("refresh_token", left).form())
		requireError(t, a, 400, "invalid_request", "refresh_token belongs in the body, never in the URL.")
	})
	require.Zero(t, s.calls())
}

// What SDKs compare, letter for letter, at the door where they meet it (wire contract 4).
func TestRefreshRefusals(t *testing.T) {
	s := serve(t)
	for name, tc := range map[string]struct {
		err         error
		status      int
		code        string
		description string
	}{
		"unknown or invalid": {login.ErrRefreshToken, 403, "invalid_grant", "Unknown or invalid refresh token."},
		"the person is gone": {login.ErrUserGone, 403, "invalid_grant", "The refresh_token was generated for a user who doesn't exist anymore."},
		"tier":               {login.ErrTier, 403, "access_denied", ""},
		"audience":           {login.ErrAudience, 400, "invalid_target", ""},
		"outage":             {outage.Wrap("database", errors.New("x")), 503, "temporarily_unavailable", brief},
		"place taken":        {login.ErrPlaceTaken, 503, "temporarily_unavailable", brief},
		"fault":              {errors.New("x"), 500, "server_error", unknownFault},
	} {
		for _, media := range bothTypes {
			t.Run(name+" "+media, func(t *testing.T) {
				s.forget()
				s.err = tc.err
				a := s.post(t, tokenPath, media, refreshRequest.as(t, media), "Origin", shop)
				requireError(t, a, tc.status, tc.code, tc.description)
				require.Equal(t, shop, a.header.Get("Access-Control-Allow-Origin"))
				require.Empty(t, a.header.Values("WWW-Authenticate"))
				retry := ""
				if tc.status == 503 {
					retry = "5"
				}
				require.Equal(t, retry, a.header.Get("Retry-After"))
				require.Equal(t, 1, s.calls())
			})
		}
	}
	t.Run("by Basic", func(t *testing.T) {
		s.forget()
		s.err = login.ErrRefreshToken
		a := s.post(t, tokenPath, formType, refreshRequest.with("client_id", left).form(), "Authorization", basic("web", webSecret))
		requireError(t, a, 403, "invalid_grant", invalidRefresh)
		require.Empty(t, a.header.Values("WWW-Authenticate"), "the client is not in doubt")
	})
}

// Tokens that come along with an error are nobody's.
func TestARefusedRefreshAnswersNoToken(t *testing.T) {
	s := serve(t)
	s.tokens.Refresh = "v1.newer"
	s.err = login.ErrRefreshToken
	a := s.post(t, tokenPath, formType, refreshRequest.form())
	requireError(t, a, 403, "invalid_grant", invalidRefresh)
	s.logs(t, `"sid":"sid-1"`) // which session it was is for the log
	s.logsNone(t, "v1.")
}
