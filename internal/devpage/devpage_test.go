package devpage_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/devpage"
)

// get returns the answer to a GET and its body.
func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestHeaders(t *testing.T) {
	base := newFake().serve(t)
	_, page := get(t, base+"/")
	script := regexp.MustCompile(`/dev/assets/[0-9a-f]+/start\.js`).FindString(page)
	style := regexp.MustCompile(`/dev/assets/[0-9a-f]+/base\.css`).FindString(page)
	drawing := regexp.MustCompile(`/dev/assets/[0-9a-f]+/icon\.svg`).FindString(page)
	forever := "public, max-age=31536000, immutable"
	for _, tc := range []struct{ path, contentType, cache string }{
		{"/", "text/html; charset=UTF-8", "no-store"},
		{"/dev/inbox", "text/html; charset=UTF-8", "no-store"},
		{"/dev/inbox.json", "application/json", "no-store"},
		{script, "text/javascript; charset=utf-8", forever},
		{style, "text/css; charset=utf-8", forever},
		{drawing, "image/svg+xml", forever},
	} {
		t.Run(tc.path, func(t *testing.T) {
			res, _ := get(t, base+tc.path)
			want := map[string]string{
				"Content-Type":           tc.contentType,
				"Cache-Control":          tc.cache,
				"X-Content-Type-Options": "nosniff",
				"Referrer-Policy":        "no-referrer",
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
					"img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
			}
			for name, value := range want {
				if got := res.Header.Get(name); got != value {
					t.Errorf("%s = %q, want %q", name, got, value)
				}
			}
			if res.StatusCode != http.StatusOK {
				t.Errorf("status = %d, want 200", res.StatusCode)
			}
		})
	}
}

func TestAssetsOfAnotherVersionAreNotFound(t *testing.T) {
	base := newFake().serve(t)
	for _, path := range []string{
		"/dev/assets/000000000000/start.js", "/dev/assets/x/..%2ftemplates%2fstart.html", "/dev/assets/x/none.js",
	} {
		res, _ := get(t, base+path)
		if res.StatusCode != http.StatusNotFound || strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, Cache-Control %q; want 404, not kept", path, res.StatusCode, res.Header.Get("Cache-Control"))
		}
	}
}

func TestInboxJSON(t *testing.T) {
	fake := newFake()
	base := fake.serve(t)
	first := time.Date(2026, 10, 5, 9, 30, 0, 0, time.UTC)
	for i, number := range []string{"+447700900101", "+447700900102", "+447700900101"} {
		to, err := parser.Parse(number)
		if err != nil {
			t.Fatal(err)
		}
		code := []string{"111111", "222222", "333333"}[i]
		fake.texts = append(fake.texts, devpage.Text{
			To: to, Body: code + " is your code.", Code: code, SentAt: first.Add(time.Duration(i) * time.Minute),
		})
	}
	for _, tc := range []struct {
		name, query string
		want        string
	}{
		{"all", "", "333333 222222 111111"},
		{"empty to is all", "?to=", "333333 222222 111111"},
		{"escaped plus", "?to=%2B447700900101", "333333 111111"},
		{"plus that became a space", "?to=+447700900101", "333333 111111"},
		{"spaced", "?to=" + url.QueryEscape("+44 7700 900102"), "222222"},
		{"nobody's", "?to=%2B447700900999", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body := get(t, base+"/dev/inbox.json"+tc.query)
			var texts []map[string]any
			if err := json.Unmarshal([]byte(body), &texts); err != nil || res.StatusCode != http.StatusOK || texts == nil {
				t.Fatalf("status %d, body %s: %v", res.StatusCode, body, err)
			}
			var codes []string
			for _, text := range texts {
				codes = append(codes, text["code"].(string))
			}
			if got := strings.Join(codes, " "); got != tc.want {
				t.Errorf("codes = %q, want %q", got, tc.want)
			}
		})
	}

	_, body := get(t, base+"/dev/inbox.json?to=%2B447700900102")
	want := `[{"to":"+447700900102","body":"222222 is your code.","code":"222222","sent_at":"2026-10-05T09:31:00Z"}]`
	if strings.TrimSpace(body) != want {
		t.Errorf("body = %s, want %s", body, want)
	}
}

func TestInboxRefusesWhatIsNoNumber(t *testing.T) {
	base := newFake().serve(t)
	for _, to := range []string{"me", "%2B", "07700900101", "%00", "%2B442071838750"} {
		res, body := get(t, base+"/dev/inbox.json?to="+to)
		var refusal struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal([]byte(body), &refusal); err != nil || res.StatusCode != http.StatusBadRequest ||
			refusal.Error != "invalid_request" || refusal.Description == "" {
			t.Errorf("to=%s: status %d, body %s", to, res.StatusCode, body)
		}
		if res, _ := get(t, base+"/dev/inbox?to="+to); res.StatusCode != http.StatusBadRequest {
			t.Errorf("page, to=%s: status %d, want 400", to, res.StatusCode)
		}
	}
}

// TestPagesEscapeWhatTheyShow holds that neither HR nor a text can put markup on a page.
func TestPagesEscapeWhatTheyShow(t *testing.T) {
	fake := newFake()
	hostile := `"><script>alert(1)</script><img src=x onerror=alert(2)>'`
	fake.people = []devpage.Person{{
		Name: hostile, Phone: "+447700900101", Department: hostile, Title: hostile, Tier: hostile, Note: hostile, Active: true,
	}}
	to, err := parser.Parse("+447700900101")
	if err != nil {
		t.Fatal(err)
	}
	fake.texts = []devpage.Text{{To: to, Body: hostile, Code: hostile, SentAt: time.Now()}}
	base := fake.serve(t)
	for _, path := range []string{"/", "/dev/inbox"} {
		_, page := get(t, base+path)
		if strings.Contains(page, "<script>") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("%s shows a hostile name unescaped", path)
		}
	}
}

// TestPagesKeepToTheirPolicy holds that nothing is written inline, where the policy would stop it.
func TestPagesKeepToTheirPolicy(t *testing.T) {
	base := newFake().serve(t)
	inline := regexp.MustCompile(`(?i)<script(?:\s+type="module")?>|<style|\sstyle=|\son[a-z]+=|https?://[^"' <]+\.(?:js|css|woff2?)`)
	for _, path := range []string{"/", "/dev/inbox"} {
		_, page := get(t, base+path)
		if found := inline.FindString(page); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
}

func TestStartPageWithoutJavaScript(t *testing.T) {
	_, page := get(t, newFake().serve(t)+"/")
	page = html.UnescapeString(page)
	for _, want := range []string{
		"Amara Okafor", "+44 7700 900101", "no mobile in HR", "left the company", "shares a number", // the staff
		"+44 7700 900123", "not in HR", // a stranger
		"/passwordless/start", "/oauth/token", `{"client_id":"app","connection":"sms"`, // the commands
		"<noscript>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the start page does not show %q", want)
		}
	}
	if buttons := strings.Count(page, "data-person"); buttons != 6 {
		t.Errorf("%d people can be picked, want 6: five with a number and the stranger", buttons)
	}
}

func TestStartPageWithoutStaff(t *testing.T) {
	fake := newFake()
	fake.people = nil
	if _, page := get(t, fake.serve(t)+"/"); !strings.Contains(page, "HR has sent nobody yet") {
		t.Error("an empty directory is not said to be empty")
	}
}

// TestStrangerThatHRKnowsIsNotListed holds when the operator of dev adds that number to HR.
func TestStrangerThatHRKnowsIsNotListed(t *testing.T) {
	fake := newFake()
	fake.people = []devpage.Person{{Name: "Newly Hired", Phone: "+447700900123", Tier: "employee", Active: true}}
	if _, page := get(t, fake.serve(t)+"/"); strings.Contains(page, "Unknown number") {
		t.Error("a number that HR knows is listed as unknown")
	}
}

func TestStaffFailureIsAnError(t *testing.T) {
	e := echo.New()
	var got error
	e.HTTPErrorHandler = func(err error, c echo.Context) { got = err; _ = c.NoContent(http.StatusInternalServerError) }
	gone := errors.New("directory is gone")
	devpage.New(devpage.Options{
		Staff: func(context.Context) ([]devpage.Person, error) { return nil, gone },
		Inbox: newFake(), Phone: parser,
	}).Register(e.Group(""))
	for _, path := range []string{"/", "/dev/inbox"} {
		got = nil
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil))
		if !errors.Is(got, gone) {
			t.Errorf("%s: error %v, want %v", path, got, gone)
		}
	}
}
