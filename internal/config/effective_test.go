package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestEffective(t *testing.T) {
	c := mustLoad(t, disk{
		"main.yaml": minimal + `trusted_proxies: [10.0.0.0/8, "::1"]
tiers:
- {name: manager, when: {title: ["Head of: Sales", CEO]}, permissions: ["orders:read"]}
- name: employee
- name: anonymous
`,
		"/run/web": "hunter2-hunter2-hunter2",
	}, "LATCHKEY_SMS_BRAND=On: air", "LATCHKEY_CLIENTS_WEB_SECRET_FILE=/run/web", "LATCHKEY_CODES_LIFETIME=90s")
	var out strings.Builder
	if err := c.Effective(&out); err != nil {
		t.Fatal(err)
	}
	squeezed := regexp.MustCompile(` +#`).ReplaceAllString(out.String(), " #")
	for _, want := range []string{
		"issuer: https://login.example.com/ # main.yaml:2\n",
		"\nlisten: \":8080\"\n",
		"\nadmin:\n  listen: 127.0.0.1:8081\n",
		"\ntrusted_proxies: [10.0.0.0/8, \"::1/128\"] # main.yaml:8\n",
		"\nsecret_key: \"********\" # main.yaml:3\n",
		"\n  lifetime: 1m30s # LATCHKEY_CODES_LIFETIME\n  resend_gap: 30s\n",
		"\n  brand: \"On: air\" # LATCHKEY_SMS_BRAND\n",
		"\ntiers: # main.yaml:9\n  - name: manager\n    when: {title: [\"Head of: Sales\", CEO]}\n    permissions: [orders:read]\n",
		"\n    access_token_lifetime: 15m\n    id_token_lifetime: 1h\n  - name: employee\n    when: {}\n    permissions: []\n",
		"\n    secret: \"********\" # LATCHKEY_CLIENTS_WEB_SECRET_FILE = /run/web\n",
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("Effective lacks %q:\n%s", want, out.String())
		}
	}
	for _, secret := range []string{"hunter2", testKey, "shh", "postgres:"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("Effective shows %q", secret)
		}
	}

	// What it prints is a settings file, secrets aside.
	again := Config{Clients: map[string]Client{}, origins: origins{}}
	l := loader{report: &report{}, origins: again.origins, read: disk{"out.yaml": out.String()}.read}
	l.file(&again, "out.yaml")
	if err := l.report.err(); err != nil {
		t.Fatalf("what Effective prints does not load: %v\n%s", err, out.String())
	}
	flat := func(c Config) map[string]string {
		settings := map[string]string{}
		each(nil, reflect.ValueOf(&c).Elem(), func(at path, v reflect.Value) { settings[at.String()] = fmt.Sprint(v.Interface()) })
		return settings
	}
	if got, want := flat(again), flat(c); !reflect.DeepEqual(got, want) {
		t.Errorf("what Effective prints loads as\n%v\nwant\n%v", got, want)
	}
}

func TestEffectivePrintsClientsOfAllKinds(t *testing.T) {
	c := mustLoad(t, disk{"main.yaml": strings.Replace(minimal, "clients: {web: {}}", "clients:\n  web: {}", 1) + "  my.app:\n    origins: [capacitor://localhost]\n  '12': {}\n"})
	var out strings.Builder
	if err := c.Effective(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n  \"12\":", "\n  my.app:", "\n    origins: [capacitor://localhost]", "\n    algorithm: RS256\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("Effective lacks %q:\n%s", want, out.String())
		}
	}
}

// No way to print settings shows a secret.
func TestASecretHidesItself(t *testing.T) {
	c := Config{SecretKey: NewSecret("hunter2")}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q %x", c, c, c.SecretKey, c.SecretKey, c.SecretKey), string(asJSON), c.SecretKey.LogValue().String()} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("a secret shows in %s", shown)
		}
	}
}
