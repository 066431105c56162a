package devpage

import (
	"net/netip"
	"net/url"

	"github.com/labstack/echo/v4"
)

// hereOnly keeps dev's pages to hosts that name this machine. Any page on the internet can give its
// own name our address, and would then read every code as its own origin.
func hereOnly(issuer string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			host := (&url.URL{Host: c.Request().Host}).Hostname()
			_, err := netip.ParseAddr(host)
			if u, bad := url.Parse(issuer); err == nil || host == "localhost" || bad == nil && host == u.Hostname() {
				return next(c)
			}
			return echo.ErrNotFound
		}
	}
}
