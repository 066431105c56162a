package oauth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/token"
)

const (
	issuer = "https://login.example.com/"
	shop   = "https://shop.example.com"
	alice  = "+447700900123"

	// Secrets and ids that only a reader of both layers of Basic gets right.
	webSecret = "s3cret"
	oddID     = "odd:id &+ü"
	oddSecret = "a:b+c d%2F&=ü/"

	startPath     = "/passwordless/start"
	tokenPath     = "/oauth/token"
	legacyPath    = "/oauth/ro"
	revokePath    = "/oauth/revoke"
	userInfoPath  = "/userinfo"
	jwksPath      = "/.well-known/jwks.json"
	discoveryPath = "/.well-known/openid-configuration"
	metadataPath  = "/.well-known/oauth-authorization-server"

	introspectPath = "/oauth/introspect"
	listPath       = "/status-lists/known"

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

	refreshes   []login.RefreshRequest
	revocations []login.RevokeRequest
	introspects []introspected

	// err and cause are what every call ends with: an error, or a panic.
	err    error
	cause  any
	tokens login.Tokens
	info   login.UserInfo
	said   login.Introspection
}

// introspected is whom a token was shown to.
type introspected struct{ caller, token string }

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

func (f *fakeLogin) Refresh(_ context.Context, r login.RefreshRequest) (login.Tokens, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refreshes = append(f.refreshes, r)
	return f.tokens, f.outcome()
}

func (f *fakeLogin) Revoke(_ context.Context, r login.RevokeRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revocations = append(f.revocations, r)
	return f.outcome()
}

func (f *fakeLogin) Introspect(_ context.Context, caller *client.Client, token string) (login.Introspection, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.introspects = append(f.introspects, introspected{caller.ID, token})
	return f.said, f.outcome()
}

// calls is how many requests got as far as the domain.
func (f *fakeLogin) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starts) + len(f.signIns) + len(f.bearers) + len(f.refreshes) + len(f.revocations) + len(f.introspects)
}

func (f *fakeLogin) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts, f.signIns, f.bearers, f.err, f.cause = nil, nil, nil, nil, nil
	f.refreshes, f.revocations, f.introspects = nil, nil, nil
}

// fakeKeys is a published key set that never changes.
type fakeKeys struct{}

const jwksBody = `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","n":"sXc","e":"AQAB"}]}`

func (fakeKeys) JWKS() keyring.JWKS {
	return keyring.JWKS{Body: []byte(jwksBody), ETag: `"jwks-1"`, MaxAge: 5 * time.Minute, Revision: 7}
}
func (fakeKeys) Algorithms() []string { return []string{"ES256", "RS256"} }

// fakeLists is a status list too short to be compressed, "known", one that is not, "large", and one
// that could not be brought up to date, "stale".
type fakeLists struct{}

const (
	listBody  = "e30.e30.c2ln"
	largeBody = "e30.e30.bGFyZ2U"
	// zipped stands for largeBody compressed: the server must not care.
	zipped = "\x1f\x8bzipped"
)

func (fakeLists) Token(id string) (statuslist.Served, error) {
	switch id {
	case "known":
		return statuslist.Served{Body: []byte(listBody), ETag: `"list-1"`, MaxAge: 15 * time.Second}, nil
	case "large":
		return statuslist.Served{Body: []byte(largeBody), Gzip: []byte(zipped), ETag: `"list-2"`, MaxAge: 59 * time.Second}, nil
	case "stale":
		return statuslist.Served{}, statuslist.ErrStale
	}
	return statuslist.Served{}, statuslist.ErrUnknownList
}

// company are the networks that a listed origin is in; a test's own address is in none.
var company = origin.Company{netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("2001:db8:1::/48")}

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
		{ID: "app", Grants: both[:1], Origins: []string{shop}, Algorithm: "RS256"},
		{ID: "web", Secret: webSecret, Grants: both[:1], Algorithm: "RS256"},
		{ID: oddID, Secret: oddSecret, Grants: both[:1], Algorithm: "ES256"},
		{ID: "legacy", Grants: both[1:], Algorithm: "RS256"},
		{ID: "backend", Secret: webSecret, Grants: both, Algorithm: "RS256", ForwardsFor: true},
		{ID: "boaster", Grants: both, Algorithm: "RS256", ForwardsFor: true}, // the setting means nothing without a secret
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
		log: &lockedBuffer{}, client: &http.Client{Transport: &http.Transport{DisableCompression: true}}, // it sends what tests say
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
	handler := &oauth.Handler{Issuer: issuer, Clients: registry(), Login: s.fakeLogin, Keys: fakeKeys{}, StatusLists: fakeLists{}, Company: company}
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

// lastLine checks what the log says of the last request.
func (s *testServer) lastLine(t *testing.T, texts ...string) {
	t.Helper()
	line := s.newest()
	for _, text := range texts {
		require.Contains(t, line, text)
	}
}

func (s *testServer) lastLineLacks(t *testing.T, text string) {
	t.Helper()
	require.NotContains(t, s.newest(), text)
}

func (s *testServer) newest() string {
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	return lines[len(lines)-1]
}
