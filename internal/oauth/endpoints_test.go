package oauth_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/token"
)

func TestStart(t *testing.T) {
	s := serve(t)
	for _, typed := range []string{alice, "+44 7700 900123", " +44 (0)7700-900123 ", "00447700900123"} {
		t.Run(typed, func(t *testing.T) {
			s.forget()
			a := s.post(t, startPath, jsonType, startRequest.with("phone_number", typed).json(t))
			require.Equal(t, 200, a.status, a.body)
			requireJSON(t, a)
			require.JSONEq(t, `{"_id":"9f2c6b1e7a","phone_number":"`+alice+`","phone_verified":false}`, a.body)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
			require.Len(t, s.starts, 1)
			require.Equal(t, "app", s.starts[0].Client.ID)
			require.Equal(t, "sms", s.starts[0].Connection)
			require.Equal(t, typed, s.starts[0].Phone)
		})
	}
}

// Nothing but the number that was asked for may differ (U1).
func TestStartIsTheSameForEveryNumber(t *testing.T) {
	s := serve(t)
	var first answer
	for _, number := range []string{alice, "+447700900124", "+447700900999"} {
		a := s.post(t, startPath, jsonType, startRequest.with("phone_number", number).json(t))
		a.body = strings.ReplaceAll(a.body, number, alice)
		a.header.Del("Date")
		a.header.Del("X-Request-Id")
		if first.header == nil {
			first = a
		}
		require.Equal(t, first, a)
	}
}

func TestStartConnection(t *testing.T) {
	s := serve(t)
	for _, connection := range []any{left, nil, "", "email", "SMS", "sms ", "Username-Password-Authentication"} {
		a := s.post(t, startPath, jsonType, startRequest.with("connection", connection).json(t))
		requireError(t, a, 400, "bad.connection", "")
	}
}

func TestToken(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		name   string
		tokens login.Tokens
		want   string
	}{
		{
			"with openid",
			login.Tokens{Minted: token.Minted{Access: "a.b.c", ID: "d.e.f", ExpiresIn: 15 * time.Minute}, Scope: scope.Set{"openid", "profile", "phone"}},
			`{"access_token":"a.b.c","id_token":"d.e.f","token_type":"Bearer","expires_in":900,"scope":"openid profile phone"}`,
		},
		{
			"without openid",
			login.Tokens{Minted: token.Minted{Access: "a.b.c", ExpiresIn: time.Hour}, Scope: scope.Set{"profile"}},
			`{"access_token":"a.b.c","token_type":"Bearer","expires_in":3600,"scope":"profile"}`,
		},
		{
			"nothing granted",
			login.Tokens{Minted: token.Minted{Access: "a.b.c", ExpiresIn: time.Second}},
			`{"access_token":"a.b.c","token_type":"Bearer","expires_in":1}`,
		},
		{
			"what is for the log stays there",
			login.Tokens{Minted: token.Minted{Access: "a.b.c", ExpiresIn: time.Second}, Tier: "employee", SessionID: "sid"},
			`{"access_token":"a.b.c","token_type":"Bearer","expires_in":1}`,
		},
	} {
		for path, good := range map[string]members{tokenPath: tokenRequest, legacyPath: legacyRequest} {
			t.Run(tc.name+path, func(t *testing.T) {
				s.forget()
				s.tokens = tc.tokens
				a := s.post(t, path, formType, good.form())
				require.Equal(t, 200, a.status, a.body)
				requireJSON(t, a)
				require.JSONEq(t, tc.want, a.body)
				require.Equal(t, "no-store", a.header.Get("Cache-Control"))
				require.Equal(t, "no-cache", a.header.Get("Pragma"))
				var body map[string]any
				require.NoError(t, json.Unmarshal([]byte(a.body), &body))
				for name, value := range body {
					require.NotEmpty(t, value, name)
				}
			})
		}
	}
}

func TestWhatReachesTheSignIn(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		name, path string
		request    members
		want       login.SignInRequest
	}{
		{"token", tokenPath, tokenRequest.with("audience", "https://api.example.com", "device", "Pixel"), login.SignInRequest{
			Grant: client.Passwordless, Realm: "sms", Phone: alice, Code: "123456",
			Scope: scope.Set{"openid", "profile"}, Audience: "https://api.example.com", Device: "Pixel",
		}},
		{"the agent stands in for a device", tokenPath, tokenRequest.with("device", left), login.SignInRequest{
			Grant: client.Passwordless, Realm: "sms", Phone: alice, Code: "123456", Scope: scope.Set{"openid", "profile"}, Device: "agent/1",
		}},
		{"no scope is not an empty one", tokenPath, tokenRequest.with("scope", left), login.SignInRequest{
			Grant: client.Passwordless, Realm: "sms", Phone: alice, Code: "123456", Device: "agent/1",
		}},
		{"as typed", tokenPath, tokenRequest.with("scope", " openid  openid ", "username", "+44 7700 900123", "otp", " 123456 "), login.SignInRequest{
			Grant: client.Passwordless, Realm: "sms", Phone: "+44 7700 900123", Code: " 123456 ", Scope: scope.Set{"openid"}, Device: "agent/1",
		}},
		{"names of the other door", tokenPath, tokenRequest.with("password", "999999", "connection", "email"), login.SignInRequest{
			Grant: client.Passwordless, Realm: "sms", Phone: alice, Code: "123456", Scope: scope.Set{"openid", "profile"}, Device: "agent/1",
		}},
		{"legacy", legacyPath, legacyRequest, login.SignInRequest{
			Grant: client.LegacyRO, Realm: "sms", Phone: alice, Code: "123456",
			Scope: scope.Set{"openid", "offline_access", "phone_number"}, Device: "Alice's phone",
		}},
	} {
		for _, media := range []string{jsonType, formType} {
			t.Run(tc.name+" "+media, func(t *testing.T) {
				s.forget()
				a := s.post(t, tc.path, media, tc.request.as(t, media), "User-Agent", "agent/1")
				require.Equal(t, 200, a.status, a.body)
				require.Len(t, s.signIns, 1)
				got := s.signIns[0]
				require.Equal(t, tc.request["client_id"], got.Client.ID)
				tc.want.Client, tc.want.Origin, tc.want.Address = got.Client, origin.Origin{Source: "127.0.0.1", Network: "127.0.0.0/24"}, "127.0.0.1"
				require.Equal(t, tc.want, got)
			})
		}
	}
}

func TestUserInfo(t *testing.T) {
	s := serve(t)
	verified := true
	s.info = login.UserInfo{Subject: "sub-1", PersonClaims: token.PersonClaims{
		Name: "Alice", UpdatedAt: "2026-01-02T03:04:05Z", Email: "a@example.com", EmailVerified: new(bool),
		PhoneNumber: alice, PhoneNumberVerified: &verified,
	}}
	const want = `{"sub":"sub-1","name":"Alice","updated_at":"2026-01-02T03:04:05Z","email":"a@example.com",
		"email_verified":false,"phone_number":"` + alice + `","phone_number_verified":true}`
	for _, method := range []string{"GET", "POST"} {
		for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR  "} {
			for name, media := range map[string]string{"no type": "", "JSON": jsonType, "form": formType} {
				t.Run(method+" "+scheme+name, func(t *testing.T) {
					s.forget()
					headers := []string{"Authorization", scheme + "eyJ.access"}
					if media != "" {
						headers = append(headers, "Content-Type", media)
					}
					a := s.do(t, request{method: method, path: userInfoPath, headers: headers})
					require.Equal(t, 200, a.status, a.body)
					requireJSON(t, a)
					require.JSONEq(t, want, a.body)
					require.Equal(t, "no-store", a.header.Get("Cache-Control"))
					require.Equal(t, []string{"eyJ.access"}, s.bearers)
				})
			}
		}
	}
	s.forget()
	s.info = login.UserInfo{Subject: "sub-2"}
	a := s.do(t, request{method: "GET", path: userInfoPath, headers: []string{"Authorization", "Bearer t"}})
	require.JSONEq(t, `{"sub":"sub-2"}`, a.body)
}

func TestUserInfoWithoutAGoodToken(t *testing.T) {
	s := serve(t)
	invalid := func(t *testing.T, a answer, code string, status int) {
		t.Helper()
		requireError(t, a, status, code, "")
		var body struct {
			Description string `json:"error_description"`
		}
		require.NoError(t, json.Unmarshal([]byte(a.body), &body))
		require.Equal(t, []string{`Bearer error="` + code + `", error_description="` + body.Description + `"`}, a.header.Values("WWW-Authenticate"))
	}
	for name, headers := range map[string][]string{
		"none":            nil,
		"empty":           {"Authorization", ""},
		"no token":        {"Authorization", "Bearer"},
		"blank token":     {"Authorization", "Bearer   "},
		"no scheme":       {"Authorization", "eyJ.access"},
		"Basic":           {"Authorization", basic("web", webSecret)},
		"DPoP":            {"Authorization", "DPoP eyJ.access"},
		"scheme run on":   {"Authorization", "BearereyJ.access"},
		"cookie":          {"Cookie", "access_token=eyJ.access"},
		"another header":  {"X-Access-Token", "eyJ.access"},
		"proxy's own one": {"Proxy-Authorization", "Bearer eyJ.access"},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				a := s.do(t, request{method: method, path: userInfoPath, headers: headers})
				invalid(t, a, "invalid_token", 401)
				require.Zero(t, s.calls())
			})
		}
	}
	t.Run("in the query", func(t *testing.T) {
		invalid(t, s.do(t, request{method: "GET", path: userInfoPath + "?access_token=eyJ.access"}), "invalid_token", 401)
	})
	t.Run("in the body", func(t *testing.T) {
		invalid(t, s.post(t, userInfoPath, formType, "access_token=eyJ.access"), "invalid_token", 401)
		invalid(t, s.post(t, userInfoPath, jsonType, `{"access_token":"eyJ.access"}`), "invalid_token", 401)
	})
	require.Zero(t, s.calls())
	for err, want := range map[error]struct {
		code   string
		status int
	}{
		token.ErrInvalid:      {"invalid_token", 401},
		login.ErrSessionEnded: {"invalid_token", 401},
		login.ErrScope:        {"insufficient_scope", 403},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(err.Error()+" "+method, func(t *testing.T) {
				s.err = err
				a := s.do(t, request{method: method, path: userInfoPath, headers: []string{"Authorization", "Bearer t"}})
				invalid(t, a, want.code, want.status)
			})
		}
	}
}
