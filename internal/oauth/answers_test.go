package oauth_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
)

func TestAnswersOfTheRouter(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/", 404, "not_found"},
		{"GET", "/nope", 404, "not_found"},
		{"POST", "/oauth", 404, "not_found"},
		{"POST", "/oauth/token/", 404, "not_found"},
		{"POST", "/OAUTH/TOKEN", 404, "not_found"},
		{"POST", "//oauth/token", 404, "not_found"},
		{"POST", "/oauth%2ftoken", 404, "not_found"},
		{"GET", "//.well-known/openid-configuration", 404, "not_found"}, // never a redirect (wire contract 9)
		{"GET", "//.well-known/jwks.json", 404, "not_found"},
		{"GET", "/.well-known/../.well-known/jwks.json", 404, "not_found"},
		{"PROPFIND", "/nope", 404, "not_found"},
		{"GET", startPath, 405, "method_not_allowed"},
		{"PUT", startPath, 405, "method_not_allowed"},
		{"GET", tokenPath, 405, "method_not_allowed"},
		{"DELETE", tokenPath, 405, "method_not_allowed"},
		{"PATCH", tokenPath, 405, "method_not_allowed"},
		{"TRACE", tokenPath, 405, "method_not_allowed"},
		{"BREW", tokenPath, 405, "method_not_allowed"},
		{"GET", legacyPath, 405, "method_not_allowed"},
		{"GET", revokePath, 405, "method_not_allowed"},
		{"GET", revokePath + "?token=v1.opaque&client_id=app", 405, "method_not_allowed"},
		{"PUT", revokePath, 405, "method_not_allowed"},
		{"DELETE", revokePath, 405, "method_not_allowed"},
		{"GET", introspectPath, 405, "method_not_allowed"},
		{"GET", introspectPath + "?token=eyJ.access", 405, "method_not_allowed"},
		{"PUT", introspectPath, 405, "method_not_allowed"},
		{"POST", listPath, 405, "method_not_allowed"},
		{"PUT", listPath, 405, "method_not_allowed"},
		{"DELETE", listPath, 405, "method_not_allowed"},
		{"GET", "/status-lists", 404, "not_found"},
		{"PUT", userInfoPath, 405, "method_not_allowed"},
		{"POST", jwksPath, 405, "method_not_allowed"},
		{"POST", discoveryPath, 405, "method_not_allowed"},
		{"DELETE", metadataPath, 405, "method_not_allowed"},
	} {
		t.Run(tc.method+tc.path, func(t *testing.T) {
			a := s.do(t, request{method: tc.method, path: tc.path})
			requireError(t, a, tc.status, tc.code, "")
			if tc.status == 405 {
				require.NotEmpty(t, a.header.Get("Allow")) // RFC 9110 §15.5.6
			}
			require.Empty(t, a.header.Get("Location"))
		})
	}
	require.Zero(t, s.calls())
}

// Paths are not ours to choose: one may hold a number, and each would be a metric of its own.
func TestUnknownPathsAreNeitherLoggedNorCounted(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/nope/" + alice, "/userinfo/" + alice, "/oauth/token?username=" + alice, "/" + alice} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			s.do(t, request{method: method, path: path})
		}
	}
	s.logsNone(t, "7700900123")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, route := range s.routes {
		require.NotContains(t, route, "7700900123")
	}
}

func TestLogsHoldNoNumberCodeOrSecret(t *testing.T) {
	s := serve(t)
	s.post(t, startPath, jsonType, startRequest.json(t))
	s.post(t, startPath, jsonType, startRequest.with("client_id", "web", "client_secret", webSecret).json(t))
	s.post(t, tokenPath, formType, tokenRequest.form())
	s.post(t, tokenPath, jsonType, tokenRequest.with("client_id", "web", "client_secret", "wr0ng-secret").json(t))
	s.post(t, legacyPath, formType, legacyRequest.form())
	s.do(t, request{method: "GET", path: userInfoPath, headers: []string{"Authorization", "Bearer eyJ.bearer"}})
	s.tokens.Refresh = "v1.newer"
	for _, err := range []error{nil, login.ErrRefreshToken, errors.New("x")} {
		s.err = err
		s.post(t, tokenPath, jsonType, refreshRequest.json(t))
		s.post(t, revokePath, formType, revokeRequest.form())
		s.post(t, introspectPath, formType, introspectRequest.form())
	}
	s.post(t, revokePath+"?token=v1.opaque", formType, revokeRequest.form())
	s.logsNone(t, "7700900123", "123456", webSecret, "wr0ng-secret", "eyJ.", "v1.")
	s.logs(t, `"client":"web"`, `"refused":"invalid_client"`)
}

func TestUnknownErrorsKeepTheirTextToThemselves(t *testing.T) {
	s := serve(t)
	for path, good := range doors {
		t.Run(path, func(t *testing.T) {
			s.forget()
			s.err = errors.New("pq: password authentication failed for user latchkey")
			requireError(t, s.post(t, path, jsonType, good.json(t)), 500, "server_error", unknownFault)
			s.forget()
			s.cause = "no channel for " + alice
			requireError(t, s.post(t, path, jsonType, good.json(t)), 500, "server_error", unknownFault)
			s.forget()
			require.Equal(t, 200, s.post(t, path, jsonType, good.json(t)).status, "a panic ends its own request only")
		})
	}
	s.logs(t, "password authentication failed", "panic in a handler")

	s.cause = errors.New("nil map")
	a := s.do(t, request{method: "GET", path: userInfoPath, headers: []string{"Authorization", "Bearer t"}})
	requireError(t, a, 500, "server_error", unknownFault)
	s.logsNone(t, "7700900123")
}

func TestHead(t *testing.T) {
	s := serve(t)
	for path, status := range map[string]int{
		jwksPath: 200, discoveryPath: 200, metadataPath: 200, listPath: 200,
		"/nope": 404, "/status-lists/nobody": 404, "/status-lists/stale": 503,
		startPath: 405, tokenPath: 405, legacyPath: 405, revokePath: 405, introspectPath: 405,
	} {
		t.Run(path, func(t *testing.T) {
			a := s.do(t, request{method: "HEAD", path: path})
			require.Equal(t, status, a.status)
			require.Empty(t, a.body)
			require.Empty(t, a.header.Get("Location"))
		})
	}
}

// What HTTP itself refuses before any handler is net/http's to answer; what a handler meets while
// it reads is ours.
func TestBodiesThatBreakOff(t *testing.T) {
	s := serve(t)
	head := "POST " + tokenPath + " HTTP/1.1\r\nHost: x\r\nOrigin: " + shop + "\r\nContent-Type: " + jsonType + "\r\n"
	for name, raw := range map[string]string{
		"chunk without a size": head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"too short":            head + "Content-Length: 200\r\n\r\n{\"client_id\":\"app\"",
	} {
		t.Run(name, func(t *testing.T) {
			dialer := net.Dialer{}
			conn, err := dialer.DialContext(t.Context(), "tcp", s.host)
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, raw)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			in, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer in.Body.Close()
			body, err := io.ReadAll(in.Body)
			require.NoError(t, err)
			requireError(t, answer{in.StatusCode, in.Header, string(body)}, 400, "invalid_request", "")
			require.Equal(t, shop, in.Header.Get("Access-Control-Allow-Origin"))
		})
	}
	require.Zero(t, s.calls())
}

// Headers to expect (wire contract 1): none of them is needed, and any may be garbage.
func TestHeadersOfSDKs(t *testing.T) {
	s := serve(t)
	for name, headers := range map[string][]string{
		"telemetry":         {"Auth0-Client", "eyJuYW1lIjoiYXV0aDAuanMifQ=="},
		"garbage":           {"Auth0-Client", "%%%\xff"},
		"language":          {"X-Request-Language", "cy-GB"},
		"no such language":  {"X-Request-Language", "\xff;;"},
		"no agent":          {"User-Agent", ""},
		"strange agent":     {"User-Agent", "\xfe\xff" + strings.Repeat("x", 9000)},
		"accept all":        {"Accept", "*/*"},
		"accept HTML":       {"Accept", "text/html"},
		"encoding":          {"Accept-Encoding", "br"},
		"request id":        {"X-Request-ID", "../../etc"},
		"unsupported token": {"Authorization", "Bearer stale"},
	} {
		t.Run(name, func(t *testing.T) {
			for path, good := range doors {
				a := s.post(t, path, jsonType, good.json(t), headers...)
				require.Equal(t, 200, a.status, a.body)
				requireJSON(t, a)
			}
		})
	}
}

// Where a request comes from is the socket's to say: a public client may not choose (O15, X4).
func TestSourceIsTheSocket(t *testing.T) {
	s := serve(t)
	spoofed := []string{"auth0-forwarded-for", "203.0.113.7", "X-Forwarded-For", "203.0.113.7", "X-Real-IP", "203.0.113.7", "Forwarded", "for=203.0.113.7"}
	s.post(t, startPath, jsonType, startRequest.json(t), spoofed...)
	s.post(t, tokenPath, jsonType, tokenRequest.json(t), spoofed...)
	s.post(t, tokenPath, jsonType, refreshRequest.json(t), spoofed...)
	s.post(t, revokePath, jsonType, revokeRequest.json(t), spoofed...)
	require.Equal(t, "127.0.0.1", string(s.starts[0].Origin.Source))
	require.Equal(t, "127.0.0.1", string(s.signIns[0].Origin.Source))
	require.Equal(t, "127.0.0.1", s.signIns[0].Address)
	require.Equal(t, "127.0.0.1", s.refreshes[0].Address)
	require.Equal(t, "127.0.0.1", s.revocations[0].Address)
}
