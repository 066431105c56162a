package oauth

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/scope"
)

// Grant types at /oauth/token (wire contract 4).
const (
	passwordlessGrant = "http://auth0.com/oauth/grant-type/passwordless/otp"
	refreshGrant      = "refresh_token"
)

// tokenResponse is RFC 6749 §5.1 with OIDC Core's id_token. Nothing is present without a value.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope,omitempty"`
}

// token serves POST /oauth/token (RFC 6749 §3.2).
func (h *Handler) token(c echo.Context) error {
	p, app, grant, err := h.grantRequest(c)
	if err != nil {
		return err
	}
	switch grant {
	case passwordlessGrant:
		return h.signIn(c, p, app, client.Passwordless, "realm", "otp")
	case refreshGrant:
		return h.refresh(c, p, app)
	}
	return refuse(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type: want %s or %s.", passwordlessGrant, refreshGrant)
}

// legacy serves POST /oauth/ro (wire contract 5), for clients that have it switched on.
func (h *Handler) legacy(c echo.Context) error {
	p, app, grant, err := h.grantRequest(c)
	if err != nil {
		return err
	}
	if grant != "password" {
		return refuse(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type: want password here.")
	}
	return h.signIn(c, p, app, client.LegacyRO, "connection", "password")
}

// grantRequest reads what every grant has: parameters, the client, who has authenticated, and the
// grant type.
func (h *Handler) grantRequest(c echo.Context) (params, *client.Client, string, error) {
	p, err := parse(c)
	if err != nil {
		return params{}, nil, "", err
	}
	grant, err := p.need("grant_type")
	if err != nil {
		return params{}, nil, "", err
	}
	app, err := h.authenticate(c, p)
	return p, app, grant[0], err
}

// signIn redeems a code; the two doors differ in the names of two parameters.
func (h *Handler) signIn(c echo.Context, p params, app *client.Client, grant client.Grant, realm, code string) error {
	needed, err := p.need("username", code, realm)
	if err != nil {
		return err
	}
	optional, err := p.may("scope", "audience", "device")
	if err != nil {
		return err
	}
	request := login.SignInRequest{
		Client: app, Grant: grant, Phone: needed[0], Code: needed[1], Realm: needed[2],
		Scope: asked(optional[0]), Audience: optional[1], Device: optional[2],
		Origin: h.originFor(c, app), Address: c.RealIP(),
	}
	if request.Device == "" {
		request.Device = c.Request().UserAgent()
	}
	tokens, err := h.Login.SignIn(c.Request().Context(), request)
	return h.issue(c, tokens, err)
}

// refresh serves the refresh grant (RFC 6749 §6). A stray redirect_uri is ignored, as everywhere.
func (h *Handler) refresh(c echo.Context, p params, app *client.Client) error {
	needed, err := p.need("refresh_token")
	if err != nil {
		return err
	}
	optional, err := p.may("scope", "audience")
	if err != nil {
		return err
	}
	tokens, err := h.Login.Refresh(c.Request().Context(), login.RefreshRequest{
		Client: app, Token: needed[0], Scope: asked(optional[0]), Audience: optional[1], Address: c.RealIP(),
	})
	return h.issue(c, tokens, err)
}

// issue answers with tokens, or with what kept them back.
func (h *Handler) issue(c echo.Context, tokens login.Tokens, err error) error {
	noteNumber(c, tokens.Phone)
	if tokens.SessionID != "" {
		httpserver.Note(c, slog.String("sid", tokens.SessionID))
	}
	if err != nil {
		return err
	}
	httpserver.Note(c, slog.String("tier", tokens.Tier))
	if tokens.Repeated {
		httpserver.Note(c, slog.Bool("repeated", true))
	}
	private(c)
	c.Response().Header().Set("Pragma", "no-cache") // RFC 6749 §5.1
	return c.JSON(http.StatusOK, tokenResponse{
		AccessToken: tokens.Access, IDToken: tokens.ID, RefreshToken: string(tokens.Refresh), TokenType: "Bearer",
		ExpiresIn: int64(tokens.ExpiresIn.Seconds()), Scope: tokens.Scope.String(),
	})
}

// asked is a scope parameter; nil if there is none.
func asked(parameter string) scope.Set {
	if strings.TrimSpace(parameter) == "" {
		return nil
	}
	return scope.Parse(parameter)
}
