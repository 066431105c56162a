package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// introspect serves POST /oauth/introspect (RFC 7662), for confidential clients: what a token says
// is for nobody who cannot prove who they are (§2.1).
func (h *Handler) introspect(c echo.Context) error {
	_, caller, token, err := presented(c, h.confidential)
	if err != nil {
		return err
	}
	said, err := h.Login.Introspect(c.Request().Context(), caller, token)
	if err != nil {
		return err
	}
	private(c)
	return c.JSON(http.StatusOK, said)
}
