package ops

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTimeout bounds one readiness check; probes usually wait for a second or more.
const checkTimeout = 900 * time.Millisecond

// Check says whether a dependency can serve.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
	// Optional dependencies are reported, and we are ready without them.
	Optional bool
}

// Handler serves health and metrics. It is safe for concurrent use.
type Handler struct {
	Checks   []Check
	Registry *prometheus.Registry

	draining atomic.Bool
}

// Drain makes readiness fail from now on, so that no more requests are sent here.
func (h *Handler) Drain() { h.draining.Store(true) }

// Register mounts the endpoints.
func (h *Handler) Register(e *echo.Echo) {
	readable := []string{http.MethodGet, http.MethodHead}
	e.Match(readable, "/healthz", h.live)
	e.Match(readable, "/readyz", h.ready)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(h.Registry, promhttp.HandlerOpts{})))
}

// live says that the process answers. It looks at nothing else: restarting us mends no database.
func (h *Handler) live(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

// ready says whether requests should be sent here. What is wrong with a dependency is doctor's to
// say: this page names only who is at fault.
func (h *Handler) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), checkTimeout)
	defer cancel()
	verdicts := make([]string, len(h.Checks))
	done := make(chan struct{})
	for i, check := range h.Checks {
		go func() {
			verdicts[i] = verdict(check.Run(ctx))
			done <- struct{}{}
		}()
	}
	for range h.Checks {
		<-done
	}
	answer, status := readiness{"ready", map[string]string{}}, http.StatusOK
	for i, check := range h.Checks {
		answer.Checks[check.Name] = verdicts[i]
		switch {
		case verdicts[i] == "ok":
		case !check.Optional:
			answer.Status, status = "not ready", http.StatusServiceUnavailable
		case status == http.StatusOK:
			answer.Status = "degraded"
		}
	}
	if h.draining.Load() {
		answer.Status, status = "stopping", http.StatusServiceUnavailable
	}
	return c.JSON(status, answer)
}

func verdict(err error) string {
	if err != nil {
		return "unavailable"
	}
	return "ok"
}

// Fail renders any error, for httpserver.
func Fail(c echo.Context, err error) {
	status := http.StatusInternalServerError
	var router *echo.HTTPError
	if errors.As(err, &router) {
		status = router.Code
	}
	_ = c.JSON(status, map[string]string{"status": http.StatusText(status), "see": "/healthz /readyz /metrics"})
}
