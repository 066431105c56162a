package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
)

var activeAccess = login.Introspection{Active: true, ActiveToken: &login.ActiveToken{
	Subject: "sub-1", ClientID: "app", Scope: "openid profile", Issuer: issuer, Expiry: 1772601667, SessionID: "sid-1",
	AuthTime: 1772600707, Tier: "manager", TokenType: "Bearer", IssuedAt: 1772600767, Audience: "https://api.example.com",
	ID: "jti-1", ACR: "aal1", AMR: []string{"sms"}, Permissions: []string{"orders:read"},
}}

func TestIntrospect(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		name string
		said login.Introspection
		want string
	}{
		{"not active", login.Introspection{}, `{"active":false}`},
		{"an access token", activeAccess, `{"active":true,"sub":"sub-1","client_id":"app","scope":"openid profile","token_type":"Bearer",
			"iss":"` + issuer + `","exp":1772601667,"iat":1772600767,"aud":"https://api.example.com","jti":"jti-1","sid":"sid-1",
			"auth_time":1772600707,"acr":"aal1","amr":["sms"],"tier":"manager","permissions":["orders:read"]}`},
		{"a refresh token", login.Introspection{Active: true, ActiveToken: &login.ActiveToken{
			Subject: "sub-1", ClientID: "web", Scope: "openid offline_access", Issuer: issuer, Expiry: 1775192767, SessionID: "sid-1",
			AuthTime: 1772600707, Tier: "employee",
		}}, `{"active":true,"sub":"sub-1","client_id":"web","scope":"openid offline_access","iss":"` + issuer + `","exp":1775192767,
			"sid":"sid-1","auth_time":1772600707,"tier":"employee"}`},
		{"no scope", login.Introspection{Active: true, ActiveToken: &login.ActiveToken{
			Subject: "sub-1", ClientID: "web", Issuer: issuer, Expiry: 1, SessionID: "sid-1", AuthTime: 1, Tier: "anonymous",
		}}, `{"active":true,"sub":"sub-1","client_id":"web","iss":"` + issuer + `","exp":1,"sid":"sid-1","auth_time":1,"tier":"anonymous"}`},
	} {
		for _, media := range bothTypes {
			t.Run(tc.name+" "+media, func(t *testing.T) {
				s.forget()
				s.said = tc.said
				a := s.post(t, introspectPath, media, introspectRequest.as(t, media))
				require.Equal(t, 200, a.status, a.body)
				requireJSON(t, a)
				require.JSONEq(t, tc.want, a.body)
				require.Equal(t, "no-store", a.header.Get("Cache-Control"))
				require.Empty(t, a.header.Values("WWW-Authenticate"))
				require.Equal(t, []introspected{{"web", "eyJ.access"}}, s.introspects)
				var body map[string]any
				require.NoError(t, json.Unmarshal([]byte(a.body), &body))
				for name, value := range body {
					require.True(t, name == "active" || value != nil && value != "", name)
				}
			})
		}
	}
}

func TestIntrospectAuthentication(t *testing.T) {
	s := serve(t)
	s.said = activeAccess
	bare := introspectRequest.with("client_id", left, "client_secret", left)
	for _, tc := range []struct {
		name          string
		request       members
		authorization string
		status        int
		code          string
		challenged    bool
		caller        string
	}{
		{name: "post", request: introspectRequest, status: 200, caller: "web"},
		{name: "post, special characters", request: bare.with("client_id", oddID, "client_secret", oddSecret), status: 200, caller: oddID},
		{name: "Basic", request: bare, authorization: basic("web", webSecret), status: 200, caller: "web"},
		{name: "Basic and the same id", request: bare.with("client_id", "web"), authorization: basic("web", webSecret), status: 200, caller: "web"},
		{name: "Basic, special characters", request: bare, authorization: basic(oddID, oddSecret), status: 200, caller: oddID},
		{name: "Basic in small letters", request: bare, authorization: "basic" + basic("web", webSecret)[5:], status: 200, caller: "web"},

		{name: "none", request: bare, status: 401, code: "invalid_client"},
		{name: "empty id and secret", request: bare.with("client_id", "", "client_secret", ""), status: 401, code: "invalid_client"},
		{name: "a secret without an id", request: bare.with("client_secret", webSecret), status: 401, code: "invalid_client"},
		{name: "no secret", request: introspectRequest.with("client_secret", left), status: 401, code: "invalid_client"},
		{name: "empty secret", request: introspectRequest.with("client_secret", ""), status: 401, code: "invalid_client"},
		{name: "wrong secret", request: introspectRequest.with("client_secret", "wrong"), status: 401, code: "invalid_client"},
		{name: "secret of another", request: introspectRequest.with("client_secret", oddSecret), status: 401, code: "invalid_client"},
		{name: "unknown", request: introspectRequest.with("client_id", "nobody"), status: 401, code: "invalid_client"},
		{name: "public", request: bare.with("client_id", "app"), status: 401, code: "invalid_client"},
		{name: "public of the legacy door", request: bare.with("client_id", "legacy"), status: 401, code: "invalid_client"},
		{name: "public with an empty secret", request: bare.with("client_id", "app", "client_secret", ""), status: 401, code: "invalid_client"},
		{name: "public with a secret", request: bare.with("client_id", "app", "client_secret", "x"), status: 401, code: "invalid_client"},
		{name: "an id and a token of somebody", request: bare.with("client_id", "web"), authorization: "Bearer eyJ.access", status: 401, code: "invalid_client"},
		{name: "Basic, wrong secret", request: bare, authorization: basic("web", "wrong"), status: 401, code: "invalid_client", challenged: true},
		{name: "Basic, empty secret", request: bare, authorization: basic("web", ""), status: 401, code: "invalid_client", challenged: true},
		{name: "Basic, unknown", request: bare, authorization: basic("nobody", "x"), status: 401, code: "invalid_client", challenged: true},
		{name: "Basic, public with a secret", request: bare, authorization: basic("app", "x"), status: 401, code: "invalid_client", challenged: true},
		{name: "Basic, malformed", request: bare, authorization: "Basic %%%", status: 401, code: "invalid_client", challenged: true},
		{name: "Basic, nothing", request: bare, authorization: "Basic", status: 401, code: "invalid_client", challenged: true},

		{name: "both methods", request: introspectRequest, authorization: basic("web", webSecret), status: 400, code: "invalid_request"},
		{name: "two ids", request: bare.with("client_id", "app"), authorization: basic("web", webSecret), status: 400, code: "invalid_request"},
	} {
		for _, media := range bothTypes {
			t.Run(tc.name+" "+media, func(t *testing.T) {
				s.forget()
				var headers []string
				if tc.authorization != "" {
					headers = []string{"Authorization", tc.authorization}
				}
				a := s.post(t, introspectPath, media, tc.request.as(t, media), headers...)
				if tc.status == 200 {
					require.Equal(t, 200, a.status, a.body)
					require.Equal(t, []introspected{{tc.caller, "eyJ.access"}}, s.introspects)
					return
				}
				requireError(t, a, tc.status, tc.code, "")
				require.Zero(t, s.calls(), "nobody is told anything")
				if tc.challenged {
					require.Equal(t, []string{challenge}, a.header.Values("WWW-Authenticate"))
				} else {
					require.Empty(t, a.header.Values("WWW-Authenticate"))
				}
			})
		}
	}
}

func TestIntrospectRequests(t *testing.T) {
	s := serve(t)
	s.said = activeAccess
	good := introspectRequest
	for name, value := range map[string]any{"left out": left, "null": nil, "empty": "", "blank": " ", "array": []string{"x"}, "number": 1, "true": true} {
		t.Run("token "+name, func(t *testing.T) {
			s.refused(t, introspectPath, jsonType, good.with("token", value).json(t), 400)
		})
	}
	for name, bad := range map[string]struct {
		media, body string
		status      int
	}{
		"no body":        {formType, "", 400},
		"another type":   {"text/plain", good.form(), 415},
		"no type":        {"", good.form(), 415},
		"malformed JSON": {jsonType, good.json(t) + "}", 400},
		"malformed form": {formType, good.form() + "&x=%", 400},
		"token twice":    {formType, good.form() + "&token=x", 400},
		"secret twice":   {jsonType, `{"client_secret":"x",` + good.json(t)[1:], 400},
		"too large":      {formType, good.form() + "&x=" + string(make([]byte, 17<<10)), 413},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, introspectPath, bad.media, bad.body, bad.status) })
	}
	for _, name := range []string{"token", "client_id", "client_secret"} {
		t.Run(name+" in the URL", func(t *testing.T) {
			s.forget()
			requireError(t, s.post(t, introspectPath+"?"+name+"=x", formType, good.form()), 400, "invalid_request", "")
			require.Zero(t, s.calls())
		})
	}
	t.Run("hints and unknown members are not read", func(t *testing.T) {
		for _, more := range []members{good.with("token_type_hint", "refresh_token"), good.with("token_type_hint", 1, "resource", []int{1})} {
			s.forget()
			a := s.post(t, introspectPath, jsonType, more.json(t))
			require.Equal(t, 200, a.status, a.body)
			require.Equal(t, "eyJ.access", s.introspects[0].token)
		}
	})
}

func TestIntrospectDuringAnOutage(t *testing.T) {
	s := serve(t)
	s.said, s.err = activeAccess, outage.Wrap("database", errors.New("x"))
	a := s.post(t, introspectPath, formType, introspectRequest.form())
	requireError(t, a, 503, "temporarily_unavailable", brief)
	require.Equal(t, "5", a.header.Get("Retry-After"))
}

// Introspection is for services with a secret, which no page can keep.
func TestIntrospectIsNotForPages(t *testing.T) {
	s := serve(t)
	for _, from := range []string{shop, stranger, "null"} {
		a := s.post(t, introspectPath, formType, introspectRequest.form(), "Origin", from)
		require.Equal(t, 200, a.status)
		require.Empty(t, corsHeaders(a))
		a = s.post(t, introspectPath, formType, introspectRequest.with("client_secret", "wrong").form(), "Origin", from)
		require.Equal(t, 401, a.status)
		require.Empty(t, corsHeaders(a))
		a = s.do(t, request{method: "OPTIONS", path: introspectPath, headers: []string{
			"Origin", from, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization, content-type",
		}})
		require.Less(t, a.status, 500)
		require.Empty(t, corsHeaders(a))
	}
	require.Equal(t, 3, s.calls())
}

// Wire contract 8: no or wrong client authentication is 401.
func TestIntrospectWithABearerToken(t *testing.T) {
	s := serve(t)
	bare := introspectRequest.with("client_id", left, "client_secret", left)
	for _, authorization := range []string{"Bearer eyJ.access", "DPoP x", basic("", "x")} {
		t.Run(authorization, func(t *testing.T) {
			requireError(t, s.post(t, introspectPath, formType, bare.form(), "Authorization", authorization), 401, "invalid_client", "")
		})
	}
}

// RFC 6749 §5.2: who used the header MUST be answered with the header.
func TestIntrospectByAPublicClientWithBasic(t *testing.T) {
	s := serve(t)
	bare := introspectRequest.with("client_id", left, "client_secret", left)
	a := s.post(t, introspectPath, formType, bare.form(), "Authorization", basic("app", ""))
	requireError(t, a, 401, "invalid_client", "")
	require.Equal(t, []string{challenge}, a.header.Values("WWW-Authenticate"))
}

func TestIntrospectMistypedClientID(t *testing.T) {
	s := serve(t)
	for _, id := range []any{1, []string{"web"}, members{}, true} {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			a := s.post(t, introspectPath, jsonType, introspectRequest.with("client_id", id).json(t))
			requireError(t, a, 400, "invalid_request", "client_id must be a string.")
		})
	}
}
