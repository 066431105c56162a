package oauth

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/client"
)

// preflightAge is how long a browser may remember a preflight, in seconds.
const preflightAge = "600"

// access is what a page of another origin may do at a path (wire contract 15).
type access struct {
	methods string
	headers string
	// anyone may read it, without a registered origin.
	anyone bool
}

var pages = map[string]access{
	startPath:     {methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	tokenPath:     {methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	legacyPath:    {methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	revokePath:    {methods: "POST", headers: "auth0-client, content-type, x-request-language"},
	userInfoPath:  {methods: "GET, POST", headers: "authorization, auth0-client, content-type"},
	jwksPath:      {methods: "GET", anyone: true},
	discoveryPath: {methods: "GET", anyone: true},
	metadataPath:  {methods: "GET", anyone: true},
}

// statusListPages is what they may do below statusListsPath (draft-ietf-oauth-status-list §8.1).
var statusListPages = access{methods: "GET", anyone: true}

// cors lets pages of registered origins call us (Fetch standard §3.2). It stands before everything
// else, so that preflights meet no other check and errors carry the headers too: without them an
// app sees nothing but "network error".
func cors(clients *client.Registry) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			rule, known := pages[c.Request().URL.Path]
			if strings.HasPrefix(c.Request().URL.Path, statusListsPath) {
				rule, known = statusListPages, true
			}
			if !known {
				return next(c)
			}
			header := c.Response().Header()
			origin := c.Request().Header.Get(echo.HeaderOrigin)
			allowed := rule.anyone || origin != "" && clients.AllowsOrigin(origin)
			if rule.anyone {
				header.Set("Access-Control-Allow-Origin", "*")
			} else {
				header.Add("Vary", "Origin")
				if allowed {
					header.Set("Access-Control-Allow-Origin", origin)
					header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
				}
			}
			switch {
			case c.Request().Method != http.MethodOptions:
				return next(c)
			case c.Request().Header.Get("Access-Control-Request-Method") == "": // no preflight
				header.Set(echo.HeaderAllow, rule.methods)
				return echo.ErrMethodNotAllowed
			}
			if allowed {
				header.Set("Access-Control-Allow-Methods", rule.methods)
				header.Set("Access-Control-Max-Age", preflightAge)
				if rule.headers != "" {
					header.Set("Access-Control-Allow-Headers", rule.headers)
				}
			}
			return c.NoContent(http.StatusNoContent)
		}
	}
}
