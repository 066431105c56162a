package twilio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
)

func TestSenderByCountry(t *testing.T) {
	t.Parallel()
	server, base := standIn(t)
	opts := options(base)
	opts.Senders = map[string]string{"GB": "Latchkey", "US": "+12025550100", "CA": "54321"}
	sender := newSender(t, opts)
	for number, want := range map[string]string{
		"+447700900123": "Latchkey", "+12125551234": "+12025550100", "+14165550123": "54321", "+33612345678": "", "+88213123456": "",
	} {
		m := message(t)
		m.To, _ = phone.Stored(number)
		receipt, err := sender.Send(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, "twilio", receipt.Provider)
		log := server.Messages()
		form := log[len(log)-1].Form
		require.Equal(t, want, form.Get("From"), number)
		require.Equal(t, want == "", form.Has("MessagingServiceSid"), number)
		require.False(t, form.Has("RiskCheck") || form.Has("StatusCallback"))
	}
}

func TestNewChecksSendersAndCallback(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ country, sender, want string }{
		{"GB", "Latchkey", ""},
		{"GB", "Latchkey ID2", "sms.providers.second.senders.GB: want a number"},
		{"GB", "", "sms.providers.second.senders.GB: want a number"},
		{"gb", "Latchkey", `"gb" is no country`},
		{"XX", "Latchkey", `"XX" is no country`},
		{"US", "Latchkey", "senders.US: networks there take no names"},
		{"CA", "Latchkey", "take no names"},
		{"PR", "Latchkey", "take no names"},
		{"PR", "+17875551234", ""},
		{"US", "12345", ""},
	} {
		opts := options("")
		opts.Path, opts.Senders = "sms.providers.second", map[string]string{tc.country: tc.sender}
		wantError(t, opts, tc.want)
	}
	opts := twilio.Options{Path: "sms.providers.second", Timeout: -1, BaseURL: "x"}
	_, err := twilio.New(opts)
	require.NotContains(t, err.Error(), "sms.twilio", "every key is the account's own")
}

func wantError(t *testing.T, opts twilio.Options, want string) {
	t.Helper()
	_, err := twilio.New(opts)
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorContains(t, err, want)
	require.NotContains(t, err.Error(), "secret@")
}
