package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/login"
)

// startResponse is what SDKs read (wire contract 3).
type startResponse struct {
	ID            string `json:"_id"`
	PhoneNumber   string `json:"phone_number"`
	PhoneVerified bool   `json:"phone_verified"`
}

// start serves POST /passwordless/start.
func (h *Handler) start(c echo.Context) error {
	p, err := parse(c)
	if err != nil {
		return err
	}
	app, err := h.authenticate(c, p)
	if err != nil {
		return err
	}
	connection, err := p.get("connection")
	if err != nil {
		return err
	}
	number, err := p.get("phone_number")
	if err != nil {
		return err
	}
	started, err := h.Login.Start(c.Request().Context(), login.StartRequest{
		Client: app, Connection: connection, Phone: number, Origin: h.originFor(c, app),
		Language: c.Request().Header.Get("X-Request-Language"),
	})
	noteNumber(c, started.Phone)
	if err != nil {
		return err
	}
	private(c)
	return c.JSON(http.StatusOK, startResponse{ID: started.ID, PhoneNumber: started.Phone.E164()})
}
