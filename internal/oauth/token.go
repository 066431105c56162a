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

// passwordlessGrant is the grant type of a code (wire contract 4).
const passwordlessGrant = "http://auth0.com/oauth/grant-type/passwordless/otp"

// tokenResponse is RFC 6749 §5.1 with OIDC Core's id_token. Nothing is present without a value.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token,omitempty"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// token serves POST /oauth/token (RFC 6749 §3.2).
func (h *Handler) token(c echo.Context) error {
	p, app, grant, err := h.grantRequest(c)
	if err != nil {
		return err
	}
	if grant != passwordlessGrant {
		return refuse(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type: want %s.", passwordlessGrant)
	}
	return h.signIn(c, p, app, client.Passwordless, "realm", "otp")
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
	optional := map[string]string{"scope": "", "audience": "", "device": ""}
	for name := range optional {
		if optional[name], err = p.get(name); err != nil {
			return err
		}
	}
	request := login.SignInRequest{
		Client: app, Grant: grant, Phone: needed[0], Code: needed[1], Realm: needed[2],
		Audience: optional["audience"], Device: optional["device"],
		Source: source(c), Address: c.RealIP(),
	}
	if strings.TrimSpace(optional["scope"]) != "" {
		request.Scope = scope.Parse(optional["scope"])
	}
	if request.Device == "" {
		request.Device = c.Request().UserAgent()
	}
	tokens, err := h.Login.SignIn(c.Request().Context(), request)
	noteNumber(c, tokens.Phone)
	if err != nil {
		return err
	}
	httpserver.Note(c, slog.String("sid", tokens.SessionID), slog.String("tier", tokens.Tier))
	private(c)
	c.Response().Header().Set("Pragma", "no-cache") // RFC 6749 §5.1
	return c.JSON(http.StatusOK, tokenResponse{
		AccessToken: tokens.Access, IDToken: tokens.ID, TokenType: "Bearer",
		ExpiresIn: int64(tokens.ExpiresIn.Seconds()), Scope: tokens.Scope.String(),
	})
}
