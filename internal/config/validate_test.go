package config

import (
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/tier"
)

// today is the day of the tests.
var today = time.Date(2026, 8, 1, 23, 30, 0, 0, time.UTC)

// valid returns settings without a mistake.
func valid(t *testing.T) Config {
	return mustLoad(t, disk{"main.yaml": minimal})
}

// oneChange is one to valid settings, with the mistakes that it makes.
type oneChange struct {
	name   string
	change func(*Config)
	want   []string
}

func checkRules(t *testing.T, rules []oneChange) {
	t.Helper()
	for _, tc := range rules {
		t.Run(tc.name, func(t *testing.T) {
			c := valid(t)
			tc.change(&c)
			wantProblems(t, c.Validate(Serve, today), tc.want...)
		})
	}
}

// web returns a change to the client "web".
func web(change func(*Client)) func(*Config) {
	return func(c *Config) {
		client := c.Clients["web"]
		change(&client)
		c.Clients["web"] = client
	}
}

func TestIssuer(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.example.com/":       "",
		"https://login.example.com:8443/":  "",
		"http://localhost:8080/":           "",
		"http://127.0.0.1:8080/":           "",
		"http://127.9.9.9/":                "",
		"http://[::1]:8080/":               "",
		"":                                 "required",
		"login.example.com":                "not an absolute https URL",
		"//login.example.com/":             "not an absolute https URL",
		"ftp://login.example.com/":         "not an absolute https URL",
		"https:///":                        "not an absolute https URL",
		"https://login.example.com:99x/":   "not an absolute https URL",
		"http://login.example.com/":        "http is only for localhost",
		"http://localhost.example.com/":    "http is only for localhost",
		"http://10.0.0.1/":                 "http is only for localhost",
		"https://login.example.com":        "must end with a slash",
		"https://login.example.com/id/":    "has a path",
		"https://login.example.com//":      "has a path",
		"https://login.example.com/?":      "has a query",
		"https://login.example.com/?a=b":   "has a query",
		"https://login.example.com/#":      "has a query or a fragment",
		"https://me:pw@login.example.com":  "has a user name",
		"https://@login.example.com/":      "has a user name",
		"https://Login.example.com/":       "want the host in lower case",
		"https://lögin.example.com/":       "want the host in lower case",
		"https://login.example.com./":      "want the host in lower case",
		"https://login.example.com:443/":   "want the host in lower case and ASCII (punycode), and no port",
		"http://localhost:80/":             "want the host in lower case and ASCII (punycode), and no port",
		"https://login.example.com:/":      "want the host in lower case",
		"https://login.example.com:0443/":  "want the host in lower case",
		"https://login.example.com:99999/": "want the host in lower case",
		"HTTPS://login.example.com/":       "not in its simplest form",
		"https://login.example.com/ ":      "has a path",
	} {
		c := valid(t)
		c.Issuer = issuer
		err := c.Validate(Serve, today)
		switch {
		case want == "" && err != nil:
			t.Errorf("issuer %q: %v", issuer, err)
		case want != "" && (err == nil || err.Error() == "" || !strings.HasPrefix(err.Error(), "issuer: "+want)):
			t.Errorf("issuer %q: %v, want %s", issuer, err, want)
		}
	}
}

func TestMasterKey(t *testing.T) {
	const notAKey, weak = "want 32 random bytes in base64 or hex", "not random"
	for key, want := range map[string]string{
		testKey:                         "",
		strings.TrimRight(testKey, "="): "",
		"q0zr8mYB3n1VtR5xJ7cK2wLhQf9sDgEa6uPiOyTbN_-":                      "",
		"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF": "",
		"":                            "required",
		"password":                    notAKey,
		testKey + testKey:             notAKey,
		"AAAAAAAAAAAAAAAAAAAAAA==":    notAKey,
		strings.Repeat("0", 64):       weak,
		strings.Repeat("A", 43) + "=": weak,
		strings.Repeat("abcd", 16):    weak,
		"AQIDBAECAwQBAgMEAQIDBAECAwQBAgMEAQIDBAECAwQ=": weak,
	} {
		c := valid(t)
		c.SecretKey = NewSecret(key)
		err := c.Validate(Serve, today)
		if want != "" && (err == nil || !strings.HasPrefix(err.Error(), "secret_key: "+want)) || want == "" && err != nil {
			t.Errorf("secret_key %q: %v, want %q", key, err, want)
		}
		if raw, err := c.MasterKey(); want == "" && (err != nil || len(raw) != 32) {
			t.Errorf("MasterKey of %q: %d bytes, %v", key, len(raw), err)
		}
	}
}

func TestPlaces(t *testing.T) {
	checkRules(t, []oneChange{
		{"listen without port", func(c *Config) { c.Listen = "127.0.0.1" }, []string{"listen: want host:port"}},
		{"listen at a URL", func(c *Config) { c.Ops.Listen = "http://x:1" }, []string{"ops.listen: want host:port"}},
		{"listen at a name of a port", func(c *Config) { c.Admin.Listen = ":http" }, []string{"admin.listen: want host:port"}},
		{"listen nowhere", func(c *Config) { c.Ops.Listen = "" }, []string{"ops.listen: want host:port"}},
		{"port too large", func(c *Config) { c.Listen = ":65536" }, []string{"listen: want host:port"}},
		{"two on one port", func(c *Config) { c.Admin.Listen = "127.0.0.1:8080" }, []string{"admin.listen: the same address as listen"}},
		{"two on one address", func(c *Config) { c.Ops.Listen = c.Admin.Listen }, []string{"ops.listen: the same address as admin.listen"}},
		{"everywhere in IPv6", func(c *Config) { c.Listen, c.Ops.Listen = "10.0.0.1:9000", "[::]:9000" }, []string{"ops.listen: the same address as listen"}},
		{"one port, two addresses", func(c *Config) { c.Listen = "10.0.0.1:8081" }, nil},
		{"free ports", func(c *Config) { c.Listen, c.Admin.Listen, c.Ops.Listen = ":0", ":0", "[::1]:0" }, nil},
		{"database of another kind", func(c *Config) { c.Database.URL = NewSecret("mysql://db/x") }, []string{"database.url: want postgres://"}},
		{"database as a DSN", func(c *Config) { c.Database.URL = NewSecret("host=db") }, []string{"database.url: want postgres://"}},
		{"sqlite without a file", func(c *Config) { c.Database.URL = NewSecret("sqlite:") }, []string{"database.url: want postgres://"}},
		{"several hosts", func(c *Config) {
			c.Database.URL = NewSecret("postgresql://u:p@a:1,b:2/x?target_session_attrs=read-write")
		}, nil},
		{"no Redis beside PostgreSQL", func(c *Config) { c.Redis.URL = Secret{} }, []string{"redis.url: required"}},
		{"no Redis beside SQLite", func(c *Config) { c.Redis.URL, c.Database.URL = Secret{}, NewSecret("sqlite:x.db") }, nil},
		{"Redis of another kind", func(c *Config) { c.Redis.URL = NewSecret("redis:6379") }, []string{"redis.url: want redis://"}},
		{"Redis sentinels", func(c *Config) { c.Redis.URL = NewSecret("redis+sentinel://a:1,b:2/main/0") }, nil},
		{"braces in the prefix", func(c *Config) { c.Redis.KeyPrefix = "{x}:" }, []string{"redis.key_prefix: want at most 64"}},
		{"no prefix", func(c *Config) { c.Redis.KeyPrefix = "" }, nil},
		{"no connections", func(c *Config) { c.Database.MaxOpenConns = 0 }, []string{"database.max_open_conns: want 2 to 1000"}},
		{"pooler", func(c *Config) { c.Database.Pooler = "session" }, []string{"database.pooler: want one of none, transaction"}},
		{"half of TLS", func(c *Config) { c.TLS.KeyFile = "" }, []string{"tls: want both"}},
		{"TLS", func(c *Config) { c.TLS = TLS{"cert.pem", "key.pem"} }, nil},
	})
}

func TestBounds(t *testing.T) {
	checkRules(t, []oneChange{
		{"ceilings", func(c *Config) {
			c.Codes = Codes{10 * time.Minute, 5 * time.Minute, 5, 10, 5, 10}
			c.SMS.Workers, c.SMS.Twilio.Timeout = 20, 10*time.Second
			c.HR, c.ShutdownTimeout = HR{100, 1}, 5*time.Minute
		}, nil},
		{"over the ceilings", func(c *Config) {
			c.Codes = Codes{10*time.Minute + 1, 5*time.Minute + 1, 6, 11, 6, 11}
			c.SMS.Workers, c.SMS.Twilio.Timeout = 21, 11*time.Second
			c.HR, c.ShutdownTimeout = HR{101, 1}, 6*time.Minute
		}, []string{
			"codes.lifetime: want 1s to 10m", "codes.resend_gap: want 10s to 5m",
			"codes.guesses_per_source: want 1 to 5", "codes.guesses: want 1 to 10",
			"sms.workers: want 1 to 20", "sms.twilio.timeout: want 1s to 10s",
			"hr.max_leavers_percent: want 1 to 100", "shutdown_timeout: want 1s to 5m",
		}},
		{"under the floors", func(c *Config) {
			c.Codes, c.HR = Codes{}, HR{}
			c.SMS.QueueSize, c.SMS.Workers, c.SMS.Twilio.Timeout, c.ShutdownTimeout = 0, -1, 0, 0
		}, []string{
			"codes.lifetime", "codes.resend_gap", "codes.guesses_per_source", "codes.guesses", "codes.strict_guesses_per_source", "codes.strict_guesses", "sms.queue_size", "sms.workers",
			"sms.twilio.timeout", "hr.max_leavers_percent", "hr.max_leavers_floor", "shutdown_timeout",
		}},
		{"one source more than all", func(c *Config) { c.Codes.Guesses = 4 }, []string{"codes.guesses_per_source: more than codes.guesses"}},
		{"no brand", func(c *Config) { c.SMS.Brand = " " }, []string{"sms.brand: want 1 to 30"}},
		{"long brand", func(c *Config) { c.SMS.Brand = strings.Repeat("ä", 31) }, []string{"sms.brand: want 1 to 30"}},
		{"brand of two lines", func(c *Config) { c.SMS.Brand = "a\nb" }, []string{"sms.brand: want 1 to 30"}},
		{"brand", func(c *Config) { c.SMS.Brand = "Bäckerei Müller & Söhne" }, nil},
		{"two senders", func(c *Config) { c.SMS.Twilio.MessagingServiceSID = "MG1" }, []string{"sms.twilio.from: set beside messaging_service_sid"}},
		{"stand-in for Twilio", func(c *Config) { c.SMS.Twilio.BaseURL = "http://127.0.0.1:9000" }, nil},
		{"no URL", func(c *Config) { c.SMS.Twilio.BaseURL = "api.example.com" }, []string{"sms.twilio.base_url: want such as"}},
		{"password in the URL", func(c *Config) { c.SMS.Twilio.BaseURL = "https://me:hunter2@example.com" }, []string{"sms.twilio.base_url: want such as"}},
		{"region", func(c *Config) { c.Phone.DefaultRegion = "GB" }, nil},
		{"no region", func(c *Config) { c.Phone.DefaultRegion = "XX" }, []string{"phone.default_region: want a country's"}},
		{"region in small letters", func(c *Config) { c.Phone.DefaultRegion = "gb" }, []string{"phone.default_region: want a country's"}},
		{"log", func(c *Config) { c.Log = Log{"trace", "logfmt"} }, []string{"log.level: want one of", "log.format: want one of"}},
	})
}

func TestTiers(t *testing.T) {
	employee, anonymous := defaultTier(tier.Employee), defaultTier(tier.Anonymous)
	with := func(tiers ...Tier) func(*Config) { return func(c *Config) { c.Tiers = tiers } }
	checkRules(t, []oneChange{
		{"no tiers", with(), []string{`tiers: "anonymous" is missing`, `tiers: "employee" is missing`}},
		{"too many", with(make([]Tier, maxTiers+1)...), []string{"tiers: want at most 100"}},
		{"rules", with(Tier{Name: "manager", When: map[string][]string{"title": {"Manager"}}}, employee, anonymous), nil},
		{"never reached", with(employee, Tier{Name: "late", When: map[string][]string{"title": {"x"}}}, anonymous),
			[]string{"tiers: the last rule", `tiers[1]: the rule of "late" is never reached`}},
		{"unknown attribute", with(Tier{Name: "a", When: map[string][]string{"shoe": {"44"}}}, employee, anonymous), []string{`tiers[0]: unknown attribute "shoe"`}},
		{"tokens live long, by the status list", with(Tier{Name: tier.Employee, AccessTokenLifetime: 24 * time.Hour}, anonymous), nil},
		{"token lives too long", with(Tier{Name: tier.Employee, AccessTokenLifetime: 24*time.Hour + 1}, anonymous), []string{"tiers[0]: access_token_lifetime of employee is 24h0m0.000000001s: want 1m to 24h"}},
		{"tokens live an hour without the status list", func(c *Config) {
			c.StatusList.Enabled = false
			c.Tiers = []Tier{{Name: tier.Employee, AccessTokenLifetime: time.Hour}, anonymous}
		}, nil},
		{"tokens live longer without the status list", func(c *Config) {
			c.StatusList.Enabled = false
			c.Tiers = []Tier{{Name: tier.Employee, AccessTokenLifetime: time.Hour + 1}, {Name: tier.Anonymous, AccessTokenLifetime: 2 * time.Hour}}
		}, []string{"tiers[0]: access_token_lifetime of employee is 1h0m0.000000001s: want 1m to 1h", "tiers[1]: access_token_lifetime of anonymous is 2h"}},
		{"no name", with(Tier{}, employee, anonymous), []string{"tiers[0]: name is missing"}},
		{"name with a space", with(Tier{Name: "a b", When: map[string][]string{"title": {"x"}}}, employee, anonymous), []string{"tiers[0].name: want one word"}},
		{"words", with(Tier{Name: tier.Employee, Scopes: []string{"open id", "a", "a"}, Permissions: []string{`"x"`, "", "é"}}, anonymous), []string{
			"tiers[0].permissions[0]: want one word", "tiers[0].permissions[1]: want one word", "tiers[0].permissions[2]: want one word",
			"tiers[0].scopes[0]: want one word", "tiers[0].scopes[2]: listed twice",
		}},
	})
}

func TestClients(t *testing.T) {
	checkRules(t, []oneChange{
		{"none", func(c *Config) { c.Clients = nil }, []string{"clients: none"}},
		{"id", func(c *Config) { c.Clients["a b"] = c.Clients["web"] }, []string{`clients."a b": want an id`}},
		{"id that is long", func(c *Config) { c.Clients[strings.Repeat("a", 65)] = c.Clients["web"] }, []string{"clients.?: want an id"}},
		{"ids", func(c *Config) { c.Clients["a.B_c~d-9"] = c.Clients["web"] }, nil},
		{"short secret", web(func(c *Client) { c.Secret = NewSecret("hunter2") }), []string{"clients.web.secret: want at least 16"}},
		{"no grants", web(func(c *Client) { c.Grants = []string{} }), []string{"clients.web.grants: want at least one"}},
		{"grants", web(func(c *Client) { c.Grants = []string{"legacy_ro", "passwordless"} }), nil},
		{"unknown grant", web(func(c *Client) { c.Grants = []string{"password"} }), []string{"clients.web.grants[0]: want one of passwordless, legacy_ro"}},
		{"grant twice", web(func(c *Client) { c.Grants = []string{"passwordless", "passwordless"} }), []string{"clients.web.grants[1]: listed twice"}},
		{"algorithm", web(func(c *Client) { c.Algorithm = "none" }), []string{"clients.web.algorithm: want one of RS256, ES256, EdDSA"}},
		{"unknown tier", web(func(c *Client) { c.Tiers = []string{"employee", "boss"} }), []string{"clients.web.tiers[1]: want one of employee, anonymous"}},
		{"scope", web(func(c *Client) { c.Scopes = []string{"a b"} }), []string{"clients.web.scopes[0]: want one word"}},
		{"name of two lines", web(func(c *Client) { c.Name = "a\nb" }), []string{"clients.web.name: want 1 to 100"}},
	})
}

func TestAudiences(t *testing.T) {
	for audience, want := range map[string]string{
		"https://api.example.com": "", "https://api.example.com/v2/?x=1": "", "urn:example:orders": "", "orders": "", "api.example.com": "", "api://orders": "",
		"":                                   "want an API's name",
		"the api":                            "want an API's name",
		"https://api example.com":            "want an API's name",
		"/api":                               "want an API's name",
		"https://me:hunter2@api.example.com": "want an API's name",
		"https://api.example.com/#x":         "want an API's name",
		"https://*.example.com":              "wildcards are not supported",
		"*":                                  "wildcards are not supported",
		"web":                                "this is a client's id",
		"https://login.example.com/":         "this is latchkey itself",
		"https://login.example.com/userinfo": "this is latchkey itself",
	} {
		c := valid(t)
		web(func(c *Client) { c.Audiences = []string{audience} })(&c)
		if want == "" {
			wantProblems(t, c.Validate(Serve, today))
		} else {
			wantProblems(t, c.Validate(Serve, today), "clients.web.audiences[0]: "+want)
		}
	}
	c := valid(t)
	web(func(c *Client) { c.Audiences = []string{"a", "b", "a"} })(&c)
	wantProblems(t, c.Validate(Serve, today), "clients.web.audiences[2]: listed twice")
}

func TestOrigins(t *testing.T) {
	const form, exact, host = "want scheme://host or", "want scheme://host[:port] in lower case", "want the host in lower case"
	for origin, want := range map[string]string{
		"https://app.example.com": "", "https://app.example.com:8443": "", "http://localhost:3000": "", "http://127.0.0.1": "", "http://[::1]:5173": "",
		"capacitor://localhost": "", "com.example.app://localhost": "",
		"":                              form,
		"null":                          form,
		"app.example.com":               form,
		"file://":                       form,
		"file://x":                      form,
		"https:app.example.com":         form,
		"javascript://x":                form,
		"https://app.example.com/":      exact,
		"https://app.example.com/login": exact,
		"https://app.example.com?x":     exact,
		"https://me@app.example.com":    exact,
		"HTTPS://app.example.com":       exact,
		"https://App.example.com":       host,
		"https://app.example.com:443":   host,
		"https://*.example.com":         "wildcards are not supported",
		"*":                             "wildcards are not supported",
		"http://app.example.com":        "http is only for localhost",
	} {
		c := valid(t)
		web(func(c *Client) { c.Origins = []string{origin} })(&c)
		if want == "" {
			wantProblems(t, c.Validate(Serve, today))
		} else {
			wantProblems(t, c.Validate(Serve, today), "clients.web.origins[0]: "+want)
		}
	}
}

// A message must not repeat a value, for a secret may be in the wrong place.
func TestMessagesNeverRepeatValues(t *testing.T) {
	const value = "hunter2-hunter2"
	c := valid(t)
	c.Issuer, c.Listen, c.SecretKey = "https://"+value+"@x", value, NewSecret(value)
	c.Database.URL, c.Redis.URL = NewSecret(value), NewSecret(value)
	c.SMS.Twilio.BaseURL, c.Log.Level, c.Phone.DefaultRegion = value, value, value
	c.Limits.RecordOnly, c.SMS.Order, c.SMS.Recipients, c.SMS.Countries = []string{value}, []string{value}, value, []string{value}
	c.SMS.Language, c.SMS.Money.Currency = value, value
	c.SMS.Providers = map[string]Provider{"b": {Type: value}}
	c.SMS.Routes = map[string]Route{"a": {Prefixes: []string{value}, Countries: []string{value + "x"}, Providers: []string{value}}}
	c.Reviewers = map[string]Reviewer{"store": {Phone: value, Client: value, Tier: value, Code: NewSecret(value), Until: value}}
	web(func(c *Client) {
		c.Language, c.AndroidAppHash = value, value
		c.Secret, c.Algorithm = NewSecret("hunter2"), value
		c.Grants, c.Tiers, c.Origins, c.Audiences = []string{value}, []string{value}, []string{value}, []string{value + " x"}
	})(&c)
	err := c.Validate(Serve, today)
	if got := len(problems(t, err)); got != 31 {
		t.Errorf("%d mistakes, want 31:\n%v", got, err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a message repeats a value:\n%v", err)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"issuer", "listen", "secret_key", "sms"}
	for name, want := range map[string]string{
		"isuer": "issuer", "issure": "issuer", "Listen": "listen", "secretkey": "secret_key", "sm": "", "mss": "sms", "xyz": "", "colour": "", "": "",
	} {
		got := suggest(name, known)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("suggest(%q) = %q, want %q", name, got, want)
		}
	}
}
