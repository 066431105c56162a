package httpserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Note adds to the request's log line: a client, a session. Values must be fit for a log.
func Note(c echo.Context, attrs ...slog.Attr) {
	noted, _ := c.Get(notesKey).([]slog.Attr)
	c.Set(notesKey, append(noted, attrs...))
}

const notesKey = "latchkey/notes"

// ErrPanic is what Fail gets for a handler that panicked; the panic itself is in the log.
var ErrPanic = errors.New("httpserver: handler panicked")

// observe gives the request an id and, when it is over, writes its one log line. The path is the
// route's pattern, and the query is left out: either could hold a number.
func observe(opts Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			begun := time.Now()
			id := requestID(c.Request().Header.Get(echo.HeaderXRequestID))
			c.Response().Header().Set(echo.HeaderXRequestID, id)
			c.Response().Header().Set(echo.HeaderXContentTypeOptions, "nosniff")
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			took := time.Since(begun)
			status := c.Response().Status
			route := c.Path()
			if route == "" {
				route = "(none)"
			}
			if opts.Observe != nil {
				opts.Observe(route, c.Request().Method, status, took)
			}
			attrs := []slog.Attr{
				slog.String("listener", opts.Name), slog.String("request_id", id),
				slog.String("method", c.Request().Method), slog.String("route", route),
				slog.Int("status", status), slog.Float64("took_ms", float64(took.Microseconds())/1000), slog.String("source", c.RealIP()),
			}
			if noted, ok := c.Get(notesKey).([]slog.Attr); ok {
				attrs = append(attrs, noted...)
			}
			level := slog.LevelInfo
			if status >= http.StatusInternalServerError {
				level = slog.LevelError
				if err != nil {
					attrs = append(attrs, slog.Any("error", err))
				}
			}
			if opts.Quiet && status < http.StatusInternalServerError {
				return nil
			}
			opts.Log.LogAttrs(c.Request().Context(), level, "request", attrs...)
			return nil
		}
	}
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// requestID keeps the id that a proxy gave, so that its logs and ours meet, if it is harmless.
func requestID(given string) string {
	if plainID.MatchString(given) {
		return given
	}
	return strings.ToLower(rand.Text())
}

// recoverPanic keeps one broken request from taking the others along.
func recoverPanic(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				said := fmt.Sprintf("%T", cause) // the value itself may hold a number
				if fault, ok := cause.(runtime.Error); ok {
					said = fault.Error()
				}
				log.ErrorContext(c.Request().Context(), "panic in a handler",
					"route", c.Path(), "panic", said, "stack", string(debug.Stack()))
				err = ErrPanic
			}()
			return next(c)
		}
	}
}

// deadline ends the work of a request whose caller has given up waiting.
func deadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), handleTimeout)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// slogWriter takes what echo prints by itself.
type slogWriter struct{ log *slog.Logger }

func (w slogWriter) Write(p []byte) (int, error) {
	w.log.Debug("echo", "message", strings.TrimSpace(string(p)))
	return len(p), nil
}
