package oauth

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// userInfo serves GET and POST /userinfo (OIDC Core §5.3). The token comes in the header, its
// scheme in any case; a token in the URL or the body is not read.
func (h *Handler) userInfo(c echo.Context) error {
	scheme, raw, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(raw) == "" {
		return bearerError(http.StatusUnauthorized, "invalid_token", "An access token is needed: Authorization: Bearer TOKEN.")
	}
	info, err := h.Login.UserInfo(c.Request().Context(), strings.TrimSpace(raw))
	if err != nil {
		return err
	}
	private(c)
	return c.JSON(http.StatusOK, info)
}
