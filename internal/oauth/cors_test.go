package oauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/outage"
)

// pageRules are wire contract 15.
var pageRules = []struct {
	path, methods, headers string
	anyone                 bool
}{
	{path: startPath, methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	{path: tokenPath, methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	{path: legacyPath, methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	{path: revokePath, methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	{path: userInfoPath, methods: "GET, POST", headers: "authorization, auth0-client, content-type"},
	{path: jwksPath, methods: "GET", anyone: true},
	{path: discoveryPath, methods: "GET", anyone: true},
	{path: metadataPath, methods: "GET", anyone: true},
	{path: listPath, methods: "GET", anyone: true},
	{path: "/status-lists/nobody", methods: "GET", anyone: true},
}

const stranger = "https://evil.example.net"

// corsHeaders are those of the CORS protocol that an answer carries.
func corsHeaders(a answer) http.Header {
	found := http.Header{}
	for name, values := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			found[name] = values
		}
	}
	return found
}

func TestPreflight(t *testing.T) {
	s := serve(t)
	s.err = errors.New("nobody must ask")
	for _, rule := range pageRules {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			ask := func(from string, more ...string) answer {
				headers := append([]string{"Origin", from, "Access-Control-Request-Method", method,
					"Access-Control-Request-Headers", "content-type,x-evil"}, more...)
				return s.do(t, request{method: "OPTIONS", path: rule.path, headers: headers})
			}
			t.Run(rule.path+" "+method, func(t *testing.T) {
				for _, more := range [][]string{nil, {"Authorization", "Basic %%%"}, {"Content-Type", "text/plain"}} {
					a := ask(shop, more...)
					require.Contains(t, []int{200, 204}, a.status)
					require.Empty(t, a.body)
					want := http.Header{
						"Access-Control-Allow-Origin":  {shop},
						"Access-Control-Allow-Methods": {rule.methods},
						"Access-Control-Max-Age":       {"600"},
					}
					if rule.headers != "" {
						want.Set("Access-Control-Allow-Headers", rule.headers)
						want.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
					}
					if rule.anyone {
						want.Set("Access-Control-Allow-Origin", "*")
					} else {
						require.Equal(t, []string{"Origin"}, a.header.Values("Vary"))
					}
					require.Equal(t, want, corsHeaders(a))
				}
				a := ask(stranger)
				require.Contains(t, []int{200, 204}, a.status)
				if rule.anyone {
					require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
				} else {
					require.Empty(t, corsHeaders(a))
					require.Equal(t, []string{"Origin"}, a.header.Values("Vary"))
				}
			})
		}
	}
	require.Zero(t, s.calls())
}

func TestOptionsThatIsNoPreflight(t *testing.T) {
	s := serve(t)
	for _, rule := range pageRules {
		for name, headers := range map[string][]string{
			"plain":          nil,
			"origin":         {"Origin", shop},
			"request header": {"Origin", shop, "Access-Control-Request-Headers", "content-type"},
		} {
			t.Run(rule.path+" "+name, func(t *testing.T) {
				a := s.do(t, request{method: "OPTIONS", path: rule.path, headers: headers})
				requireError(t, a, 405, "method_not_allowed", "")
				require.NotEmpty(t, a.header.Get("Allow"))
			})
		}
	}
	t.Run("unknown path", func(t *testing.T) {
		for _, headers := range [][]string{nil, {"Origin", shop, "Access-Control-Request-Method", "POST"}} {
			a := s.do(t, request{method: "OPTIONS", path: "/nope", headers: headers})
			requireError(t, a, 404, "not_found", "")
			require.Empty(t, corsHeaders(a))
		}
	})
}

func TestOriginsAreExact(t *testing.T) {
	s := serve(t)
	for _, from := range []string{
		"", "null", "*", stranger, "http://shop.example.com", shop + ":443", shop + ":8443", shop + "/", shop + ".evil.net",
		"https://evil.shop.example.com", "https://shop.example.com@evil.net", "https://shop-example.com",
		"http://localhost:3000", "http://127.0.0.1", shop + " " + stranger, issuer[:len(issuer)-1],
	} {
		for path, good := range doors {
			t.Run(from+path, func(t *testing.T) {
				var headers []string
				if from != "" {
					headers = []string{"Origin", from}
				}
				a := s.post(t, path, jsonType, good.json(t), headers...)
				require.Equal(t, 200, a.status, "apps and servers, which have no origin, are not CORS's to stop")
				require.Empty(t, corsHeaders(a))
				require.Equal(t, []string{"Origin"}, a.header.Values("Vary"))
			})
		}
	}
}

// Without the header on an error an app sees nothing but "network error".
func TestErrorsCarryCORS(t *testing.T) {
	s := serve(t)
	headers := http.Header{
		"Access-Control-Allow-Origin":   {shop},
		"Access-Control-Expose-Headers": {"WWW-Authenticate, Retry-After"},
	}
	for _, tc := range []struct {
		name        string
		err         error
		cause       any
		method      string
		media, body string
		status      int
	}{
		{name: "success", status: 200},
		{name: "forbidden", err: login.ErrTier, status: 403},
		{name: "throttled", err: &otp.ThrottledError{RetryAfter: 1}, status: 429},
		{name: "fault", err: errors.New("x"), status: 500},
		{name: "outage", err: outage.Wrap("redis", errors.New("x")), status: 503},
		{name: "panic", cause: "x", status: 500},
		{name: "too large", body: strings.Repeat("x", 1<<20), status: 413},
		{name: "another type", media: "text/plain", status: 415},
		{name: "malformed", body: "{", status: 400},
		{name: "unknown client", body: `{"client_id":"nobody","grant_type":"x"}`, status: -1},
		{name: "another method", method: "PUT", status: 405},
	} {
		for path, good := range doors {
			t.Run(tc.name+path, func(t *testing.T) {
				s.forget()
				s.err, s.cause = tc.err, tc.cause
				body, media, method := good.json(t), jsonType, "POST"
				if tc.body != "" {
					body = tc.body
				}
				if tc.media != "" {
					media = tc.media
				}
				if tc.method != "" {
					method = tc.method
				}
				a := s.do(t, request{method, path, []string{"Content-Type", media, "Origin", shop}, strings.NewReader(body)})
				if tc.status > 0 {
					require.Equal(t, tc.status, a.status, a.body)
				} else {
					require.GreaterOrEqual(t, a.status, 400)
				}
				require.Equal(t, headers, corsHeaders(a))
				require.Equal(t, []string{"Origin"}, a.header.Values("Vary"))

				s.err, s.cause = tc.err, tc.cause
				a = s.do(t, request{method, path, []string{"Content-Type", media, "Origin", stranger}, strings.NewReader(body)})
				require.Empty(t, corsHeaders(a))
				require.Equal(t, []string{"Origin"}, a.header.Values("Vary"))
			})
		}
	}
	for name, cause := range map[string]any{"refused": nil, "panic": "x"} {
		t.Run("userinfo "+name, func(t *testing.T) {
			s.forget()
			s.err, s.cause = login.ErrScope, cause
			for _, bearer := range []string{"", "Bearer t"} {
				a := s.do(t, request{method: "GET", path: userInfoPath, headers: []string{"Origin", shop, "Authorization", bearer}})
				require.GreaterOrEqual(t, a.status, 400)
				require.Equal(t, headers, corsHeaders(a))
				require.Equal(t, []string{"Origin"}, a.header.Values("Vary"))
			}
		})
	}
}
