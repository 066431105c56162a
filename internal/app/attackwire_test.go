package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

// TestLockedOutAtTheWire walks through T1 as people meet it: who guessed waits, others go on, an operator sees
// why and lets the number go, and the person hears of it (T9).
func TestLockedOutAtTheWire(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	environ := append(s.environ(base), "LATCHKEY_SMS_TWILIO_AUTH_TOKEN="+twiliotest.AuthToken)
	settings := file(t, "latchkey.yaml", attacked)
	p := start(t, environ, "serve", "--config", settings).awaitServing()
	client := crowdClient(t, 2)
	thief, other, desk := caller{client, p.base, "203.0.1.9"}, caller{client, p.base, "203.0.2.9"}, caller{client, p.base, office}
	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := command(t, environ, append(args, "--config", settings)...)
		require.Zero(t, code, stderr)
		return stdout
	}

	// Each code has five guesses of one source; the day has five for one source too, so the next is 429.
	right := askAndRead(t, twilio, desk, employee)
	for i := range 5 {
		require.Equal(t, wrong, fateOf(thief.guess(t.Context(), employee, otherThan(right, i), false)))
	}
	require.Equal(t, spentCode, fateOf(thief.guess(t.Context(), employee, right, false)), "this code, from there")
	second := askAndRead(t, twilio, desk, manager)
	require.Equal(t, wrong, fateOf(thief.guess(t.Context(), manager, otherThan(second, 1), false)), "another number")

	// The code is used, from an office that the thief has not touched; the person is told.
	before := len(textsTo(twilio, employee))
	require.Equal(t, won, fateOf(desk.guess(t.Context(), employee, right, false)))
	require.Eventually(t, func() bool { return len(textsTo(twilio, employee)) == before+1 }, 10*time.Second, 5*time.Millisecond, "no notice (T9)")
	notice := textsTo(twilio, employee)[before]
	require.NotContains(t, notice, right)

	// From then on the thief is told to wait, at both doors and at the start, for nearly a day.
	fresh := askAndRead(t, twilio, desk, employee)
	for _, old := range []bool{false, true} {
		a, err := thief.guess(t.Context(), employee, fresh, old)
		require.NoError(t, err)
		if a.text("error") == "invalid_grant" || a.text("error") == "invalid_user_password" {
			require.Equal(t, tooManyTxt, a.text("error_description"))
			continue
		}
		requireBlocked(t, a, "too_many_attempts")
	}
	a, err := thief.ask(t.Context(), employee)
	require.NoError(t, err)
	requireBlocked(t, a, "too_many_requests")

	a, err = other.ask(t.Context(), employee)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.status, "one source cannot use up another's share (T5)")

	// An operator sees it, within about a second, and lifts it.
	var blocks []struct{ ID, Rule, Subject, Why string }
	require.Eventually(t, func() bool {
		require.NoError(t, json.Unmarshal([]byte(run("blocks", "list", "--output", "json")), &blocks))
		return len(blocks) > 0
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, "number_guesses_source", blocks[0].Rule)
	require.Contains(t, blocks[0].Subject, employee[len(employee)-3:])
	require.NotContains(t, fmt.Sprint(blocks), employee)
	require.Contains(t, run("users", "unlock", employee, "--dry-run"), "5 wrong guesses")
	require.Contains(t, run("blocks", "lift", blocks[0].ID, "--reason", "it was his own phone"), "Lifted")
	require.Equal(t, wrong, fateOf(thief.guess(t.Context(), employee, otherThan(fresh, 7), false)), "lifted on the running server")
	require.Contains(t, run("users", "unlock", employee), "Forgotten")
	require.Contains(t, run("users", "unlock", employee, "--dry-run"), "0 wrong guesses")
	require.Equal(t, won, fateOf(desk.guess(t.Context(), employee, fresh, false)))

	reportedTexts(t, twilio, p, run)
	require.NotContains(t, p.stderr.String(), right)
	require.NotContains(t, p.stderr.String(), employee)
}

func requireBlocked(t *testing.T, a answer, code string) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, a.status, a.body)
	require.Equal(t, code, a.text("error"))
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, 24*60*60, wait, 120)
}

// reportedTexts has the provider tell what became of each text, and finds it in the report.
func reportedTexts(t *testing.T, twilio *twiliotest.Server, p *program, run func(...string) string) {
	t.Helper()
	delivered := 0
	for _, m := range twilio.Messages() {
		news, err := twilio.Callback(m.SID, "delivered", 0)
		require.NoError(t, err)
		status, err := news.Send(t.Context(), p.base+strings.TrimPrefix(news.URL, "https://id.example.com"))
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, status)
		delivered++
	}
	var report struct {
		Rows []struct{ Sent, Delivered, Redeemed int }
	}
	require.Eventually(t, func() bool {
		require.NoError(t, json.Unmarshal([]byte(run("sms", "report", "--output", "json")), &report))
		return len(report.Rows) == 1 && report.Rows[0].Delivered == delivered &&
			report.Rows[0].Redeemed == 3 // two codes were used, one of which was texted twice
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, delivered, report.Rows[0].Sent)
}
