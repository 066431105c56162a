package config

import (
	"github.com/stretchr/testify/require"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const exampleFile = "../../configs/latchkey.example.yaml"

// exampleSecrets are what the example's …_file lines name.
var exampleSecrets = disk{
	"/run/secrets/latchkey_secret_key":            testKey,
	"/run/secrets/latchkey_database_url":          "postgres://latchkey@db/latchkey",
	"/run/secrets/latchkey_redis_url":             "redis://redis:6379/0",
	"/run/secrets/latchkey_twilio_api_key_secret": "shh-api-key-secret",
	"/run/secrets/latchkey_client_backend":        "sixteen-or-more-characters",
	// Those that it shows as examples.
	"/run/secrets/latchkey_twilio_auth_token":        "shh-auth-token",
	"/run/secrets/latchkey_twilio_former_auth_token": "shh-former-auth-token",
	"/run/secrets/latchkey_backup_authorization":     "Bearer shh-backup",
	"/run/secrets/latchkey_reviewer_code":            "271828",
}

// example is the example with change made to it.
func example(t *testing.T, change func(string) string) disk {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	files := disk{"main.yaml": change(string(text))}
	for name, secret := range exampleSecrets {
		files[name] = secret
	}
	return files
}

func asIs(text string) string { return text }

// uncommented takes away the # of the settings that the example shows as comments; those of its
// prose have a space behind them.
func uncommented(text string) string {
	return regexp.MustCompile(`(?m)^( *)#([A-Za-z_]+:)`).ReplaceAllString(text, "$1$2")
}

func TestTheExampleStarts(t *testing.T) {
	c := mustLoad(t, example(t, asIs))
	if got := c.Tiers[1].When["title"]; len(got) != 2 {
		t.Errorf("title of the manager's rule = %q", got)
	}
	if c.Clients["backend"].Secret.IsZero() || !c.Clients["web"].Secret.IsZero() {
		t.Error("want web as a public client and backend as a confidential one")
	}
}

func TestTheExampleShowsEverySetting(t *testing.T) {
	c := Config{}
	l := loader{report: &report{}, origins: origins{}, read: example(t, uncommented).read}
	l.file(&c, "main.yaml")
	l.readSecrets(&c)
	if err := l.report.err(); err != nil {
		t.Fatal(err)
	}
	delete(c.Clients, "backend") // web alone shows every key
	backup := c.SMS.Providers["backup"]
	backup.Twilio = Twilio{} // its keys are those of sms.twilio
	c.SMS.Providers["backup"] = backup
	each(nil, reflect.ValueOf(&c).Elem(), func(at path, v reflect.Value) {
		if l.origins.of(at).IsZero() && !isNamed(v.Type()) {
			t.Errorf("the example does not show %s", at)
		}
	})
	tiers := reflect.TypeFor[Tier]()
	for _, f := range fields(tiers) {
		shown := false
		for i := range c.Tiers {
			_, ok := l.origins[path{"tiers"}.index(i).key(keyOf(f)).String()]
			shown = shown || ok || keyOf(f) == "when" && c.Tiers[i].When != nil
		}
		if !shown {
			t.Errorf("the example does not show tiers[].%s", keyOf(f))
		}
	}
}

// The settings that the example shows as comments are the defaults.
func TestTheExampleTellsTheDefaults(t *testing.T) {
	shown := Config{}
	l := loader{report: &report{}, origins: origins{}, read: example(t, uncommented).read}
	l.file(&shown, "main.yaml")
	started := mustLoad(t, example(t, asIs)) // completed by the defaults of clients
	exampleOnly := map[string]bool{
		"clients.web.secret": true, "keys.wrapping.key": true, "keys.former_wrapping.key": true,
		"sms.twilio.auth_token": true, "sms.twilio.former_auth_token": true,
	}
	inForce := map[string]any{}
	each(nil, reflect.ValueOf(&started).Elem(), func(at path, v reflect.Value) {
		if started.origins[at.String()].IsZero() {
			inForce[at.String()] = v.Interface()
		}
	})
	checked := 0
	each(nil, reflect.ValueOf(&shown).Elem(), func(at path, v reflect.Value) {
		want, isDefault := inForce[at.String()]
		if !isDefault || exampleOnly[at.String()] || l.origins[at.String()].IsZero() {
			return
		}
		checked++
		if empty := v.Kind() == reflect.Slice && v.Len() == 0; empty && reflect.ValueOf(want).Len() == 0 {
			return
		}
		if !reflect.DeepEqual(v.Interface(), want) {
			t.Errorf("the example shows %s: %v, but the default is %v", at, v.Interface(), want)
		}
	})
	if checked < 25 {
		t.Errorf("only %d defaults were compared", checked)
	}
}

// The examples that the file shows as comments are right, too.
func TestTheExamplesExamplesStart(t *testing.T) {
	files := example(t, uncommented)
	for _, wrong := range []string{"cert_file: \"\"", "from: \"\"", "key: make-it-with-openssl-rand-base64-32", "key: what-keys-wrapping-key-was-before"} {
		require.Contains(t, files["main.yaml"], wrong)
		files["main.yaml"] = strings.Replace(files["main.yaml"], wrong, "", 1) // shown, but not to be used as it is
	}
	c, err := Load(LoadOptions{Files: []string{"main.yaml"}, ReadFile: files.read, Now: func() time.Time { return today }})
	require.NoError(t, err)
	require.Equal(t, "Bearer shh-backup", c.SMS.Providers["backup"].HTTP.Headers["Authorization"].Reveal())
	require.Equal(t, "271828", c.Reviewers["store"].Code.Reveal())
}
