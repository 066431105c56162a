package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/ops"
)

func serve(t *testing.T, h *ops.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	if h.Registry == nil {
		h.Registry = ops.NewMetrics(nothing()).Registry
	}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { ops.Fail(c, err) }
	h.Register(e)
	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return answer
}

func works(context.Context) error { return nil }

func fails(context.Context) error { return errors.New("dial tcp 10.1.2.3:5432: password=hunter2") }

func TestReadiness(t *testing.T) {
	for name, tc := range map[string]struct {
		checks   []ops.Check
		draining bool
		status   int
		want     string
	}{
		"nothing to check": {nil, false, 200, `{"status":"ready","checks":{}}`},
		"all well": {[]ops.Check{{Name: "database", Run: works}, {Name: "redis", Run: works}}, false, 200,
			`{"status":"ready","checks":{"database":"ok","redis":"ok"}}`},
		"one fails": {[]ops.Check{{Name: "database", Run: works}, {Name: "redis", Run: fails}}, false, 503,
			`{"status":"not ready","checks":{"database":"ok","redis":"unavailable"}}`},
		"the first fails": {[]ops.Check{{Name: "database", Run: fails}, {Name: "redis", Run: works}}, false, 503,
			`{"status":"not ready","checks":{"database":"unavailable","redis":"ok"}}`},
		"all fail": {[]ops.Check{{Name: "database", Run: fails}, {Name: "redis", Run: fails}}, false, 503,
			`{"status":"not ready","checks":{"database":"unavailable","redis":"unavailable"}}`},
		"an optional one fails": {[]ops.Check{{Name: "database", Run: works}, {Name: "provider", Run: fails, Optional: true}}, false, 200,
			`{"status":"degraded","checks":{"database":"ok","provider":"unavailable"}}`},
		"draining": {[]ops.Check{{Name: "database", Run: works}}, true, 503,
			`{"status":"stopping","checks":{"database":"ok"}}`},
		"draining, and one fails": {[]ops.Check{{Name: "database", Run: fails}}, true, 503,
			`{"status":"stopping","checks":{"database":"unavailable"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := &ops.Handler{Checks: tc.checks}
			if tc.draining {
				require.NotEqual(t, `"stopping"`, serve(t, h, http.MethodGet, "/readyz").Body.String())
				h.Drain()
			}
			answer := serve(t, h, http.MethodGet, "/readyz")
			require.Equal(t, tc.status, answer.Code)
			require.JSONEq(t, tc.want, answer.Body.String())
			require.NotContains(t, answer.Body.String(), "hunter2", "errors are for the log of doctor")
		})
	}
}

// A check that hangs must not hang the probe: its context ends.
func TestReadinessEndsChecks(t *testing.T) {
	var left time.Duration
	bounded := false
	h := &ops.Handler{Checks: []ops.Check{{Name: "database", Run: func(ctx context.Context) error {
		var end time.Time
		end, bounded = ctx.Deadline()
		left = time.Until(end)
		return nil
	}}}}
	serve(t, h, http.MethodGet, "/readyz")
	require.True(t, bounded)
	require.Less(t, left, time.Second, "probes usually wait for a second")

	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the prober has given up
	e := echo.New()
	waits := &ops.Handler{Checks: []ops.Check{{Name: "database", Run: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}}, Registry: h.Registry}
	waits.Register(e)
	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
}

func TestLivenessLooksAtNothing(t *testing.T) {
	h := &ops.Handler{Checks: []ops.Check{{Name: "database", Run: func(context.Context) error {
		t.Error("restarting us mends no database")
		return nil
	}}}}
	h.Drain()
	answer := serve(t, h, http.MethodGet, "/healthz")
	require.Equal(t, http.StatusOK, answer.Code)
	require.JSONEq(t, `{"status":"ok"}`, answer.Body.String())
}

func TestHEADIsAnsweredLikeGET(t *testing.T) {
	h := &ops.Handler{Checks: []ops.Check{{Name: "redis", Run: fails}}}
	require.Equal(t, http.StatusOK, serve(t, h, http.MethodHead, "/healthz").Code)
	require.Equal(t, http.StatusServiceUnavailable, serve(t, h, http.MethodHead, "/readyz").Code)
}

func TestWhatIsNotThere(t *testing.T) {
	answer := serve(t, &ops.Handler{}, http.MethodGet, "/admin")
	require.Equal(t, http.StatusNotFound, answer.Code)
	var said map[string]string
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &said))
	require.Equal(t, "/healthz /readyz /metrics", said["see"])
	require.NotEqual(t, http.StatusOK, serve(t, &ops.Handler{}, http.MethodPost, "/readyz").Code)
}

func TestMetrics(t *testing.T) {
	waiting, age := 3, 1500*time.Millisecond
	staged := keyring.Key{KID: "next"}
	standings, failures, behind := []keyring.Standing{
		{Algorithm: keyring.RS256, Age: 48 * time.Hour, Rotates: 28 * 24 * time.Hour, Staged: &staged},
		{Algorithm: keyring.ES256, Age: time.Minute, Rotates: -90 * time.Second},
		{Algorithm: keyring.EdDSA, Age: time.Hour, Rotates: -time.Hour, Never: true},
	}, int64(5), map[string]int{keyring.RS256: 2, keyring.ES256: 0}
	spending, open := ops.Spending{Spent: 1.25, Budget: 20}, []ops.Breaker{{Provider: "twilio"}, {Provider: "twilio", Country: "FR"}}
	m := ops.NewMetrics(ops.Watched{
		Queued: func() int { return waiting }, ListAge: func() time.Duration { return age },
		Keys: func() []keyring.Standing { return standings }, KeyFailures: func() int64 { return failures },
		VerifiersBehind: func() map[string]int { return behind },
		Spending:        func() ops.Spending { return spending }, Breakers: func() []ops.Breaker { return open },
	})
	observe := m.Observe("public")
	observe("/oauth/token", "POST", 200, 3*time.Millisecond)
	observe("/oauth/token", "POST", 200, 2*time.Second)
	observe("/oauth/token", "post", 403, time.Millisecond)
	for _, invented := range []string{"BREW", "", "GET ", "TRACE", "CONNECT"} {
		observe("(none)", invented, 404, time.Millisecond)
	}
	for _, known := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		m.Observe("admin")("/admin", known, 405, time.Millisecond)
	}
	m.Text("GB", "accepted")
	m.Text("GB", "accepted")
	m.Text("FR", "withheld")
	m.Limited("source_starts", "start", "refused")
	m.Limited("source_starts", "start", "recorded")
	m.Limited("source_starts", "start", "refused")
	m.Alarm("breaker_open")
	m.Delivery("GB", "delivered")

	h := &ops.Handler{Registry: m.Registry}
	answer := serve(t, h, http.MethodGet, "/metrics")
	require.Equal(t, http.StatusOK, answer.Code)
	text := answer.Body.String()
	const count = "latchkey_http_request_duration_seconds_count"
	for _, line := range []string{
		count + `{listener="public",method="POST",route="/oauth/token",status="200"} 2`,
		count + `{listener="public",method="other",route="/oauth/token",status="403"} 1`,
		count + `{listener="public",method="other",route="(none)",status="404"} 5`,
		count + `{listener="admin",method="GET",route="/admin",status="405"} 1`,
		count + `{listener="admin",method="OPTIONS",route="/admin",status="405"} 1`,
		`latchkey_http_request_duration_seconds_sum{listener="public",method="POST",route="/oauth/token",status="200"} 2.003`,
		`latchkey_sms_total{country="GB",result="accepted"} 2`,
		`latchkey_sms_total{country="FR",result="withheld"} 1`,
		`latchkey_limit_decisions_total{door="start",outcome="refused",rule="source_starts"} 2`,
		`latchkey_limit_decisions_total{door="start",outcome="recorded",rule="source_starts"} 1`,
		`latchkey_alarms_total{alarm="breaker_open"} 1`,
		`latchkey_sms_deliveries_total{country="GB",status="delivered"} 1`,
		"# TYPE latchkey_sms_spent gauge\nlatchkey_sms_spent 1.25\n",
		"latchkey_sms_budget 20\n",
		`latchkey_sms_breaker_open{country="",provider="twilio"} 1`,
		`latchkey_sms_breaker_open{country="FR",provider="twilio"} 1`,
		`latchkey_sms_queue_length 3`,
		"# TYPE latchkey_status_list_age_seconds gauge\nlatchkey_status_list_age_seconds 1.5\n",
		"# TYPE latchkey_signing_key_age_seconds gauge\n",
		`latchkey_signing_key_age_seconds{algorithm="RS256"} 172800`,
		`latchkey_signing_key_age_seconds{algorithm="EdDSA"} 3600`,
		`latchkey_signing_key_rotation_seconds{algorithm="RS256"} 2.4192e+06`,
		`latchkey_signing_key_rotation_seconds{algorithm="ES256"} -90`,
		`latchkey_verifiers_behind{algorithm="RS256"} 2`,
		`latchkey_verifiers_behind{algorithm="ES256"} 0`,
		"# TYPE latchkey_key_rotation_failures_total counter\nlatchkey_key_rotation_failures_total 5\n",
		"go_goroutines ",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "BREW", "a caller makes no labels")
	require.NotContains(t, text, `latchkey_signing_key_rotation_seconds{algorithm="EdDSA"}`, "it is done by hand")
	waiting, age = 0, 2*time.Hour
	standings, failures = standings[:1], 6
	spending, open = ops.Spending{Spent: 0.0079, Budget: 40}, nil
	text = serve(t, h, http.MethodGet, "/metrics").Body.String()
	require.Contains(t, text, "latchkey_sms_queue_length 0\n")
	require.Contains(t, text, "latchkey_status_list_age_seconds 7200\n", "it is asked for anew each time")
	require.NotContains(t, text, "latchkey_status_list_age_seconds{", "of all lists at once: no label by list")
	require.Contains(t, text, "latchkey_key_rotation_failures_total 6\n")
	require.NotContains(t, text, `latchkey_signing_key_age_seconds{algorithm="ES256"}`, "an algorithm that is gone")
	require.Contains(t, text, "latchkey_sms_spent 0.0079\n")
	require.Contains(t, text, "latchkey_sms_budget 40\n")
	require.NotContains(t, text, "latchkey_sms_breaker_open{", "a breaker that has closed")
	ops.NewMetrics(nothing()) // twice in one process, as tests and dev need
}

func nothing() ops.Watched {
	return ops.Watched{
		Queued: func() int { return 0 }, ListAge: func() time.Duration { return 0 },
		Keys: func() []keyring.Standing { return nil }, KeyFailures: func() int64 { return 0 }, VerifiersBehind: func() map[string]int { return nil },
		Spending: func() ops.Spending { return ops.Spending{} }, Breakers: func() []ops.Breaker { return nil },
	}
}
