package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// TestReturningPersonCostsFewRoundTrips counts what reaches Redis and PostgreSQL, on the wire: two round
// trips to Redis a request, and three statements in one transaction for a sign-in. The text is sent after
// the answer, for one of each.
func TestReturningPersonCostsFewRoundTrips(t *testing.T) {
	const number = "+447700900142"
	x := newCounted(t, number)
	for range 3 { // the first makes the account; all open connections, load scripts, prepare statements
		x.token(t, number, x.start(t, number))
	}
	x.redis.take()
	x.postgres.take()

	code := x.start(t, number)
	// The source and the number; then, after the answer, what texts may cost and who has the number.
	x.expect(t, "start", []string{"EVALSHA", "EVALSHA", "EVALSHA"}, []string{"SELECT USERS"})
	x.token(t, number, code)
	// The source together with all, in one go, then the number.
	x.expect(t, "token", []string{"EVALSHA", "EVALSHA", "EVALSHA"}, []string{
		"BEGIN", "SELECT USERS", "INSERT SESSIONS", "INSERT AUDIT_EVENTS", "COMMIT",
	})
}

// TestARefreshCostsTwoStatements counts those of a refresh, of its repeat, and of an introspection.
func TestARefreshCostsTwoStatements(t *testing.T) {
	const number = "+447700900142"
	x := newCounted(t, number)
	tokens := x.token(t, number, x.start(t, number))
	refresh := func(token string) map[string]any {
		return x.post(t, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}})
	}
	first, _ := tokens["refresh_token"].(string)
	second, _ := refresh(first)["refresh_token"].(string)
	x.redis.take()
	x.postgres.take()
	third := refresh(second)
	x.expect(t, "refresh", nil, []string{"SELECT USERS", "UPDATE SESSIONS"}) // the session with its user
	refresh(second)
	x.expect(t, "repeat", nil, []string{"SELECT USERS"})
	access, _ := third["access_token"].(string)
	x.post(t, "/oauth/introspect", url.Values{"client_id": {"api"}, "client_secret": {"a secret of the api"}, "token": {access}})
	x.expect(t, "introspection", nil, []string{"SELECT SESSIONS"})
}

// counted is a server whose stores are reached through taps.
type counted struct {
	server   *server
	texts    textChannel
	redis    *tap
	postgres *tap
}

func newCounted(t *testing.T, number string) *counted {
	t.Helper()
	// The server is built but not run: its own look-outs, such as that for new keys, would be counted.
	x := &counted{texts: make(textChannel, 1)}
	x.redis = newTap(t, testservers.Redis(t), redisCommands)
	x.postgres = newTap(t, testservers.Postgres(t), postgresStatements)
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	env := Env{Stdin: strings.NewReader("external_id,name,phone\nE1,Amara Okafor," + number + "\n"), Stdout: t.Output(), Stderr: t.Output(),
		Environ: []string{
			"LATCHKEY_ISSUER=http://127.0.0.1:8080/", "LATCHKEY_SECRET_KEY=" + base64.StdEncoding.EncodeToString(secret),
			"LATCHKEY_LISTEN=127.0.0.1:0", "LATCHKEY_ADMIN_LISTEN=127.0.0.1:0", "LATCHKEY_OPS_LISTEN=127.0.0.1:0",
			"LATCHKEY_DATABASE_URL=" + x.postgres.address, "LATCHKEY_REDIS_URL=" + x.redis.address,
			"LATCHKEY_REDIS_KEY_PREFIX=" + rand.Text() + ":", "LATCHKEY_PHONE_ALLOW_FICTIONAL=true",
			"LATCHKEY_LIMITS_NUMBER_TEXTS_PER_SOURCE_HOUR=0", "LATCHKEY_LIMITS_NUMBER_TEXTS_PER_SOURCE_DAY=0",
			"LATCHKEY_SMS_TWILIO_ACCOUNT_SID=" + twiliotest.AccountSID, "LATCHKEY_SMS_TWILIO_API_KEY_SID=" + twiliotest.APIKeySID,
			"LATCHKEY_SMS_TWILIO_API_KEY_SECRET=" + twiliotest.APIKeySecret,
			"LATCHKEY_SMS_TWILIO_FROM=Latchkey", "LATCHKEY_CLIENTS={app: {algorithm: ES256, audiences: [\"https://api.example.com\"]}, " +
				"api: {secret: a secret of the api, audiences: [\"https://api.example.com\"]}}",
		}}
	for _, args := range [][]string{{"migrate", "up"}, {"hr", "import", "-"}} {
		if code := Run(t.Context(), args, env); code != exitDone {
			t.Fatalf("latchkey %v: exit code %d", args, code)
		}
	}
	c, err := config.Load(config.LoadOptions{Environ: env.Environ})
	if err != nil {
		t.Fatal(err)
	}
	at, err := listen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(at.close)
	x.server, err = newServer(t.Context(), c, at, map[string]sms.Sender{"twilio": x.texts}, slog.New(slog.NewTextHandler(t.Output(), nil)), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.server.close)
	return x
}

// textChannel is an sms.Sender whose texts arrive in the test.
type textChannel chan sms.Message

// Send implements sms.Sender.
func (c textChannel) Send(_ context.Context, m sms.Message) (sms.Receipt, error) {
	c <- m
	return sms.Receipt{ID: "SM0"}, nil
}

func (x *counted) start(t *testing.T, number string) (code string) {
	t.Helper()
	x.post(t, "/passwordless/start", url.Values{"client_id": {"app"}, "connection": {"sms"}, "phone_number": {number}})
	select {
	case m := <-x.texts:
		return m.Body[:6]
	case <-time.After(10 * time.Second):
		t.Fatal("no text came")
	}
	return ""
}

func (x *counted) token(t *testing.T, number, code string) map[string]any {
	t.Helper()
	return x.post(t, "/oauth/token", url.Values{
		"grant_type": {"http://auth0.com/oauth/grant-type/passwordless/otp"},
		"client_id":  {"app"}, "realm": {"sms"}, "username": {number}, "otp": {code},
		"scope": {"openid profile offline_access"}, "audience": {"https://api.example.com"},
	})
}

func (x *counted) post(t *testing.T, path string, form url.Values) map[string]any {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	x.server.public.Echo.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: %d %s", path, answer.Code, body)
	}
	var members map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &members); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return members
}

// expect compares what has been seen since the last time.
func (x *counted) expect(t *testing.T, request string, commands, statements []string) {
	t.Helper()
	if got := x.redis.take(); !slices.Equal(got, commands) {
		t.Errorf("%s: Redis got %q, want %q", request, got, commands)
	}
	if got := x.postgres.take(); !slices.Equal(got, statements) {
		t.Errorf("%s: PostgreSQL got %q, want %q", request, got, statements)
	}
}
