package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func options(baseURL string) twilio.Options {
	return twilio.Options{
		BaseURL:             baseURL,
		AccountSID:          twiliotest.AccountSID,
		APIKeySID:           twiliotest.APIKeySID,
		APIKeySecret:        twiliotest.APIKeySecret,
		MessagingServiceSID: twiliotest.MessagingServiceSID,
		Timeout:             time.Minute, // no test waits for it
		Now:                 func() time.Time { return noon },
	}
}

func newSender(t *testing.T, opts twilio.Options) *twilio.Sender {
	t.Helper()
	s, err := twilio.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// standIn starts a stand-in and fails the test if anything breaks Twilio's description.
func standIn(t *testing.T) (*twiliotest.Server, string) {
	t.Helper()
	s := twiliotest.New(twiliotest.Options{})
	base, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if v := s.Violations(); len(v) != 0 {
			t.Errorf("violations: %v", v)
		}
	})
	return s, base
}

func message(t *testing.T) sms.Message {
	t.Helper()
	to, err := phone.Stored("+447700900123")
	if err != nil {
		t.Fatal(err)
	}
	return sms.Message{To: to, Body: "012345 is your Latchkey code.\n\n@id.example.com #012345", ValidUntil: noon.Add(5 * time.Minute)}
}

// refusal sends a text that must fail and returns the error, which must hold nobody's data.
func refusal(t *testing.T, ctx context.Context, s *twilio.Sender) *sms.Error {
	t.Helper()
	receipt, err := s.Send(ctx, message(t))
	e, ok := err.(*sms.Error)
	if !ok || receipt != (sms.Receipt{}) {
		t.Fatalf("Send = %v, %#v; want no receipt and an *sms.Error", receipt, err)
	}
	said := fmt.Sprintf("%v %+v %#v", err, err, err)
	for _, secret := range []string{"900123", "012345", twiliotest.AccountSID, twiliotest.APIKeySID, twiliotest.APIKeySecret, "127.0.0.1"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s in the error: %s", secret, said)
		}
	}
	if e.Reason == "" {
		t.Error("no reason")
	}
	return e
}

func TestSend(t *testing.T) {
	// The library would take these from the environment.
	t.Setenv("TWILIO_REGION", "ie1")
	t.Setenv("TWILIO_EDGE", "dublin")
	t.Setenv("TWILIO_ACCOUNT_SID", "ACwrong")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	server, base := standIn(t)
	byNumber := options(base + "/") // a slash at the end is the same address
	byNumber.MessagingServiceSID, byNumber.From = "", "Latchkey"
	for name, opts := range map[string]twilio.Options{"MessagingServiceSid": options(base), "From": byNumber} {
		receipt, err := newSender(t, opts).Send(t.Context(), message(t))
		if err != nil {
			t.Fatalf("by %s: %v", name, err)
		}
		log := server.Messages()
		got := log[len(log)-1]
		if receipt.ID == "" || receipt.ID != got.SID || got.To != "+447700900123" || got.Body != message(t).Body {
			t.Errorf("by %s: %v for %+v", name, receipt, got)
		}
		// Nothing else goes out: RiskCheck above all (security requirement M10).
		want := []string{"Body", "To", "ValidityPeriod", name}
		slices.Sort(want)
		if keys := slices.Sorted(maps.Keys(got.Form)); !slices.Equal(keys, want) {
			t.Errorf("parameters %v, want %v", keys, want)
		}
	}
}

func TestValidityPeriodNeverOutlivesTheCode(t *testing.T) {
	for _, tc := range []struct {
		left time.Duration
		want string // empty: not sent
	}{
		{5 * time.Minute, "180"},
		{180 * time.Second, "180"},
		{180*time.Second - 1, "179"},
		{45700 * time.Millisecond, "45"},
		{time.Second, "1"},
		{time.Second - 1, ""},
		{0, ""},
		{-time.Hour, ""},
	} {
		t.Run(tc.left.String(), func(t *testing.T) {
			server, base := standIn(t)
			m := message(t)
			m.ValidUntil = noon.Add(tc.left)
			_, err := newSender(t, options(base)).Send(t.Context(), m)
			if tc.want == "" {
				var e *sms.Error
				if !errors.As(err, &e) || e.Class != sms.Late || len(server.Messages()) != 0 {
					t.Errorf("Send = %v with %d requests, want late and none", err, len(server.Messages()))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := server.Messages()[0].Form.Get("ValidityPeriod"); got != tc.want {
				t.Errorf("ValidityPeriod %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	at := func(f twiliotest.Fault, name, value string) twiliotest.Fault {
		f.Header.Set(name, value)
		return f
	}
	huge := twiliotest.Refused(400, 21614)
	huge.Body += strings.Repeat(" ", 1<<20)
	for _, tc := range []struct {
		name  string
		fault twiliotest.Fault
		want  sms.Error
	}{
		{"code we know", twiliotest.Refused(400, 21610), sms.Error{Class: sms.OptedOut, Code: 21610, Status: 400}},
		{"code we know before the status", twiliotest.Refused(500, 21408), sms.Error{Class: sms.OurConfig, Code: 21408, Status: 500}},
		{"code we do not know", twiliotest.Refused(400, 29999), sms.Error{Class: sms.OurConfig, Code: 29999, Status: 400}},
		{"server code we do not know", twiliotest.Refused(500, 20500), sms.Error{Class: sms.Provider, Code: 20500, Status: 500}},
		{"credentials", twiliotest.Refused(401, 20003), sms.Error{Class: sms.OurConfig, Code: 20003, Status: 401, Account: true}},
		{"account that is not there", twiliotest.Refused(404, 20404), sms.Error{Class: sms.OurConfig, Code: 20404, Status: 404, Account: true}},
		{"suspended", twiliotest.Refused(400, 30002), sms.Error{Class: sms.OurConfig, Code: 30002, Status: 400, Account: true}},
		{"a key that may not send", twiliotest.Refused(403, 70051), sms.Error{Class: sms.OurConfig, Code: 70051, Status: 403, Account: true}},
		{"country switched off, by 403", twiliotest.Refused(403, 21408), sms.Error{Class: sms.OurConfig, Code: 21408, Status: 403}},
		{"much data after the answer", huge, sms.Error{Class: sms.NumberPermanent, Code: 21614, Status: 400}},

		{"HTML 502", twiliotest.HTML(502), sms.Error{Class: sms.Provider, Status: 502}},
		{"empty 503", twiliotest.Empty(503), sms.Error{Class: sms.Provider, Status: 503}},
		{"503 that says when", at(twiliotest.HTML(503), "Retry-After", "2"), sms.Error{Class: sms.Provider, Status: 503, RetryAfter: 2 * time.Second}},
		{"504", twiliotest.HTML(504), sms.Error{Class: sms.UnknownOutcome, Status: 504}},
		{"408", twiliotest.Empty(408), sms.Error{Class: sms.UnknownOutcome, Status: 408}},
		{"500 cut off", twiliotest.CutMidAnswer(500), sms.Error{Class: sms.Provider, Status: 500}},
		{"code as text", twiliotest.JSON(400, `{"code":"21211","status":400}`), sms.Error{Class: sms.OurConfig, Status: 400}},
		{"JSON of another shape", twiliotest.JSON(422, `{"title":"Invalid","type":"x"}`), sms.Error{Class: sms.OurConfig, Status: 422}},
		{"JSON of another shape, 5xx", twiliotest.JSON(500, `{"status":400}`), sms.Error{Class: sms.Provider, Status: 500}},

		{"429", twiliotest.TooMany(""), sms.Error{Class: sms.Rate, Code: 20429, Status: 429}},
		{"429 with seconds", twiliotest.TooMany("3"), sms.Error{Class: sms.Rate, Code: 20429, Status: 429, RetryAfter: 3 * time.Second}},
		{"429 with a date", twiliotest.TooMany(noon.Add(7 * time.Second).Format(http.TimeFormat)), sms.Error{Class: sms.Rate, Code: 20429, Status: 429, RetryAfter: 7 * time.Second}},
		{"429 with a date gone by", twiliotest.TooMany(noon.Add(-time.Hour).Format(http.TimeFormat)), sms.Error{Class: sms.Rate, Code: 20429, Status: 429}},
		{"429 with nonsense", twiliotest.TooMany("soon"), sms.Error{Class: sms.Rate, Code: 20429, Status: 429}},
		{"429 below zero", twiliotest.TooMany("-5"), sms.Error{Class: sms.Rate, Code: 20429, Status: 429}},
		{"429 as a page", twiliotest.HTML(429), sms.Error{Class: sms.Rate, Status: 429}},

		{"empty 201", twiliotest.Empty(201), sms.Error{Class: sms.UnknownOutcome, Status: 201}},
		{"201 as a page", twiliotest.HTML(201), sms.Error{Class: sms.UnknownOutcome, Status: 201}},
		{"201 without sid", twiliotest.JSON(201, `{}`), sms.Error{Class: sms.UnknownOutcome, Status: 201}},
		{"201 with an empty sid", twiliotest.JSON(201, `{"sid":""}`), sms.Error{Class: sms.UnknownOutcome, Status: 201}},
		{"201 null", twiliotest.JSON(201, `null`), sms.Error{Class: sms.UnknownOutcome, Status: 201}},
		{"201 cut off", twiliotest.CutMidAnswer(201), sms.Error{Class: sms.UnknownOutcome, Status: 201}},
		{"204", twiliotest.Empty(204), sms.Error{Class: sms.UnknownOutcome, Status: 204}},
		{"cut off before the answer", twiliotest.Cut(), sms.Error{Class: sms.UnknownOutcome}},
		{"redirect with a sid", at(twiliotest.JSON(302, `{"sid":"SM1"}`), "Location", "/"), sms.Error{Class: sms.OurConfig, Status: 302, Account: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, base := standIn(t)
			server.Script(tc.fault)
			got := *refusal(t, t.Context(), newSender(t, options(base)))
			got.Reason = ""
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if n := len(server.Messages()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestTestNumbers(t *testing.T) {
	server, base := standIn(t)
	sender := newSender(t, options(base))
	for to, want := range map[string]sms.Class{
		"+15005550001": sms.NumberPermanent,
		"+15005550002": sms.OurConfig,
		"+15005550003": sms.OurConfig,
		"+15005550004": sms.OptedOut,
		"+15005550009": sms.NumberPermanent,
	} {
		m := message(t)
		m.To, _ = phone.Stored(to)
		_, err := sender.Send(t.Context(), m)
		var e *sms.Error
		if !errors.As(err, &e) || e.Class != want {
			t.Errorf("%s: %v, want %s", to, err, want)
		}
	}
	if n := len(server.Messages()); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		server, base := standIn(t)
		var followed atomic.Int32
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
		t.Cleanup(elsewhere.Close)
		server.Script(twiliotest.Redirect(status, elsewhere.URL), twiliotest.Redirect(status, base))
		sender := newSender(t, options(base))
		for range 2 {
			if e := refusal(t, t.Context(), sender); e.Class != sms.OurConfig || e.Status != status {
				t.Errorf("%d: %v, want our_config", status, e)
			}
		}
		if followed.Load() != 0 || len(server.Messages()) != 2 {
			t.Errorf("%d: followed %d times, %d requests", status, followed.Load(), len(server.Messages()))
		}
	}
}

// A connection that has served one text and breaks under the next is where net/http repeats a
// request by itself, if it holds it to be safe.
func TestBrokenReusedConnectionSendsOnce(t *testing.T) {
	server, base := standIn(t)
	sender := newSender(t, options(base))
	for n := 1; n <= 9; n += 2 {
		if _, err := sender.Send(t.Context(), message(t)); err != nil {
			t.Fatal(err)
		}
		server.Script(twiliotest.Cut())
		if e := refusal(t, t.Context(), sender); e.Class != sms.UnknownOutcome || e.Definite() {
			t.Errorf("%v, want unknown_outcome", e)
		}
		if got := len(server.Messages()); got != n+1 {
			t.Fatalf("%d requests, want %d", got, n+1)
		}
	}
}

func TestErrorsDoNotCostAConnectionEach(t *testing.T) {
	server := twiliotest.New(twiliotest.Options{})
	var opened atomic.Int32
	closed := make(chan struct{}, 10)
	web := httptest.NewUnstartedServer(server)
	web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closed <- struct{}{}
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	sender := newSender(t, options(web.URL))
	refuse := func(trailing int) {
		f := twiliotest.Refused(400, 21610)
		f.Body += strings.Repeat(" ", trailing)
		server.Script(f)
		_ = refusal(t, t.Context(), sender)
	}
	for range 10 {
		refuse(32 << 10)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for ten answers, want 1", n)
	}
	refuse(64 << 20) // past the bound: the connection is given up, not read to its end
	<-closed
}

func TestBaseURLMayHaveAPath(t *testing.T) {
	server := twiliotest.New(twiliotest.Options{})
	web := httptest.NewServer(http.StripPrefix("/stand-in", server))
	t.Cleanup(web.Close)
	if _, err := newSender(t, options(web.URL+"/stand-in/")).Send(t.Context(), message(t)); err != nil {
		t.Errorf("Send = %v", err)
	}
}
