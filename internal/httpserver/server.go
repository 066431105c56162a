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
// is none of them: everything further left is the caller's own invention (X4).
func sourceExtractor(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range proxies {
		trust = append(trust, echo.TrustIPRange(&net.IPNet{
			IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
		}))
	}
	fromHeader := echo.ExtractIPFromXFFHeader(trust...)
	return func(r *http.Request) string {
		source := fromHeader(r)
		addr, err := netip.ParseAddr(source)
		if err == nil && slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) }) {
			// Every entry is a proxy's: the left-most would be the caller's choice.
			return echo.ExtractIPDirect()(r)
		}
		return source
	}
}
