package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/login"
)

// revoke serves POST /oauth/revoke (RFC 7009). The parameter everywhere is ours: with "true" all
// sessions of the person end, instead of this one. token_type_hint is not needed to tell tokens
// apart, and ignored, as RFC 7009 §2.1 allows.
func (h *Handler) revoke(c echo.Context) error {
	p, app, token, err := presented(c, h.authenticate)
	if err != nil {
		return err
	}
	everywhere, err := p.flag("everywhere")
	if err != nil {
		return err
	}
	err = h.Login.Revoke(c.Request().Context(), login.RevokeRequest{
		Client: app, Token: token, Everywhere: everywhere, Address: c.RealIP(),
	})
	if err != nil {
		return err
	}
	private(c)
	return c.JSON(http.StatusOK, struct{}{}) // text that is not JSON breaks one SDK (wire contract 7)
}

// presented reads what requests about a token have: parameters, the client, who has authenticated, and
// the token.
func presented(
	c echo.Context, authenticate func(echo.Context, params) (*client.Client, error),
) (p params, app *client.Client, token string, err error) {
	if p, err = parse(c); err != nil {
		return p, nil, "", err
	}
	if app, err = authenticate(c, p); err != nil {
		return p, nil, "", err
	}
	needed, err := p.need("token")
	if err != nil {
		return p, nil, "", err
	}
	return p, app, needed[0], nil
}
