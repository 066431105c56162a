// Package admin is the listener for the people who run Latchkey. What it serves so far is its own
// shape of errors: the console and the admin API live under /admin when they come. It is never
// reachable from the public listener.
package admin

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
)

// problem is RFC 9457's shape of an error.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
}

// Fail renders any error as problem details, for httpserver. What went wrong inside stays in the log.
func Fail(c echo.Context, err error) {
	status := http.StatusInternalServerError
	var router *echo.HTTPError
	if errors.As(err, &router) {
		status = router.Code
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(status)
	_ = c.Echo().JSONSerializer.Serialize(c, problem{"about:blank", http.StatusText(status), status}, "")
}
