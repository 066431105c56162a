package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gatewaySMS are settings of texts that go through a gateway alone.
const gatewaySMS = `
sms:
  providers:
    backup:
      type: http
      http:
        url: https://sms.example.com/send
        body: '{"to": "{to}", "text": "{body}"}'
        success_status: [200, 202]
        headers: {Authorization: Bearer hunter2-hunter2, X-Key_file: /run/key}
  order: [backup]
  money: {prices: {GB: 0.04, NO: 0.07}}
  countries: [GB, NO]
`

// withGateway is minimal with those settings instead of Twilio's.
func withGateway() disk {
	var lines []string
	for line := range strings.Lines(minimal) {
		if !strings.HasPrefix(line, "sms:") {
			lines = append(lines, line)
		}
	}
	return disk{"main.yaml": strings.Join(lines, "") + gatewaySMS, "/run/key": "hunter2-in-a-file\n", "/run/other": "hunter2-elsewhere"}
}

func TestNamedSettings(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, withGateway(), "LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_FROM=Acme", "LATCHKEY_SMS_MONEY_PRICES_GB=0.05",
		"LATCHKEY_SMS_MONEY_PRICES={US: 0.008}", "LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_SUCCESS_STATUS=201, 202",
		"LATCHKEY_REVIEWERS=")
	g := c.SMS.Providers["backup"].HTTP
	require.Equal(t, "Acme", g.From)
	require.Equal(t, []int{201, 202}, g.SuccessStatus)
	require.Equal(t, "Bearer hunter2-hunter2", g.Headers["Authorization"].Reveal())
	require.Equal(t, "hunter2-in-a-file", g.Headers["X-Key"].Reveal())
	require.Equal(t, "POST", g.Method)
	require.Equal(t, "application/json", g.ContentType)
	require.Equal(t, providerTimeout, g.Timeout)
	prices := c.SMS.Money.Prices
	require.Equal(t, "0.05 0.07 0.008 0.08", fmt.Sprint(prices["GB"], prices["NO"], prices["US"], prices["FR"]))
	require.Equal(t, []string{"GB", "NO"}, c.SMS.Countries, "NO is Norway, not false")

	c = mustLoad(t, withGateway(), "LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_HEADERS_AUTHORIZATION_FILE=/run/other")
	require.Equal(t, "hunter2-elsewhere", c.SMS.Providers["backup"].HTTP.Headers["Authorization"].Reveal())
}

// What config check prints names each entry's origin, no secret, and of a provider only the keys of its type.
func TestEffectiveOfNamedSettings(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, withGateway(), "LATCHKEY_SMS_MONEY_PRICES_GB=0.05")
	var out strings.Builder
	require.NoError(t, c.Effective(&out))
	squeezed := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		`price: 0.06 prices: AE: 0.11`, `GB: 0.05 # LATCHKEY_SMS_MONEY_PRICES_GB`, `NO: 0.07 # main.yaml:18`, `guesses_percent: 0.5`,
		`headers: Authorization: "********" # main.yaml:16 X-Key: "********" # main.yaml:16 = /run/key`,
		`success_status: [200, 202] # main.yaml:15`, `backup: # main.yaml:10 type: http # main.yaml:11 http: url:`,
		`reviewers: {}`, `routes: {}`, `order: [backup] # main.yaml:17`,
	} {
		require.Contains(t, squeezed, want)
	}
	require.NotContains(t, out.String(), "hunter2")

	again, err := Load(LoadOptions{Files: []string{"main.yaml", "out.yaml"}, ReadFile: func(name string) ([]byte, error) {
		files := withGateway()
		files["out.yaml"] = out.String()
		return files.read(name)
	}})
	require.ErrorContains(t, err, "secret_key: want 32 random bytes", "only the secrets are missing")
	require.NotContains(t, err.Error(), "sms.")
	require.Empty(t, again.Issuer)
}

func TestMistakesInNamedSettings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(string) string
		environ []string
		want    []string
	}{
		"no number": {swap("GB: 0.04", "GB: cheap"), nil, []string{
			"sms.money.prices.GB: want a number such as 12 or 0.05, with six decimals at most (main.yaml:18)",
		}},
		"no price":           {swap("GB: 0.04", "GR: "), nil, []string{"sms.money.prices.GR: is empty: give the value"}},
		"a default's price":  {swap("GB: 0.04", "GB: "), nil, nil},
		"a list of prices":   {swap("{GB: 0.04, NO: 0.07}", "[0.04]"), nil, []string{"sms.money.prices: want entries under it, each a name and a value"}},
		"no whole numbers":   {swap("[200, 202]", "[2xx]"), nil, []string{"sms.providers.backup.http.success_status[0]: want a whole number"}},
		"no list of numbers": {swap("[200, 202]", "200"), nil, []string{"sms.providers.backup.http.success_status: want a list such as [200, 202]"}},
		"an empty header":    {swap("Bearer hunter2-hunter2", "''"), nil, []string{"sms.providers.backup.http.headers.Authorization: is empty"}},
		"a header twice": {swap("X-Key_file", "Authorization_file"), nil, []string{
			"sms.providers.backup.http.headers.Authorization: want either Authorization or Authorization_file, not both",
		}},
		"no file of a header": {swap("/run/key", "/run/none"), nil, []string{`sms.providers.backup.http.headers.X-Key: the secret's file "/run/none" cannot be read`}},
		"headers that collide": {swap("X-Key_file: /run/key", "X-Key: a, X_Key: b"), nil, []string{
			"sms.providers.backup.http.headers.X_Key: its environment variable, LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_HEADERS_X_KEY, " +
				"is also that of sms.providers.backup.http.headers.X-Key: rename one"}},
		"providers that collide": {swap("  order:", "    Backup: {type: http}\n  order:"), nil, []string{
			"sms.providers.backup: its environment variables, LATCHKEY_SMS_PROVIDERS_BACKUP_…, are also those of sms.providers.Backup: rename one"}},
		"unknown key": {swap("url: https://sms", "uri: https://sms"), nil, []string{`sms.providers.backup.http.uri: unknown key: did you mean "url"?`}},
		"an unknown provider's variable": {asIs, []string{"LATCHKEY_SMS_PROVIDERS_OTHER_TYPE=http"}, []string{
			"LATCHKEY_SMS_PROVIDERS_OTHER_TYPE: unknown environment variable; what it belongs to must be in a file or in LATCHKEY_SMS_PROVIDERS before"}},
		"an unknown header's variable": {asIs, []string{"LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_HEADERS_OTHER_FILE=/x"}, []string{
			"LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_HEADERS_OTHER_FILE: unknown environment variable; " +
				"what it belongs to must be in a file or in LATCHKEY_SMS_PROVIDERS_BACKUP_HTTP_HEADERS before"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := withGateway()
			files["main.yaml"] = tc.change(files["main.yaml"])
			_, err := load(files, tc.environ...)
			if err != nil {
				require.NotContains(t, err.Error(), "hunter2")
			}
			var got []string
			if err != nil {
				got = problems(t, err)
			}
			for _, want := range tc.want {
				require.True(t, anyBegins(got, want), "want %s\nin %s", want, strings.Join(got, "\n"))
			}
			require.Equal(t, len(tc.want) == 0, err == nil, "%v", err)
		})
	}
}

func anyBegins(lines []string, prefix string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func swap(old, with string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, with, 1) }
}
