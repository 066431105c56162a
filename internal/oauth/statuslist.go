package oauth

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

// StatusLists are the token status lists that are served.
type StatusLists interface {
	// Token returns a list as a signed token; statuslist.ErrUnknownList, or statuslist.ErrStale if
	// it could not be brought up to date for so long that nobody should rely on it.
	Token(id string) (statuslist.Served, error)
}

// statusList serves GET /status-lists/{id} (draft-ietf-oauth-status-list §8) from memory. A cache
// may hold it for as long as a verifier may.
func (h *Handler) statusList(c echo.Context) error {
	served, err := h.StatusLists.Token(c.Param("id"))
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Add("Vary", echo.HeaderAcceptEncoding)
	body, etag := served.Body, served.ETag
	if served.Gzip != nil && takesGzip(c.Request().Header.Get(echo.HeaderAcceptEncoding)) {
		body, etag = served.Gzip, strings.TrimSuffix(etag, `"`)+`-gzip"` // other bytes, another strong tag (RFC 9110 §8.8.3)
		if !unchanged(c.Request().Header.Get("If-None-Match"), etag) {
			header.Set(echo.HeaderContentEncoding, "gzip")
		}
	}
	return cached(c, body, statuslist.MediaType, etag, fmt.Sprintf("public, max-age=%d", int(served.MaxAge/time.Second)))
}

// takesGzip reads Accept-Encoding (RFC 9110 §12.5.3); who says nothing gets it plain.
func takesGzip(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, parameter, weighted := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(parameter), "q="), 64)
			return !weighted || err == nil && weight > 0
		}
	}
	return false
}
