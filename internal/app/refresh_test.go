package app_test

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/devpage/sample"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

const (
	invalidRefreshTxt = "Unknown or invalid refresh token."
	userGoneTxt       = "The refresh_token was generated for a user who doesn't exist anymore."
)

// stay signs somebody in for good, and returns the tokens.
func (p *program) stay(twilio *twiliotest.Server, client, number string) answer {
	p.t.Helper()
	before := len(textsTo(twilio, number))
	require.Equal(p.t, http.StatusOK, p.start(client, number).status)
	request := tokenRequest(client, number, code(p.t, twilio, number, before))
	request["scope"], request["device"] = "openid profile offline_access", "Zoë's phone"
	a := p.form("/oauth/token", request)
	require.Equal(p.t, http.StatusOK, a.status, a.body)
	require.NotEmpty(p.t, a.text("refresh_token"))
	return a
}

func (p *program) refresh(client, token string) answer {
	p.t.Helper()
	return p.form("/oauth/token", map[string]string{"grant_type": "refresh_token", "client_id": client, "refresh_token": token})
}

// refused demands an error of the token endpoint, text and all.
func refused(t *testing.T, a answer, description string) {
	t.Helper()
	require.Equal(t, http.StatusForbidden, a.status, a.body)
	require.Equal(t, map[string]any{"error": "invalid_grant", "error_description": description}, a.body)
}

// sessions runs `latchkey sessions list` for scripts.
func sessions(t *testing.T, s stores, args ...string) []map[string]any {
	t.Helper()
	code, stdout, stderr := command(t, s.environ("http://127.0.0.1:1"),
		append([]string{"sessions", "list", "--config", settingsFile(t), "--output", "json"}, args...)...)
	require.Zero(t, code, stderr)
	var all []map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	return all
}

func TestFiftyRefreshesOfOneToken(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	replicas := []*program{serve(t, s, base), serve(t, s, base)}
	signedIn := replicas[0].stay(twilio, "app", employee)
	first := signedIn.text("refresh_token")
	successors, ids := map[string]bool{}, map[string]bool{}
	for _, a := range together(50, func(i int) answer { return replicas[i%2].refresh("app", first) }) {
		require.Equal(t, http.StatusOK, a.status, a.body)
		successors[a.text("refresh_token")] = true
		ids[claims(t, a.text("access_token"))["jti"].(string)] = true
		was, is := claims(t, signedIn.text("id_token")), claims(t, a.text("id_token"))
		require.Equal(t, was["sub"], is["sub"])
		require.Equal(t, was["auth_time"], is["auth_time"])
		require.NotContains(t, is, "nonce")
	}
	require.Len(t, successors, 1, "all carry the same successor")
	require.Len(t, ids, 50, "each with tokens of its own")
	require.NotContains(t, successors, first)
	found := sessions(t, s, employee)
	require.Len(t, found, 1)
	require.EqualValues(t, 1, found[0]["refreshes"], "one generation later")
	require.Equal(t, "Zoë's phone", found[0]["device"])
}

// lossy is a proxy that loses a share of the answers after the server has given them.
func lossy(t *testing.T, p *program, share float64) *program {
	t.Helper()
	chance, mu := rand.New(rand.NewPCG(1, 2)), sync.Mutex{}
	lost := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return chance.Float64() < share
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		onward, err := http.NewRequestWithContext(r.Context(), r.Method, p.base+r.URL.Path, strings.NewReader(string(body)))
		require.NoError(t, err)
		onward.Header = r.Header
		response, err := http.DefaultClient.Do(onward)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		if lost() {
			panic(http.ErrAbortHandler) // the line goes dead
		}
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(answer)
	}))
	t.Cleanup(proxy.Close)
	return &program{t: t, base: proxy.URL, stopped: true}
}

// refreshOverALossyLine tries with what it has until an answer comes through.
func refreshOverALossyLine(t *testing.T, line *program, token string) answer {
	t.Helper()
	for range 100 {
		form := formOf(map[string]string{"grant_type": "refresh_token", "client_id": "app", "refresh_token": token})
		if a, err := line.send(http.MethodPost, "/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(form)); err == nil {
			return a
		}
	}
	t.Fatal("a hundred answers were lost")
	return answer{}
}

func TestALossyLineLogsNobodyOut(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	line := lossy(t, p, 0.3)
	token := p.stay(twilio, "app", employee).text("refresh_token")
	for range 500 {
		a := refreshOverALossyLine(t, line, token)
		require.Equal(t, http.StatusOK, a.status, a.body)
		require.NotEqual(t, token, a.text("refresh_token"))
		token = a.text("refresh_token")
	}
	found := sessions(t, s, employee)
	require.Len(t, found, 1)
	require.EqualValues(t, 500, found[0]["refreshes"])
}

func TestAThiefWhoReplaysIsCaught(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	line := lossy(t, p, 0.3)
	token := p.stay(twilio, "app", employee).text("refresh_token")
	stolen, caught := "", 0
	for i := range 500 {
		if i == 100 {
			stolen = token
		}
		a := refreshOverALossyLine(t, line, token)
		if a.status != http.StatusOK {
			refused(t, a, invalidRefreshTxt)
			caught = i
			break
		}
		token = a.text("refresh_token")
		if stolen != "" {
			p.refresh("app", stolen)
		}
	}
	require.Equal(t, 102, caught, "the second replay is two generations behind")
	refused(t, p.refresh("app", stolen), invalidRefreshTxt)
	refused(t, p.refresh("app", token), invalidRefreshTxt)
	require.Empty(t, sessions(t, s, employee))
	ended := sessions(t, s, employee, "--ended")
	require.Len(t, ended, 1)
	require.Equal(t, "revoked", ended[0]["state"])
	require.Equal(t, "refresh_replayed", ended[0]["revoked_reason"])
	events := auditOf(t, s, "session.ended")
	require.Len(t, events, 1)
	require.Equal(t, "refresh_replayed", events[0].reason)
	require.JSONEq(t, `{"presented":100,"newest":102,"client":"app"}`, events[0].detail)
}

// A person waits; HR enters their number; the next refresh makes them an employee.
func TestAWaitingPersonIsRaised(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	strict := start(t, append(s.environ(base), "LATCHKEY_SESSIONS_RAISE_WITHIN=1ms"), "serve", "--config", settingsFile(t)).awaitServing()
	early, late := p.stay(twilio, "app", stranger), p.stay(twilio, "app", "+447700900124")
	waiting := claims(t, early.text("access_token"))
	require.Equal(t, "anonymous", waiting["tier"])
	require.Equal(t, "anonymous", claims(t, p.refresh("app", early.text("refresh_token")).text("access_token"))["tier"])

	staff := string(sample.Staff()) + entered(t, "E9001", "New Person", stranger) + entered(t, "E9002", "Late Person", "+447700900124")
	code, stdout, stderr := command(t, s.environ(base), "hr", "import", "--config", settingsFile(t), file(t, "staff.csv", staff))
	require.Zero(t, code, stdout+stderr)

	raised := p.refresh("app", early.text("refresh_token"))
	require.Equal(t, http.StatusOK, raised.status, raised.body)
	employed := claims(t, raised.text("access_token"))
	require.Equal(t, "employee", employed["tier"])
	require.Equal(t, []any{"profile:read"}, employed["permissions"])
	require.Equal(t, waiting["sub"], employed["sub"], "the person stays who they are")
	require.Equal(t, waiting["auth_time"], employed["auth_time"])
	require.Equal(t, "New Person", claims(t, raised.text("id_token"))["name"])

	refused(t, strict.refresh("app", late.text("refresh_token")), invalidRefreshTxt) // proven too long ago
	again := claims(t, p.stay(twilio, "app", "+447700900124").text("access_token"))
	require.Equal(t, "employee", again["tier"], "a new sign-in does it")
	require.Equal(t, claims(t, late.text("access_token"))["sub"], again["sub"])
}

// entered is a line of the sample's file.
func entered(t *testing.T, externalID, name, number string) string {
	t.Helper()
	header, _, _ := strings.Cut(string(sample.Staff()), "\n")
	values := map[string]string{"external_id": externalID, "name": name, "phone": number, "status": "active"}
	var cells []string
	for column := range strings.SplitSeq(strings.TrimSpace(header), ",") {
		cells = append(cells, values[column])
	}
	return strings.Join(cells, ",") + "\n"
}

func TestRefreshGoesOnWithoutRedis(t *testing.T) {
	server := testservers.StartRedis(t)
	s := stores{testservers.Postgres(t), server.DSN(), "test:"}
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	tokens := p.stay(twilio, "app", employee)
	server.Kill()
	again := p.refresh("app", tokens.text("refresh_token"))
	require.Equal(t, http.StatusOK, again.status, again.body)
	require.Equal(t, http.StatusOK, p.form("/oauth/revoke", map[string]string{"client_id": "app", "token": again.text("refresh_token")}).status)
	refused(t, p.refresh("app", again.text("refresh_token")), invalidRefreshTxt)
	require.Eventually(t, func() bool { return statusOf(t, p, again.text("access_token")) == 1 }, 5*time.Second, 20*time.Millisecond,
		"replicas look by themselves")
}

func TestRefreshWhileTheDatabaseIsDown(t *testing.T) {
	server := testservers.StartPostgres(t)
	s := stores{server.DSN(), testservers.Redis(t), "test:"}
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	token := p.stay(twilio, "app", employee).text("refresh_token")
	server.Kill()
	for range 3 {
		a := p.refresh("app", token)
		require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
		require.Equal(t, "temporarily_unavailable", a.text("error"))
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	server.Start()
	require.Eventually(t, func() bool { return p.refresh("app", token).status == http.StatusOK }, 15*time.Second, 50*time.Millisecond,
		"the old token still works afterwards")
}
