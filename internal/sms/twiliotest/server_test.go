package twiliotest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, opts twiliotest.Options) (*twiliotest.Server, string) {
	t.Helper()
	s := twiliotest.New(opts)
	base, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, base + "/2010-04-01/Accounts/" + twiliotest.AccountSID + "/Messages.json"
}

// good is a request that is taken, changed by pairs of key and value; an empty value removes the key.
func good(pairs ...string) url.Values {
	form := url.Values{
		"To":                  {"+447700900123"},
		"Body":                {"123456 is your code"},
		"MessagingServiceSid": {twiliotest.MessagingServiceSID},
		"ValidityPeriod":      {"180"},
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return form
}

// do sends a request with the right credentials, changed by edit, and reads the answer.
func do(t *testing.T, method, target, body string, edit func(*http.Request)) (status int, answer map[string]any, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(twiliotest.APIKeySID, twiliotest.APIKeySecret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if edit != nil {
		edit(r)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	_ = json.Unmarshal(raw, &answer)
	return res.StatusCode, answer, err
}

func TestCreate(t *testing.T) {
	s, target := start(t, twiliotest.Options{})
	status, byService, err := do(t, http.MethodPost, target, good().Encode(), nil)
	if err != nil || status != http.StatusCreated || byService["status"] != "accepted" || byService["from"] != nil {
		t.Errorf("by service: %d %v %v", status, byService, err)
	}
	status, byNumber, err := do(t, http.MethodPost, target, good("MessagingServiceSid", "", "From", "Latchkey").Encode(), nil)
	if err != nil || status != http.StatusCreated || byNumber["status"] != "queued" || byNumber["from"] != "Latchkey" {
		t.Errorf("by name: %d %v %v", status, byNumber, err)
	}
	if v := s.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
	log := s.Messages()
	if len(log) != 2 || log[0].SID != byService["sid"] || log[1].SID != byNumber["sid"] || log[0].SID == log[1].SID ||
		log[0].To != "+447700900123" || log[0].Body != "123456 is your code" {
		t.Errorf("log: %+v", log)
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name         string
		form         url.Values
		edit         func(*http.Request)
		status, code int
		violates     bool
	}{
		{"empty body of the request", url.Values{}, nil, 400, 21604, true},
		{"To is no number", good("To", "abc"), nil, 400, 21211, true},
		{"To without plus", good("To", "447700900123"), nil, 400, 21211, true},
		{"no sender", good("MessagingServiceSid", ""), nil, 400, 21603, true},
		{"no text", good("Body", ""), nil, 400, 21602, true},
		{"text too long", good("Body", strings.Repeat("a", 1601)), nil, 400, 21617, true},
		{"unknown parameter", good("Idempotency", "1"), nil, 400, 20001, true},
		{"same parameter twice", url.Values{"To": {"+447700900123", "+447700900124"}}, nil, 400, 20001, true},
		{"validity of zero", good("ValidityPeriod", "0"), nil, 400, 20001, true},
		{"validity is no integer", good("ValidityPeriod", "3m"), nil, 400, 20001, true},
		{"service of the wrong shape (description)", good("MessagingServiceSid", "MG1"), nil, 400, 20001, true},
		{"risk check outside its values (description)", good("RiskCheck", "off"), nil, 400, 20001, true},
		{"no credentials", good(), func(r *http.Request) { r.Header.Del("Authorization") }, 401, 20003, true},
		{"wrong secret", good(), func(r *http.Request) { r.SetBasicAuth(twiliotest.APIKeySID, "x") }, 401, 20003, true},
		{"another account", good(), func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "ACaa", "ACbb", 1) }, 404, 20404, true},
		{"JSON", good(), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415, 20001, true},
		{"another operation", good(), func(r *http.Request) { r.URL.Path += "/x" }, 404, 20404, true},

		{"not valid", good("To", "+15005550001"), nil, 400, 21211, false},
		{"no route", good("To", "+15005550002"), nil, 400, 21612, false},
		{"country off", good("To", "+15005550003"), nil, 400, 21408, false},
		{"opted out", good("To", "+15005550004"), nil, 400, 21610, false},
		{"not mobile", good("To", "+15005550009"), nil, 400, 21614, false},
		{"sender's queue full", good("MessagingServiceSid", "", "From", "+15005550008"), nil, 400, 21611, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, target := start(t, twiliotest.Options{})
			status, answer, err := do(t, http.MethodPost, target, tc.form.Encode(), tc.edit)
			if err != nil || status != tc.status || answer["code"] != float64(tc.code) || answer["status"] != float64(tc.status) {
				t.Errorf("%d %v %v, want %d with code %d", status, answer, err, tc.status, tc.code)
			}
			if v := s.Violations(); (len(v) == 1) != tc.violates {
				t.Errorf("violations: %v, want one: %t", v, tc.violates)
			}
			for _, m := range s.Messages() {
				if m.SID != "" {
					t.Errorf("message created: %+v", m)
				}
			}
		})
	}
}

func TestWithoutValidation(t *testing.T) {
	s, target := start(t, twiliotest.Options{NoValidation: true})
	status, _, err := do(t, http.MethodPost, target, "To=abc", func(r *http.Request) { r.Header.Del("Authorization") })
	if err != nil || status != http.StatusCreated || len(s.Violations()) != 0 {
		t.Errorf("%d %v %v, want 201", status, err, s.Violations())
	}
}

func TestFaults(t *testing.T) {
	released := make(chan struct{})
	close(released)
	for _, tc := range []struct {
		name   string
		fault  twiliotest.Fault
		status int // 0: no answer
		cut    bool
	}{
		{"normal", twiliotest.Fault{}, 201, false},
		{"late", twiliotest.Delayed(1), 201, false},
		{"held and released", twiliotest.Held(released), 201, false},
		{"page", twiliotest.HTML(502), 502, false},
		{"empty", twiliotest.Empty(201), 201, false},
		{"other JSON", twiliotest.JSON(201, "{}"), 201, false},
		{"refused", twiliotest.Refused(400, 21610), 400, false},
		{"too many", twiliotest.TooMany("3"), 429, false},
		{"redirect", twiliotest.Redirect(307, "/elsewhere"), 307, false},
		{"cut", twiliotest.Cut(), 0, true},
		{"cut in the answer", twiliotest.CutMidAnswer(201), 201, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, target := start(t, twiliotest.Options{Latency: 1})
			s.Script(tc.fault)
			status, _, err := do(t, http.MethodPost, target, good().Encode(), nil)
			if status != tc.status || (err != nil) != tc.cut {
				t.Errorf("%d %v, want %d, cut off: %t", status, err, tc.status, tc.cut)
			}
			if len(s.Messages()) != 1 || len(s.Violations()) != 0 {
				t.Errorf("log %v, violations %v", s.Messages(), s.Violations())
			}
			if status, _, err := do(t, http.MethodPost, target, good().Encode(), nil); status != 201 || err != nil {
				t.Errorf("after the fault: %d %v, want 201", status, err)
			}
		})
	}
}

func TestLogIsBounded(t *testing.T) {
	s, target := start(t, twiliotest.Options{Keep: 2})
	for _, body := range []string{"a", "b", "c"} {
		if status, _, err := do(t, http.MethodPost, target, good("Body", body, "X", "x").Encode(), nil); status != 400 || err != nil {
			t.Fatal(status, err)
		}
	}
	log := s.Messages()
	if len(log) != 2 || log[0].Body != "b" || log[1].Body != "c" || len(s.Violations()) != 2 {
		t.Errorf("log %+v, violations %v; want the newest two", log, s.Violations())
	}
}

func TestListIsDescribed(t *testing.T) {
	s, target := start(t, twiliotest.Options{})
	status, answer, err := do(t, http.MethodGet, target+"?PageSize=1", "", nil)
	if err != nil || status != http.StatusOK || answer["messages"] == nil || len(s.Violations()) != 0 {
		t.Errorf("%d %v %v %v", status, answer, err, s.Violations())
	}
	if status, _, err := do(t, http.MethodGet, target+"?PageSize=0", "", nil); status != 400 || err != nil || len(s.Violations()) != 1 {
		t.Errorf("page size outside its bounds: %d %v %v, want 400", status, err, s.Violations())
	}
}

func TestStopEndsHeldRequests(t *testing.T) {
	s := twiliotest.New(twiliotest.Options{})
	base, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	s.Script(twiliotest.Held(make(chan struct{})))
	failed := make(chan error)
	go func() {
		_, err := http.Get(base + "/2010-04-01/Accounts/" + twiliotest.AccountSID + "/Messages.json")
		failed <- err
	}()
	stop()
	var target *url.Error
	if err := <-failed; !errors.As(err, &target) {
		t.Errorf("Get = %v, want a broken connection", err)
	}
}

func TestCallback(t *testing.T) {
	s, target := start(t, twiliotest.Options{})
	got := make(chan *http.Request, 1)
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got <- r
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(webhook.Close)
	const public = "https://id.example.com/webhooks/twilio/status"
	_, message, err := do(t, http.MethodPost, target, good("StatusCallback", public).Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sid, _ := message["sid"].(string)
	news, err := s.Callback(sid, "failed", 30003)
	if err != nil || news.URL != public {
		t.Fatalf("%+v, %v", news, err)
	}
	status, err := news.Send(t.Context(), webhook.URL)
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("Send = %d, %v", status, err)
	}
	r := <-got
	if r.PostForm.Get("MessageSid") != sid || r.PostForm.Get("ErrorCode") != "30003" || r.PostForm.Get("MessageStatus") != "failed" ||
		r.Header.Get("X-Twilio-Signature") != twiliotest.Sign(twiliotest.AuthToken, public, r.PostForm) {
		t.Errorf("%v with %v", r.PostForm, r.Header)
	}
	_, _, _ = do(t, http.MethodPost, target, good().Encode(), nil)
	for _, m := range s.Messages()[1:] {
		if _, err := s.Callback(m.SID, "sent", 0); err == nil {
			t.Error("a callback that nobody asked for")
		}
	}
	if _, err := s.Callback("SM1", "sent", 0); err == nil {
		t.Error("a callback for no message")
	}
}

// The vector of Twilio's signature that design papers hold.
func TestSign(t *testing.T) {
	form, err := url.ParseQuery("AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&ApiVersion=2010-04-01&From=Latchkey" +
		"&MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered" +
		"&MessagingServiceSid=MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" +
		"&SmsSid=SM00000000000000000000000000000001&SmsStatus=delivered&To=%2B447700900123")
	if err != nil {
		t.Fatal(err)
	}
	got := twiliotest.Sign("12345678901234567890123456789012", "https://id.example.com/webhooks/twilio/status", form)
	if got != "hi/qeouX6rfYJDAhxykl+uP/dDE=" {
		t.Error(got)
	}
}
