package oauth

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
)

// authenticate finds the client and checks that it is itself (RFC 6749 §2.3). It touches nothing
// else, so that a request which fails here has used up no code: some clients try one method, then
// the other (wire contract 2).
func (h *Handler) authenticate(c echo.Context, p params) (*client.Client, error) {
	id, err := p.get("client_id")
	if err != nil {
		return nil, err
	}
	secret, err := p.get("client_secret")
	if err != nil {
		return nil, err
	}
	credentials, basic := basicCredentials(c)
	if basic {
		if secret != "" {
			return nil, invalidRequest("Authenticate with the Authorization header or with client_secret, not with both.")
		}
		user, password, ok := parseBasic(credentials)
		switch {
		case !ok:
			return nil, challenged(invalidClient("The Authorization header is malformed."))
		case id != "" && id != user:
			return nil, invalidRequest("The Authorization header and client_id name different clients.")
		}
		id, secret = user, password
	}
	if id == "" {
		return nil, errNoClient
	}
	found, err := h.Clients.Find(id)
	if err == nil {
		httpserver.Note(c, slog.String("client", found.ID))
		err = found.Authenticate(secret)
	}
	if err == nil {
		return found, nil
	}
	if basic {
		return nil, challenged(toError(err).with(err))
	}
	return nil, err
}

// errNoClient means a request that names no client at all.
var errNoClient = errors.New("oauth: no client")

// basicCredentials returns what follows the scheme, if it is Basic (RFC 7617).
func basicCredentials(c echo.Context) (credentials string, basic bool) {
	scheme, credentials, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	return credentials, strings.EqualFold(scheme, "Basic")
}

// confidential is authenticate for what only clients with a secret may do. Whoever names no client
// has failed to authenticate.
func (h *Handler) confidential(c echo.Context, p params) (*client.Client, error) {
	found, err := h.authenticate(c, p)
	var e *Error
	switch {
	case errors.Is(err, errNoClient):
		e = invalidClient("Client authentication is needed here: client_id and client_secret, or HTTP Basic.")
	case err != nil:
		return nil, err
	case !found.Confidential():
		e = invalidClient("This is for clients with a secret: register this one with it.")
	default:
		return found, nil
	}
	if _, basic := basicCredentials(c); basic {
		return nil, challenged(e)
	}
	return nil, e
}

// parseBasic undoes both layers: base64, then the form encoding of RFC 6749 §2.3.1.
func parseBasic(credentials string) (user, password string, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credentials))
	if err != nil || !utf8.Valid(decoded) {
		return "", "", false
	}
	user, password, found := strings.Cut(string(decoded), ":")
	user, userErr := url.QueryUnescape(user)
	password, passwordErr := url.QueryUnescape(password)
	return user, password, found && userErr == nil && passwordErr == nil
}

func invalidClient(description string) *Error {
	return refuse(401, "invalid_client", "%s", description)
}

// challenged adds the header that only a client that used Basic may get: others take it for a
// challenge and do not show our error (wire contract 2).
func challenged(e *Error) *Error {
	e.challenge = `Basic realm="latchkey", charset="UTF-8"`
	return e
}
