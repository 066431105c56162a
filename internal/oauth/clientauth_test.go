package oauth_test

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

const challenge = `Basic realm="latchkey", charset="UTF-8"`

// basic is HTTP Basic as RFC 6749 §2.3.1 wants it: both halves form-encoded first.
func basic(id, secret string) string {
	return "Basic " + plain(url.QueryEscape(id)+":"+url.QueryEscape(secret))
}

func plain(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }

// authCase is one way to say who one is. An empty code is a success.
type authCase struct {
	name           string
	id, secret     any // in the body
	authorization  string
	status         int
	code           string
	challenged     bool
	startStatus    int // where the start differs
	startCode      string
	startChallenge bool
}

var authCases = []authCase{
	{name: "public", id: "app", secret: left, status: 200},
	{name: "public with an empty secret", id: "app", secret: "", status: 200},
	{name: "public with a null secret", id: "app", secret: nil, status: 200},
	{name: "public with a secret", id: "app", secret: "x", status: 401, code: "invalid_client"},
	{name: "public with another's secret", id: "app", secret: webSecret, status: 401, code: "invalid_client"},
	{name: "public by Basic", id: left, secret: left, authorization: basic("app", ""), status: 200},
	{name: "public by Basic with a secret", id: left, secret: left, authorization: basic("app", "x"),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},

	{name: "post", id: "web", secret: webSecret, status: 200},
	{name: "post, wrong secret", id: "web", secret: "wrong", status: 401, code: "invalid_client"},
	{name: "post, secret and a space", id: "web", secret: webSecret + " ", status: 401, code: "invalid_client"},
	{name: "post, no secret", id: "web", secret: left, status: 401, code: "invalid_client"},
	{name: "post, empty secret", id: "web", secret: "", status: 401, code: "invalid_client"},
	{name: "post, null secret", id: "web", secret: nil, status: 401, code: "invalid_client"},
	{name: "post, special characters", id: oddID, secret: oddSecret, status: 200},
	{name: "post, special characters encoded once too often", id: oddID, secret: url.QueryEscape(oddSecret),
		status: 401, code: "invalid_client"},

	{name: "Basic", id: left, secret: left, authorization: basic("web", webSecret), status: 200},
	{name: "Basic and the same id", id: "web", secret: left, authorization: basic("web", webSecret), status: 200},
	{name: "Basic and an empty secret in the body", id: left, secret: "", authorization: basic("web", webSecret), status: 200},
	{name: "Basic, scheme in lower case", id: left, secret: left, authorization: "basic" + basic("web", webSecret)[5:], status: 200},
	{name: "Basic, scheme in capitals", id: left, secret: left, authorization: "BASIC" + basic("web", webSecret)[5:], status: 200},
	{name: "Basic, more spaces", id: left, secret: left, authorization: "Basic   " + basic("web", webSecret)[6:], status: 200},
	{name: "Basic, special characters", id: left, secret: left, authorization: basic(oddID, oddSecret), status: 200},
	{name: "Basic, spaces as %20", id: left, secret: left,
		authorization: "Basic " + plain("odd%3Aid%20%26%2B%C3%BC:a%3Ab%2Bc%20d%252F%26%3D%C3%BC%2F"), status: 200},
	{name: "Basic, colons of the secret as they are", id: left, secret: left,
		authorization: "Basic " + plain(url.QueryEscape(oddID)+":a:b%2Bc+d%252F%26=ü/"), status: 200},
	{name: "Basic, not form-encoded", id: left, secret: left, authorization: "Basic " + plain("odd%3Aid+%26%2B%C3%BC:"+oddSecret),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, wrong secret", id: left, secret: left, authorization: basic("web", "wrong"),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, empty secret", id: left, secret: left, authorization: basic("web", ""),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},

	{name: "both methods", id: "web", secret: webSecret, authorization: basic("web", webSecret),
		status: 400, code: "invalid_request", startCode: "bad.request"},
	{name: "both methods, wrong Basic", id: "web", secret: webSecret, authorization: basic("web", "wrong"),
		status: 400, code: "invalid_request", startCode: "bad.request"},
	{name: "two ids", id: "app", secret: left, authorization: basic("web", webSecret),
		status: 400, code: "invalid_request", startCode: "bad.request"},
	{name: "two ids in capitals", id: "WEB", secret: left, authorization: basic("web", webSecret),
		status: 400, code: "invalid_request", startCode: "bad.request"},

	{name: "Basic, nothing", id: left, secret: left, authorization: "Basic",
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, nothing but a good id in the body", id: "app", secret: left, authorization: "Basic ",
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, not base64", id: left, secret: left, authorization: "Basic web:s3cret",
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, no colon", id: left, secret: left, authorization: "Basic " + plain("web"),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, half an escape", id: left, secret: left, authorization: "Basic " + plain("web:%4"),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, not UTF-8", id: left, secret: left, authorization: "Basic " + plain("web:\xff"),
		status: 401, code: "invalid_client", challenged: true, startChallenge: true},
	{name: "Basic, no id", id: left, secret: left, authorization: basic("", webSecret),
		status: 400, code: "invalid_request", startCode: "bad.request"},

	{name: "no id", id: left, secret: left, status: 400, code: "invalid_request", startCode: "bad.request"},
	{name: "unknown", id: "nobody", secret: left, status: 401, code: "invalid_client", startStatus: 400, startCode: "bad.request"},
	{name: "unknown with a secret", id: "nobody", secret: "x",
		status: 401, code: "invalid_client", startStatus: 400, startCode: "bad.request"},
	{name: "ids are exact", id: "APP", secret: left, status: 401, code: "invalid_client", startStatus: 400, startCode: "bad.request"},
	{name: "no prefix of one", id: "app\x00", secret: left, status: 401, code: "invalid_client", startStatus: 400, startCode: "bad.request"},
	// RFC 6749 §5.2: a client that used the header MUST be answered with the header.
	{name: "unknown by Basic", id: left, secret: left, authorization: basic("nobody", "x"),
		status: 401, code: "invalid_client", challenged: true, startStatus: 400, startCode: "bad.request"},
	{name: "another scheme", id: "app", secret: left, authorization: "Bearer eyJ", status: 200},
	{name: "another scheme in place of the secret", id: "web", secret: left, authorization: "Bearer " + webSecret,
		status: 401, code: "invalid_client"},
}

func TestClientAuthentication(t *testing.T) {
	s := serve(t)
	for _, tc := range authCases {
		for path, good := range doors {
			for _, media := range []string{jsonType, formType} {
				request := good.with("client_id", tc.id, "client_secret", tc.secret)
				if media == formType && tc.secret == nil {
					continue
				}
				t.Run(tc.name+path+" "+media, func(t *testing.T) {
					s.forget()
					status, code, challenged := tc.status, tc.code, tc.challenged
					if path == startPath {
						challenged = tc.startChallenge
						if tc.startCode != "" {
							code = tc.startCode
						}
						if tc.startStatus != 0 {
							status = tc.startStatus
						}
					}
					var headers []string
					if tc.authorization != "" {
						headers = []string{"Authorization", tc.authorization}
					}
					a := s.post(t, path, media, request.as(t, media), headers...)
					if code == "" {
						if path == legacyPath { // known, but not for this door
							requireError(t, a, 403, "unauthorized_client", "")
						} else {
							require.Equal(t, 200, a.status, a.body)
						}
						require.Empty(t, a.header.Values("WWW-Authenticate"))
						require.Equal(t, 1, s.calls())
						return
					}
					requireError(t, a, status, code, "")
					require.Zero(t, s.calls(), "who failed to authenticate must consume nothing")
					if challenged {
						require.Equal(t, []string{challenge}, a.header.Values("WWW-Authenticate"))
					} else {
						require.Empty(t, a.header.Values("WWW-Authenticate"))
					}
				})
			}
		}
	}
}

// Some clients try Basic, then the body with the very same code (wire contract 2).
func TestFailedAuthenticationConsumesNothing(t *testing.T) {
	s := serve(t)
	body := tokenRequest.with("client_id", "web")
	a := s.post(t, tokenPath, formType, body.form(), "Authorization", basic("web", "not form-encoded%"))
	requireError(t, a, 401, "invalid_client", "")
	require.Zero(t, s.calls())
	a = s.post(t, tokenPath, formType, body.with("client_secret", webSecret).form())
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "web", s.signIns[0].Client.ID)
	require.Equal(t, 1, s.calls())

	s.forget()
	body = refreshRequest.with("client_id", "web")
	a = s.post(t, tokenPath, formType, body.form(), "Authorization", basic("web", "wrong"))
	requireError(t, a, 401, "invalid_client", "")
	require.Zero(t, s.calls())
	a = s.post(t, tokenPath, formType, body.with("client_secret", webSecret).form())
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "web", s.refreshes[0].Client.ID)
	require.Equal(t, 1, s.calls())
}

func TestErrorsHideWhetherASecretWasNear(t *testing.T) {
	s := serve(t)
	var seen answer
	for _, secret := range []any{"x", webSecret[:5], webSecret + "x", left, ""} {
		a := s.post(t, tokenPath, jsonType, tokenRequest.with("client_id", "web", "client_secret", secret).json(t))
		requireError(t, a, 401, "invalid_client", "")
		if seen.body != "" {
			require.Equal(t, seen.body, a.body)
		}
		seen = a
	}
}

// A client that is authenticated and unknown to the door is refused before anything is looked at.
func TestGrantsByDoor(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		name, path string
		request    members
		status     int
		code       string
	}{
		{"legacy client at token", tokenPath, tokenRequest.with("client_id", "legacy"), 403, "unauthorized_client"},
		{"new client at the legacy door", legacyPath, legacyRequest.with("client_id", "app"), 403, "unauthorized_client"},
		{"password at token", tokenPath, tokenRequest.with("grant_type", "password"), 400, "unsupported_grant_type"},
		{"password of the legacy client at token", tokenPath, legacyRequest, 400, "unsupported_grant_type"},
		{"password-realm", tokenPath, tokenRequest.with("grant_type", "http://auth0.com/oauth/grant-type/password-realm"), 400, "unsupported_grant_type"},
		{"refresh at the legacy door", legacyPath, refreshRequest.with("client_id", "legacy"), 400, "unsupported_grant_type"},
		{"refresh in capitals", tokenPath, refreshRequest.with("grant_type", "REFRESH_TOKEN"), 400, "unsupported_grant_type"},
		{"code", tokenPath, members{"client_id": "app", "grant_type": "authorization_code", "code": "x"}, 400, "unsupported_grant_type"},
		{"client credentials", tokenPath, members{"client_id": "web", "client_secret": webSecret, "grant_type": "client_credentials"}, 400, "unsupported_grant_type"},
		{"https in the grant's name", tokenPath, tokenRequest.with("grant_type", "https://auth0.com/oauth/grant-type/passwordless/otp"), 400, "unsupported_grant_type"},
		{"a space after it", tokenPath, tokenRequest.with("grant_type", tokenRequest["grant_type"].(string)+" "), 400, "unsupported_grant_type"},
		{"the new grant at the legacy door", legacyPath, legacyRequest.with("grant_type", tokenRequest["grant_type"]), 400, "unsupported_grant_type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.forget()
			requireError(t, s.post(t, tc.path, formType, tc.request.form()), tc.status, tc.code, "")
			require.LessOrEqual(t, s.calls(), 1)
			if tc.code == "unsupported_grant_type" {
				require.Zero(t, s.calls())
			}
		})
	}
}
