package config

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// Every setting has a variable, and the variable wins over the file.
func TestEverySettingHasAVariable(t *testing.T) {
	c := mustLoad(t, disk{"main.yaml": minimal})
	each(nil, reflect.ValueOf(&c).Elem(), func(at path, v reflect.Value) {
		var text string
		var want any
		switch v.Interface().(type) {
		case string:
			text, want = "some text", "some text"
		case Secret:
			text, want = "some secret", NewSecret("some secret")
		case bool:
			text, want = "true", true
		case int:
			text, want = "3", 3
		case time.Duration:
			text, want = "90s", 90*time.Second
		case []string:
			text, want = "one, two", []string{"one", "two"}
		case []netip.Prefix:
			text, want = "10.0.0.0/8,192.0.2.1", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
		case []Tier:
			text, want = "[{name: x, when: {groups: [a]}}]", []Tier{{Name: "x", When: map[string][]string{"groups": {"a"}}}}
		case []int:
			text, want = "200, 202", []int{200, 202}
		case Decimal:
			text, want = "0.05", Decimal(50_000)
		case map[string]Decimal:
			text, want = "{GB: 0.05}", withPrice("GB", 50_000)
		case map[string]string:
			text, want = "{GB: one}", map[string]string{"GB": "one"}
		case map[string]Secret:
			text, want = "{X-Key: one}", map[string]Secret{"X-Key": NewSecret("one")}
		case map[string]Reviewer:
			text, want = "{ann: {tier: employee}}", map[string]Reviewer{"ann": {Tier: "employee"}}
		case map[string]Provider:
			text, want = "{backup: {type: http}}", map[string]Provider{"backup": {Type: "http"}}
		case map[string]Route:
			text, want = "{uk: {prefixes: [+44]}}", map[string]Route{"uk": {Prefixes: []string{"+44"}}}
		case map[string]Client:
			text, want = "{web: {name: n}}", map[string]Client{"web": {Name: "n", Grants: c.Clients["web"].Grants, Algorithm: "RS256"}}
		default:
			t.Fatalf("%s: no test for a %s", at, v.Type())
		}
		l := loader{report: &report{}, origins: origins{}}
		got := c
		l.environment(&got, []string{at.variable() + "=" + text})
		if err := l.report.err(); err != nil {
			t.Errorf("%s=%s: %v", at.variable(), text, err)
		}
		each(nil, reflect.ValueOf(&got).Elem(), func(other path, v reflect.Value) {
			if other.String() == at.String() && !reflect.DeepEqual(v.Interface(), want) {
				t.Errorf("%s=%s sets %s to %v", at.variable(), text, at, v.Interface())
			}
		})
		if got := l.origins.of(at).Var; got != at.variable() && !isNamed(v.Type()) { // entries merge, each from its own place
			t.Errorf("the origin of %s is %q", at, got)
		}
	})
}

// withPrice are the default prices with another one for country.
func withPrice(country string, price Decimal) map[string]Decimal {
	prices := defaultPrices()
	prices[country] = price
	return prices
}

func TestVariableNames(t *testing.T) {
	for _, tc := range []struct {
		at   path
		want string
	}{
		{path{"issuer"}, "LATCHKEY_ISSUER"},
		{path{"admin", "listen"}, "LATCHKEY_ADMIN_LISTEN"},
		{path{"sms", "twilio", "base_url"}, "LATCHKEY_SMS_TWILIO_BASE_URL"},
		{path{"clients", "my-App.2", "secret"}, "LATCHKEY_CLIENTS_MY_APP_2_SECRET"},
	} {
		if got := tc.at.variable(); got != tc.want {
			t.Errorf("variable of %s = %s, want %s", tc.at, got, tc.want)
		}
	}
}

func TestEnvironmentMistakes(t *testing.T) {
	for _, tc := range []struct {
		name    string
		environ []string
		want    []string
	}{
		{"typo", []string{"LATCHKEY_SMS_TWILLIO_FROM=1"}, []string{`LATCHKEY_SMS_TWILLIO_FROM: unknown environment variable: did you mean "LATCHKEY_SMS_TWILIO_FROM"?`}},
		{"empty typo", []string{"LATCHKEY_SMS_TWILLIO_FROM="}, nil},
		{"nothing near", []string{"LATCHKEY_X=1"}, []string{"LATCHKEY_X: unknown environment variable"}},
		{"unknown client", []string{"LATCHKEY_CLIENTS_BACKOFFICE_NAME=x"}, []string{"LATCHKEY_CLIENTS_BACKOFFICE_NAME: unknown environment variable; what it belongs to must be in a file or in LATCHKEY_CLIENTS before a variable can set part of it"}},
		{"tests and the command line", []string{"LATCHKEY_TEST_POSTGRES=x", "LATCHKEY_CONFIG=x.yaml"}, nil},
		{"others", []string{"LATCHKEYS=1", "latchkey_x=1", "NOEQUALS"}, nil},
		{"Kubernetes", []string{
			"LATCHKEY_SERVICE_HOST=10.0.0.1", "LATCHKEY_SERVICE_PORT=8080", "LATCHKEY_SERVICE_PORT_HTTP=8080",
			"LATCHKEY_PORT=tcp://10.0.0.1:8080", "LATCHKEY_PORT_8080_TCP=tcp://10.0.0.1:8080", "LATCHKEY_PORT_8080_TCP_PROTO=tcp",
			"LATCHKEY_PORT_8080_TCP_PORT=8080", "LATCHKEY_PORT_8080_TCP_ADDR=10.0.0.1",
			"LATCHKEY_REDIS_SERVICE_HOST=10.0.0.2", "LATCHKEY_REDIS_PORT=tcp://10.0.0.2:6379",
		}, nil},
		{"a port by guess", []string{"LATCHKEY_PORT=8080"}, []string{"LATCHKEY_PORT: unknown environment variable"}},
		{"the last one counts", []string{"LATCHKEY_CODES_GUESSES=many", "LATCHKEY_CODES_GUESSES=9"}, nil},
		{"bad number", []string{"LATCHKEY_CODES_GUESSES=many"}, []string{"codes.guesses: want a whole number (LATCHKEY_CODES_GUESSES)"}},
		{"bad network in a list", []string{"LATCHKEY_TRUSTED_PROXIES=10.0.0.1,x"}, []string{"trusted_proxies[1]: want an address or a network such as 10.0.0.0/8 (LATCHKEY_TRUSTED_PROXIES)"}},
		{"list as YAML", []string{"LATCHKEY_TRUSTED_PROXIES=[10.0.0.1, '::1']"}, nil},
		{"bad YAML", []string{"LATCHKEY_TIERS=[{"}, []string{"tiers: is not valid YAML, here or below: "}},
		{"wrong YAML", []string{"LATCHKEY_TIERS=employee"}, []string{"tiers: want a list, each item with keys such as name (LATCHKEY_TIERS)"}},
		{"unknown key in YAML", []string{"LATCHKEY_CLIENTS={web: {nme: x}}"}, []string{`clients.web.nme: unknown key: did you mean "name"? (LATCHKEY_CLIENTS)`}},
		{"ids that collide", []string{"LATCHKEY_CLIENTS={a-b: {}, a.b: {}, A_B: }"}, []string{
			`clients.a-b: its environment variables, LATCHKEY_CLIENTS_A_B_…, are also those of clients.A_B: rename one`,
			`clients."a.b": its environment variables, LATCHKEY_CLIENTS_A_B_…, are also those of clients.A_B: rename one (LATCHKEY_CLIENTS)`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(disk{"main.yaml": minimal}, tc.environ...)
			wantProblems(t, err, tc.want...)
		})
	}
}
