package oauth_test

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// request is one HTTP request; headers are name and value in turn.
type request struct {
	method, path string
	headers      []string
	body         io.Reader
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *testServer) do(t *testing.T, r request) answer {
	t.Helper()
	out, err := http.NewRequestWithContext(t.Context(), r.method, s.url+r.path, r.body)
	require.NoError(t, err)
	for i := 0; i < len(r.headers); i += 2 {
		out.Header.Add(r.headers[i], r.headers[i+1])
		if r.headers[i] == "Host" {
			out.Host = r.headers[i+1]
		}
	}
	in, err := s.client.Do(out)
	require.NoError(t, err)
	defer in.Body.Close()
	body, err := io.ReadAll(in.Body)
	require.NoError(t, err)
	return answer{in.StatusCode, in.Header, string(body)}
}

// post sends a body of the media type; an empty one sends no Content-Type.
func (s *testServer) post(t *testing.T, path, media, body string, headers ...string) answer {
	t.Helper()
	if media != "" {
		headers = append([]string{"Content-Type", media}, headers...)
	}
	return s.do(t, request{http.MethodPost, path, headers, strings.NewReader(body)})
}

// members are a request's parameters, to be sent as JSON or as a form.
type members map[string]any

var (
	startRequest = members{"client_id": "app", "connection": "sms", "phone_number": alice, "send": "code"}
	tokenRequest = members{
		"grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp", "client_id": "app",
		"realm": "sms", "username": alice, "otp": "123456", "scope": "openid profile",
	}
	legacyRequest = members{
		"grant_type": "password", "client_id": "legacy", "connection": "sms", "username": alice,
		"password": "123456", "scope": "openid offline_access phone_number", "device": "Alice's phone",
	}
	refreshRequest = members{
		"grant_type": "refresh_token", "client_id": "app", "refresh_token": "v1.opaque", "scope": "openid profile email",
	}
	revokeRequest     = members{"client_id": "app", "token": "v1.opaque"}
	introspectRequest = members{"client_id": "web", "client_secret": webSecret, "token": "eyJ.access"}
)

// doors yields the path of each request that public clients make too, with one that is good.
func doors(yield func(path string, good members) bool) {
	_ = yield(startPath, startRequest) && yield(tokenPath, tokenRequest) && yield(tokenPath, refreshRequest) &&
		yield(legacyPath, legacyRequest) && yield(revokePath, revokeRequest)
}

// with returns the members changed: names and values in turn; a value of left leaves one out.
func (m members) with(changes ...any) members {
	changed := members{}
	for name, value := range m {
		changed[name] = value
	}
	for i := 0; i < len(changes); i += 2 {
		changed[changes[i].(string)] = changes[i+1]
		if changes[i+1] == left {
			delete(changed, changes[i].(string))
		}
	}
	return changed
}

type leftOut struct{}

var left leftOut

func (m members) json(t *testing.T) string {
	t.Helper()
	encoded, err := json.Marshal(m)
	require.NoError(t, err)
	return string(encoded)
}

// as is the body in a media type.
func (m members) as(t *testing.T, media string) string {
	t.Helper()
	if strings.HasPrefix(media, jsonType) {
		return m.json(t)
	}
	return m.form()
}

func (m members) form() string {
	form := url.Values{}
	for name, value := range m {
		if value != left {
			form.Set(name, value.(string))
		}
	}
	return form.Encode()
}

// requireError holds an answer to the shape of every error (wire contract 1). An empty description
// stands for any.
func requireError(t *testing.T, a answer, status int, code, description string) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	requireJSON(t, a)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	require.Len(t, body, 2, a.body)
	require.Equal(t, code, body["error"], a.body)
	said, _ := body["error_description"].(string)
	require.NotEmpty(t, strings.TrimSpace(said), a.body)
	if description != "" {
		require.Equal(t, description, said)
	}
}

func requireJSON(t *testing.T, a answer) {
	t.Helper()
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, jsonType, media)
}
