package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/gateway"
)

func TestNewChecksOptions(t *testing.T) {
	t.Parallel()
	body := func(b string) func(*gateway.Options) { return func(o *gateway.Options) { o.Body = b } }
	form := func(b string) func(*gateway.Options) {
		return func(o *gateway.Options) { o.ContentType, o.Body = gateway.Form, b }
	}
	at := func(u string) func(*gateway.Options) { return func(o *gateway.Options) { o.URL = u } }
	header := func(name, value string) func(*gateway.Options) {
		return func(o *gateway.Options) { o.Headers = map[string]string{name: value} }
	}
	success := func(c gateway.Condition) func(*gateway.Options) {
		return func(o *gateway.Options) { o.Success = &c }
	}
	for _, tc := range []struct {
		name string
		edit func(*gateway.Options)
		want string // part of the error; empty for none
	}{
		{"good", func(*gateway.Options) {}, ""},
		{"number in the URL", func(o *gateway.Options) { o.URL, o.Body = "https://sms.example.com/?to={to_digits}", `{"t":"{body}"}` }, ""},
		{"form", form("to={to}&text={body}"), ""},
		{"to this machine", at("http://localhost:8080/send"), ""},

		{"no name", func(o *gateway.Options) { o.Name, o.Path = "", "sms.providers.x" }, "sms.providers.x.name: missing"},
		{"GET", func(o *gateway.Options) { o.Method = "GET" }, "sms.providers.acme.method: want POST or PUT"},
		{"no URL", at(""), "sms.providers.acme.url: want an address"},
		{"http", at("http://sms.example.com/send"), "url: want https"},
		{"credentials in the URL", at("https://a:" + secret + "@sms.example.com/send"), "credentials go into headers"},
		{"fragment", at("https://sms.example.com/send#x"), "url: want an address"},
		{"host by placeholder", at("https://{to_digits}.example.com/"), "only in its query"},
		{"path by placeholder", at("https://sms.example.com/{ref}?a=b"), "only in its query"},
		{"code in the URL", at("https://sms.example.com/?text={body}"), "url: {body} stands only in the request's body"},
		{"unknown placeholder", at("https://sms.example.com/?n={phone}"), "no placeholder {phone}"},

		{"no body", body(""), "body: want JSON"},
		{"not JSON", body(`{"to":"{to}","text":"{body}"`), "body: want JSON"},
		{"value outside of quotes", body(`{"to":"{to}","text":{body}}`), "placeholders within its texts"},
		{"number outside of quotes", body(`{"to":{to_digits},"text":"{body}"}`), "placeholders within its texts"},
		{"unknown placeholder in it", body(`{"to":"{to}","text":"{code}"}`), "no placeholder {code}"},
		{"without the text", body(`{"to":"{to}"}`), "no {body} in it"},
		{"to nobody", body(`{"text":"{body}"}`), "would go to nobody"},
		{"broken form", form("to={to}&text={body}&%zz"), "body: want a form"},
		{"another type", func(o *gateway.Options) { o.ContentType = "text/xml" }, "content_type: want"},

		{"code in a header", header("X-Text", "{body}"), `headers: "X-Text": {body} stands only`},
		{"host", header("host", "x"), "set by Latchkey"},
		{"content type", header("content-type", "x"), "set by Latchkey"},
		{"header with a line break", header("X-Key", secret+"\r\nX-Evil: 1"), "printable ASCII"},
		{"no header's name", header("X Key", "1"), "want a header's name"},

		{"success of 3xx", func(o *gateway.Options) { o.SuccessStatus = []int{302} }, "success_status: 302"},
		{"failure of 2xx", func(o *gateway.Options) { o.FailureClasses = map[int]sms.Class{200: sms.Provider} }, "failure_classes: 200"},
		{"unknown class", func(o *gateway.Options) { o.FailureClasses = map[int]sms.Class{500: "down"} }, `no class "down"`},
		{"withheld", func(o *gateway.Options) { o.FailureClasses = map[int]sms.Class{500: sms.Withheld} }, `no class "withheld"`},
		{"failure without class", func(o *gateway.Options) {
			o.Failures = []gateway.Failure{{Condition: gateway.Condition{Match: "x"}}}
		}, "failures[0].class"},
		{"failure without condition", func(o *gateway.Options) { o.Failures = []gateway.Failure{{Class: sms.Provider}} }, "failures[0]: set either"},
		{"values and match", success(gateway.Condition{Field: "/a", Values: []string{"1"}, Match: "1"}), "success: set either"},
		{"values of nothing", success(gateway.Condition{Values: []string{"1"}}), "success: values need a field"},
		{"no pointer", success(gateway.Condition{Field: "status", Values: []string{"1"}}), "success: want a JSON pointer"},
		{"no expression", success(gateway.Condition{Match: "("}), "success: match is no regular expression"},
		{"id that is no pointer", func(o *gateway.Options) { o.IDField = "id" }, "id_field: want a JSON pointer"},
		{"timeout", func(o *gateway.Options) { o.Timeout = -1 }, "timeout: want"},
	} {
		opts := options("https://sms.example.com/send")
		tc.edit(&opts)
		_, err := gateway.New(opts)
		if tc.want == "" {
			require.NoError(t, err, tc.name)
			continue
		}
		require.ErrorContains(t, err, tc.want, tc.name)
		require.NotContains(t, err.Error(), secret, tc.name)
	}
}
