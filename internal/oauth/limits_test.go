package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// limitedDoors are the doors that limits watch, with a request that is good.
var limitedDoors = map[string]members{startPath: startRequest, tokenPath: tokenRequest, legacyPath: legacyRequest}

// Whoever is limited is told for how long, and the log for which rule; nobody outside is told the rule, which
// would tell what is known of a number (T7).
func TestLimited(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		err   error
		rule  rule.Name
		retry string
	}{
		{&limit.Error{Rule: rule.NetworkStartsHour, RetryAfter: 90 * time.Second, Subject: "192.0.2.0/24"}, rule.NetworkStartsHour, "90"},
		{&otp.ThrottledError{Rule: rule.NumberTextsDay, RetryAfter: time.Hour}, rule.NumberTextsDay, "3600"},
		{&otp.BlockedError{Rule: rule.NumberInARow, RetryAfter: 24 * time.Hour}, rule.NumberInARow, "86400"},
	} {
		for path, good := range limitedDoors {
			code := "too_many_attempts"
			if path == startPath {
				code = "too_many_requests" // wire contract 3
			}
			t.Run(string(tc.rule)+path, func(t *testing.T) {
				s.forget()
				s.err = tc.err
				a := s.post(t, path, jsonType, good.json(t), "Origin", shop)
				requireError(t, a, 429, code, "")
				require.Equal(t, tc.retry, a.header.Get("Retry-After"))
				require.Contains(t, a.header.Get("Access-Control-Expose-Headers"), "Retry-After")
				require.NotContains(t, a.body, string(tc.rule))
				require.NotContains(t, a.body, "192.0.2")
				s.lastLine(t, `"status":429`, `"refused":"`+code+`"`, `"rule":"`+string(tc.rule)+`"`)
			})
		}
	}
}

// All together being attacked is no fault of the caller's.
func TestClosedToStrangers(t *testing.T) {
	s := serve(t)
	for path, good := range limitedDoors {
		t.Run(path, func(t *testing.T) {
			s.forget()
			s.err = &limit.Error{Rule: rule.AllGuessesClosed, RetryAfter: 20 * time.Minute}
			a := s.post(t, path, formType, good.form())
			requireError(t, a, 503, "temporarily_unavailable", "")
			require.Equal(t, "1200", a.header.Get("Retry-After"))
			s.lastLine(t, `"status":503`, `"rule":"all_guesses_closed"`)
		})
	}
}

// The answer says nothing of the rule; the log does.
func TestTheLogNamesTheRuleOfACode(t *testing.T) {
	s := serve(t)
	s.err = otp.ErrTooManyGuesses
	requireError(t, s.post(t, tokenPath, jsonType, tokenRequest.json(t)), 403, "invalid_grant", maximum)
	s.lastLine(t, `"rule":"code_guesses"`)
	for _, err := range []error{otp.ErrInvalidCode, login.ErrReviewer} {
		s.err = err
		requireError(t, s.post(t, tokenPath, jsonType, tokenRequest.json(t)), 403, "invalid_grant", wrongCode)
		s.lastLineLacks(t, `"rule"`)
	}
}

// A reviewer's number that HR gave to somebody: byte for byte the answer to a wrong code.
func TestAReviewerLooksLikeAWrongCode(t *testing.T) {
	s := serve(t)
	for path, good := range map[string]members{tokenPath: tokenRequest, legacyPath: legacyRequest} {
		var answers []answer
		for _, err := range []error{otp.ErrInvalidCode, login.ErrReviewer} {
			s.err = err
			a := s.post(t, path, jsonType, good.json(t))
			a.header.Del("Date")
			a.header.Del("X-Request-Id")
			answers = append(answers, a)
		}
		require.Equal(t, answers[0], answers[1], path)
	}
}

func TestNoProviderTakesTexts(t *testing.T) {
	s := serve(t)
	s.err = login.ErrProvider
	a := s.post(t, startPath, jsonType, startRequest.json(t))
	requireError(t, a, 400, "sms_provider_error", "")
	require.Empty(t, a.header.Get("Retry-After"))
	s.lastLine(t, `"status":400`, `"refused":"sms_provider_error"`)
}

// Whatever it is, the language reaches the start as it came, and nothing else does anything with it.
func TestTheLanguageOfARequest(t *testing.T) {
	s := serve(t)
	for name, language := range map[string]string{
		"none": "", "one": "de-CH", "list": "de-CH, en;q=0.8, *;q=0.1", "garbage": "\"'<script>%00%0a; DROP", "not UTF-8": "\xff\xfe",
		"huge": strings.Repeat("de-", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			s.forget()
			a := s.post(t, startPath, jsonType, startRequest.json(t), "X-Request-Language", language)
			require.Equal(t, 200, a.status, a.body)
			require.NotContains(t, a.body, "de-")
			require.Len(t, s.starts, 1)
			require.Equal(t, language, s.starts[0].Language)
		})
	}
	t.Run("beyond what any header may be", func(t *testing.T) {
		s.forget()
		a := s.post(t, startPath, jsonType, startRequest.json(t), "X-Request-Language", strings.Repeat("de-", 32<<10))
		require.Equal(t, 431, a.status)
		require.Zero(t, s.calls())
	})
	s.logsNone(t, "de-CH", "script")
}
