package twilio_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

func TestNoAnswer(t *testing.T) {
	t.Run("connection refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		wantNotSent(t, refusal(t, t.Context(), newSender(t, options("http://"+l.Addr().String()))), "connection refused")
	})
	t.Run("no such host", func(t *testing.T) {
		wantNotSent(t, refusal(t, t.Context(), newSender(t, options("http://latchkey.invalid"))), "")
	})
	t.Run("certificate not trusted", func(t *testing.T) {
		web := httptest.NewUnstartedServer(http.NotFoundHandler())
		web.Config.ErrorLog = log.New(io.Discard, "", 0)
		web.StartTLS()
		defer web.Close()
		wantNotSent(t, refusal(t, t.Context(), newSender(t, options(web.URL))), "certificate")
	})
	t.Run("not TLS at all", func(t *testing.T) {
		_, base := standIn(t)
		wantNotSent(t, refusal(t, t.Context(), newSender(t, options(strings.Replace(base, "http:", "https:", 1)))), "TLS failed")
	})
	t.Run("cancelled in the handshake", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var accepted net.Conn
		done := make(chan struct{})
		go func() {
			defer close(done)
			accepted, _ = l.Accept()
			cancel() // the client waits for a handshake that never comes
		}()
		wantNotSent(t, refusal(t, ctx, newSender(t, options("https://"+l.Addr().String()))), "cancelled")
		<-done
		_, _ = accepted.Close(), l.Close()
	})
	t.Run("cancelled before", func(t *testing.T) {
		server, base := standIn(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantNotSent(t, refusal(t, ctx, newSender(t, options(base))), "cancelled")
		if len(server.Messages()) != 0 {
			t.Error("a request went out")
		}
	})
	t.Run("cancelled after the request came in", func(t *testing.T) {
		server := twiliotest.New(twiliotest.Options{})
		server.Script(twiliotest.Held(make(chan struct{})))
		ctx, cancel := context.WithCancel(t.Context())
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cancel()
			server.ServeHTTP(w, r)
		}))
		defer web.Close()
		e := refusal(t, ctx, newSender(t, options(web.URL)))
		if e.Class != sms.UnknownOutcome || !strings.Contains(e.Reason, "cancelled") {
			t.Errorf("%v, want unknown_outcome", e)
		}
	})
	t.Run("cancelled within the answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"sid":`)
			_ = http.NewResponseController(w).Flush()
			cancel()
			<-r.Context().Done()
		}))
		defer web.Close()
		if e := refusal(t, ctx, newSender(t, options(web.URL))); e.Class != sms.UnknownOutcome {
			t.Errorf("%v, want unknown_outcome", e)
		}
	})
	t.Run("timeout of the setting", func(t *testing.T) {
		server, base := standIn(t)
		server.Script(twiliotest.Held(make(chan struct{})))
		opts := options(base)
		opts.Timeout = 200 * time.Millisecond
		// Without the setting this would wait for ever; how long it took is not asked.
		if e := refusal(t, t.Context(), newSender(t, opts)); !strings.Contains(e.Reason, "timed out") {
			t.Errorf("%v, want timed out", e)
		}
	})
}

func wantNotSent(t *testing.T, e *sms.Error, reason string) {
	t.Helper()
	if e.Class != sms.Provider || !e.Definite() || e.Status != 0 || !strings.Contains(e.Reason, reason) {
		t.Errorf("%v, want provider with %q", e, reason)
	}
}
