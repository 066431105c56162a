package httpserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/httpserver"
)

// listening is a fixture that answers on an address.
func listening(t *testing.T, routes func(e *echo.Echo)) (f *fixture, address string, served chan error) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f = newFixture(t, func(o *httpserver.Options) { o.Listener = listener })
	routes(f.Echo)
	served = make(chan error, 1)
	go func() { served <- f.Serve() }()
	return f, listener.Addr().String(), served
}

// A stop loses nothing: who is being answered is answered to the end, and nobody new is taken.
func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	f, address, served := listening(t, func(e *echo.Echo) {
		e.GET("/slow", func(c echo.Context) error {
			close(begun)
			<-finish
			return c.String(http.StatusOK, "to the end")
		})
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /slow HTTP/1.1\r\nHost: latchkey\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	<-begun

	stopped := make(chan error, 1)
	go func() { stopped <- f.Shutdown(context.WithoutCancel(t.Context())) }()
	require.NoError(t, <-served, "Serve returns at once, without an error")
	_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.Error(t, err, "nobody new is taken")
	select {
	case err := <-stopped:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(finish)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, "to the end", string(body))
	require.NoError(t, <-stopped)
}

func TestShutdownGivesUpWhenItsTimeIsOver(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	f, address, served := listening(t, func(e *echo.Echo) {
		e.GET("/stuck", func(c echo.Context) error {
			defer close(ended)
			close(begun)
			<-c.Request().Context().Done()
			return c.Request().Context().Err()
		})
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /stuck HTTP/1.1\r\nHost: latchkey\r\n\r\n")
	require.NoError(t, err)
	<-begun
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err = f.Shutdown(over)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "public listener")
	require.NoError(t, <-served)
	<-ended // its connection was closed, which ends its work
}

func TestServeTellsOfABrokenListener(t *testing.T) {
	f, address, served := listening(t, func(*echo.Echo) {})
	require.NotEmpty(t, address)
	require.NoError(t, f.Shutdown(t.Context()))
	require.NoError(t, <-served)

	var config net.ListenConfig
	closed, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	broken := newFixture(t, func(o *httpserver.Options) { o.Name, o.Listener = "admin", closed })
	require.ErrorContains(t, broken.Serve(), "admin listener")

	open, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	noCert := newFixture(t, func(o *httpserver.Options) {
		o.Listener, o.CertFile, o.KeyFile = open, "no-such-file", "no-such-file"
	})
	require.ErrorContains(t, noCert.Serve(), "no-such-file")
}

// X9: 32 KiB of headers. net/http allows 4 KiB more for what it reads ahead.
func TestHeadersThatAreTooLong(t *testing.T) {
	f, address, served := listening(t, func(*echo.Echo) {})
	for size, want := range map[int]int{30 << 10: http.StatusOK, 40 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		_, _ = fmt.Fprintf(conn, "GET /ok/1 HTTP/1.1\r\nHost: latchkey\r\nConnection: close\r\nX: %s\r\n\r\n", strings.Repeat("x", size))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode)
		require.NoError(t, conn.Close())
	}
	require.NoError(t, f.Shutdown(t.Context()))
	require.NoError(t, <-served)
}
