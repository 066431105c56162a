package twilio_test

import (
	"net"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault twiliotest.Fault
		want  string // part of the error; empty for none
	}{
		{"all is well", twiliotest.Fault{}, ""},
		{"restricted key", twiliotest.Refused(403, 70051), ""},
		{"wrong key", twiliotest.Refused(401, 20003), "api_key_secret"},
		{"wrong account", twiliotest.Refused(404, 20404), "sms.twilio.account_sid"},
		{"some web server", twiliotest.HTML(200), "not as Twilio does"},
		{"redirect", twiliotest.Redirect(301, "https://example.com"), "redirect"},
		{"too many", twiliotest.TooMany("1"), "try again"},
		{"broken", twiliotest.HTML(502), "HTTP status 502"},
		{"cut off", twiliotest.Cut(), "cannot reach"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, base := standIn(t)
			server.Script(tc.fault, tc.fault) // net/http repeats a GET whose connection broke
			wantCheck(t, options(base), tc.want)
			if n := len(server.Messages()); n != 0 {
				t.Errorf("%d texts sent", n)
			}
		})
	}
	t.Run("wrong address", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		wantCheck(t, options("http://"+l.Addr().String()), "connection refused")
	})
}

func wantCheck(t *testing.T, opts twilio.Options, want string) {
	t.Helper()
	err := newSender(t, opts).Check(t.Context())
	switch {
	case want == "" && err != nil:
		t.Errorf("Check = %v, want nil", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("Check = %v, want %q in it", err, want)
	case err != nil && (strings.Contains(err.Error(), opts.AccountSID) || strings.Contains(err.Error(), opts.APIKeySecret)):
		t.Errorf("account or secret in the error: %v", err)
	}
}
