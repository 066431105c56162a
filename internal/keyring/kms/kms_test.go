//go:build kms

package kms

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/kms/transittest"
)

const label = "latchkey/signing-key/RS256/one"

// open returns an envelope over a server, as the environment has it with these changes.
func open(t *testing.T, s *transittest.Server, timeout time.Duration, env ...string) *keyring.Envelope {
	t.Helper()
	t.Setenv("VAULT_ADDR", s.URL)
	t.Setenv("VAULT_TOKEN", s.Token)
	t.Setenv("VAULT_MAX_RETRIES", "0") // each takes over a second
	for i := 0; i < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
	e, hangUp, err := Open(t.Context(), "hashivault://"+s.Key, timeout)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hangUp()) })
	return e
}

func TestVaultKeepsAKey(t *testing.T) {
	s := transittest.Start(t)
	e := open(t, s, 10*time.Second)
	require.Equal(t, "hashivault://"+s.Key, e.Name())
	sealed, err := e.Wrap(t.Context(), []byte("private key"), label)
	require.NoError(t, err)
	plain, err := e.Unwrap(t.Context(), sealed, label)
	require.NoError(t, err)
	require.Equal(t, "private key", string(plain))
	_, err = e.Unwrap(t.Context(), sealed, label+"2")
	require.ErrorContains(t, err, "not for this key")

	sealed[20] ^= 1 // inside of what Vault encrypted
	_, err = e.Unwrap(t.Context(), sealed, label)
	require.ErrorIs(t, err, keyring.ErrRefused)
	require.ErrorContains(t, err, "the key-management service refused: 400 ")
}

func TestVaultRefuses(t *testing.T) {
	s := transittest.Start(t)
	for name, tc := range map[string]struct {
		url string
		env []string
		why string
	}{
		"wrong token": {"hashivault://" + s.Key, []string{"VAULT_TOKEN", "hunter2"}, "403 2 errors occurred: * permission denied * invalid token"},
		"no token":    {"hashivault://" + s.Key, []string{"VAULT_TOKEN", ""}, "403 permission denied"},
		"unknown key": {"hashivault://nobody", nil, "403 1 error occurred: * permission denied"},
		"no engine":   {"hashivault://" + s.Key + "?engine=elsewhere", nil, "403 1 error occurred: * permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			open(t, s, 10*time.Second, tc.env...) // for its environment
			e, hangUp, err := Open(t.Context(), tc.url, 10*time.Second)
			require.NoError(t, err)
			defer func() { require.NoError(t, hangUp()) }()
			_, err = e.Wrap(t.Context(), []byte("private key"), label)
			require.ErrorIs(t, err, keyring.ErrRefused)
			require.EqualError(t, err, "encrypt a data key: "+e.Name()+": the key-management service refused: "+tc.why)
		})
	}
}

func TestVaultComesAndGoes(t *testing.T) {
	s := transittest.Start(t)
	e := open(t, s, 200*time.Millisecond)
	sealed, err := e.Wrap(t.Context(), []byte("private key"), label)
	require.NoError(t, err)
	for _, tc := range []struct {
		name    string
		trouble func()
		why     string
	}{
		{"gone", func() { s.Leave(t) }, ""}, // "connection refused", or what a cut connection says
		{"hangs", s.Hang, "it did not answer within 200ms"},
		{"sealed", func() { s.Answer(503, `{"errors":["Vault is sealed"]}`) }, "503 Vault is sealed"},
		{"too many of us", func() { s.Answer(429, `{"errors":["request path \"x\": rate limit quota exceeded"]}`) }, "429 request path"},
		{"a proxy's page", func() { s.Answer(502, "<p>hunter2</p>\n") }, "502 Bad Gateway"},
		{"a long story", func() { s.Answer(500, `{"errors":["`+strings.Repeat("no ", 1000)+`"]}`) }, "500 no no"},
		{"an empty answer", func() { s.Answer(204, "") }, "not available"},
		{"an answer without data", func() { s.Answer(200, `{}`) }, "its answer makes no sense"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.trouble()
			start := time.Now()
			_, err := e.Unwrap(t.Context(), sealed, label)
			require.ErrorIs(t, err, keyring.ErrUnavailable)
			require.ErrorContains(t, err, e.Name()+": the key-management service is not available: ")
			require.ErrorContains(t, err, tc.why)
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 500)
			require.Less(t, time.Since(start), 2*time.Second)

			s.Work()
			s.Return(t)
			plain, err := e.Unwrap(t.Context(), sealed, label)
			require.NoError(t, err, "it is back")
			require.Equal(t, "private key", string(plain))
		})
	}
}

// Vault's driver knows no context; its client must end the calls that we gave up.
func TestNoCallIsLeftBehind(t *testing.T) {
	s := transittest.Start(t)
	e := open(t, s, 100*time.Millisecond)
	s.Hang()
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.Wrap(ctx, []byte("private key"), label)
	require.ErrorIs(t, err, context.Canceled)
	for range 6 {
		_, err := e.Wrap(t.Context(), []byte("private key"), label)
		require.ErrorIs(t, err, keyring.ErrUnavailable)
	}
	goleak.VerifyNone(t, before)
}

func TestVaultNeedsAnAddress(t *testing.T) {
	t.Setenv("VAULT_ADDR", "")
	t.Setenv("VAULT_AGENT_ADDR", "")
	_, _, err := Open(t.Context(), "hashivault://latchkey", time.Second)
	require.EqualError(t, err, "hashivault://latchkey: set VAULT_ADDR to the address of Vault")
}

// The drivers are all there, and dial nobody before there is something to do.
func TestEveryServiceOpens(t *testing.T) {
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", googleCredentials(t))
	require.True(t, Supported)
	require.Equal(t, []string{"awskms", "gcpkms", "azurekeyvault", "hashivault"}, Schemes())
	for _, p := range places {
		require.NoError(t, Check(p.example))
		e, hangUp, err := Open(t.Context(), p.example, 10*time.Second)
		require.NoError(t, err, p.scheme)
		require.Equal(t, p.example, e.Name())
		require.NoError(t, hangUp())
	}
}

func TestOnlyServicesOpen(t *testing.T) {
	for _, url := range []string{"base64key://smGbjm71Nxd1Ig5FS0wj9SlbzAIrnolCz9bQQ6uAhl4=", "file:///key", ""} {
		require.ErrorContains(t, Check(url), "unknown scheme")
		_, _, err := Open(t.Context(), url, time.Second)
		require.ErrorContains(t, err, "unknown scheme")
	}
}

// An address with credentials in it would otherwise be in the error of each call.
func TestErrorsDoNotRepeatTheAddress(t *testing.T) {
	t.Setenv("VAULT_ADDR", "http://hunter2:hunter3@"+nobody(t))
	t.Setenv("VAULT_MAX_RETRIES", "0")
	e, _, err := Open(t.Context(), "hashivault://latchkey", time.Second)
	require.NoError(t, err)
	_, err = e.Wrap(t.Context(), []byte("private key"), label)
	require.ErrorIs(t, err, keyring.ErrUnavailable)
	require.NotContains(t, err.Error(), "hunter")
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

// AWS is a plain HTTP API too: its driver's errors come out in the same two kinds.
func TestAWSAnswers(t *testing.T) {
	s := transittest.Start(t)
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	e, _, err := Open(t.Context(), "awskms://alias/latchkey?endpoint="+s.URL, 150*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, "awskms://alias/latchkey", e.Name())
	for _, tc := range []struct {
		trouble func()
		want    error
		text    string
	}{
		{func() {
			s.Answer(http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"not authorized to perform: kms:Encrypt"}`)
		}, keyring.ErrRefused, "not authorized to perform: kms:Encrypt"},
		{func() {
			s.Answer(http.StatusBadRequest, `{"__type":"NotFoundException","message":"Alias is not found"}`)
		}, keyring.ErrRefused, "Alias is not found"},
		{func() {
			s.Answer(http.StatusBadRequest, `{"__type":"KMSInternalException","message":"try again"}`)
		}, keyring.ErrUnavailable, "try again"},
		{s.Hang, keyring.ErrUnavailable, "did not answer within 150ms"},
		{func() { s.Leave(t) }, keyring.ErrUnavailable, ""},
	} {
		tc.trouble()
		_, err := e.Wrap(t.Context(), []byte("private key"), label)
		require.ErrorIs(t, err, tc.want)
		require.ErrorContains(t, err, tc.text)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
