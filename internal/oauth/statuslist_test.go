package oauth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

func TestStatusList(t *testing.T) {
	s := serve(t)
	for name, headers := range map[string][]string{
		"bare":                nil,
		"as the draft has it": {"Accept", statuslist.MediaType},
		"any":                 {"Accept", "*/*"},
		"JSON":                {"Accept", jsonType, "Content-Type", jsonType},
		"a page":              {"Origin", stranger},
		"a tag":               {"If-None-Match", `"list-0"`},
		"a bare tag":          {"If-None-Match", "list-1"},
		"compressed":          {"Accept-Encoding", "gzip"}, // it has no such form
		"credentials":         {"Authorization", "Bearer stale"},
	} {
		for _, path := range []string{listPath, listPath + "?", listPath + "?time=1772600767", listPath + "?token=x"} {
			t.Run(name+" "+path, func(t *testing.T) {
				for _, method := range []string{"GET", "HEAD"} {
					a := s.do(t, request{method: method, path: path, headers: headers})
					require.Equal(t, 200, a.status, a.body)
					require.Equal(t, "application/statuslist+jwt", a.header.Get("Content-Type"))
					require.Equal(t, `"list-1"`, a.header.Get("ETag"))
					require.Equal(t, "public, max-age=15", a.header.Get("Cache-Control"))
					require.Equal(t, []string{"*"}, a.header.Values("Access-Control-Allow-Origin"))
					require.Equal(t, []string{"Accept-Encoding"}, a.header.Values("Vary"))
					require.Empty(t, a.header.Values("Content-Encoding"))
					require.Empty(t, a.header.Values("Set-Cookie"))
					if method == "GET" {
						require.Equal(t, listBody, a.body)
					} else {
						require.Empty(t, a.body)
					}
				}
			})
		}
	}
	require.Zero(t, s.calls(), "a list is served from memory")
}

func TestStatusListUnchanged(t *testing.T) {
	s := serve(t)
	for _, match := range []string{`"list-1"`, `W/"list-1"`, `"list-0", "list-1"`, `"list-0",W/"list-1" , "x"`, "*"} {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(method+" "+match, func(t *testing.T) {
				a := s.do(t, request{method: method, path: listPath, headers: []string{"If-None-Match", match}})
				require.Equal(t, 304, a.status)
				require.Empty(t, a.body)
				require.Equal(t, `"list-1"`, a.header.Get("ETag"))
				require.Equal(t, "public, max-age=15", a.header.Get("Cache-Control"))
				require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
			})
		}
	}
}

// RFC 9110 §12.5.3. The compressed form is other bytes, so its strong tag is another.
func TestStatusListCompressed(t *testing.T) {
	s := serve(t)
	for accept, compressed := range map[string]bool{
		"gzip": true, "GZip": true, " gzip ": true, "gzip, deflate, br, zstd": true, "br,gzip": true, "deflate , gzip;q=0.5": true,
		"gzip;q=1": true, "gzip; q=0.001": true, "gzip ; q=0.8, identity": true,
		"": false, "identity": false, "br": false, "*": false, "gzipped": false, "xgzip": false, "gzip;q=0": false, "gzip; q=0.0": false,
		"gzip;q=0.000, br": false, "gzip;q=": false, "gzip;q=x": false, "gzip;q=NaN": false, "gzip;q=-1": false, "deflate;q=1;gzip": false, ",;,;": false,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(method+" "+accept, func(t *testing.T) {
				a := s.do(t, request{method: method, path: "/status-lists/large", headers: []string{"Accept-Encoding", accept}})
				require.Equal(t, 200, a.status)
				require.Equal(t, "application/statuslist+jwt", a.header.Get("Content-Type"))
				require.Equal(t, []string{"Accept-Encoding"}, a.header.Values("Vary"))
				require.Equal(t, "public, max-age=59", a.header.Get("Cache-Control"))
				require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
				body, tag := largeBody, `"list-2"`
				if compressed {
					body, tag = zipped, `"list-2-gzip"`
					require.Equal(t, []string{"gzip"}, a.header.Values("Content-Encoding"))
				} else {
					require.Empty(t, a.header.Values("Content-Encoding"))
				}
				require.Equal(t, tag, a.header.Get("ETag"))
				if method == "GET" {
					require.Equal(t, body, a.body)
				}
				for match, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"list-1"`: 200} {
					b := s.do(t, request{method: method, path: "/status-lists/large", headers: []string{"Accept-Encoding", accept, "If-None-Match", match}})
					require.Equal(t, status, b.status, match)
					require.Equal(t, tag, b.header.Get("ETag"))
					require.Equal(t, []string{"Accept-Encoding"}, b.header.Values("Vary"))
				}
				other := map[bool]string{true: `"list-2"`, false: `"list-2-gzip"`}[compressed]
				b := s.do(t, request{method: method, path: "/status-lists/large", headers: []string{"Accept-Encoding", accept, "If-None-Match", other}})
				require.Equal(t, 200, b.status, "the form that a cache has is not the one asked for")
			})
		}
	}
}

// An answer that no verifier may rely upon must not be held by a cache either.
func TestStatusListRefusals(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		name, method, path string
		status             int
		code, retryAfter   string
	}{
		{"unknown", "GET", "/status-lists/nobody", 404, "not_found", ""},
		{"in capitals", "GET", "/status-lists/KNOWN", 404, "not_found", ""},
		{"stale", "GET", "/status-lists/stale", 503, "temporarily_unavailable", "5"},
		{"another method", "POST", listPath, 405, "method_not_allowed", ""},
		{"another method, unknown list", "DELETE", "/status-lists/nobody", 405, "method_not_allowed", ""},
	} {
		for _, headers := range [][]string{nil, {"Origin", stranger}, {"If-None-Match", "*"}, {"Accept", statuslist.MediaType}} {
			t.Run(tc.name+" "+strings.Join(headers, " "), func(t *testing.T) {
				a := s.do(t, request{method: tc.method, path: tc.path, headers: headers})
				requireError(t, a, tc.status, tc.code, "") // no-store too
				require.Equal(t, tc.retryAfter, a.header.Get("Retry-After"))
				require.Empty(t, a.header.Values("ETag"))
				require.Equal(t, []string{"*"}, a.header.Values("Access-Control-Allow-Origin"))
				if tc.method == "GET" {
					b := s.do(t, request{method: "HEAD", path: tc.path, headers: headers})
					require.Equal(t, tc.status, b.status)
					require.Empty(t, b.body)
					require.Equal(t, "no-store", b.header.Get("Cache-Control"))
					require.Equal(t, tc.retryAfter, b.header.Get("Retry-After"))
				}
			})
		}
	}
}

func TestStatusListsOfOddNames(t *testing.T) {
	s := serve(t)
	for _, id := range []string{
		"", "/", "//", "/known", "%6bnown", "known/", "known/x", ".", "..", "../known", "./known", "...", "%2e%2e", "%2e%2e%2fknown", "%2F", "%2fknown",
		"known%2f", "known%00", "%00", "%0d%0aX-Evil:1", "%ff", "%ed%a0%80", "known%20", "known;x=1", "known.jwt", "*", ":id", "known:", "known,known",
		"%25", "%2500", "ü", "%C3%BC", "+447700900123", "<script>", "'", "$%7Bjndi:x%7D", strings.Repeat("x", 10<<10), strings.Repeat("%2f", 3<<10),
		strings.Repeat("/x", 3<<10),
	} {
		short := id
		if len(short) > 20 {
			short = short[:20]
		}
		t.Run("name "+short, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
				a := s.do(t, request{method: method, path: "/status-lists/" + id})
				require.GreaterOrEqual(t, a.status, 400, a.body)
				require.Less(t, a.status, 500, a.body)
				require.Empty(t, a.header.Get("Location"))
				require.Empty(t, a.header.Get("X-Evil"))
				if method == "GET" {
					requireError(t, a, 404, "not_found", "")
				}
			}
		})
	}
	s.logsNone(t, "7700900123", "jndi", "script") // paths are the caller's
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, route := range s.routes {
		require.Contains(t, []string{"/status-lists/:id", "(none)"}, route)
	}
}

// RFC 9110 §15.4.5: a 304 carries no Content-Encoding.
func TestUnchangedListHasNoContentEncoding(t *testing.T) {
	s := serve(t)
	a := s.do(t, request{method: "GET", path: "/status-lists/large", headers: []string{"Accept-Encoding", "gzip", "If-None-Match", "*"}})
	require.Equal(t, 304, a.status)
	require.Empty(t, a.header.Values("Content-Encoding"))
}
