package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// latchkey runs a command on the stores, which has to succeed.
func latchkey(t *testing.T, s stores, args ...string) string {
	t.Helper()
	code, stdout, stderr := command(t, s.environ("http://127.0.0.1:1"), append(args, "--config", settingsFile(t))...)
	require.Zero(t, code, stdout+stderr)
	require.NotRegexp(t, wholeNumber, stdout, "numbers are masked")
	return stdout
}

var wholeNumber = regexp.MustCompile(`\+?44 ?7700 ?900`)

func TestUsersShow(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	signedIn := p.stay(twilio, "app", manager)
	sub := claims(t, signedIn.text("access_token"))["sub"].(string)
	sid := claims(t, signedIn.text("access_token"))["sid"].(string)
	p.stay(twilio, "es", stranger)
	for who, want := range map[string][]string{
		manager:                   {"Priya Raman", "***005", "signs in as Priya Raman", "manager (tiers[1]: groups is managers)", "Zoë's phone", "app", "just now", "live", sub},
		sub:                       {"Priya Raman", sid},
		sid:                       {"Priya Raman", sid},
		"E1005":                   {"Priya Raman", sid},
		employee:                  {"Amara Okafor", "signs in as Amara Okafor, for the first time", "employee (tiers[2]: every active person", "No live sessions"},
		leaver:                    {"Owen Blackwood (has left)", "no active person with this number", "none (who has left has none)"},
		shared:                    {"Gareth Bowen", "Marged Bowen", "several active people have this number"},
		stranger:                  {"not in HR", "***123", "who signs in with it is anonymous", "es"},
		"+447700900777":           {"not in HR", "who signs in with it is anonymous"},
		"PRIYA.RAMAN@example.com": {"Priya Raman"},
	} {
		shown := latchkey(t, s, "users", "show", who)
		for _, text := range want {
			require.Contains(t, shown, text, who)
		}
	}
	var people []map[string]any
	require.NoError(t, json.Unmarshal([]byte(latchkey(t, s, "users", "show", manager, "--output", "json")), &people))
	require.Len(t, people, 1)
	require.Equal(t, "manager", people[0]["tier"])
	require.Len(t, people[0]["sessions"], 1)
}

func TestUsersShowNobody(t *testing.T) {
	s := realStores(t)
	importSample(t, s)
	for who, want := range map[string]struct {
		code int
		text string
	}{
		"bob":             {1, "nobody found"},
		"nobody@nowhere":  {1, "nobody found"},
		"+44770090012":    {2, "not a mobile number"},
		"+44 20 79460958": {2, "it cannot receive texts"},
		"":                {1, "nobody found"},
	} {
		code, stdout, stderr := command(t, s.environ("http://127.0.0.1:1"), "users", "show", "--config", settingsFile(t), "--", who)
		require.Equal(t, want.code, code, "%q: %s", who, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, want.text)
		require.NotRegexp(t, wholeNumber, stderr)
	}
}

func TestSessionsRevoke(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	phone, tablet := p.stay(twilio, "app", manager), p.stay(twilio, "es", manager)
	other := p.stay(twilio, "app", employee)

	dry := latchkey(t, s, "sessions", "revoke", manager, "--client", "es", "--dry-run")
	require.Contains(t, dry, "1 session would end. Nothing was changed.")
	require.Len(t, sessions(t, s), 3)

	ended := latchkey(t, s, "sessions", "revoke", "--phone", manager, "--client", "es", "--reason", "lost tablet")
	require.Contains(t, ended, "Priya Raman")
	require.Contains(t, ended, "1 session ended.")
	refused(t, p.refresh("es", tablet.text("refresh_token")), invalidRefreshTxt)
	require.Eventually(t, func() bool { return statusOf(t, p, tablet.text("access_token")) == 1 }, 5*time.Second, 20*time.Millisecond)
	require.Equal(t, http.StatusOK, p.refresh("app", phone.text("refresh_token")).status)
	events := auditOf(t, s, "session.ended")
	require.Len(t, events, 1)
	require.Equal(t, "operator", events[0].reason)
	require.JSONEq(t, `{"reason":"lost tablet"}`, events[0].detail)
	require.True(t, strings.HasPrefix(events[0].actor, "cli:"), events[0].actor)

	var all struct {
		DryRun   bool             `json:"dry_run"`
		Ended    int              `json:"ended"`
		Sessions []map[string]any `json:"sessions"`
	}
	require.NoError(t, json.Unmarshal([]byte(latchkey(t, s, "sessions", "revoke", "--all", "--output", "json")), &all))
	require.False(t, all.DryRun)
	require.Equal(t, 2, all.Ended)
	require.Len(t, all.Sessions, 2)
	refused(t, p.refresh("app", other.text("refresh_token")), invalidRefreshTxt)
	require.Contains(t, latchkey(t, s, "sessions", "revoke", "--all"), "No live sessions. Nothing to end.")
	require.Contains(t, latchkey(t, s, "sessions", "revoke", manager), "Priya Raman has no live session.")
	require.Empty(t, latchkey(t, s, "sessions", "list"))
	code, listed, more := command(t, s.environ(base), "sessions", "list", "--ended", "--limit", "2", "--config", settingsFile(t))
	require.Zero(t, code)
	require.Contains(t, listed, "revoked: operator")
	require.Contains(t, more, "… and 1 more")

	var dryRun map[string]any
	p.stay(twilio, "app", manager)
	require.NoError(t, json.Unmarshal([]byte(latchkey(t, s, "sessions", "revoke", "--client", "app", "--dry-run", "--output", "json")), &dryRun))
	require.EqualValues(t, 0, dryRun["ended"])
	require.EqualValues(t, 1, dryRun["would_end"])
}

func TestSessionsUsage(t *testing.T) {
	s := realStores(t)
	importSample(t, s)
	for _, args := range [][]string{
		{"revoke"}, {"revoke", "--all", "--sub", "x"}, {"revoke", "--all", manager}, {"revoke", "--phone", "12"}, {"revoke", "+4412"},
		{"revoke", manager, "--phone", manager}, {"revoke", "E1005", "--phone", manager}, {"revoke", "--sid", "x", "--sub", "y"},
		{"revoke", ""}, {"revoke", "", "--client", "app"}, {"revoke", "--phone", "", "--client", "app"}, {"revoke", "--client", " "},
		{"list", "--sub", ""}, {"list", "--data", "elsewhere"}, {"list", "--limit", "0"}, {"list", "--limit", "1000000"},
		{"revoke", "--all", "--reason", strings.Repeat("x", 501)},
	} {
		code, stdout, stderr := command(t, s.environ("http://127.0.0.1:1"), append(append([]string{"sessions"}, args...), "--config", settingsFile(t))...)
		require.Equal(t, 2, code, fmt.Sprint(args, stdout))
		require.NotEmpty(t, stderr)
	}
}

// A mistyped name must not look like a job done.
func TestSessionsOfNobody(t *testing.T) {
	s := realStores(t)
	importSample(t, s)
	for text, args := range map[string][]string{
		"nobody found":             {"--email", "nobody@nowhere.example"},
		"there is no client":       {"--client", "nope"},
		"there is no such session": {"--sid", "aaaaaaaaaaaaaaaaaaaaaaaaaa"},
		"neither HR's people":      {"+447700900199"},
		"Want a phone":             {"E9999"},
	} {
		for _, verb := range []string{"revoke", "list"} {
			code, stdout, stderr := command(t, s.environ("http://127.0.0.1:1"), append(append([]string{"sessions", verb}, args...), "--config", settingsFile(t))...)
			require.Equal(t, 1, code, fmt.Sprint(verb, args, stdout))
			require.Contains(t, stderr, text)
		}
	}
	require.Contains(t, latchkey(t, s, "sessions", "revoke", "--email", "amara.okafor@example.com"), "Amara Okafor has no live session. Nothing to end.")
}

// One person may have so many sessions; the oldest ends first, and says so.
func TestSessionsPerPerson(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := start(t, append(s.environ(base), "LATCHKEY_SESSIONS_PER_PERSON=2"), "serve", "--config", settingsFile(t)).awaitServing()
	first := p.stay(twilio, "app", stranger)
	second, third := p.stay(twilio, "app", stranger), p.stay(twilio, "es", stranger)
	refused(t, p.refresh("app", first.text("refresh_token")), invalidRefreshTxt)
	require.Equal(t, http.StatusOK, p.refresh("app", second.text("refresh_token")).status)
	require.Equal(t, http.StatusOK, p.refresh("es", third.text("refresh_token")).status)
	events := auditOf(t, s, "session.ended")
	require.Len(t, events, 1)
	require.Equal(t, "too_many_sessions", events[0].reason)
	require.Equal(t, claims(t, first.text("access_token"))["sid"], events[0].sid)
}
