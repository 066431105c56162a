package oauth_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
)

// requireRevoked holds an answer to what SDKs take for success: text that is not JSON breaks one
// of them (wire contract 7).
func requireRevoked(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, 200, a.status, a.body)
	requireJSON(t, a)
	require.JSONEq(t, `{}`, a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Empty(t, a.header.Values("WWW-Authenticate"))
}

func TestWhatReachesTheRevocation(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		name          string
		request       members
		authorization string
		client        string
		want          login.RevokeRequest
	}{
		{"public, by its id alone", revokeRequest, "", "app", login.RevokeRequest{Token: "v1.opaque"}},
		{"unknown to us: that is login's to know", revokeRequest.with("token", "rubbish"), "", "app", login.RevokeRequest{Token: "rubbish"}},
		{"an access token", revokeRequest.with("token", "eyJ.a.b", "token_type_hint", "access_token"), "", "app", login.RevokeRequest{Token: "eyJ.a.b"}},
		{"a hint that is wrong", revokeRequest.with("token_type_hint", "saml"), "", "app", login.RevokeRequest{Token: "v1.opaque"}},
		{"as it was sent", revokeRequest.with("token", " v1.a+b%20\x00"), "", "app", login.RevokeRequest{Token: " v1.a+b%20\x00"}},
		{"unknown members", revokeRequest.with("auth0Client", "x", "refresh_token", "v1.other"), "", "app", login.RevokeRequest{Token: "v1.opaque"}},
		{"post", revokeRequest.with("client_id", "web", "client_secret", webSecret), "", "web", login.RevokeRequest{Token: "v1.opaque"}},
		{"Basic", revokeRequest.with("client_id", left), basic(oddID, oddSecret), oddID, login.RevokeRequest{Token: "v1.opaque"}},
		{"everywhere", revokeRequest.with("everywhere", "true"), "", "app", login.RevokeRequest{Token: "v1.opaque", Everywhere: true}},
		{"here only", revokeRequest.with("everywhere", "false"), "", "app", login.RevokeRequest{Token: "v1.opaque"}},
		{"nothing said of everywhere", revokeRequest.with("everywhere", ""), "", "app", login.RevokeRequest{Token: "v1.opaque"}},
	} {
		for _, media := range bothTypes {
			t.Run(tc.name+" "+media, func(t *testing.T) {
				s.forget()
				headers := []string{"Origin", shop}
				if tc.authorization != "" {
					headers = append(headers, "Authorization", tc.authorization)
				}
				a := s.post(t, revokePath, media, tc.request.as(t, media), headers...)
				requireRevoked(t, a)
				require.Equal(t, shop, a.header.Get("Access-Control-Allow-Origin"))
				require.Len(t, s.revocations, 1)
				require.Equal(t, 1, s.calls())
				got := s.revocations[0]
				require.Equal(t, tc.client, got.Client.ID)
				tc.want.Client, tc.want.Address = got.Client, "127.0.0.1"
				require.Equal(t, tc.want, got)
			})
		}
	}
}

// Signing out of every device is not to be done by a slip, nor to be left undone in silence.
func TestRevokeEverywhere(t *testing.T) {
	s := serve(t)
	for name, tc := range map[string]struct {
		value   any
		refused bool
		want    bool
	}{
		"absent":      {value: left},
		"null":        {value: nil},
		"empty":       {value: ""},
		"text false":  {value: "false"},
		"false":       {value: false},
		"text true":   {value: "true", want: true},
		"true":        {value: true, want: true},
		"yes":         {value: "yes", refused: true},
		"capitals":    {value: "TRUE", refused: true},
		"of Python":   {value: "True", refused: true},
		"blank":       {value: " ", refused: true},
		"a space":     {value: "true ", refused: true},
		"text 1":      {value: "1", refused: true},
		"text 0":      {value: "0", refused: true},
		"on":          {value: "on", refused: true},
		"number 1":    {value: 1, refused: true},
		"number 0":    {value: 0, refused: true},
		"array":       {value: []bool{true}, refused: true},
		"empty array": {value: []bool{}, refused: true},
		"object":      {value: members{"true": true}, refused: true},
	} {
		check := func(t *testing.T, media, body string) {
			t.Helper()
			s.forget()
			a := s.post(t, revokePath, media, body, "Origin", shop)
			if tc.refused {
				requireError(t, a, 400, "invalid_request", "everywhere must be true or false.")
				require.Equal(t, shop, a.header.Get("Access-Control-Allow-Origin"))
				require.Zero(t, s.calls(), "nothing is revoked")
				return
			}
			requireRevoked(t, a)
			require.Len(t, s.revocations, 1)
			require.Equal(t, tc.want, s.revocations[0].Everywhere)
		}
		changed := revokeRequest.with("everywhere", tc.value)
		t.Run(name+" JSON", func(t *testing.T) { check(t, jsonType, changed.json(t)) })
		if _, text := tc.value.(string); text || tc.value == left {
			t.Run(name+" form", func(t *testing.T) { check(t, formType, changed.form()) })
		}
	}
	t.Run("in the URL it is not read", func(t *testing.T) {
		s.forget()
		requireRevoked(t, s.post(t, revokePath+"?everywhere=true", jsonType, revokeRequest.json(t)))
		require.False(t, s.revocations[0].Everywhere)
	})
	t.Run("twice", func(t *testing.T) {
		s.refused(t, revokePath, jsonType, `{"client_id":"app","token":"v1.opaque","everywhere":false,"everywhere":true}`, 400)
		s.refused(t, revokePath, jsonType, `{"client_id":"app","token":"v1.opaque","everywhere":true,"everywhere":false}`, 400)
		s.refused(t, revokePath, formType, "client_id=app&token=v1.opaque&everywhere=true&everywhere=true", 400)
	})
}

func TestRevokeWithoutAToken(t *testing.T) {
	s := serve(t)
	for name, value := range map[string]any{"left out": left, "null": nil, "empty": "", "blank": " ", "array": []string{"v1.opaque"}, "number": 1, "true": true} {
		t.Run(name, func(t *testing.T) {
			a := s.post(t, revokePath, jsonType, revokeRequest.with("token", value, "everywhere", true).json(t))
			requireError(t, a, 400, "invalid_request", "")
		})
	}
	requireError(t, s.post(t, revokePath, formType, "client_id=app"), 400, "invalid_request", "token is missing.")
	requireError(t, s.post(t, revokePath, formType, "client_id=app&refresh_token=v1.opaque"), 400, "invalid_request", "token is missing.")
	requireError(t, s.post(t, revokePath+"?token=v1.opaque", formType, "client_id=app"), 400, "invalid_request", "token belongs in the body, never in the URL.")
	require.Zero(t, s.calls())
}

// Who is refused as a client is told so before anything else, and revokes nothing.
func TestRevokeByAnImpostor(t *testing.T) {
	s := serve(t)
	for name, request := range map[string]members{
		"wrong secret":          revokeRequest.with("client_id", "web", "client_secret", "wrong"),
		"no secret":             revokeRequest.with("client_id", "web"),
		"public with a secret":  revokeRequest.with("client_secret", webSecret),
		"unknown":               revokeRequest.with("client_id", "nobody"),
		"nor a token":           revokeRequest.with("client_id", "web", "client_secret", "wrong", "token", left),
		"nor a good everywhere": revokeRequest.with("client_id", "web", "client_secret", "wrong", "everywhere", "yes"),
	} {
		for _, media := range bothTypes {
			t.Run(name+" "+media, func(t *testing.T) {
				a := s.post(t, revokePath, media, request.as(t, media), "Origin", shop)
				requireError(t, a, 401, "invalid_client", "")
				require.Empty(t, a.header.Values("WWW-Authenticate"))
				require.Equal(t, shop, a.header.Get("Access-Control-Allow-Origin"))
			})
		}
	}
	a := s.post(t, revokePath, formType, revokeRequest.with("client_id", left).form(), "Authorization", basic("web", "wrong"))
	requireError(t, a, 401, "invalid_client", "")
	require.Equal(t, []string{challenge}, a.header.Values("WWW-Authenticate"))
	require.Zero(t, s.calls())
}

// RFC 7009 §2.2.1: a client that hears 503 must take the token for good still, and try again.
func TestRevokeDuringAnOutage(t *testing.T) {
	s := serve(t)
	s.err = outage.Wrap("database", errors.New("dial tcp 10.0.0.1:5432"))
	a := s.post(t, revokePath, jsonType, revokeRequest.json(t), "Origin", shop)
	requireError(t, a, 503, "temporarily_unavailable", brief)
	require.Equal(t, "5", a.header.Get("Retry-After"))
	require.Equal(t, "WWW-Authenticate, Retry-After", a.header.Get("Access-Control-Expose-Headers"))
}
