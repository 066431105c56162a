package gateway_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
	failure := func(c gateway.Condition) func(*gateway.Options) {
		return func(o *gateway.Options) { o.Failure = &c }
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
		{"unknown placeholder", at("https://sms.example.com/?n={phone}"), "url: has an unknown placeholder"},

		{"no body", body(""), "body: want JSON"},
		{"not JSON", body(`{"to":"{to}","text":"{body}"`), "body: want JSON"},
		{"value outside of quotes", body(`{"to":"{to}","text":{body}}`), "placeholders within its texts"},
		{"number outside of quotes", body(`{"to":{to_digits},"text":"{body}"}`), "placeholders within its texts"},
		{"unknown placeholder in it", body(`{"to":"{to}","text":"{code}"}`), "body: has an unknown placeholder"},
		{"without the text", body(`{"to":"{to}"}`), "no {body} in it"},
		{"to nobody", body(`{"text":"{body}"}`), "would go to nobody"},
		{"broken form", form("to={to}&text={body}&%zz"), "body: want a form"},
		{"from nobody", form("from={from}&to={to}&text={body}"), "from: missing: {from} stands for it"},
		{"from nobody, in a header", header("X-From", "{from}"), "from: missing"},
		{"braces in the path", at("https://sms.example.com/{1}/send"), "only in its query"},
		{"no scheme", at("sms.example.com"), "url: want an address"},
		{"another type", func(o *gateway.Options) { o.ContentType = "text/xml" }, "content_type: want"},

		{"code in a header", header("X-Text", "{body}"), "headers.X-Text: {body} stands only"},
		{"host", header("host", "x"), "set by Latchkey"},
		{"content type", header("content-type", "x"), "set by Latchkey"},
		{"header twice", func(o *gateway.Options) {
			o.Headers = map[string]string{"X-Key": secret, "x-key": secret}
		}, "headers.x-key: the same header as X-Key"},
		{"unknown placeholder in a header", header("X-Key", "{hunter}"+secret), "headers.X-Key: has an unknown placeholder"},
		{"header with a line break", header("X-Key", secret+"\r\nX-Evil: 1"), "printable ASCII"},
		{"no header's name", header("X Key", "1"), "want a header's name"},

		{"success of 3xx", func(o *gateway.Options) { o.SuccessStatus = []int{302} }, "success_status: 302"},
		{"success's values of nothing", success(gateway.Condition{Values: []string{"1"}}), "success_field: missing"},
		{"success of no values", success(gateway.Condition{Field: "/a"}), "success_values: missing"},
		{"success's field is no pointer", success(gateway.Condition{Field: "status", Values: []string{"1"}}), "success_field: want a JSON pointer"},
		{"failure's values of nothing", failure(gateway.Condition{Values: []string{"1"}}), "failure_field: missing"},
		{"failure of no values", failure(gateway.Condition{Field: "/a"}), "failure_values: missing"},
		{"failure's field is no pointer", failure(gateway.Condition{Field: "/~2", Values: []string{"1"}}), "failure_field: want a JSON pointer"},
		{"pointer with escapes", success(gateway.Condition{Field: "/a~1b/0", Values: []string{"1"}}), ""},
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

// Each mistake is on a line of its own that begins with its setting, as config check prints it.
func TestEveryMistakeIsToldOnce(t *testing.T) {
	t.Parallel()
	_, err := gateway.New(gateway.Options{
		Name: "acme", URL: "http://sms.example.com/", Method: "GET", ContentType: "text/xml", Body: "x",
		Headers: map[string]string{"Host": secret, "X Key": secret}, SuccessStatus: []int{302},
		Success: &gateway.Condition{}, Failure: &gateway.Condition{Field: "x", Values: []string{"1"}}, IDField: "id",
	})
	var keys []string
	for line := range strings.Lines(err.Error()) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "sms.providers.acme."), ":")
		keys = append(keys, key)
	}
	require.Equal(t, []string{
		"method", "success_status", "success_field", "success_values", "failure_field", "id_field", "url", "content_type", "headers.Host", "headers",
	}, keys)
}
