package oauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/token"
)

const (
	issuer = "https://login.example.com/"
	origin = "https://shop.example.com"
	alice  = "+447700900123"

	// Secrets and ids that only a reader of both layers of Basic gets right.
	webSecret = "s3cret"
	oddID     = "odd:id &+ü"
	oddSecret = "a:b+c d%2F&=ü/"

	startPath     = "/passwordless/start"
	tokenPath     = "/oauth/token"
	legacyPath    = "/oauth/ro"
	userInfoPath  = "/userinfo"
	jwksPath      = "/.well-known/jwks.json"
	discoveryPath = "/.well-known/openid-configuration"
	metadataPath  = "/.well-known/oauth-authorization-server"

	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"

	wrongCode = "Wrong phone number or verification code."
)

// fakeLogin keeps login.Service's promises about what it refuses, knows every code, and remembers
// what reached it.
type fakeLogin struct {
	mu      sync.Mutex
	starts  []login.StartRequest
	signIns []login.SignInRequest
	bearers []string

	// err and cause are what every call ends with: an error, or a panic.
	err    error
	cause  any
	tokens login.Tokens
	info   login.UserInfo
}

func (f *fakeLogin) outcome() error {
	if f.cause != nil {
		panic(f.cause)
	}
	return f.err
}

func (f *fakeLogin) Start(_ context.Context, r login.StartRequest) (login.Started, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, r)
	if err := f.outcome(); err != nil {
		return login.Started{}, err
	}
	if r.Connection != login.SMS {
		return login.Started{}, login.ErrConnection
	}
	number, err := phone.Parser{AllowFictional: true}.Parse(r.Phone)
	return login.Started{ID: "9f2c6b1e7a", Phone: number}, err
}

func (f *fakeLogin) SignIn(_ context.Context, r login.SignInRequest) (login.Tokens, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signIns = append(f.signIns, r)
	if err := f.outcome(); err != nil {
		return login.Tokens{}, err
	}
	switch {
	case !r.Client.May(r.Grant):
		return login.Tokens{}, login.ErrGrant
	case r.Realm != login.SMS:
		return login.Tokens{}, login.ErrConnection
	}
	if _, err := (phone.Parser{AllowFictional: true}).Parse(r.Phone); err != nil {
		return login.Tokens{}, err
	}
	_, err := otp.ParseCode(r.Code)
	return f.tokens, err
}

func (f *fakeLogin) UserInfo(_ context.Context, accessToken string) (login.UserInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bearers = append(f.bearers, accessToken)
	return f.info, f.outcome()
}

// calls is how many requests got as far as the domain.
func (f *fakeLogin) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starts) + len(f.signIns) + len(f.bearers)
}

func (f *fakeLogin) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts, f.signIns, f.bearers, f.err, f.cause = nil, nil, nil, nil, nil
}

// fakeKeys is a published key set that never changes.
type fakeKeys struct{}

const jwksBody = `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","n":"sXc","e":"AQAB"}]}`

func (fakeKeys) JWKS() ([]byte, string) { return []byte(jwksBody), `"jwks-1"` }
func (fakeKeys) Algorithms() []string   { return []string{"ES256", "RS256"} }

// testServer is the public listener as app builds it, over loopback, with a fake domain behind it.
type testServer struct {
	*fakeLogin
	url, host string
	log       *lockedBuffer
	client    *http.Client

	mu     sync.Mutex
	routes []string
}

func registry() *client.Registry {
	both := []client.Grant{client.Passwordless, client.LegacyRO}
	return client.NewRegistry([]client.Client{
		{ID: "app", Grants: both[:1], Origins: []string{origin}, Algorithm: "RS256"},
		{ID: "web", Secret: webSecret, Grants: both[:1], Algorithm: "RS256"},
		{ID: oddID, Secret: oddSecret, Grants: both[:1], Algorithm: "ES256"},
		{ID: "legacy", Grants: both[1:], Algorithm: "RS256"},
	}, false)
}

func serve(t *testing.T) *testServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &testServer{
		fakeLogin: &fakeLogin{
			tokens: login.Tokens{
				Minted: token.Minted{Access: "eyJ.access", ID: "eyJ.id", ExpiresIn: 15 * time.Minute},
				Scope:  scope.Set{"openid", "profile"}, Tier: "employee", SessionID: "sid-1",
			},
			info: login.UserInfo{Subject: "sub-1", PersonClaims: token.PersonClaims{Name: "Alice"}},
		},
		url: "http://" + listener.Addr().String(), host: listener.Addr().String(),
		log: &lockedBuffer{}, client: &http.Client{Transport: &http.Transport{}},
	}
	// A redirect on an API call is a fault, not something to follow (wire contract 1).
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	server := httpserver.New(httpserver.Options{
		Name: "public", Listener: listener, Fail: oauth.Fail,
		Log: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(route, _ string, _ int, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.routes = append(s.routes, route)
		},
	})
	handler := &oauth.Handler{Issuer: issuer, Clients: registry(), Login: s.fakeLogin, Keys: fakeKeys{}}
	require.NoError(t, handler.Register(server.Echo))
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		require.NoError(t, server.Shutdown(context.Background()))
		require.NoError(t, <-served)
	})
	return s
}

// logs checks that the log holds each text.
func (s *testServer) logs(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.True(t, strings.Contains(s.log.String(), text), "the log lacks %q", text)
	}
}

func (s *testServer) logsNone(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.False(t, strings.Contains(s.log.String(), text), "the log holds %q", text)
	}
}

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
	doors = map[string]members{startPath: startRequest, tokenPath: tokenRequest, legacyPath: legacyRequest}
)

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

// lockedBuffer is a log that a test may read while the server writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
