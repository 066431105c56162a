package twilio_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

// The vector of twilio/README 5.
const (
	vectorToken     = "12345678901234567890123456789012"
	formerToken     = "abcdefghijklmnopqrstuvwxyzabcdef"
	vectorURL       = "https://id.example.com/webhooks/twilio/status"
	vectorSignature = "hi/qeouX6rfYJDAhxykl+uP/dDE="
	vectorBody      = "AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&ApiVersion=2010-04-01&From=Latchkey" +
		"&MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered" +
		"&MessagingServiceSid=MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" +
		"&SmsSid=SM00000000000000000000000000000001&SmsStatus=delivered&To=%2B447700900123"
	formType = "application/x-www-form-urlencoded"
)

func newWebhook(t testing.TB, address string) *twilio.Webhook {
	t.Helper()
	w, err := twilio.NewWebhook(address, []twilio.WebhookAccount{
		{Name: "main", AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Tokens: []string{vectorToken, formerToken}},
		{Name: "second", AccountSID: "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", Tokens: []string{twiliotest.AuthToken}},
	})
	require.NoError(t, err)
	return w
}

// edited is the vector's body with pairs of names and values set; an empty value removes the name.
func edited(t testing.TB, pairs ...string) url.Values {
	t.Helper()
	form, err := url.ParseQuery(vectorBody)
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return form
}

func TestWebhookVector(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, vectorURL)
	for range 2 { // a repeated one says the same
		d, err := w.Read("", []byte(vectorBody), vectorSignature, formType)
		require.NoError(t, err)
		require.Equal(t, sms.Delivery{
			Provider: "main", ProviderID: "SM00000000000000000000000000000001", Status: sms.Delivered, To: message(t).To,
		}, d)
	}
	_, err := w.Read("", []byte(vectorBody), vectorSignature, formType+"; charset=UTF-8")
	require.NoError(t, err)
}

func TestWebhookRefuses(t *testing.T) {
	t.Parallel()
	swap := func(old, with string) string {
		require.Contains(t, vectorBody, old)
		return strings.Replace(vectorBody, old, with, 1)
	}
	large := edited(t, "Padding", strings.Repeat("a", twilio.MaxWebhookBody))
	odd := edited(t, "MessageSid", "../../etc/passwd")
	shifted := strings.NewReplacer("&MessageSid=SM", "&MessageSidSM=").Replace(vectorBody)
	for _, tc := range []struct {
		name, address, query, body, signature, contentType string
		want                                               error
	}{
		{"no signature", vectorURL, "", vectorBody, "", formType, twilio.ErrForged},
		{"another signature", vectorURL, "", vectorBody, "hi/qeouX6rfYJDAhxykl+uP/dDF=", formType, twilio.ErrForged},
		{"another token's", vectorURL, "", vectorBody, twiliotest.Sign(twiliotest.AuthToken, vectorURL, edited(t)), formType, twilio.ErrForged},
		{"status changed", vectorURL, "", swap("MessageStatus=delivered", "MessageStatus=failed"), vectorSignature, formType, twilio.ErrForged},
		{"parameter dropped", vectorURL, "", swap("&SmsStatus=delivered", ""), vectorSignature, formType, twilio.ErrForged},
		{"parameter added", vectorURL, "", vectorBody + "&ErrorCode=30002", vectorSignature, formType, twilio.ErrForged},
		{"name twice", vectorURL, "", vectorBody + "&MessageStatus=failed", vectorSignature, formType, twilio.ErrForged},
		{"name twice, before", vectorURL, "", "AccountSid=ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb&" + vectorBody, vectorSignature, formType, twilio.ErrForged},
		{"unknown account", vectorURL, "", swap("ACaaaa", "ACcaaa"), vectorSignature, formType, twilio.ErrForged},
		{"no account", vectorURL, "", swap("AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&", ""), vectorSignature, formType, twilio.ErrForged},
		{"no account, signed by joining", vectorURL, "", swap("AccountSid=AC", "AccountSidAC="), vectorSignature, formType, twilio.ErrForged},
		{"the other account's, with this one's token", vectorURL, "", edited(t, "AccountSid", "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb").Encode(),
			twiliotest.Sign(vectorToken, vectorURL, edited(t, "AccountSid", "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")), formType, twilio.ErrForged},
		{"signed for http", vectorURL, "", vectorBody, twiliotest.Sign(vectorToken, "http"+vectorURL[5:], edited(t)), formType, twilio.ErrForged},
		{"signed for another host", vectorURL, "", vectorBody, twiliotest.Sign(vectorToken, "https://evil.example.com/webhooks/twilio/status", edited(t)), formType, twilio.ErrForged},
		{"signed with a slash at the end", vectorURL, "", vectorBody, twiliotest.Sign(vectorToken, vectorURL+"/", edited(t)), formType, twilio.ErrForged},
		{"query added", vectorURL, "a=b", vectorBody, vectorSignature, formType, twilio.ErrForged},
		{"query reordered", vectorURL, "b=2&a=1", vectorBody, twiliotest.Sign(vectorToken, vectorURL+"?a=1&b=2", edited(t)), formType, twilio.ErrForged},
		{"body by its digest, as JSON is signed", vectorURL, "bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", vectorBody,
			twiliotest.Sign(vectorToken, vectorURL+"?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", nil), formType, twilio.ErrForged},
		{"no form", vectorURL, "", vectorBody + "&a=%zz", vectorSignature, formType, twilio.ErrForged},
		{"empty", vectorURL, "", "", twiliotest.Sign(vectorToken, vectorURL, nil), formType, twilio.ErrForged},
		{"JSON", vectorURL, "", vectorBody, vectorSignature, "application/json", twilio.ErrMalformed},
		{"no type", vectorURL, "", vectorBody, vectorSignature, "", twilio.ErrMalformed},
		{"too large", vectorURL, "", large.Encode(), twiliotest.Sign(vectorToken, vectorURL, large), formType, twilio.ErrMalformed},
		{"id of another shape", vectorURL, "", odd.Encode(), twiliotest.Sign(vectorToken, vectorURL, odd), formType, twilio.ErrMalformed},
		{"Ab=C for A=bC", vectorURL, "", shifted, vectorSignature, formType, twilio.ErrMalformed},
	} {
		d, err := newWebhook(t, tc.address).Read(tc.query, []byte(tc.body), tc.signature, tc.contentType)
		require.ErrorIs(t, err, tc.want, tc.name)
		require.Zero(t, d, tc.name)
	}
}

func TestWebhookTakes(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, vectorURL)
	read := func(form url.Values, token, query string) sms.Delivery {
		address := vectorURL
		if query != "" {
			address += "?" + query
		}
		d, err := w.Read(query, []byte(form.Encode()), twiliotest.Sign(token, address, form), formType)
		require.NoError(t, err)
		return d
	}
	require.Equal(t, sms.Delivered, read(edited(t), formerToken, "").Status, "the token that is being changed")
	require.Equal(t, sms.Delivered, read(edited(t), vectorToken, "b=2&a=1&a=%41").Status, "a query as it came")
	require.Equal(t, sms.Delivered, read(edited(t, "Unheard", "of"), vectorToken, "").Status)
	require.Zero(t, read(edited(t, "To", "whatsapp:+447700900123"), vectorToken, "").To)
	require.Equal(t, "second", read(edited(t, "AccountSid", "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), twiliotest.AuthToken, "").Provider)
	shuffled := strings.Split(vectorBody, "&")
	for i := range len(shuffled) / 2 {
		shuffled[i], shuffled[len(shuffled)-1-i] = shuffled[len(shuffled)-1-i], shuffled[i]
	}
	d, err := w.Read("", []byte(strings.Join(shuffled, "&")), vectorSignature, formType)
	require.NoError(t, err, "a form has no order")
	require.Equal(t, sms.Delivered, d.Status)

	for _, status := range []string{"", "read", "canceled", "scheduled", "partially_delivered", "receiving", "DELIVERED", "new"} {
		require.Zero(t, read(edited(t, "MessageStatus", status), vectorToken, "").Status.Rank(), status)
	}
	for _, status := range []sms.Status{sms.Accepted, sms.Queued, sms.Sending, sms.Sent, sms.Delivered} {
		d := read(edited(t, "MessageStatus", string(status), "ErrorCode", "30002"), vectorToken, "")
		require.Equal(t, status, d.Status)
		require.Zero(t, d.Class, "only a text that failed has failed for something")
		require.False(t, d.Account)
	}
	for _, tc := range []struct {
		code  string
		known int
		class sms.Class
		all   bool
	}{
		{"30005", 30005, sms.NumberPermanent, false},
		{"21610", 21610, sms.OptedOut, false},
		{"30034", 30034, sms.OurConfig, false},
		{"30002", 30002, sms.OurConfig, true},
		{"30036", 30036, sms.Late, false},
		{"39999", 39999, "", false},
		{"", 0, sms.NumberTemporary, false},
		{"-30005", 0, sms.NumberTemporary, false},
		{"many", 0, sms.NumberTemporary, false},
	} {
		for _, status := range []sms.Status{sms.Failed, sms.Undelivered} {
			d := read(edited(t, "MessageStatus", string(status), "ErrorCode", tc.code), vectorToken, "")
			require.Equal(t, tc.known, d.Code)
			require.Equal(t, tc.class, d.Class, tc.code)
			require.Equal(t, tc.all, d.Account)
		}
	}
}

func TestNewWebhookChecks(t *testing.T) {
	t.Parallel()
	good := twilio.WebhookAccount{AccountSID: twiliotest.AccountSID, Tokens: []string{vectorToken}}
	one := []twilio.WebhookAccount{good}
	with := func(edit func(*twilio.WebhookAccount)) []twilio.WebhookAccount {
		a := good
		edit(&a)
		return []twilio.WebhookAccount{a}
	}
	for _, tc := range []struct {
		name, address string
		accounts      []twilio.WebhookAccount
		want          string
	}{
		{"http", "http://id.example.com/x", one, "sms.twilio.auth_token: with it Twilio is asked to call the public URL: want https"},
		{"ftp", "ftp://id.example.com/x", one, "want https"},
		{"query", vectorURL + "?", one, "want an address"},
		{"fragment", vectorURL + "#rc=3", one, "want an address"},
		{"a user", "https://user:" + vectorToken + "@id.example.com/x", one, "want an address"},
		{"underscore", "https://my_id.example.com/x", one, "underscore"},
		{"path only", "/webhooks", one, "want an address"},
		{"no scheme", "id.example.com/webhooks", one, "want an address"},
		{"no token", vectorURL, with(func(a *twilio.WebhookAccount) { a.Tokens = nil }), "sms.twilio.auth_token: missing"},
		{"empty token", vectorURL, with(func(a *twilio.WebhookAccount) { a.Tokens = []string{""} }), "sms.twilio.auth_token: want"},
		{"API key's secret", vectorURL, with(func(a *twilio.WebhookAccount) { a.Tokens = []string{"SKshort"} }), "sms.twilio.auth_token: want"},
		{"no account", vectorURL, with(func(a *twilio.WebhookAccount) { a.AccountSID, a.Path = "", "sms.providers.b" }), "sms.providers.b.account_sid: missing"},
		{"account twice", vectorURL, []twilio.WebhookAccount{good, good}, "the same account"},
	} {
		_, err := twilio.NewWebhook(tc.address, tc.accounts)
		require.ErrorContains(t, err, tc.want, tc.name)
		require.NotContains(t, err.Error(), vectorToken)
	}
	_, err := twilio.NewWebhook("http://127.0.0.1:8080/x", one)
	require.NoError(t, err)
	second := twilio.WebhookAccount{Name: "b", Path: "sms.providers.b", AccountSID: "AC" + vectorToken, Tokens: []string{vectorToken}}
	_, err = twilio.NewWebhook("https://my_id.example.com/x", append(one, second))
	require.ErrorContains(t, err, "sms.twilio.auth_token: ")
	require.NotContains(t, err.Error(), "\n", "once for all accounts")
}

// What comes back from the stand-in, for a text that was sent there, is what Twilio's vector is.
func TestCallbackOfTheStandIn(t *testing.T) {
	t.Parallel()
	server, base := standIn(t)
	opts := options(base)
	opts.StatusCallback = vectorURL
	receipt, err := newSender(t, opts).Send(t.Context(), message(t))
	require.NoError(t, err)
	require.Equal(t, vectorURL, server.Messages()[0].Form.Get("StatusCallback"))
	news, err := server.Callback(receipt.ID, "undelivered", 30003)
	require.NoError(t, err)
	w, err := twilio.NewWebhook(vectorURL, []twilio.WebhookAccount{{AccountSID: twiliotest.AccountSID, Tokens: []string{twiliotest.AuthToken}}})
	require.NoError(t, err)
	d, err := w.Read("", []byte(news.Form.Encode()), news.Signature, formType)
	require.NoError(t, err)
	require.Equal(t, sms.Delivery{
		Provider: "twilio", ProviderID: receipt.ID, Status: sms.Undelivered, Code: 30003, Class: sms.NumberTemporary, To: message(t).To,
	}, d)
}

func FuzzWebhook(f *testing.F) {
	f.Add("", vectorBody, vectorSignature, formType)
	f.Add("a=b", vectorBody, vectorSignature, formType)
	f.Add("", vectorBody+"&To=", vectorSignature, formType)
	f.Add("%zz#?", "AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&=&;", "x", formType+";a")
	w := newWebhook(f, vectorURL)
	want, err := w.Read("", []byte(vectorBody), vectorSignature, formType)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, query, body, signature, contentType string) {
		d, err := w.Read(query, []byte(body), signature, contentType)
		switch {
		case err != nil:
			require.Zero(t, d)
		default:
			// Without the token nothing is signed but the vector, and its parts joined elsewhere.
			require.Empty(t, query)
			require.Equal(t, vectorSignature, signature)
			require.Equal(t, want.Provider, d.Provider)
			require.Equal(t, want.ProviderID, d.ProviderID)
		}
	})
}
