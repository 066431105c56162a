package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/token"
)

// Login is what the endpoints ask of the domain.
type Login interface {
	Start(ctx context.Context, r login.StartRequest) (login.Started, error)
	SignIn(ctx context.Context, r login.SignInRequest) (login.Tokens, error)
	Refresh(ctx context.Context, r login.RefreshRequest) (login.Tokens, error)
	Revoke(ctx context.Context, r login.RevokeRequest) error
	Introspect(ctx context.Context, caller *client.Client, token string) (login.Introspection, error)
	UserInfo(ctx context.Context, accessToken string) (login.UserInfo, error)
}

// Keys are the public halves of the signing keys.
type Keys interface {
	// JWKS returns what to publish.
	JWKS() keyring.JWKS
	// Algorithms are those that tokens are signed with.
	Algorithms() []string
}

// Verifiers remembers who fetches the keys.
type Verifiers interface {
	// Seen notes a fetch of the JWKS of a revision. It must not wait.
	Seen(userAgent, source string, revision int64)
}

// Handler serves the public endpoints.
type Handler struct {
	// Issuer ends with a slash. URLs come from it and from no header (O12).
	Issuer  string
	Clients *client.Registry
	Login   Login
	Keys    Keys
	// Verifiers may be nil.
	Verifiers Verifiers

	StatusLists StatusLists
	// Company are the networks whose people start from one address.
	Company origin.Company
}

// Register mounts the endpoints at the root, where SDKs look for them (wire contract 1).
func (h *Handler) Register(e *echo.Echo) error {
	discovery, err := h.discovery()
	if err != nil {
		return err
	}
	e.Use(cors(h.Clients))
	e.POST(startPath, shaped(startError, h.start))
	e.POST(tokenPath, h.token)
	e.POST(legacyPath, shaped(legacyError, h.legacy))
	e.Match([]string{http.MethodGet, http.MethodPost}, userInfoPath, h.userInfo)
	e.POST(revokePath, h.revoke)
	e.POST(introspectPath, h.introspect)
	e.Match(readable, statusListsPath+":id", h.statusList)
	e.Match(readable, jwksPath, h.jwks)
	e.Match(readable, discoveryPath, discovery)
	e.Match(readable, metadataPath, discovery)
	return nil
}

const (
	startPath     = "/passwordless/start"
	tokenPath     = "/oauth/token" // #nosec G101 -- a path
	legacyPath    = "/oauth/ro"
	revokePath    = "/oauth/revoke"
	userInfoPath  = "/userinfo"
	jwksPath      = "/.well-known/jwks.json"
	discoveryPath = "/.well-known/openid-configuration"
	metadataPath  = "/.well-known/oauth-authorization-server"

	introspectPath  = "/oauth/introspect"
	statusListsPath = "/" + token.StatusListsPath
)

// shaped gives an endpoint its own words for errors.
func shaped(to func(error) *Error, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			return to(err)
		}
		return nil
	}
}

// private keeps an answer out of caches (O3).
func private(c echo.Context) {
	c.Response().Header().Set("Cache-Control", "no-store")
}

// origin is where the request comes from, as limits see it.
func (h *Handler) origin(c echo.Context) origin.Origin {
	addr, _ := netip.ParseAddr(c.RealIP()) // none at all on a Unix socket
	return h.Company.Of(addr)
}

// forwardedFor is the header in which a backend names the address of the person it asks for (wire
// contract 1). Its value counts as the origin, and for nothing else.
const forwardedFor = "auth0-forwarded-for"

// originFor is origin, or what app says it is: only a client that has authenticated, and that the
// settings allow to, is believed (O15). Of several values none is: the caller of a careless backend may
// have put one of them there.
func (h *Handler) originFor(c echo.Context, app *client.Client) origin.Origin {
	said := c.Request().Header.Values(forwardedFor)
	if app.ForwardsFor && app.Confidential() && len(said) == 1 {
		if addr, err := netip.ParseAddr(strings.TrimSpace(said[0])); err == nil {
			return h.Company.Of(addr)
		}
	}
	return h.origin(c)
}

// scopes are those that discovery names.
var scopes = []string{scope.OpenID, scope.Profile, scope.Email, scope.Phone, scope.PhoneNumber, scope.OfflineAccess}

// noteNumber puts the masked number on the request's log line, also when the request is refused.
func noteNumber(c echo.Context, number phone.Number) {
	if !number.IsZero() {
		httpserver.Note(c, slog.Any("number", number))
	}
}
