package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDecodeMistakes(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		want       []string
	}{
		{"empty file", "", nil},
		{"empty document", "---\n", nil},
		{"keys without values", "listen:\ntls:\ntiers:\nsms:\n  brand:\n", nil},
		{"a quoted number", `codes: {guesses: "9"}`, nil},
		{"unknown key, near", "isuer: x\n", []string{`isuer: unknown key: did you mean "issuer"? (main.yaml:1)`}},
		{"unknown key, far", "colour: x\n", []string{`colour: unknown key (main.yaml:1)`}},
		{"unknown key inside", "sms:\n  twilio:\n    fromm: x\n", []string{`sms.twilio.fromm: unknown key: did you mean "from"? (main.yaml:3)`}},
		{"unknown key in a client", "clients:\n  my.app:\n    secert: x\n", []string{`clients."my.app".secert: unknown key: did you mean "secret"? (main.yaml:3)`}},
		{"unknown key in a tier", "tiers:\n- {name: anonymous, nam: x}\n- {name: employee}", []string{`tiers[0].nam: unknown key: did you mean "name"? (main.yaml:2)`}},
		{"a key that may be a secret", "{secret_key:abcdef}", []string{`?: unknown key`}},
		{"duplicate key", "listen: :1\nlog: {level: info}\nlisten: :2\n", []string{"listen: given twice: keep one (main.yaml:3)"}},
		{"duplicate client", "clients:\n  a: {}\n  a: {}\n", []string{"clients.a: given twice: keep one (main.yaml:3)"}},
		{"a key that is a list", "? [a]\n: b\n", []string{"?: want a plain name before the colon"}},
		{"merge key", "<<: {listen: x}", []string{"?: unknown key"}},
		{"not a mapping", "- a\n", []string{"main.yaml:1: want keys such as"}},
		{"a text", "hello\n", []string{"main.yaml:1: want keys such as"}},
		{"two documents", "listen: :1\n---\nlisten: :2\n", []string{"main.yaml:2: a second document"}},
		{"no YAML", "a: [\n", []string{"main.yaml:1: is not valid YAML, here or below: "}},
		{"a tab", "sms:\n\tbrand: x\n", []string{"main.yaml:2: is not valid YAML, here or below: "}},
		{"unknown alias", "secret_key: *hunter2\n", []string{"main.yaml: a text that begins with * needs quotes; aliases (*name) are not supported"}},
		{"alias", "listen: &a :1\nissuer: *a\n", []string{"issuer: aliases (*name) are not supported: write the value out (main.yaml:2)"}},
		{"wrong type for a section", "sms: 3\n", []string{"sms: want keys under it: brand, queue_size, workers, twilio, providers, order,"}},
		{"section for a value", "listen: {a: b}\n", []string{"listen: want a text"}},
		{"list for a value", "issuer: [a]\n", []string{"issuer: want a text"}},
		{"bool for a text", "sms: {brand: true}\n", []string{"sms.brand: want a text"}},
		{"tag", "sms: {brand: !!binary aGVsbG8=}\n", []string{"sms.brand: want a text"}},
		{"secret that is a list", "secret_key: [a]\n", []string{"secret_key: want a text"}},
		{"bad number", "sms: {workers: many}\n", []string{"sms.workers: want a whole number"}},
		{"fraction", "sms: {workers: 1.5}\n", []string{"sms.workers: want a whole number"}},
		{"bad bool", "phone: {allow_fictional: yes}\n", []string{"phone.allow_fictional: want true or false"}},
		{"duration without unit", "codes: {lifetime: 5}\n", []string{"codes.lifetime: want a duration such as 15m"}},
		{"duration in days", "shutdown_timeout: 1d\n", []string{"shutdown_timeout: want a duration such as 15m"}},
		{"value for a list", "trusted_proxies: 10.0.0.1\n", []string{"trusted_proxies: want a list of networks"}},
		{"text for a list", "clients: {a: {grants: passwordless}}\n", []string{"clients.a.grants: want a list such as"}},
		{"empty item", "clients: {a: {audiences: [x, ]}}\n", nil},
		{"null item", "clients:\n  a:\n    audiences:\n    -\n    - x\n", []string{"clients.a.audiences[0]: an empty item"}},
		{"section in a list", "clients: {a: {audiences: [{b: c}]}}\n", []string{"clients.a.audiences[0]: want a text"}},
		{"list of clients", "clients: [web]\n", []string{"clients: want entries under it"}},
		{"mapping of tiers", "tiers: {employee: {}}\n", []string{"tiers: want a list, each item with keys such as name"}},
		{"rule without lists", "tiers:\n- {name: a, when: {title: CEO}}\n- {name: employee}\n- {name: anonymous}\n", []string{"tiers[0].when.title: want a list such as"}},
		{"bad network", "trusted_proxies: [example.com]\n", []string{"trusted_proxies[0]: want an address or a network"}},
		{"network with a zone", "trusted_proxies: ['fe80::1%eth0']\n", []string{"trusted_proxies[0]: want an address or a network"}},
		{"network with host bits", "trusted_proxies: [10.1.2.3/8]\n", []string{"trusted_proxies[0]: the address has bits beyond the length of its network: write 10.0.0.0/8"}},
		{"too large", "# " + strings.Repeat("x", maxFileSize), []string{"main.yaml: larger than 1 MiB"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(disk{"main.yaml": tc.yaml}, minimalEnviron(tc.yaml)...)
			wantProblems(t, err, tc.want...)
		})
	}
}

// minimalEnviron is minimal as variables, without those settings that yaml is about.
func minimalEnviron(yaml string) []string {
	environ := []string{
		"LATCHKEY_DATABASE_URL=sqlite:x.db", "LATCHKEY_TLS_CERT_FILE=cert.pem", "LATCHKEY_TLS_KEY_FILE=key.pem",
		"LATCHKEY_SMS_TWILIO_ACCOUNT_SID=AC1", "LATCHKEY_SMS_TWILIO_API_KEY_SID=SK1",
		"LATCHKEY_SMS_TWILIO_API_KEY_SECRET=shh-api-key-secret", "LATCHKEY_SMS_TWILIO_FROM=1",
	}
	for key, entry := range map[string]string{
		"issuer:":     "LATCHKEY_ISSUER=https://login.example.com/",
		"secret_key:": "LATCHKEY_SECRET_KEY=" + testKey,
		"clients:":    "LATCHKEY_CLIENTS={zz: {}}",
	} {
		if !strings.HasPrefix(yaml, key) && !strings.Contains(yaml, "\n"+key) {
			environ = append(environ, entry)
		}
	}
	return environ
}

// A mistake in one file must not hide those in the settings, in the order of the settings.
func TestEverythingAtOnce(t *testing.T) {
	_, err := load(disk{"main.yaml": `
shutdown_timeout: soon
sms: {workers: 99, brnd: x}
issuer: http://login.example.com/
listen: nowhere
codes:
  lifetime: 20m
  guesses: few
clients:
  web: {algorithm: HS256, audiences: ["*"]}
colour: blue
`}, "LATCHKEY_HR_MAX_LEAVERS_PERCENT=200", "LATCHKEY_LOG_LEVEL=loud", "LATCHKEY_LSITEN=:1")
	wantProblems(t, err,
		"issuer: http is only for localhost, 127.0.0.0/8 and [::1]: want https (main.yaml:4)",
		"listen: want host:port or :port, such as 127.0.0.1:8080 (main.yaml:5)",
		"secret_key: required:", "database.url: required:", "redis.url: required:",
		"codes.lifetime: want 1s to 10m (main.yaml:7)",
		"codes.guesses: want a whole number (main.yaml:8)",
		"sms.workers: want 1 to 20 (main.yaml:3)",
		"sms.twilio.account_sid: ", "sms.twilio.api_key_sid: ", "sms.twilio.api_key_secret: ", "sms.twilio.messaging_service_sid: ",
		`sms.brnd: unknown key: did you mean "brand"? (main.yaml:3)`,
		"hr.max_leavers_percent: want 1 to 100 (LATCHKEY_HR_MAX_LEAVERS_PERCENT)",
		"clients.web.audiences[0]: wildcards are not supported: list each audience (main.yaml:10)",
		"clients.web.algorithm: want one of RS256, ES256, EdDSA (main.yaml:10)",
		"shutdown_timeout: want a duration such as 15m (main.yaml:2)",
		"log.level: want one of debug, info, warn, error (LATCHKEY_LOG_LEVEL)",
		`LATCHKEY_LSITEN: unknown environment variable: did you mean "LATCHKEY_LISTEN"?`,
		"colour: unknown key (main.yaml:11)",
	)
}

// The work that a file can cause is bounded by its size, and the report by what people read.
func TestAFileFullOfMistakes(t *testing.T) {
	const n = 10_000
	_, err := load(disk{"main.yaml": "clients: {a: {audiences: [" + strings.Repeat("x,", n) + "]}}"})
	invalid, ok := errors.AsType[*Invalid](err)
	if !ok || len(invalid.Problems) != maxProblems || invalid.More < n-maxProblems {
		t.Fatalf("want %d mistakes and some %d more: %.200v", maxProblems, n, err)
	}
	if !strings.Contains(err.Error(), "\n… and ") {
		t.Errorf("the report hides that there are more")
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	_, err := Load(LoadOptions{Files: []string{"gone.yaml"}, ReadFile: disk{}.read})
	wantProblems(t, err, "gone.yaml: there is no such file")
}

// FuzzLoad: whatever the file says, no panic, no hang, and no secret in the report.
func FuzzLoad(f *testing.F) {
	const inFile, inEnviron, onDisk = "s3cr3t-in-the-file", "s3cr3t-in-the-environment", "s3cr3t-on-disk"
	for _, seed := range []string{
		minimal, "clients: {a: {secret: [x]}}", "a: &a [*a]", "sms: {twilio: {api_key_secret_file: /key}}", "- \n- !!map", "? a\n: b",
		"tiers:\n- name: x\n  when: {groups: [a]}", "{[[[[", "secret_key_file: /key", "sms: {providers: {b: {http: {headers: {A_file: /key, B: }}}}}",
		"sms: {money: {prices: {GB: 1e999999999}}}", "reviewers: {a: {code_file: /key, until: 1}}", "issuer: \"\\u0000\"", "%YAML 1.2\n---\n...",
	} {
		f.Add(seed, ":8080", "[a, b]")
	}
	f.Fuzz(func(t *testing.T, tail, listen, tiers string) {
		start := time.Now()
		c, err := load(disk{
			"main.yaml": "redis: {url: \"" + inFile + "\"}\n" + tail,
			"/key":      onDisk,
		}, "LATCHKEY_DATABASE_URL="+inEnviron, "LATCHKEY_LISTEN="+listen, "LATCHKEY_TIERS="+tiers)
		if err == nil {
			t.Fatalf("a database at %q was taken", c.Database.URL.Reveal())
		}
		if strings.Contains(err.Error(), "s3cr3t") && !strings.Contains(tail+listen+tiers, "s3cr3t") {
			t.Errorf("the report shows a secret:\n%v", err)
		}
		if spent := time.Since(start); spent > 5*time.Second {
			t.Errorf("took %s", spent)
		}
	})
}
