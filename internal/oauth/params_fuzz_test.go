package oauth

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// fuzzed are names that the endpoints read, and one that they do not.
var fuzzed = []string{"client_id", "client_secret", "phone_number", "username", "otp", "scope", "refresh_token", "token", "everywhere", "x", ""}

// parsed runs a body through parse as a request would, and holds every refusal to a 4xx of two
// members.
func parsed(t *testing.T, media string, body []byte) (params, bool) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, startPath, bytes.NewReader(body))
	request.Header.Set(echo.HeaderContentType, media)
	answer := httptest.NewRecorder()
	c := echo.New().NewContext(request, answer)
	p, err := parse(c)
	if err == nil {
		return p, true
	}
	for _, to := range []func(error) *Error{toError, startError, legacyError} {
		if status := to(err).Status; status < 400 || status > 499 {
			t.Fatalf("parse(%q) = %v: status %d, want 4xx", body, err, status)
		}
	}
	Fail(c, startError(err))
	var said map[string]string
	if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil || len(said) != 2 || said["error"] == "" || said["error_description"] == "" {
		t.Fatalf("parse(%q) is answered with %q", body, answer.Body)
	}
	return p, false
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"client_id":"app","connection":"sms","phone_number":"+447700900123","send":"code"}`,
		`{"client_id":null,"otp":123456,"username":["x"],"scope":{"a":"b"},"x":true}`,
		`{"otp":"1","otp":"2"}`, `{"otp":1,"\u006ftp":"2"}`, `{"otp":null,"otp":"2"}`, `{"otp":"1"}{"otp":"2"}`, `{"otp":"1"} x`,
		`{"x":[[[[[[]]]]]],"otp":"\ud800\u0000"}`, `{"x":1e999}`, "{\"otp\":\"\xff\"}", "\xef\xbb\xbf{}", `{"OTP":"1","otp":"2"}`,
		`{"otp":"1",}`, `{"otp"`, `{"otp":`, `{"otp":"1"`, `{1:"x"}`, `{"a":{"otp":"1"}}`, `{"":""}`,
		`{"grant_type":"refresh_token","client_id":"app","refresh_token":"v1.opaque","redirect_uri":null}`,
		`{"client_id":"app","token":"v1.opaque","everywhere":true}`, `{"everywhere":"true"}`, `{"everywhere":false}`, `{"everywhere":"TRUE"}`,
		`{"everywhere":1}`, `{"everywhere":[true]}`, `{"everywhere":null}`, `{"everywhere":""}`, `{"everywhere":true,"everywhere":false}`,
		`{"everywhere":{},"token":true}`,
		`{"x":` + strings.Repeat("[", 9000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, ok := parsed(t, "application/json", body)
		if !ok {
			return
		}
		if len(body) > maxBody || !utf8.Valid(body) {
			t.Fatalf("parse took what is too large or no UTF-8: %q", body)
		}
		// Another reader of the same bytes must see the same values.
		var object map[string]json.RawMessage
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatalf("parse took %q, which is no object: %v", body, err)
		}
		for _, name := range fuzzed {
			got, err := p.get(name)
			var value any
			if raw, there := object[name]; there {
				reader := json.NewDecoder(bytes.NewReader(raw))
				reader.UseNumber()
				_ = reader.Decode(&value)
			}
			checkFlag(t, p, name, body, value)
			switch want := value.(type) {
			case string:
				if got != want || err != nil {
					t.Errorf("get(%q) of %q = %q, %v", name, body, got, err)
				}
			case nil:
				if got != "" || err != nil {
					t.Errorf("get(%q) of %q = %q, %v, want nothing", name, body, got, err)
				}
			default:
				if got != "" || err == nil || toError(err).Status != 400 {
					t.Errorf("get(%q) of %q = %q, %v: mistyped", name, body, got, err)
				}
				if needed, err := p.need(name); needed != nil || err == nil {
					t.Errorf("need(%q) of %q = %q: mistyped", name, body, needed)
				}
			}
		}
	})
}

func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{
		``, `&`, `=`, `&&=&`, `client_id=app&connection=sms&phone_number=%2B447700900123&send=code`, `otp=1&otp=2`, `otp=1&%6ftp=2`,
		`otp=1;otp=2`, `otp=%`, `otp=%zz`, `otp=%ff`, `%ff=1`, "otp=\xff", `otp=+1+`, `otp=%00`, `otp`, `otp==1`, `otp[]=1`, `otp%5B%5D=1`,
		`{"otp":"1"}`, strings.Repeat("a&", 9000), "otp=1\r\n", `x=%ed%a0%80`,
		`grant_type=refresh_token&client_id=app&refresh_token=v1.opaque`, `token=v1.opaque&everywhere=true`, `everywhere`, `everywhere=false`,
		`everywhere=true&everywhere=`, `everywhere=%74rue`, `everywhere=+true`, `everywhere=1`, `everywhere[]=true`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, ok := parsed(t, "application/x-www-form-urlencoded", body)
		if !ok {
			return
		}
		if len(body) > maxBody || !utf8.Valid(body) {
			t.Fatalf("parse took what is too large or no UTF-8: %q", body)
		}
		// Read it again by hand: each name once, values as they are decoded.
		want := map[string]string{}
		for _, pair := range strings.Split(string(body), "&") {
			if pair == "" {
				continue
			}
			rawName, rawValue, _ := strings.Cut(pair, "=")
			name, nameErr := url.QueryUnescape(rawName)
			value, valueErr := url.QueryUnescape(rawValue)
			if nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
				t.Fatalf("parse took the malformed %q of %q", pair, body)
			}
			if _, repeated := want[name]; repeated {
				t.Fatalf("parse took %q, which repeats %q", body, name)
			}
			want[name] = value
		}
		for _, name := range fuzzed {
			if got, err := p.get(name); got != want[name] || err != nil {
				t.Errorf("get(%q) of %q = %q, %v, want %q", name, body, got, err, want[name])
			}
			checkFlag(t, p, name, body, want[name])
		}
	})
}

// checkFlag holds flag to what another reader of body found under name: true and false, as such or
// as text, and nothing for false; no other value is taken for either.
func checkFlag(t *testing.T, p params, name string, body []byte, value any) {
	t.Helper()
	set, err := p.flag(name)
	switch value {
	case true, "true":
		if !set || err != nil {
			t.Errorf("flag(%q) of %q = %v, %v, want true", name, body, set, err)
		}
	case false, "false", "", nil:
		if set || err != nil {
			t.Errorf("flag(%q) of %q = %v, %v, want false", name, body, set, err)
		}
	default:
		if set || err == nil || toError(err).Status != 400 {
			t.Errorf("flag(%q) of %q = %v, %v, want a refusal", name, body, set, err)
		}
	}
}
