package twilio_test

import (
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

func TestNewChecksOptions(t *testing.T) {
	from := func(v string) func(*twilio.Options) {
		return func(o *twilio.Options) { o.MessagingServiceSID, o.From = "", v }
	}
	base := func(v string) func(*twilio.Options) {
		return func(o *twilio.Options) { o.BaseURL = v }
	}
	const badFrom, badBase = "sms.twilio.from: want", "sms.twilio.base_url: want"
	for _, tc := range []struct {
		name string
		edit func(*twilio.Options)
		want string // part of the error; empty for none
	}{
		{"good", func(*twilio.Options) {}, ""},
		{"Twilio itself", base(""), ""},
		{"a region of Twilio", base("https://api.dublin.ie1.twilio.com"), ""},
		{"path before the API's", base("http://127.0.0.1:4010/twilio/"), ""},
		{"number", from("+447700900123"), ""},
		{"short code", from("12345"), ""},
		{"name", from("Latchkey"), ""},
		{"name of eleven", from("Latchkey ID"), ""},
		{"name with one letter", from("0123456789a"), ""},

		{"no account", func(o *twilio.Options) { o.AccountSID = "" }, "sms.twilio.account_sid: missing"},
		{"key for account", func(o *twilio.Options) { o.AccountSID = twiliotest.APIKeySID }, "sms.twilio.account_sid: want AC"},
		{"account too long", func(o *twilio.Options) { o.AccountSID += "a" }, "sms.twilio.account_sid: want AC"},
		{"account that leaves the path", func(o *twilio.Options) { o.AccountSID = "AC/../" + strings.Repeat("a", 28) }, "sms.twilio.account_sid: want AC"},
		{"account for key", func(o *twilio.Options) { o.APIKeySID = twiliotest.AccountSID }, "sms.twilio.api_key_sid: want SK"},
		{"no secret", func(o *twilio.Options) { o.APIKeySecret = "" }, "sms.twilio.api_key_secret"},
		{"secret with a newline", func(o *twilio.Options) { o.APIKeySecret += "\n" }, "sms.twilio.api_key_secret"},
		{"service of the wrong shape", func(o *twilio.Options) { o.MessagingServiceSID = "MG1" }, "sms.twilio.messaging_service_sid: want MG"},
		{"two senders", func(o *twilio.Options) { o.From = "Latchkey" }, "not both"},
		{"no sender", from(""), "a text needs a sender"},
		{"name of twelve", from("Latchkey IDP"), badFrom},
		{"name without letters", from("123 456 789"), badFrom},
		{"name in UTF-8", from("Lätchkey"), badFrom},
		{"national number", from("07700900123"), badFrom},
		{"channel", from("whatsapp:+447700900123"), badFrom},
		{"base without scheme", base("api.twilio.com"), badBase},
		{"base of another scheme", base("ftp://api.twilio.com"), badBase},
		{"base with credentials", base("https://a:b@api.twilio.com"), badBase},
		{"base with query", base("https://api.twilio.com/?a=b"), badBase},
		{"base without host", base("https://:443"), badBase},
		{"timeout below zero", func(o *twilio.Options) { o.Timeout = -time.Second }, "sms.twilio.timeout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := options("")
			tc.edit(&opts)
			_, err := twilio.New(opts)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("New = %v, want no error", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("New = %v, want %q in it", err, tc.want)
			case err != nil && strings.Contains(err.Error(), twiliotest.APIKeySecret):
				t.Errorf("secret in the error: %v", err)
			}
		})
	}
}

func TestNewReportsEveryMistakeAtOnce(t *testing.T) {
	_, err := twilio.New(twilio.Options{BaseURL: "x", Timeout: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"base_url", "account_sid", "api_key_sid", "api_key_secret", "messaging_service_sid", "timeout"} {
		if !strings.Contains(err.Error(), "sms.twilio."+key) {
			t.Errorf("%s is not in: %v", key, err)
		}
	}
}
