package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/login"
)

// revoke serves POST /oauth/revoke (RFC 7009). The parameter everywhere is ours: with "true" all
// sessions of the person end, instead of this one. token_type_hint is not needed to tell tokens
// apart, and ignored, as RFC 7009 §2.1 allows.
func (h *Handler) revoke(c echo.Context) error {
	p, err := parse(c)
	if err != nil {
		return err
	}
	app, err := h.authenticate(c, p)
	if err != nil {
		return err
	}
	needed, err := p.need("token")
	if err != nil {
		return err
	}
	everywhere, err := p.flag("everywhere")
	if err != nil {
		return err
	}
	err = h.Login.Revoke(c.Request().Context(), login.RevokeRequest{
		Client: app, Token: needed[0], Everywhere: everywhere, Address: c.RealIP(),
	})
	if err != nil {
		return err
	}
	private(c)
	return c.JSON(http.StatusOK, struct{}{}) // text that is not JSON breaks one SDK (wire contract 7)
}

// introspect serves POST /oauth/introspect (RFC 7662), for confidential clients: what a token says
// is for nobody who cannot prove who they are (§2.1).
func (h *Handler) introspect(c echo.Context) error {
	p, err := parse(c)
	if err != nil {
		return err
	}
	caller, err := h.confidential(c, p)
	if err != nil {
		return err
	}
	needed, err := p.need("token")
	if err != nil {
		return err
	}
	said, err := h.Login.Introspect(c.Request().Context(), caller, needed[0])
	if err != nil {
		return err
	}
	private(c)
	return c.JSON(http.StatusOK, said)
}
