package config

import (
	"testing"
	"time"
)

// A working account and a working gateway, under sms.providers.
func account() Provider {
	return Provider{Type: "twilio", Twilio: Twilio{AccountSID: "AC2", APIKeySID: "SK2", APIKeySecret: NewSecret("shh"), From: "Acme", Timeout: time.Second}}
}

func httpProvider(change func(*Gateway)) Provider {
	g := Gateway{
		URL: "https://sms.example.com/send?ref={ref}", Method: "POST", ContentType: "application/json",
		Body: `{"to": "{to}", "text": "{body}", "meta": {"n": {}}}`, Timeout: time.Second,
	}
	change(&g)
	return Provider{Type: "http", HTTP: g}
}

func unchanged(*Gateway) {}

func TestProviders(t *testing.T) {
	with := func(name string, p Provider) func(*SMS) {
		return func(s *SMS) { s.Providers = map[string]Provider{name: p} }
	}
	checkRules(t, []oneChange{
		{"both kinds", texts(func(s *SMS) {
			s.Providers = map[string]Provider{"second": account(), "backup": httpProvider(unchanged)}
			s.Order = []string{"twilio", "second", "backup"}
		}), nil},
		{"Twilio left out", texts(func(s *SMS) {
			with("backup", httpProvider(unchanged))(s)
			s.Order, s.Twilio = []string{"backup"}, Twilio{Timeout: time.Second}
		}), nil},
		{"Twilio left out, but not of the order", texts(func(s *SMS) {
			with("backup", httpProvider(unchanged))(s)
			s.Twilio = Twilio{Timeout: time.Second}
		}), []string{"sms.order[0]: want one of backup"}},
		{"half of Twilio", texts(func(s *SMS) {
			with("backup", httpProvider(unchanged))(s)
			s.Order, s.Twilio = []string{"backup"}, Twilio{Timeout: time.Second, AccountSID: "AC1", From: "1"}
		}), []string{"sms.twilio.api_key_sid: required", "sms.twilio.api_key_secret: required"}},
		{"nobody", texts(func(s *SMS) { s.Order = nil }), []string{"sms.order: want at least one of twilio"}},
		{"an unknown one", texts(func(s *SMS) { s.Order = []string{"twilio", "nexmo"} }), []string{"sms.order[1]: want one of twilio"}},
		{"one twice", texts(func(s *SMS) { s.Order = []string{"twilio", "twilio"} }), []string{"sms.order[1]: listed twice"}},
		{"no type", texts(with("b", Provider{})), []string{"sms.providers.b.type: want one of twilio, http"}},
		{"keys of the other type", texts(func(s *SMS) {
			first, second := account(), httpProvider(unchanged)
			first.HTTP.From, second.Twilio.From = "x", "x"
			s.Providers = map[string]Provider{"a": first, "b": second}
		}), []string{"sms.providers.a.http: set for a provider of type twilio", "sms.providers.b.twilio: set for a provider of type http"}},
		{"the name of sms.twilio", texts(with("twilio", account())), []string{"sms.providers.twilio: the name is that of sms.twilio"}},
		{"a name of two words", texts(with("a b", account())), []string{`sms.providers."a b": want a name of 1 to 32`}},
		{"an account without a key", texts(with("b", Provider{Type: "twilio", Twilio: Twilio{AccountSID: "AC2", From: "1", Timeout: time.Second}})), []string{
			"sms.providers.b.twilio.api_key_sid: required", "sms.providers.b.twilio.api_key_secret: required"}},
		{"senders", texts(func(s *SMS) { s.Twilio.Senders = map[string]string{"US": "+12025550142", "UK": "Acme", "DE": ""} }), []string{
			"sms.twilio.senders.DE: is empty", "sms.twilio.senders.UK: want a country's"}},
	})
}

func TestRoutes(t *testing.T) {
	route := func(routes map[string]Route) func(*Config) {
		return texts(func(s *SMS) {
			s.Providers, s.Routes = map[string]Provider{"backup": httpProvider(unchanged)}, routes
		})
	}
	both := []string{"backup", "twilio"}
	checkRules(t, []oneChange{
		{"by prefix and by country", route(map[string]Route{
			"nordic": {Prefixes: []string{"+46", "+4791"}, Countries: []string{"DK"}, Providers: both}, "uk": {Prefixes: []string{"+47"}, Providers: both[:1]},
		}), nil},
		{"for nowhere", route(map[string]Route{"a": {Providers: both}}), []string{"sms.routes.a: for no destination"}},
		{"to nobody", route(map[string]Route{"a": {Countries: []string{"DK"}}}), []string{"sms.routes.a.providers: want at least one of backup, twilio"}},
		{"to strangers", route(map[string]Route{"a": {Countries: []string{"DK"}, Providers: []string{"x", "backup", "backup"}}}), []string{
			"sms.routes.a.providers[0]: want one of backup, twilio", "sms.routes.a.providers[2]: listed twice"}},
		{"no prefixes", route(map[string]Route{"a": {Prefixes: []string{"46", "+0", "+46 8", "+"}, Providers: both}}), []string{
			"sms.routes.a.prefixes[0]: want + and", "sms.routes.a.prefixes[1]: want", "sms.routes.a.prefixes[2]: want", "sms.routes.a.prefixes[3]: want"}},
		{"no country", route(map[string]Route{"a": {Countries: []string{"UK"}, Providers: both}}), []string{"sms.routes.a.countries[0]: want a country's"}},
		{"two for one destination", route(map[string]Route{
			"a": {Prefixes: []string{"+46", "+46"}, Countries: []string{"DK"}, Providers: both}, "b": {Prefixes: []string{"+46"}, Countries: []string{"DK"}, Providers: both},
		}), []string{
			"sms.routes.a.prefixes[1]: also in sms.routes.a.prefixes[0]", "sms.routes.b.prefixes[0]: also in sms.routes.a.prefixes[0]",
			"sms.routes.b.countries[0]: also in sms.routes.a.countries[0]"}},
	})
}

// All else about a gateway is for the gateway to say, as a part.
func TestGateways(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Gateway)
		want   []string // behind sms.providers.b.http.
	}{
		"as it is": {unchanged, nil},
		"no URL":   {func(g *Gateway) { g.URL = "" }, []string{"url: required"}},
		"no body":  {func(g *Gateway) { g.Body = "" }, []string{"body: required"}},
		"patience": {func(g *Gateway) { g.Timeout = time.Minute }, []string{"timeout: want 1s to 10s"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid(t)
			c.SMS.Providers = map[string]Provider{"b": httpProvider(tc.change)}
			var want []string
			for _, w := range tc.want {
				want = append(want, "sms.providers.b.http."+w)
			}
			wantProblems(t, c.Validate(Serve, today), want...)
		})
	}
}

// Twilio is asked to call back with an auth token only, at an address that it can reach (X10).
func TestCallbacks(t *testing.T) {
	token := NewSecret("0123456789abcdef0123456789abcdef")
	const unreachable = "sms.twilio.auth_token: with it Twilio is asked to call the issuer, which it could not reach"
	checkRules(t, []oneChange{
		{"to a public host", texts(func(s *SMS) { s.Twilio.AuthToken, s.Twilio.FormerAuthToken = token, token }), nil},
		{"to this machine", func(c *Config) { c.Issuer, c.SMS.Twilio.AuthToken = "https://localhost:8443/", token }, []string{unreachable}},
		{"to this machine, from it", func(c *Config) {
			c.Issuer, c.SMS.Twilio.AuthToken, c.SMS.Twilio.BaseURL = "http://127.0.0.1:8080/", token, "http://127.0.0.1:9000"
		}, nil},
		{"in the open", func(c *Config) { c.Issuer, c.SMS.Twilio.AuthToken = "http://login.example.com/", token }, []string{"issuer: http is only", unreachable}},
		{"nowhere", func(c *Config) { c.Issuer, c.SMS.Twilio.AuthToken = "", token }, []string{"issuer: required"}},
		{"without a token", texts(func(s *SMS) { s.Twilio.FormerAuthToken = token }), []string{"sms.twilio.former_auth_token: set without auth_token"}},
		{"of another account", func(c *Config) {
			p := account()
			p.Twilio.AuthToken = token
			c.Issuer, c.SMS.Providers = "http://127.0.0.1:8080/", map[string]Provider{"second": p}
		}, []string{"sms.providers.second.twilio.auth_token: with it Twilio"}},
	})
}
