// Package webhook takes providers' news of texts: what became of one after it was accepted. News changes
// the state of texts and nothing else (security requirement X3).
package webhook

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// TwilioPath is where Twilio posts its news (design: fixed points).
const TwilioPath = "/webhooks/twilio/status"

// maxBody bounds a request; Twilio's are below 2 kB.
const maxBody = 16 << 10

// ErrForged means a request that the provider has not signed; ErrMalformed one that is no news of a text.
var (
	ErrForged    = errors.New("webhook: the signature is wrong or missing")
	ErrMalformed = errors.New("webhook: not news of a text")
)

// Reader turns a request into news. Errors wrap ErrForged or ErrMalformed. An empty Status is news that
// means nothing to us.
type Reader interface {
	Read(rawQuery string, body []byte, header http.Header) (sms.Delivery, error)
}

// Deliveries keep news. An error is an outage, after which the provider may tell again.
type Deliveries interface {
	Deliver(ctx context.Context, d sms.Delivery) error
}

// Handler serves the webhooks.
type Handler struct {
	Twilio     Reader
	Deliveries Deliveries
}

// Register mounts the webhooks.
func (h *Handler) Register(e *echo.Echo) {
	e.POST(TwilioPath, h.twilio)
}

// twilio answers 204 once the news is on record. Refusals have no body: whoever forges learns nothing.
func (h *Handler) twilio(c echo.Context) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		httpserver.Note(c, refused("too_large"))
		return c.NoContent(http.StatusRequestEntityTooLarge)
	case err != nil:
		httpserver.Note(c, refused("cut_short"))
		return c.NoContent(http.StatusBadRequest)
	}
	news, err := h.Twilio.Read(c.Request().URL.RawQuery, body, c.Request().Header)
	switch {
	case errors.Is(err, ErrForged):
		httpserver.Note(c, refused("forged"))
		return c.NoContent(http.StatusForbidden)
	case err != nil:
		httpserver.Note(c, refused("malformed"))
		return c.NoContent(http.StatusBadRequest)
	case news.Status == "":
		return c.NoContent(http.StatusNoContent)
	}
	if err := h.Deliveries.Deliver(c.Request().Context(), news); err != nil {
		httpserver.Note(c, refused("outage"))
		return c.NoContent(http.StatusServiceUnavailable)
	}
	return c.NoContent(http.StatusNoContent)
}

func refused(why string) slog.Attr { return slog.String("refused", why) }
