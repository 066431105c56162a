package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/app"
	"github.com/latchkey-id/latchkey/internal/devpage/sample"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

const (
	issuer     = "https://id.example.com/"
	audience   = "https://api.example.com"
	grant      = "http://auth0.com/oauth/grant-type/passwordless/otp"
	employee   = "+447700900001"
	manager    = "+447700900005"
	admin      = "+447700900010"
	shared     = "+447700900020"
	leaver     = "+447700900024"
	stranger   = "+447700900123"
	wrongText  = "Wrong phone number or verification code."
	tooManyTxt = "You've reached the maximum number of attempts. Please try to login again."
)

// settings are those of a production-like server, less its stores.
const settings = `
issuer: https://id.example.com/
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
ops: {listen: "127.0.0.1:0"}
secret_key: ` + secretKey + `
phone: {allow_fictional: true}
# Tests that are not about limits ask from an office, as often as they like.
trusted_proxies: [192.0.2.1]
company_networks: [127.0.0.0/8, "::1/128"]
limits:
  number:
    {guesses_per_source_day: 0, guesses_per_day: 0, texts_per_source_hour: 0, texts_per_source_day: 0, texts_per_hour: 0, texts_per_day: 0}
  source: {company_guesses_per_hour: 0}
  all: {guesses_per_hour: 0, guesses_percent: 0}
sms:
  countries: [GB]
  strangers: {per_hour: 0, per_day: 0, per_block_hour: 0}
  volume: {per_country_day: 0, per_country_day_person: 0, per_day: 0, per_day_person: 0}
shutdown_timeout: 10s
log: {level: debug}
tiers:
  - {name: admin, when: {groups: [it-admins]}, permissions: [keys:rotate]}
  - {name: manager, when: {groups: [managers]}, permissions: [reports:read]}
  - {name: employee, permissions: [profile:read]}
  - {name: anonymous}
clients:
  app: {audiences: [https://api.example.com], origins: [https://app.example.com]}
  es: {algorithm: ES256, audiences: [https://api.example.com]}
  ed: {algorithm: EdDSA, audiences: [https://api.example.com]}
  web: {secret: web-secret-for-tests-only, audiences: [https://api.example.com]}
  legacy: {grants: [passwordless, legacy_ro]}
  staff: {tiers: [admin, manager, employee], audiences: [https://api.example.com]}
`

const secretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// stores are what a server keeps its state in; replicas share them.
type stores struct{ database, redis, prefix string }

func (s stores) environ(twilio string) []string {
	return []string{
		"LATCHKEY_DATABASE_URL=" + s.database, "LATCHKEY_REDIS_URL=" + s.redis, "LATCHKEY_REDIS_KEY_PREFIX=" + s.prefix,
		"LATCHKEY_SMS_TWILIO_BASE_URL=" + twilio,
		"LATCHKEY_SMS_TWILIO_ACCOUNT_SID=" + twiliotest.AccountSID,
		"LATCHKEY_SMS_TWILIO_API_KEY_SID=" + twiliotest.APIKeySID,
		"LATCHKEY_SMS_TWILIO_API_KEY_SECRET=" + twiliotest.APIKeySecret,
		"LATCHKEY_SMS_TWILIO_MESSAGING_SERVICE_SID=" + twiliotest.MessagingServiceSID,
	}
}

func settingsFile(t *testing.T) string {
	t.Helper()
	return file(t, "latchkey.yaml", settings)
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// transcript is a writer that a test can read while it is written.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// program is a command that runs until it is stopped.
type program struct {
	t        *testing.T
	stdout   transcript
	stderr   transcript
	cancel   context.CancelFunc
	exit     chan int
	stopped  bool
	base     string
	ops      string
	exitCode int
}

func start(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	return startAt(t, time.Now, environ, args...)
}

// startAt starts a program on a machine with another clock.
func startAt(t *testing.T, now func() time.Time, environ []string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{t: t, cancel: cancel, exit: make(chan int, 1)}
	go func() {
		p.exit <- app.Run(ctx, args, app.Env{
			Version: "test", Environ: environ, Stdin: strings.NewReader(""), Stdout: &p.stdout, Stderr: &p.stderr, Now: now,
		})
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("standard error of %v:\n%s", args, tail(p.stderr.String(), 8000))
		}
	})
	return p
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// stop ends the program as SIGTERM does, and returns its exit code.
func (p *program) stop() int {
	if !p.stopped {
		p.cancel()
		p.exitCode = <-p.exit
		p.stopped = true
	}
	return p.exitCode
}

var servingLine = regexp.MustCompile(`"msg":"serving".*"public":"([^"]+)".*"ops":"([^"]+)"`)

// serve starts a replica over the stores and waits until it answers.
func serve(t *testing.T, s stores, twilio string) *program {
	t.Helper()
	return start(t, s.environ(twilio), "serve", "--config", settingsFile(t)).awaitServing()
}

// awaitServing waits until a replica that has been started answers.
func (p *program) awaitServing() *program {
	p.t.Helper()
	var found []string
	require.Eventually(p.t, func() bool {
		found = servingLine.FindStringSubmatch(p.stderr.String())
		return found != nil || len(p.exit) > 0
	}, 30*time.Second, 5*time.Millisecond)
	require.NotNil(p.t, found, "the server did not start")
	p.base, p.ops = "http://"+found[1], "http://"+found[2]
	return p
}

// command runs a command to its end.
func command(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = app.Run(t.Context(), args, app.Env{
		Version: "test", Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	})
	return code, out.String(), errs.String()
}

// importSample brings the sample people in, as HR would.
func importSample(t *testing.T, s stores) {
	t.Helper()
	environ := s.environ("http://127.0.0.1:1")
	code, _, stderr := command(t, environ, "migrate", "up", "--config", settingsFile(t))
	require.Zero(t, code, stderr)
	code, stdout, stderr := command(t, environ, "hr", "import", "--config", settingsFile(t), file(t, "staff.csv", string(sample.Staff())))
	require.Zero(t, code, stdout+stderr)
}

// standIn starts a stand-in for Twilio that checks what it gets against the published description.
func standIn(t *testing.T) (*twiliotest.Server, string) {
	t.Helper()
	server := twiliotest.New(twiliotest.Options{})
	base, stop, err := server.Start()
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		require.Empty(t, server.Violations())
	})
	return server, base
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) text(member string) string {
	s, _ := a.body[member].(string)
	return s
}

func (p *program) post(path string, params map[string]string) answer {
	p.t.Helper()
	body, err := json.Marshal(params)
	require.NoError(p.t, err)
	a, err := p.send(http.MethodPost, path, "application/json", bytes.NewReader(body))
	require.NoError(p.t, err)
	return a
}

func (p *program) form(path string, params map[string]string) answer {
	p.t.Helper()
	a, err := p.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(formOf(params)))
	require.NoError(p.t, err)
	return a
}

func formOf(params map[string]string) string {
	form := url.Values{}
	for name, value := range params {
		form.Set(name, value)
	}
	return form.Encode()
}

func (p *program) get(path string, header ...string) answer {
	p.t.Helper()
	a, err := p.send(http.MethodGet, path, "", nil, header...)
	require.NoError(p.t, err)
	return a
}

func (p *program) send(method, path, contentType string, body io.Reader, header ...string) (answer, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, p.base+path, body)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	if len(text) > 0 && json.Unmarshal(text, &a.body) != nil {
		return answer{}, fmt.Errorf("%s %s answered %d with no JSON object: %.200q", method, path, response.StatusCode, text)
	}
	return a, nil
}

// ready is the status of /readyz.
func (p *program) ready() int {
	p.t.Helper()
	response, err := http.Get(p.ops + "/readyz")
	require.NoError(p.t, err)
	require.NoError(p.t, response.Body.Close())
	return response.StatusCode
}

func (p *program) start(client, number string) answer {
	p.t.Helper()
	return p.post("/passwordless/start", map[string]string{"client_id": client, "connection": "sms", "phone_number": number})
}

func tokenRequest(client, number, code string) map[string]string {
	return map[string]string{
		"grant_type": grant, "client_id": client, "realm": "sms", "username": number, "otp": code, "audience": audience,
	}
}

// code waits for the newest text to a number that came after the first n, and reads its code.
func code(t *testing.T, twilio *twiliotest.Server, number string, n int) string {
	t.Helper()
	var body string
	require.Eventually(t, func() bool {
		got := textsTo(twilio, number)
		if len(got) <= n {
			return false
		}
		body = got[len(got)-1]
		return true
	}, 10*time.Second, 2*time.Millisecond, "no text came")
	found := regexp.MustCompile(`@id\.example\.com #([0-9]{6})$`).FindStringSubmatch(body)
	require.NotNil(t, found, "no code at the end of %q", body)
	return found[1]
}

// textsTo returns the bodies of texts to a number, oldest first.
func textsTo(twilio *twiliotest.Server, number string) []string {
	var bodies []string
	messages := twilio.Messages()
	slices.SortFunc(messages, func(a, b twiliotest.Message) int { return a.At.Compare(b.At) })
	for _, m := range messages {
		if m.To == number && m.SID != "" {
			bodies = append(bodies, m.Body)
		}
	}
	return bodies
}

// signIn is the whole flow.
func (p *program) signIn(twilio *twiliotest.Server, client, number string) answer {
	p.t.Helper()
	before := len(textsTo(twilio, number))
	require.Equal(p.t, http.StatusOK, p.start(client, number).status)
	return p.form("/oauth/token", tokenRequest(client, number, code(p.t, twilio, number, before)))
}

// claims reads a token without checking it.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	return decodeSegment(t, parts[1])
}
