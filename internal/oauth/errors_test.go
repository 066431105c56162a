package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/token"
)

// refusal is an error as a client sees it.
type refusal struct {
	status                int
	code, description     string
	retryAfter, challenge string
}

// errorRow is one error of the domain. An empty start or legacy is as token. Errors that are the
// same at every door are so at userinfo too.
type errorRow struct {
	name                 string
	err                  error
	token, start, legacy refusal
}

const (
	maximum      = "You've reached the maximum number of attempts. Please try to login again."
	mistyped     = "username is not a phone number that can receive texts."
	unknownFault = "Something went wrong on our side."
	brief        = "The service is briefly unavailable. Try again."
	badToken     = "The access token is invalid, expired or revoked."

	// Exact: SDKs compare these two (wire contract 4).
	invalidRefresh = "Unknown or invalid refresh token."
	userGone       = "The refresh_token was generated for a user who doesn't exist anymore."
)

var (
	bare      = refusal{status: 500, code: "server_error", description: unknownFault}
	away      = refusal{status: 503, code: "temporarily_unavailable", description: brief, retryAfter: "5"}
	unnumber  = refusal{status: 400, code: "invalid_request", description: mistyped}
	throttled = refusal{status: 429, code: "too_many_requests", retryAfter: "31"}
	blocked   = refusal{status: 429, code: "too_many_attempts", retryAfter: "31"} // wire contract 4
	unsent    = refusal{                                                          // wire contract 3; the same for every number (U4)
		status: 400, code: "sms_provider_error", description: "No text can be sent just now. Try again in a minute.",
	}
	badBearer = refusal{
		status: 401, code: "invalid_token", description: badToken,
		challenge: `Bearer error="invalid_token", error_description="` + badToken + `"`,
	}
)

// domainErrors has a row for every exported error of the packages in errorPackages.
var domainErrors = []errorRow{
	{
		name: "otp.ErrInvalidCode", err: otp.ErrInvalidCode,
		token:  refusal{status: 403, code: "invalid_grant", description: wrongCode},
		legacy: refusal{status: 401, code: "invalid_user_password", description: wrongCode},
	},
	{
		name: "otp.ErrTooManyGuesses", err: otp.ErrTooManyGuesses,
		token:  refusal{status: 403, code: "invalid_grant", description: maximum},
		legacy: refusal{status: 401, code: "invalid_user_password", description: maximum},
	},
	{
		name: "otp.ErrMalformedCode", err: otp.ErrMalformedCode, // C8: 400, no guess used
		token: refusal{status: 400, code: "invalid_request"},
		start: refusal{status: 400, code: "bad.request"},
	},
	{
		name: "otp.ThrottledError", err: &otp.ThrottledError{Rule: rule.ResendGap, RetryAfter: 30*time.Second + time.Millisecond},
		token: blocked, start: throttled, legacy: blocked,
	},
	{
		name: "otp.BlockedError", err: &otp.BlockedError{Rule: rule.NumberGuesses, RetryAfter: 30*time.Second + time.Millisecond},
		token: blocked, start: throttled, legacy: blocked,
	},
	{
		name: "limit.Error", err: &limit.Error{Rule: rule.SourceStarts, RetryAfter: 30*time.Second + time.Millisecond, Subject: "192.0.2.1"},
		token: blocked, start: throttled, legacy: blocked,
	},
	{ // Not the caller's doing, so it is not "too many" (T4).
		name:  "the limit of all together",
		err:   &limit.Error{Rule: rule.AllGuessesClosed, RetryAfter: 30*time.Second + time.Millisecond},
		token: refusal{status: 503, code: "temporarily_unavailable", description: brief, retryAfter: "31"},
	},
	// These two stay inside: login says the one in limit's words, and only an operator meets the other.
	{name: "otp.ErrUntrusted", err: otp.ErrUntrusted, token: bare},
	{name: "limit.ErrNoBlock", err: limit.ErrNoBlock, token: bare},
	{
		name: "phone.ErrNotANumber", err: phone.ErrNotANumber, token: unnumber,
		start: refusal{status: 400, code: "bad.phone_number",
			description: "phone_number is not a phone number: want E.164, such as +447700900123."},
	},
	{
		name: "phone.ErrNoRegion", err: phone.ErrNoRegion, token: unnumber,
		start: refusal{status: 400, code: "bad.phone_number",
			description: "The phone number lacks its country code: write it with +."},
	},
	{
		name: "phone.ErrImpossible", err: phone.ErrImpossible, token: unnumber,
		start: refusal{status: 400, code: "bad.phone_number", description: "There is no such phone number."},
	},
	{
		name: "phone.ErrNotMobile", err: phone.ErrNotMobile, token: unnumber,
		start: refusal{status: 400, code: "bad.phone_number",
			description: "This phone number cannot receive texts: want a mobile number."},
	},
	{
		name: "client.ErrUnknown", err: client.ErrUnknown,
		token: refusal{status: 401, code: "invalid_client", description: "Unknown client."},
		start: refusal{status: 400, code: "bad.request", description: "Unknown client."},
	},
	{
		name: "client.ErrSecret", err: client.ErrSecret,
		token: refusal{status: 401, code: "invalid_client", description: "Wrong or missing client secret."},
	},
	{
		name: "client.ErrNoSecret", err: client.ErrNoSecret,
		token: refusal{status: 401, code: "invalid_client",
			description: "This client is registered as public: send no secret, or register it with one."},
	},
	{
		name: "login.ErrConnection", err: login.ErrConnection,
		token: refusal{status: 400, code: "invalid_request", description: "Unknown connection: want sms."},
		start: refusal{status: 400, code: "bad.connection",
			description: "Unknown connection, or not enabled for this client: want sms."},
	},
	{
		name: "login.ErrGrant", err: login.ErrGrant,
		token: refusal{status: 403, code: "unauthorized_client", description: "This client may not use this grant."},
	},
	{
		name: "login.ErrAudience", err: login.ErrAudience,
		token: refusal{status: 400, code: "invalid_target", description: "This client may not ask for this audience."},
	},
	{
		name: "login.ErrTier", err: login.ErrTier,
		token: refusal{status: 403, code: "access_denied", description: "You may not sign in to this application."},
	},
	{
		name: "login.ErrScope", err: login.ErrScope,
		token: refusal{status: 403, code: "insufficient_scope", description: "The access token lacks the scope openid.",
			challenge: `Bearer error="insufficient_scope", error_description="The access token lacks the scope openid."`},
	},
	{
		name: "login.ErrReviewer", err: login.ErrReviewer, // the agreed code is as good as a wrong one (C11)
		token:  refusal{status: 403, code: "invalid_grant", description: wrongCode},
		legacy: refusal{status: 401, code: "invalid_user_password", description: wrongCode},
	},
	{name: "login.ErrProvider", err: login.ErrProvider, token: unsent},
	{name: "login.ErrSessionEnded", err: login.ErrSessionEnded, token: badBearer},
	{name: "login.ErrBusy", err: login.ErrBusy, token: away},
	{
		name: "login.ErrRefreshToken", err: login.ErrRefreshToken,
		token: refusal{status: 403, code: "invalid_grant", description: invalidRefresh},
	},
	{
		name: "login.ErrEverywhere", err: login.ErrEverywhere,
		token: refusal{status: 400, code: "unsupported_token_type",
			description: "everywhere needs the refresh token. Without it, this ends one session."},
	},
	{
		name: "login.ErrUserGone", err: login.ErrUserGone,
		token: refusal{status: 403, code: "invalid_grant", description: userGone},
	},
	{name: "login.ErrPlaceTaken", err: login.ErrPlaceTaken, token: away},
	{name: "statuslist.ErrStale", err: statuslist.ErrStale, token: away},
	{
		name: "statuslist.ErrUnknownList", err: statuslist.ErrUnknownList,
		token: refusal{status: 404, code: "not_found", description: "There is no such status list."},
	},
	{name: "statuslist.ErrNoRoom", err: statuslist.ErrNoRoom, token: away},
	{name: "token.ErrInvalid", err: token.ErrInvalid, token: badBearer},
	{name: "outage.Error", err: outage.Wrap("redis", errors.New("dial tcp 10.0.0.1:6379")), token: away},
	// As app's texter joins them to login's own.
	{name: "sms.ErrQueueFull", err: fmt.Errorf("%w: %w", login.ErrBusy, sms.ErrQueueFull), token: away},
	{name: "sms.ErrQueueClosed", err: fmt.Errorf("%w: %w", login.ErrBusy, sms.ErrQueueClosed), token: away},
	{name: "sms.OutageError", err: fmt.Errorf("%w: %w", login.ErrProvider, &sms.OutageError{Reason: "twilio"}), token: unsent},
	// These two end in a worker and in a shutdown, never in a request: a bare 500 if one ever did.
	{name: "sms.Error", err: &sms.Error{Class: "x", Code: 20003, Reason: "twilio"}, token: bare},
	{name: "sms.UnsentError", err: &sms.UnsentError{Unsent: 3, Err: errors.New("deadline")}, token: bare},

	{name: "httpserver.ErrPanic", err: httpserver.ErrPanic, token: bare},
	{name: "an unknown error", err: errors.New("pq: relation \"users\" does not exist"), token: bare},
}

func TestDomainErrorsOnTheWire(t *testing.T) {
	s := serve(t)
	for _, row := range domainErrors {
		said := func(path string) refusal {
			switch {
			case path == startPath && row.start.status != 0:
				return row.start
			case path == legacyPath && row.legacy.status != 0:
				return row.legacy
			}
			return row.token
		}
		for how, err := range map[string]error{
			"": row.err, " wrapped": fmt.Errorf("read canary-7f at redis:6379: %w", row.err),
		} {
			for path, good := range doors {
				t.Run(row.name+path+how, func(t *testing.T) {
					s.forget()
					s.err = err
					s.requireRefusal(t, s.post(t, path, jsonType, good.json(t)), said(path))
				})
			}
			t.Run(row.name+introspectPath+how, func(t *testing.T) {
				s.forget()
				s.err = err
				s.requireRefusal(t, s.post(t, introspectPath, formType, introspectRequest.form()), row.token)
			})
			if row.start.status != 0 {
				continue // no such error comes of reading a token
			}
			t.Run(row.name+userInfoPath+how, func(t *testing.T) {
				s.forget()
				s.err = err
				a := s.do(t, request{method: http.MethodGet, path: userInfoPath, headers: []string{"Authorization", "Bearer t"}})
				s.requireRefusal(t, a, row.token)
			})
		}
	}
	s.logs(t, "relation", "10.0.0.1:6379") // texts that no client may see
}

// requireRefusal checks that the one request that was made got this refusal, and nothing from inside.
func (s *testServer) requireRefusal(t *testing.T, a answer, want refusal) {
	t.Helper()
	requireError(t, a, want.status, want.code, want.description)
	require.Equal(t, want.retryAfter, a.header.Get("Retry-After"))
	require.Equal(t, want.challenge, a.header.Get("WWW-Authenticate"))
	for _, inside := range []string{"canary-7f", "redis", "10.0.0.1", "pq:", "twilio", "sms:", "otp:", "login:", "statuslist:"} {
		require.NotContains(t, a.body, inside)
	}
	require.Equal(t, 1, s.calls())
}

func TestRetryAfterIsRoundedUpAndAtLeastOne(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		wait time.Duration
		want string
	}{
		{30 * time.Second, "30"},
		{30*time.Second + 1, "31"},
		{29*time.Second + 999*time.Millisecond, "30"},
		{time.Second, "1"},
		{time.Millisecond, "1"},
		{1, "1"},
		{0, "1"},
		{-time.Second, "1"},
		{24 * time.Hour, "86400"},
	} {
		t.Run(tc.wait.String(), func(t *testing.T) {
			s.forget()
			s.err = &otp.ThrottledError{RetryAfter: tc.wait}
			a := s.post(t, startPath, jsonType, startRequest.json(t))
			requireError(t, a, 429, "too_many_requests", "")
			require.Equal(t, tc.want, a.header.Get("Retry-After"))
		})
	}
}
