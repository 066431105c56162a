package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/outbound"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "0": 0, "-5": 0, "soon": 0, "1.5": 0, "99999999999": 24 * time.Hour,
		now.Add(7 * time.Second).Format(http.TimeFormat):  7 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(1000 * time.Hour).Format(http.TimeFormat): 24 * time.Hour,
	} {
		require.Equal(t, want, outbound.RetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func TestCauseHoldsNoAddress(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"cancelled":                          context.Canceled,
		"timed out":                          context.DeadlineExceeded,
		"the host's name cannot be resolved": &net.DNSError{Name: "sms.example.com"},
		"connection broken":                  errors.New("read tcp 192.0.2.1: for +447700900123"),
	} {
		wrapped := fmt.Errorf("x: %w", &url.Error{Op: "Post", URL: "https://sms.example.com/?to=447700900123", Err: err})
		require.Equal(t, want, outbound.Cause(wrapped))
	}
}

func TestTraceKnowsWhatWasWritten(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(web.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	transport := outbound.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	for address, want := range map[string]bool{web.URL: true, closed.URL: false} {
		var trace outbound.Trace
		r, err := http.NewRequestWithContext(trace.Context(t.Context()), http.MethodPost, address, nil)
		require.NoError(t, err)
		_, err = transport.RoundTrip(r)
		require.Error(t, err)
		require.Equal(t, want, trace.Written())
	}
}
