package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// limitedSettings count everybody at an address of their own, and little is allowed.
func limitedSettings(t *testing.T) string {
	t.Helper()
	return file(t, "limited.yaml", strings.NewReplacer(
		"trusted_proxies: [192.0.2.1]", "trusted_proxies: [127.0.0.1]",
		`company_networks: [127.0.0.0/8, "::1/128"]`, "company_networks: []",
		"guesses_per_source_day: 0", "guesses_per_source_day: 3",
		"sms:\n", "sms:\n  money: {per_day: 0.12, prices: {GB: 0.05}}\n",
	).Replace(settings))
}

// listedBlocks are what `latchkey blocks list` says to scripts.
func listedBlocks(t *testing.T, environ []string, config string) (blocks []struct{ ID, Rule, Subject string }) {
	t.Helper()
	code, stdout, stderr := command(t, environ, "blocks", "list", "--output", "json", "--config", config)
	require.Zero(t, code, stderr)
	require.NoError(t, json.Unmarshal([]byte(stdout), &blocks))
	return blocks
}

// Somebody who mistyped too often is listed, looked at, and let in again (T1, T10).
func TestUsersUnlock(t *testing.T) {
	s := realStores(t)
	importSample(t, s)
	_, base := standIn(t)
	environ, config := s.environ(base), limitedSettings(t)
	p := start(t, environ, "serve", "--config", config).awaitServing()
	guess := func() int { return p.form("/oauth/token", tokenRequest("app", employee, "123456")).status }
	unlock := func(more ...string) string {
		t.Helper()
		code, stdout, stderr := command(t, environ, append([]string{"users", "unlock", employee, "--config", config}, more...)...)
		require.Zero(t, code, stderr)
		return stdout
	}

	for range 3 {
		require.Equal(t, http.StatusForbidden, guess())
	}
	require.Equal(t, http.StatusTooManyRequests, guess())
	require.Eventually(t, func() bool { return len(listedBlocks(t, environ, config)) == 1 }, 10*time.Second, 20*time.Millisecond)
	block := listedBlocks(t, environ, config)[0]
	require.Equal(t, "number_guesses_source", block.Rule)
	require.Equal(t, "number ***001", block.Subject, "no whole number")

	looked := unlock("--dry-run")
	require.Contains(t, looked, "3 wrong guesses and 0 texts in the last 24 hours")
	require.Contains(t, looked, "blocked for 23 h: too many wrong guesses at the number from one address")
	require.Equal(t, http.StatusTooManyRequests, guess(), "a dry run forgets nothing")

	require.Contains(t, unlock("--reason", "typed an old code"), "Forgotten: the person can ask for a code")
	require.Empty(t, listedBlocks(t, environ, config), "who is unlocked is on no list")
	require.Equal(t, http.StatusForbidden, guess())
	require.Contains(t, unlock("--dry-run"), "1 wrong guess and 0 texts in the last 24 hours")
}

// A day's money that is spent is listed although a few cents are left, and a command that is given twice
// does not double it twice (M6, T10).
func TestBlocksLiftMoney(t *testing.T) {
	s := realStores(t)
	importSample(t, s)
	twilio, base := standIn(t)
	environ, config := s.environ(base), limitedSettings(t)
	p := start(t, environ, "serve", "--config", config).awaitServing()
	lift := func(id string) (int, string) {
		code, stdout, stderr := command(t, environ, "blocks", "lift", id, "--config", config)
		return code, stdout + stderr
	}
	const first, second, third, fourth = "+447700900201", "+447700900202", "+447700900203", "+447700900204"
	for _, number := range []string{first, second} {
		require.Equal(t, http.StatusOK, p.start("app", number).status)
		code(t, twilio, number, 0)
	}
	require.Empty(t, listedBlocks(t, environ, config))
	exit, said := lift("budget_strangers")
	require.Equal(t, 1, exit, "what does not stand cannot be lifted")
	require.Contains(t, said, "there is no such block")

	require.Equal(t, http.StatusOK, p.start("app", third).status, "the answer says nothing")
	require.Eventually(t, func() bool { return len(listedBlocks(t, environ, config)) == 1 }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, "budget_strangers", listedBlocks(t, environ, config)[0].ID)
	require.Empty(t, textsTo(twilio, third))

	exit, said = lift("budget_strangers")
	require.Zero(t, exit, said)
	require.Equal(t, "Lifted: texts (the day's money is spent: texts to HR's numbers only)\n", said)
	exit, _ = lift("budget_strangers")
	require.Equal(t, 1, exit)
	require.Equal(t, http.StatusOK, p.start("app", fourth).status)
	code(t, twilio, fourth, 0)

	for _, unknown := range []string{"country:NG", "source_numbers", "conversion:GB", "0123456789", "nonsense"} {
		exit, said := lift(unknown)
		require.Equal(t, 1, exit, unknown)
		require.Contains(t, said, unknown+": there is no such block")
	}
}

// Texts that go nowhere are no block of anybody, and the list says so all the same (M2).
func TestBlocksListSaysThatTextsGoNowhere(t *testing.T) {
	s := realStores(t)
	config := file(t, "nowhere.yaml", strings.Replace(settings, "countries: [GB]", "countries: []", 1))
	environ := s.environ("http://127.0.0.1:1")
	list := func(more ...string) (string, string) {
		code, stdout, stderr := command(t, environ, append([]string{"blocks", "list", "--config", config}, more...)...)
		require.Zero(t, code, stderr)
		return stdout, stderr
	}
	code, _, stderr := command(t, environ, "migrate", "up", "--config", config)
	require.Zero(t, code, stderr)
	for _, output := range []string{"table", "json"} {
		_, said := list("--output", output)
		require.Contains(t, said, "no texts to any country")
		require.NotContains(t, said, "no texts are kept back")
	}
	importSample(t, s)
	_, said := list()
	require.Equal(t, "Nobody is blocked, and no texts are kept back.\n", said)
}
