package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/devpage/browsertest"
)

var startPage = regexp.MustCompile(`Start page\s+(http://[^/\s]+)/`)

// dev starts latchkey dev on a free port.
func dev(t *testing.T, args ...string) *program {
	t.Helper()
	p := start(t, nil, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...)...)
	var found []string
	require.Eventually(t, func() bool {
		found = startPage.FindStringSubmatch(p.stdout.String())
		return found != nil && strings.Contains(p.stdout.String(), "Ctrl-C") || len(p.exit) > 0
	}, 30*time.Second, 5*time.Millisecond)
	require.NotNil(t, found, p.stderr.String())
	p.base = found[1]
	return p
}

// commands are the two that dev prints, ready to paste.
func commands(t *testing.T, p *program) []string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^curl (?:.*\\\n)*.*$`).FindAllString(p.stdout.String(), -1)
	require.Len(t, found, 2)
	return found
}

func paste(t *testing.T, command string) map[string]any {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "-c", command).Output()
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(out, &members), string(out))
	return members
}

func TestTheCommandsThatDevPrints(t *testing.T) {
	p := dev(t, "--data", "")
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for number, tier := range map[string]string{employee: "employee", stranger: "anonymous", leaver: "anonymous"} {
		var got map[string]any
		for _, printed := range commands(t, p) {
			require.Contains(t, string(readme), strings.ReplaceAll(printed, p.base, "http://127.0.0.1:8080"),
				"the README shows other commands than dev prints")
			got = paste(t, strings.ReplaceAll(printed, employee[1:], number[1:]))
		}
		token, _ := got["access_token"].(string)
		require.NotEmpty(t, token, got)
		require.Equal(t, tier, claims(t, token)["tier"])
	}
}

func TestDevInbox(t *testing.T) {
	p := dev(t, "--data", "")
	require.Equal(t, http.StatusOK, p.start("app", "07700 900001").status, "a British number as people write it")
	for _, to := range []string{"%2B447700900001", "+447700900001", "07700900001"} {
		response, err := http.Get(p.base + "/dev/inbox.json?to=" + to)
		require.NoError(t, err)
		var texts []struct {
			To, Body, Code string
			SentAt         time.Time `json:"sent_at"`
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&texts))
		require.NoError(t, response.Body.Close())
		require.Len(t, texts, 1)
		require.Equal(t, employee, texts[0].To)
		require.Len(t, texts[0].Code, 6)
		require.Contains(t, texts[0].Body, texts[0].Code+" is your Latchkey code.")
		require.WithinDuration(t, time.Now(), texts[0].SentAt, time.Minute)
	}
}

func TestDevKeepsItsData(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := dev(t, "--data", data)
	keys := first.get("/.well-known/jwks.json").body
	require.Zero(t, first.stop())
	second := dev(t, "--data", data)
	require.Equal(t, keys, second.get("/.well-known/jwks.json").body)
	secret, err := os.Stat(filepath.Join(data, "secret.key"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, secret.Mode().Perm())

	code, stdout, stderr := command(t, nil, "hr", "import", "--dev", "--data", data, "--source", "mine",
		file(t, "mine.csv", "external_id,name,phone\nx1,Newcomer,+447700900123\n"))
	require.Zero(t, code, stdout+stderr)
	for _, step := range commands(t, second) {
		got := paste(t, strings.ReplaceAll(step, employee[1:], stranger[1:]))
		if token, ok := got["access_token"].(string); ok {
			require.Equal(t, "employee", claims(t, token)["tier"], "HR knows the number now")
		}
	}
}

func TestDevTakesSettings(t *testing.T) {
	p := dev(t, "--data", "", "--config", file(t, "mine.yaml", "clients: {mine: {audiences: [https://mine.example.com]}}\nsms: {brand: Acme}\n"))
	require.Equal(t, http.StatusOK, p.start("mine", employee).status)
	require.Equal(t, http.StatusOK, p.start("app", manager).status, "the sample clients stay")
	code, _, stderr := command(t, nil, "dev", "--data", "", "--config", file(t, "bad.yaml", "clents: {}\nsms: {brand: 1}\nissuer: http://example.com/\n"))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "clents")
	require.Contains(t, stderr, "issuer")
}

// A page on the internet that gives its own name our address is no page of ours.
func TestDevAnswersToItsOwnName(t *testing.T) {
	p := dev(t, "--data", "")
	for host, status := range map[string]int{
		"": http.StatusOK, "localhost": http.StatusOK, "[::1]:8080": http.StatusOK, "192.168.1.5:8080": http.StatusOK,
		"evil.example.com": http.StatusNotFound, "127.0.0.1.evil.example.com": http.StatusNotFound, "localhost.evil.example.com:8080": http.StatusNotFound,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/dev/inbox.json", nil)
		require.NoError(t, err)
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, host)
	}
}

// Typed in the wrong shell, dev must not show real people's codes.
func TestDevIgnoresProduction(t *testing.T) {
	p := start(t, []string{
		"LATCHKEY_DATABASE_URL=postgres://nobody:secret@127.0.0.1:1/production", "LATCHKEY_REDIS_URL_FILE=/nonexistent",
		"LATCHKEY_SECRET_KEY=" + secretKey, "LATCHKEY_CONFIG=/nonexistent", "LATCHKEY_SMS_BRAND=Acme",
	}, "dev", "--listen", "127.0.0.1:0", "--data", "")
	require.Eventually(t, func() bool { return strings.Contains(p.stdout.String(), "Ctrl-C") || len(p.exit) > 0 }, 30*time.Second, 5*time.Millisecond)
	require.Contains(t, p.stdout.String(), "Ctrl-C", p.stderr.String())
	require.Contains(t, p.stderr.String(), "ignores LATCHKEY_DATABASE_URL")
	require.NotContains(t, p.stderr.String(), "secret@")
}

func TestTheInboxIsDevsOnly(t *testing.T) {
	_, base := standIn(t)
	p := serve(t, realStores(t), base)
	for _, path := range []string{"/", "/dev/inbox", "/dev/inbox.json", "/dev/assets/x"} {
		require.Equal(t, http.StatusNotFound, p.get(path).status, path)
	}
}

// The start page over the real server: what a newcomer sees in the first minute.
func TestTheStartPage(t *testing.T) {
	p := dev(t, "--data", "")
	shots := os.Getenv("LATCHKEY_TEST_SCREENSHOTS") // a folder, to look at them
	for _, tc := range []struct{ person, tier, view string }{
		{"Amara Okafor", "employee", "in"},
		{"Ingrid Solberg", "admin", "in"},
		{"Unknown number", "anonymous", "waiting"},
		{"Owen Blackwood", "anonymous", "waiting"},
	} {
		t.Run(tc.person, func(t *testing.T) {
			ctx := browsertest.New(t)
			browsertest.Emulate(t, ctx, 1440, 900, false)
			do := func(steps ...chromedp.Action[chromedp.Void]) {
				t.Helper()
				require.NoError(t, chromedp.Do(ctx, steps...))
			}
			click := func(css string) {
				t.Helper()
				do(chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
			}
			do(chromedp.Navigate(p.base + "/"))
			click(fmt.Sprintf(`[data-name=%q]`, tc.person))
			click(`[data-form=number] [type=submit]`)
			click(`.text-code`)
			click(`[data-form=code] [type=submit]`)
			do(chromedp.WaitVisible(chromedp.CSS("#result")), chromedp.WaitVisible(chromedp.CSS(`[data-view="`+tc.view+`"]`)))
			got, err := chromedp.Run(ctx, chromedp.TextContent(chromedp.CSS(`#result [data-slot="tier"]`), chromedp.NodeVisible))
			require.NoError(t, err)
			require.Equal(t, tc.tier, strings.TrimSpace(got))
			if shots != "" {
				for _, width := range []int64{1440, 390} {
					for _, dark := range []bool{false, true} {
						browsertest.Emulate(t, ctx, width, 900, dark)
						browsertest.FullScreenshot(t, ctx, filepath.Join(shots, fmt.Sprintf("%s-%d-%t.png", tc.person, width, dark)))
					}
				}
			}
		})
	}
}
