package httpserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/httpserver"
)

// fixture is a server with some routes, and what came of a request.
type fixture struct {
	*httpserver.Server
	log      bytes.Buffer
	observed []string
	failed   []error
	source   string
}

var errOfHandler = errors.New("redis unavailable: dial tcp 10.0.0.9:6379")

func newFixture(t *testing.T, change func(o *httpserver.Options)) *fixture {
	t.Helper()
	f := &fixture{}
	opts := httpserver.Options{
		Name: "public", Log: slog.New(slog.NewJSONHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Fail: func(c echo.Context, err error) {
			f.failed = append(f.failed, err)
			status := http.StatusInternalServerError
			var refused *echo.HTTPError
			if errors.As(err, &refused) {
				status = refused.Code
			}
			_ = c.JSON(status, map[string]string{"error": "failed"})
		},
		Observe: func(route, method string, status int, took time.Duration) {
			f.observed = append(f.observed, method+" "+route+" "+http.StatusText(status))
			require.GreaterOrEqual(t, took, time.Duration(0))
		},
	}
	if change != nil {
		change(&opts)
	}
	f.Server = httpserver.New(opts)
	f.Echo.GET("/ok/:number", func(c echo.Context) error {
		f.source = c.RealIP()
		httpserver.Note(c, slog.String("client", "app"))
		httpserver.Note(c, slog.String("sid", "session"), slog.String("tier", "employee"))
		return c.String(http.StatusOK, "fine")
	})
	f.Echo.GET("/error", func(echo.Context) error { return errOfHandler })
	f.Echo.GET("/late", func(c echo.Context) error {
		_ = c.String(http.StatusOK, "begun")
		return errOfHandler
	})
	f.Echo.GET("/panic", func(echo.Context) error { panic("the code is 123456") })
	f.Echo.GET("/bounds", func(c echo.Context) error { return []error(nil)[len(c.ParamNames())] })
	return f
}

func (f *fixture) get(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "remote" {
			request.RemoteAddr = headers[i+1]
			continue
		}
		request.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	f.Echo.ServeHTTP(answer, request)
	return answer
}

// lines are what was logged, by message.
func (f *fixture) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(f.log.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

func TestRequestID(t *testing.T) {
	for name, tc := range map[string]struct {
		given string
		kept  bool
	}{
		"a UUID":             {"7f3c2a10-1b2c-4d5e-8f90-abcdefabcdef", true},
		"the shortest":       {"abcd_.-1", true},
		"the longest":        {strings.Repeat("x", 64), true},
		"none":               {"", false},
		"too short":          {"abcdefg", false},
		"too long":           {strings.Repeat("x", 65), false},
		"a space":            {"abcd efgh", false},
		"a line break":       {"abcdefgh\n", false},
		"a forged log field": {`abcdefgh" level="INFO`, false},
		"markup":             {"<script>alert</script>", false},
		"not ASCII":          {"abcdefghé", false},
		"a phone number":     {"+447700900123", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			id := f.get(t, "/ok/1", echo.HeaderXRequestID, tc.given).Header().Get(echo.HeaderXRequestID)
			if tc.kept {
				require.Equal(t, tc.given, id)
			} else {
				require.Regexp(t, `\A[a-z2-7]{26}\z`, id)
			}
			require.Equal(t, id, f.lines(t, "request")[0]["request_id"], "the log and the answer have one id")
		})
	}
	f := newFixture(t, nil)
	for _, path := range []string{"/error", "/panic", "/nowhere"} {
		require.NotEmpty(t, f.get(t, path).Header().Get(echo.HeaderXRequestID), path)
	}
	require.NotEqual(t, f.get(t, "/ok/1").Header(), f.get(t, "/ok/1").Header())
}

// One line a request; numbers in paths and queries stay out of it.
func TestTheLogLine(t *testing.T) {
	f := newFixture(t, nil)
	f.get(t, "/ok/+447700900123?code=918273&username=%2B447700900123", "remote", "192.0.2.7:1234")
	lines := f.lines(t, "request")
	require.Len(t, lines, 1)
	line := lines[0]
	for name, want := range map[string]any{
		"level": "INFO", "listener": "public", "method": "GET", "route": "/ok/:number", "status": float64(200),
		"source": "192.0.2.7", "client": "app", "sid": "session", "tier": "employee",
	} {
		require.Equal(t, want, line[name], name)
	}
	require.Contains(t, line, "took_ms")
	for _, private := range []string{"918273", "7700900123", "username"} {
		require.NotContains(t, f.log.String(), private)
	}
	require.Equal(t, []string{"GET /ok/:number OK"}, f.observed)
}

func TestAPathWithoutARoute(t *testing.T) {
	f := newFixture(t, nil)
	answer := f.get(t, "/users/+447700900123?x=918273")
	require.Equal(t, http.StatusNotFound, answer.Code)
	require.JSONEq(t, `{"error":"failed"}`, answer.Body.String(), "in the listener's own shape")
	require.Equal(t, "(none)", f.lines(t, "request")[0]["route"])
	require.Equal(t, []string{"GET (none) Not Found"}, f.observed, "nobody makes a label of a path")
	require.NotContains(t, f.log.String(), "7700900123")
	require.NotContains(t, f.log.String(), "918273")
}

func TestErrorsGoToFailAndTheLog(t *testing.T) {
	f := newFixture(t, nil)
	answer := f.get(t, "/error")
	require.Equal(t, http.StatusInternalServerError, answer.Code)
	require.Equal(t, []error{errOfHandler}, f.failed, "once")
	require.NotContains(t, answer.Body.String(), "redis")
	line := f.lines(t, "request")[0]
	require.Equal(t, "ERROR", line["level"])
	require.Equal(t, errOfHandler.Error(), line["error"])
	require.Equal(t, []string{"GET /error Internal Server Error"}, f.observed)
}

func TestAnErrorAfterTheAnswerBegan(t *testing.T) {
	f := newFixture(t, nil)
	answer := f.get(t, "/late")
	require.Equal(t, "begun", answer.Body.String(), "no second answer behind the first")
	require.Empty(t, f.failed)
}

func TestAPanicIsABare500(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{"/panic", "/bounds"} {
		answer := f.get(t, path)
		require.Equal(t, http.StatusInternalServerError, answer.Code)
		require.JSONEq(t, `{"error":"failed"}`, answer.Body.String())
	}
	require.Len(t, f.failed, 2)
	require.ErrorIs(t, f.failed[0], httpserver.ErrPanic)
	panics := f.lines(t, "panic in a handler")
	require.Len(t, panics, 2)
	require.Equal(t, "/panic", panics[0]["route"])
	require.Equal(t, "string", panics[0]["panic"])
	require.NotContains(t, f.log.String(), "123456", "what it panicked with may be private")
	require.Equal(t, "runtime error: index out of range [0] with length 0", panics[1]["panic"], "what the runtime says is not")
	require.Contains(t, panics[0]["stack"], "httpserver_test.go")
	require.Len(t, f.lines(t, "request"), 2)
	require.Equal(t, http.StatusOK, f.get(t, "/ok/1").Code, "and the next request is served")
}

func TestEveryRequestHasAnEnd(t *testing.T) {
	f := newFixture(t, nil)
	bounded := false
	var left time.Duration
	f.Echo.GET("/deadline", func(c echo.Context) error {
		end, ok := c.Request().Context().Deadline()
		bounded, left = ok, time.Until(end)
		return c.NoContent(http.StatusNoContent)
	})
	f.get(t, "/deadline")
	require.True(t, bounded)
	require.Less(t, left, 10*time.Second, "most clients give up after 10 s")
	require.Positive(t, left)
}

func TestWithoutAnObserver(t *testing.T) {
	f := newFixture(t, func(o *httpserver.Options) { o.Observe = nil })
	require.Equal(t, http.StatusOK, f.get(t, "/ok/1").Code)
}

func TestSource(t *testing.T) {
	const xff, proxy, caller = "X-Forwarded-For", "10.0.0.1:443", "198.51.100.7"
	for name, tc := range map[string]struct {
		proxies string
		headers []string
		want    string
	}{
		"direct":                          {"", []string{"remote", "192.0.2.7:1"}, "192.0.2.7"},
		"no proxies, header ignored":      {"", []string{"remote", "192.0.2.7:1", xff, caller}, "192.0.2.7"},
		"no proxies, other headers":       {"", []string{"remote", "192.0.2.7:1", "X-Real-IP", caller, "Forwarded", "for=" + caller}, "192.0.2.7"},
		"no proxies, a private neighbour": {"", []string{"remote", proxy, xff, caller}, "10.0.0.1"},
		"no proxies, a local process":     {"", []string{"remote", "127.0.0.1:1", xff, caller}, "127.0.0.1"},
		"a stranger's header":             {"10.0.0.0/8", []string{"remote", "192.0.2.7:1", xff, caller}, "192.0.2.7"},
		"loopback is no proxy by itself":  {"10.0.0.0/8", []string{"remote", "127.0.0.1:1", xff, caller}, "127.0.0.1"},
		"private is no proxy by itself":   {"10.0.0.0/8", []string{"remote", "192.168.1.1:1", xff, caller}, "192.168.1.1"},
		"link-local is none either":       {"10.0.0.0/8", []string{"remote", "169.254.1.1:1", xff, caller}, "169.254.1.1"},
		"through the proxy":               {"10.0.0.0/8", []string{"remote", proxy, xff, caller}, caller},
		"the proxy says nothing":          {"10.0.0.0/8", []string{"remote", proxy}, "10.0.0.1"},
		"the caller invents an entry":     {"10.0.0.0/8", []string{"remote", proxy, xff, "203.0.113.1, " + caller}, caller},
		"the caller invents a proxy":      {"10.0.0.0/8", []string{"remote", proxy, xff, "203.0.113.1, 10.9.9.9, " + caller}, caller},
		"two proxies":                     {"10.0.0.0/8", []string{"remote", proxy, xff, "203.0.113.1, " + caller + ", 10.0.0.2"}, caller},
		"two headers":                     {"10.0.0.0/8", []string{"remote", proxy, xff, "203.0.113.1", xff, caller}, caller},
		"two networks":                    {"10.0.0.0/8 172.16.0.0/12", []string{"remote", proxy, xff, caller + ", 172.16.5.5"}, caller},
		"outside the network":             {"10.0.0.0/30", []string{"remote", "10.0.0.4:1", xff, caller}, "10.0.0.4"},
		"X-Real-IP through the proxy":     {"10.0.0.0/8", []string{"remote", proxy, "X-Real-IP", caller}, "10.0.0.1"},
		"rubbish from the proxy":          {"10.0.0.0/8", []string{"remote", proxy, xff, "unknown"}, ""},
		"rubbish right of the caller":     {"10.0.0.0/8", []string{"remote", proxy, xff, caller + ", unknown"}, ""},
		"a comma too many":                {"10.0.0.0/8", []string{"remote", proxy, xff, caller + ","}, ""},
		"with a port":                     {"10.0.0.0/8", []string{"remote", proxy, xff, caller + ":8080"}, caller},
		"IPv6 with a port":                {"10.0.0.0/8", []string{"remote", proxy, xff, "[2001:db9::7]:443"}, "2001:db9::7"},
		"IPv6 in brackets":                {"10.0.0.0/8", []string{"remote", proxy, xff, "[2001:db9::7]"}, "2001:db9::7"},
		"a proxy with a port":             {"10.0.0.0/8", []string{"remote", proxy, xff, caller + ", 10.0.0.2:99"}, caller},
		"rubbish left of the caller":      {"10.0.0.0/8", []string{"remote", proxy, xff, "<script>, " + caller}, caller},
		"an IPv6 proxy":                   {"2001:db8::/32", []string{"remote", "[2001:db8::1]:1", xff, "2001:db9::7"}, "2001:db9::7"},
		"an IPv6 stranger":                {"2001:db8::/32", []string{"remote", "[2001:db9::1]:1", xff, caller}, "2001:db9::1"},
		"an IPv4 proxy on an IPv6 socket": {"10.0.0.0/8", []string{"remote", "[::ffff:10.0.0.1]:1", xff, caller}, caller},
		"one address as a network":        {"10.0.0.1/32", []string{"remote", proxy, xff, caller}, caller},
		"a network not masked":            {"10.0.0.77/24", []string{"remote", proxy, xff, caller}, caller},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *httpserver.Options) {
				for _, network := range strings.Fields(tc.proxies) {
					o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(network))
				}
			})
			f.get(t, "/ok/1", tc.headers...)
			require.Equal(t, tc.want, f.source)
			require.Equal(t, tc.want, f.lines(t, "request")[0]["source"])
		})
	}
}
