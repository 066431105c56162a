package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"
)

// disk is a file system in memory.
type disk map[string]string

func (d disk) read(name string) ([]byte, error) {
	text, ok := d[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

const testKey = "q0zr8mYB3n1VtR5xJ7cK2wLhQf9sDgEa6uPiOyTbN4I="

// minimal is the least that serve needs.
const minimal = `tls: {cert_file: cert.pem, key_file: key.pem}
issuer: https://login.example.com/
secret_key: ` + testKey + `
database: {url: postgres://latchkey@db/latchkey}
redis: {url: redis://redis:6379}
sms: {twilio: {account_sid: AC1, api_key_sid: SK1, api_key_secret: shh-api-key-secret, from: +447700900123}}
clients: {web: {}}
`

// load reads main.yaml of files, and over.yaml if there is one.
func load(files disk, environ ...string) (Config, error) {
	opts := LoadOptions{Files: []string{"main.yaml"}, Environ: environ, ReadFile: files.read}
	if _, ok := files["over.yaml"]; ok {
		opts.Files = append(opts.Files, "over.yaml")
	}
	return Load(opts)
}

func mustLoad(t *testing.T, files disk, environ ...string) Config {
	t.Helper()
	c, err := load(files, environ...)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

// problems are the lines of err.
func problems(t *testing.T, err error) []string {
	t.Helper()
	invalid, ok := errors.AsType[*Invalid](err)
	if !ok {
		t.Fatalf("error is %v, want an *Invalid", err)
	}
	return strings.Split(invalid.Error(), "\n")
}

// wantProblems checks that err has exactly the mistakes that begin so, in this order.
func wantProblems(t *testing.T, err error, want ...string) {
	t.Helper()
	if len(want) == 0 {
		if err != nil {
			t.Errorf("unexpected mistakes:\n%v", err)
		}
		return
	}
	got := problems(t, err)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("mistakes are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	}
}

func TestDefaultsStandUnderTheFile(t *testing.T) {
	got := mustLoad(t, disk{"main.yaml": minimal})
	want := Defaults()
	want.Issuer = "https://login.example.com/"
	want.TLS = TLS{"cert.pem", "key.pem"}
	want.SecretKey = NewSecret(testKey)
	want.Database.URL = NewSecret("postgres://latchkey@db/latchkey")
	want.Redis.URL = NewSecret("redis://redis:6379")
	want.SMS.Twilio.AccountSID, want.SMS.Twilio.APIKeySID, want.SMS.Twilio.From = "AC1", "SK1", "+447700900123"
	want.SMS.Twilio.APIKeySecret = NewSecret("shh-api-key-secret")
	want.Clients = map[string]Client{"web": {Name: "web", Grants: []string{"passwordless"}, Algorithm: "RS256"}}
	got.origins = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Load = %+v\nwant %+v", got, want)
	}
}

func TestOnlyTheEnvironment(t *testing.T) {
	c, err := Load(LoadOptions{Environ: []string{
		"PATH=/bin",
		"LATCHKEY_ISSUER=https://login.example.com/",
		"LATCHKEY_TRUSTED_PROXIES=127.0.0.1",
		"LATCHKEY_SECRET_KEY=" + testKey,
		"LATCHKEY_DATABASE_URL=sqlite:/var/lib/latchkey.db",
		"LATCHKEY_SMS_TWILIO_ACCOUNT_SID=AC1",
		"LATCHKEY_SMS_TWILIO_API_KEY_SID=SK1",
		"LATCHKEY_SMS_TWILIO_API_KEY_SECRET=shh-api-key-secret",
		"LATCHKEY_SMS_TWILIO_FROM=+447700900123",
		"LATCHKEY_CLIENTS={web: {audiences: [https://api.example.com]}, app: }",
		"LATCHKEY_CLIENTS_WEB_SECRET=a-secret-of-the-web-client",
		"LATCHKEY_CLIENTS_APP_TIERS=employee, anonymous",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Clients["web"].Secret.Reveal(); got != "a-secret-of-the-web-client" {
		t.Errorf("secret of web = %q", got)
	}
	if got := c.Clients["app"].Tiers; !reflect.DeepEqual(got, []string{"employee", "anonymous"}) {
		t.Errorf("tiers of app = %q", got)
	}
}

func TestLaterLayersWin(t *testing.T) {
	base := func() Config {
		c := Defaults()
		c.Clients = map[string]Client{"dev": {Name: "Dev", Audiences: []string{"base"}}, "other": {}}
		c.SMS.Providers = map[string]Provider{"base": httpProvider(func(g *Gateway) { g.Headers = map[string]Secret{"X": NewSecret("x")} })}
		return c
	}
	before := base()
	c, err := Load(LoadOptions{
		Base:  func() Config { return before },
		Files: []string{"main.yaml", "over.yaml"},
		ReadFile: disk{
			"main.yaml": minimal + "codes: {lifetime: 4m, guesses: 9}\ntrusted_proxies: [10.0.0.0/8, 192.0.2.1]\n",
			"over.yaml": "codes: {lifetime: 3m, resend_gap: 20s}\ntrusted_proxies: [2001:db8::1]\nclients: {dev: {audiences: [over]}}\n",
		}.read,
		Environ: []string{"LATCHKEY_CODES_LIFETIME=2m", "LATCHKEY_CLIENTS_DEV_SCOPES=openid", "LATCHKEY_SMS_BRAND=",
			"LATCHKEY_SMS_PROVIDERS_BASE_HTTP_HEADERS_X=y", "LATCHKEY_SMS_MONEY_PRICES_GB=0.01"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Codes{Lifetime: 2 * time.Minute, ResendGap: 20 * time.Second, GuessesPerSource: 5, Guesses: 9, StrictGuessesPerSource: 2, StrictGuesses: 4}); c.Codes != want {
		t.Errorf("codes = %+v, want %+v", c.Codes, want)
	}
	if got := fmt.Sprint(c.TrustedProxies); got != "[2001:db8::1/128]" {
		t.Errorf("lists must replace: trusted_proxies = %s", got)
	}
	want := Client{Name: "Dev", Grants: []string{"passwordless"}, Audiences: []string{"over"}, Scopes: []string{"openid"}, Algorithm: "RS256"}
	if got := c.Clients["dev"]; !reflect.DeepEqual(got, want) {
		t.Errorf("clients must merge: dev = %+v, want %+v", got, want)
	}
	if len(c.Clients) != 3 {
		t.Errorf("clients = %v, want dev, other and web", c.Clients)
	}
	if !reflect.DeepEqual(before, base()) {
		t.Errorf("Load changed the Config that Base returned: %+v", before)
	}
}

func TestDevNeedsNoOutsideServices(t *testing.T) {
	_, err := Load(LoadOptions{Mode: Dev, Environ: []string{
		"LATCHKEY_ISSUER=http://localhost:8080/", "LATCHKEY_SECRET_KEY=" + testKey, "LATCHKEY_CLIENTS={web: }",
	}})
	wantProblems(t, err)
}

func TestServeSaysWhatIsMissing(t *testing.T) {
	_, err := load(disk{"main.yaml": "# nothing yet\n"})
	wantProblems(t, err,
		"issuer: required:", "secret_key: required:", "database.url: required:", "redis.url: required:",
		"sms.twilio.account_sid: required:", "sms.twilio.api_key_sid: required:", "sms.twilio.api_key_secret: required:",
		"sms.twilio.messaging_service_sid: required:", "clients: none:")
}

func TestSecretFiles(t *testing.T) {
	const withoutKey = `trusted_proxies: [127.0.0.1]
issuer: https://login.example.com/
database: {url: "sqlite:x.db"}
sms: {twilio: {account_sid: AC1, api_key_sid: SK1, api_key_secret: shh-api-key-secret, from: "1"}}
clients: {web: {}}
`
	inFile := withoutKey + "secret_key_file: /run/key\n"
	for _, tc := range []struct {
		name    string
		files   disk
		environ []string
		want    []string
	}{
		{"from a file", disk{"main.yaml": inFile, "/run/key": testKey + "\r\n"}, nil, nil},
		{"by a variable", disk{"main.yaml": withoutKey, "/run/key": testKey}, []string{"LATCHKEY_SECRET_KEY_FILE=/run/key"}, nil},
		{"a variable over a file that is not there", disk{"main.yaml": inFile}, []string{"LATCHKEY_SECRET_KEY=" + testKey}, nil},
		{"a file by variable over a value", disk{"main.yaml": withoutKey + "secret_key: bad\n", "/k": testKey}, []string{"LATCHKEY_SECRET_KEY_FILE=/k"}, nil},
		{"an overlay's value over a file", disk{"main.yaml": inFile, "over.yaml": "secret_key: " + testKey}, nil, nil},
		{"an overlay's file over a value", disk{"main.yaml": withoutKey + "secret_key: bad", "over.yaml": "secret_key_file: /k", "/k": testKey}, nil, nil},
		{"in a client", disk{"main.yaml": withoutKey + "secret_key: " + testKey, "/k": "sixteen-or-more-characters"}, []string{"LATCHKEY_CLIENTS_WEB_SECRET_FILE=/k"}, nil},
		{"missing", disk{"main.yaml": inFile}, nil, []string{`secret_key: the secret's file "/run/key" cannot be read: there is no such file (main.yaml:6)`}},
		{"the secret for a path", disk{"main.yaml": withoutKey}, []string{"LATCHKEY_SECRET_KEY_FILE=hunter2"}, []string{`secret_key: the secret's file cannot be read: there is no such file (LATCHKEY_SECRET_KEY_FILE)`}},
		{"not a key", disk{"main.yaml": inFile, "/run/key": "hunter2"}, nil, []string{"secret_key: want 32 random bytes in base64 or hex: make them with `openssl rand -base64 32` (main.yaml:6 = /run/key)"}},
		{"empty", disk{"main.yaml": inFile, "/run/key": "\n"}, nil, []string{`secret_key: the secret's file "/run/key" is empty`}},
		{"too large", disk{"main.yaml": inFile, "/run/key": strings.Repeat("x", maxSecretSize+1)}, nil, []string{`secret_key: the secret's file "/run/key" is larger`}},
		{"no path", disk{"main.yaml": withoutKey + "secret_key_file: ''"}, nil, []string{"secret_key: want the path of a file"}},
		{"not a path", disk{"main.yaml": withoutKey + "secret_key_file: [a]"}, nil, []string{"secret_key: want the path of a file"}},
		{"value and file", disk{"main.yaml": inFile + "secret_key: " + testKey, "/run/key": testKey}, nil, []string{"secret_key: want either secret_key or secret_key_file, not both (main.yaml:7)"}},
		{"value and file by variable", disk{"main.yaml": inFile, "/run/key": testKey}, []string{"LATCHKEY_SECRET_KEY=x", "LATCHKEY_SECRET_KEY_FILE=/run/key"}, []string{"secret_key: want either LATCHKEY_SECRET_KEY or LATCHKEY_SECRET_KEY_FILE, not both"}},
		{"a file for what is no secret", disk{"main.yaml": inFile + "listen_file: /x", "/run/key": testKey}, nil, []string{"listen_file: unknown key"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(tc.files, tc.environ...)
			wantProblems(t, err, tc.want...)
			if len(tc.want) == 0 && c.SecretKey.Reveal() != testKey {
				t.Errorf("secret_key = %q", c.SecretKey.Reveal())
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for want, err := range map[string]error{
		"no permission to read it": &fs.PathError{Op: "open", Path: "main.yaml", Err: fs.ErrPermission},
		"is a directory":           &fs.PathError{Op: "read", Path: "main.yaml", Err: errors.New("is a directory")},
		"the network is unplugged": errors.New("the network is unplugged"),
	} {
		_, got := Load(LoadOptions{Files: []string{"main.yaml"}, ReadFile: func(string) ([]byte, error) { return nil, err }})
		wantProblems(t, got, "main.yaml: "+want)
	}
}
