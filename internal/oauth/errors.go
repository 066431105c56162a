package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/token"
)

// Error is an answer of the protocol (RFC 6749 §5.2): exactly two members, both never empty.
type Error struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description"`

	retryAfter time.Duration
	// challenge is the WWW-Authenticate header, where one belongs.
	challenge string
	cause     error
}

func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.cause)
	}
	return e.Code + ": " + e.Description
}

func (e *Error) Unwrap() error { return e.cause }

// Texts that clients compare; they must not change (wire contract 4).
const (
	wrongCode       = "Wrong phone number or verification code."
	tooManyAttempts = "You've reached the maximum number of attempts. Please try to login again."
	invalidRefresh  = "Unknown or invalid refresh token."
	userGone        = "The refresh_token was generated for a user who doesn't exist anymore."
)

// statusClientClosedRequest is what nginx made of it; no RFC has a status for a caller who is gone.
const statusClientClosedRequest = 499

// outageRetry is when a client may try again after a store was out.
const outageRetry = 5 * time.Second

func refuse(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Description: fmt.Sprintf(format, args...)}
}

// invalidRequest is what is wrong with a request's form, at every endpoint but the start.
func invalidRequest(format string, args ...any) *Error {
	return refuse(http.StatusBadRequest, "invalid_request", format, args...)
}

func (e *Error) with(cause error) *Error {
	e.cause = cause
	return e
}

// toError is where an error of any other package becomes one of the protocol. What differs at the
// start and at the legacy endpoint is changed by startError and legacyError after it.
func toError(err error) *Error {
	var protocol *Error
	var throttled *otp.ThrottledError
	var blocked *otp.BlockedError
	var source *limit.Error
	var router *echo.HTTPError
	switch {
	case errors.As(err, &protocol):
		return protocol
	case errors.Is(err, context.Canceled): // nobody is there to read this; the log is
		return refuse(statusClientClosedRequest, "invalid_request", "The client closed the connection.").with(err)
	case errors.As(err, &throttled):
		return tooMany(throttled.RetryAfter).with(err)
	case errors.As(err, &blocked):
		return tooMany(blocked.RetryAfter).with(err)
	case errors.As(err, &source) && source.Rule == rule.AllGuessesClosed: // under attack, and not by whom we answer (T4)
		return unavailable(source.RetryAfter).with(err)
	case errors.As(err, &source):
		return tooMany(source.RetryAfter).with(err)
	case errors.Is(err, login.ErrProvider):
		return refuse(http.StatusBadRequest, "sms_provider_error", "No text can be sent just now. Try again in a minute.").with(err)
	case errors.Is(err, otp.ErrInvalidCode), errors.Is(err, login.ErrReviewer): // exact text: mobile SDKs compare it
		return refuse(http.StatusForbidden, "invalid_grant", wrongCode)
	case errors.Is(err, otp.ErrTooManyGuesses):
		return refuse(http.StatusForbidden, "invalid_grant", tooManyAttempts).with(err)
	case errors.Is(err, otp.ErrMalformedCode):
		return invalidRequest("The code must be six digits.")
	case errors.Is(err, errNoClient):
		return invalidRequest("client_id is missing.")
	case errors.Is(err, client.ErrUnknown):
		return refuse(http.StatusUnauthorized, "invalid_client", "Unknown client.")
	case errors.Is(err, client.ErrSecret):
		return refuse(http.StatusUnauthorized, "invalid_client", "Wrong or missing client secret.")
	case errors.Is(err, client.ErrNoSecret):
		return refuse(http.StatusUnauthorized, "invalid_client",
			"This client is registered as public: send no secret, or register it with one.")
	case errors.Is(err, login.ErrConnection):
		return invalidRequest("Unknown connection: want sms.")
	case errors.Is(err, login.ErrGrant):
		return refuse(http.StatusForbidden, "unauthorized_client", "This client may not use this grant.")
	case errors.Is(err, login.ErrAudience): // RFC 8707 §2 has the code for a target that is not to be had
		return refuse(http.StatusBadRequest, "invalid_target", "This client may not ask for this audience.")
	case errors.Is(err, login.ErrTier):
		return refuse(http.StatusForbidden, "access_denied", "You may not sign in to this application.")
	case errors.Is(err, token.ErrInvalid), errors.Is(err, login.ErrSessionEnded):
		return bearerError(http.StatusUnauthorized, "invalid_token", "The access token is invalid, expired or revoked.")
	case errors.Is(err, login.ErrRefreshToken):
		return refuse(http.StatusForbidden, "invalid_grant", invalidRefresh)
	case errors.Is(err, login.ErrUserGone):
		return refuse(http.StatusForbidden, "invalid_grant", userGone)
	case errors.Is(err, login.ErrEverywhere): // RFC 7009 §2.2.1
		return refuse(http.StatusBadRequest, "unsupported_token_type", "everywhere needs the refresh token. Without it, this ends one session.")
	case errors.Is(err, statuslist.ErrUnknownList):
		return refuse(http.StatusNotFound, "not_found", "There is no such status list.")
	case errors.Is(err, login.ErrScope):
		return bearerError(http.StatusForbidden, "insufficient_scope", "The access token lacks the scope openid.")
	case isPhoneError(err):
		return invalidRequest("username is not a phone number that can receive texts.")
	case errors.Is(err, login.ErrBusy), errors.Is(err, login.ErrPlaceTaken), errors.Is(err, statuslist.ErrStale),
		errors.Is(err, statuslist.ErrNoRoom), outage.Is(err):
		return unavailable(outageRetry).with(err)
	case errors.As(err, &router):
		return routerError(router)
	}
	return refuse(http.StatusInternalServerError, "server_error", "Something went wrong on our side.").with(err)
}

func tooMany(wait time.Duration) *Error {
	e := refuse(http.StatusTooManyRequests, "too_many_attempts", "Too many attempts. Wait before trying again.")
	e.retryAfter = max(wait, time.Second)
	return e
}

func unavailable(wait time.Duration) *Error {
	e := refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The service is briefly unavailable. Try again.")
	e.retryAfter = max(wait, time.Second)
	return e
}

// startError is toError in the words of /passwordless/start (wire contract 3).
func startError(err error) *Error {
	e := toError(err)
	switch {
	case isPhoneError(err):
		return refuse(http.StatusBadRequest, "bad.phone_number", "%s", phoneReason(err))
	case errors.Is(err, login.ErrConnection):
		return refuse(http.StatusBadRequest, "bad.connection", "Unknown connection, or not enabled for this client: want sms.")
	case errors.Is(err, client.ErrUnknown):
		return refuse(http.StatusBadRequest, "bad.request", "Unknown client.")
	case e.Code == "invalid_request":
		e.Code = "bad.request"
	case e.Code == "too_many_attempts":
		e.Code, e.Description = "too_many_requests", "Too many requests. Wait before asking again."
	}
	return e
}

// legacyError is toError in the words of /oauth/ro (wire contract 5).
func legacyError(err error) *Error {
	e := toError(err)
	if errors.Is(err, otp.ErrInvalidCode) || errors.Is(err, otp.ErrTooManyGuesses) || errors.Is(err, login.ErrReviewer) {
		e.Status, e.Code = http.StatusUnauthorized, "invalid_user_password"
	}
	return e
}

func isPhoneError(err error) bool {
	return errors.Is(err, phone.ErrNotANumber) || errors.Is(err, phone.ErrNoRegion) ||
		errors.Is(err, phone.ErrImpossible) || errors.Is(err, phone.ErrNotMobile)
}

func phoneReason(err error) string {
	switch {
	case errors.Is(err, phone.ErrNoRegion):
		return "The phone number lacks its country code: write it with +."
	case errors.Is(err, phone.ErrImpossible):
		return "There is no such phone number."
	case errors.Is(err, phone.ErrNotMobile):
		return "This phone number cannot receive texts: want a mobile number."
	}
	return "phone_number is not a phone number: want E.164, such as +447700900123."
}

// bearerError is RFC 6750 §3: some clients read the header, others the body.
func bearerError(status int, code, description string) *Error {
	e := refuse(status, code, "%s", description)
	e.challenge = fmt.Sprintf("Bearer error=%q, error_description=%q", code, description)
	return e
}

func routerError(err *echo.HTTPError) *Error {
	switch err.Code {
	case http.StatusNotFound:
		return refuse(http.StatusNotFound, "not_found", "There is nothing here.")
	case http.StatusMethodNotAllowed:
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "This endpoint does not take this method.")
	}
	return refuse(err.Code, "invalid_request", "%s", http.StatusText(err.Code)).with(err)
}

// Fail renders any error, for httpserver.
func Fail(c echo.Context, err error) {
	e := toError(err)
	header := c.Response().Header()
	header.Set("Cache-Control", "no-store")
	if e.challenge != "" {
		header.Set("WWW-Authenticate", e.challenge)
	}
	if e.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.retryAfter.Seconds()))))
	}
	httpserver.Note(c, slog.String("refused", e.Code))
	if name, _ := login.RefusedBy(err); name != "" {
		httpserver.Note(c, slog.String("rule", string(name)))
	}
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(e.Status)
		return
	}
	_ = c.JSON(e.Status, e) // a client that hung up cannot be told
}
