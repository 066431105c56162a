package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Limits of one request (X9).
const (
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 32 << 10
	// handleTimeout ends work for a caller who has given up: most clients wait 10 s.
	handleTimeout = 8 * time.Second
)

// Options make a server.
type Options struct {
	// Name is the listener's, for logs: "public".
	Name string
	// Listener is where requests come from; the server closes it.
	Listener net.Listener
	// CertFile and KeyFile end TLS here; both empty for plain HTTP.
	CertFile, KeyFile string
	// TrustedProxies are whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Fail renders an error of a handler, or of the router, in the listener's shape.
	Fail func(c echo.Context, err error)
	// Observe is told of each request when it is over; nil for nobody.
	Observe func(route, method string, status int, took time.Duration)
	// Quiet leaves out the line of a request that went well: probes every few seconds are no news.
	Quiet bool
	Log   *slog.Logger
}

// Server is one listener.
type Server struct {
	// Echo takes the routes, before Serve.
	Echo   *echo.Echo
	opts   Options
	server *http.Server
}

// New returns a server that does not answer yet.
func New(opts Options) *Server {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = sourceExtractor(opts.TrustedProxies)
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if !c.Response().Committed {
			opts.Fail(c, err)
		}
	}
	e.Use(observe(opts), recoverPanic(opts.Log), deadline)
	e.Logger.SetOutput(slogWriter{opts.Log})
	return &Server{
		Echo: e, opts: opts,
		server: &http.Server{
			Handler: e, ReadTimeout: readTimeout, ReadHeaderTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
			ErrorLog: slog.NewLogLogger(opts.Log.Handler(), slog.LevelWarn),
		},
	}
}

// Serve answers requests until Shutdown, after which it returns nil.
func (s *Server) Serve() error {
	var err error
	if s.opts.CertFile != "" {
		err = s.server.ServeTLS(s.opts.Listener, s.opts.CertFile, s.opts.KeyFile)
	} else {
		err = s.server.Serve(s.opts.Listener)
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s listener: %w", s.opts.Name, err)
	}
	return nil
}

// Shutdown stops listening and waits for the requests under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("%s listener: %w", s.opts.Name, errors.Join(err, s.server.Close()))
	}
	return nil
}

// sourceExtractor believes X-Forwarded-For only from proxies, and of it the right-most entry that
// is none of them: everything further left is the caller's own invention (X4). An entry there that is no
// address gives none: taking the proxy's would make all its users one, and soon a trusted one.
func sourceExtractor(proxies []netip.Prefix) echo.IPExtractor {
	trusted := func(addr netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	direct := echo.ExtractIPDirect()
	return func(r *http.Request) string {
		caller := direct(r)
		if remote, ok := address(caller); !ok || !trusted(remote) {
			return caller
		}
		entries := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		if len(entries) == 1 && strings.TrimSpace(entries[0]) == "" {
			return caller // the proxy's own request
		}
		for _, entry := range slices.Backward(entries) {
			switch addr, ok := address(entry); {
			case !ok:
				return ""
			case !trusted(addr):
				return addr.String()
			}
		}
		return caller // every entry is a proxy's: the left-most would be the caller's choice
	}
}

// address reads an entry as proxies write it: an address, in brackets or not, with a port or without.
func address(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	withPort, err := netip.ParseAddrPort(entry)
	return withPort.Addr().Unmap().WithZone(""), err == nil
}
