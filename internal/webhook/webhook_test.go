package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
	"github.com/latchkey-id/latchkey/internal/webhook"
)

// The vector of twilio/README 5.
const (
	vectorToken     = "12345678901234567890123456789012"
	vectorURL       = "https://id.example.com/webhooks/twilio/status"
	vectorSignature = "hi/qeouX6rfYJDAhxykl+uP/dDE="
	vectorBody      = "AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&ApiVersion=2010-04-01&From=Latchkey" +
		"&MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered" +
		"&MessagingServiceSid=MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" +
		"&SmsSid=SM00000000000000000000000000000001&SmsStatus=delivered&To=%2B447700900123"
	formType = "application/x-www-form-urlencoded"
)

// reader is Twilio's own signature check, in the words of this package, as app has it.
type reader struct{ hook *twilio.Webhook }

func (r reader) Read(rawQuery string, body []byte, header http.Header) (sms.Delivery, error) {
	d, err := r.hook.Read(rawQuery, body, header.Get("X-Twilio-Signature"), header.Get("Content-Type"))
	switch {
	case errors.Is(err, twilio.ErrForged):
		return d, fmt.Errorf("%w: %w", webhook.ErrForged, err)
	case err != nil:
		return d, fmt.Errorf("%w: %w", webhook.ErrMalformed, err)
	}
	return d, nil
}

// record keeps news that reaches it.
type record struct {
	mu   sync.Mutex
	news []sms.Delivery
	err  error
}

func (r *record) Deliver(ctx context.Context, d sms.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("whoever tells us waits for ever")
	}
	if r.err != nil {
		return r.err
	}
	r.news = append(r.news, d)
	return nil
}

// listener is the public one as app builds it, over loopback.
type listener struct {
	*record
	url string
	log *bytes.Buffer
}

func serve(t *testing.T) *listener {
	t.Helper()
	hook, err := twilio.NewWebhook(vectorURL, []twilio.WebhookAccount{
		{AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Tokens: []string{vectorToken}},
	})
	require.NoError(t, err)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &listener{record: &record{}, url: "http://" + at.Addr().String() + webhook.TwilioPath, log: &bytes.Buffer{}}
	server := httpserver.New(httpserver.Options{Name: "public", Listener: at, Fail: oauth.Fail, Log: slog.New(slog.NewJSONHandler(l.log, nil))})
	(&webhook.Handler{Twilio: reader{hook}, Deliveries: l.record}).Register(server.Echo)
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		require.NoError(t, server.Shutdown(context.Background()))
		require.NoError(t, <-served)
	})
	return l
}

// post sends a callback and returns the answer's status; there is never a body.
func (l *listener) post(t *testing.T, query, body, signature, contentType string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+query, strings.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if signature != "" {
		r.Header.Set("X-Twilio-Signature", signature)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Empty(t, said, "whoever forges learns nothing")
	require.Empty(t, answer.Header.Get("Content-Type"))
	return answer.StatusCode
}

// signed posts the vector with pairs of names and values set.
func (l *listener) signed(t *testing.T, pairs ...string) int {
	t.Helper()
	form := edited(t, pairs...)
	return l.post(t, "", form.Encode(), twiliotest.Sign(vectorToken, vectorURL, form), formType)
}

func edited(t *testing.T, pairs ...string) url.Values {
	t.Helper()
	form, err := url.ParseQuery(vectorBody)
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func vector(t *testing.T) sms.Delivery {
	t.Helper()
	to, err := phone.Stored("+447700900123")
	require.NoError(t, err)
	return sms.Delivery{Provider: "twilio", ProviderID: "SM00000000000000000000000000000001", Status: sms.Delivered, To: to}
}

func TestNewsIsTaken(t *testing.T) {
	l := serve(t)
	require.Equal(t, 204, l.post(t, "", vectorBody, vectorSignature, formType))
	require.Equal(t, []sms.Delivery{vector(t)}, l.news)
	require.Equal(t, 204, l.post(t, "", vectorBody, vectorSignature, formType), "Twilio repeats; what it moves is for the record to say")
	require.Equal(t, 204, l.post(t, "", vectorBody, vectorSignature, formType+"; charset=UTF-8"))
	require.Len(t, l.news, 3)

	parts := strings.Split(vectorBody, "&")
	for i := range len(parts) / 2 {
		parts[i], parts[len(parts)-1-i] = parts[len(parts)-1-i], parts[i]
	}
	require.Equal(t, 204, l.post(t, "", strings.Join(parts, "&"), vectorSignature, formType), "a form has no order")
	require.Equal(t, vector(t), l.news[3])

	require.Equal(t, 204, l.signed(t, "MessageStatus", "undelivered", "ErrorCode", "30005", "Unheard", "of"))
	require.Equal(t, sms.Undelivered, l.news[4].Status)
	require.Equal(t, sms.NumberPermanent, l.news[4].Class)
}

// News that means nothing to us is no reason to tell it again, and not kept.
func TestNewsThatMeansNothing(t *testing.T) {
	l := serve(t)
	for _, status := range []string{"read", "canceled", "scheduled", "", "new"} {
		require.Equal(t, 204, l.signed(t, "MessageStatus", status), status)
	}
	require.Empty(t, l.news)
}

func TestForged(t *testing.T) {
	l := serve(t)
	swap := func(old, with string) string {
		require.Contains(t, vectorBody, old)
		return strings.Replace(vectorBody, old, with, 1)
	}
	for _, tc := range []struct {
		name, query, body, signature, contentType string
		want                                      int
		logged                                    string
	}{
		{"no signature", "", vectorBody, "", formType, 403, "forged"},
		{"another signature", "", vectorBody, "hi/qeouX6rfYJDAhxykl+uP/dDF=", formType, 403, "forged"},
		{"no base64", "", vectorBody, "%%%", formType, 403, "forged"},
		{"another status", "", swap("MessageStatus=delivered", "MessageStatus=failed"), vectorSignature, formType, 403, "forged"},
		{"another text", "", swap("0001&MessageStatus", "0002&MessageStatus"), vectorSignature, formType, 403, "forged"},
		{"another number", "", swap("900123", "900124"), vectorSignature, formType, 403, "forged"},
		{"a name twice", "", vectorBody + "&MessageStatus=failed", vectorSignature, formType, 403, "forged"},
		{"one more name", "", vectorBody + "&ErrorCode=30002", vectorSignature, formType, 403, "forged"},
		{"a query", "?a=b", vectorBody, vectorSignature, formType, 403, "forged"},
		{"the body in the query", "?" + vectorBody, "", vectorSignature, formType, 403, "forged"},
		{"empty", "", "", vectorSignature, formType, 403, "forged"},
		{"names and values joined elsewhere", "", strings.Replace(vectorBody, "&MessageSid=SM", "&MessageSidSM=", 1), vectorSignature, formType, 400, "malformed"},
		{"JSON", "", `{"MessageSid":"SM1"}`, vectorSignature, "application/json", 400, "malformed"},
		{"no type", "", vectorBody, vectorSignature, "", 400, "malformed"},
		{"large", "", vectorBody + "&Pad=" + strings.Repeat("a", 16<<10), vectorSignature, formType, 413, "too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l.log.Reset()
			require.Equal(t, tc.want, l.post(t, tc.query, tc.body, tc.signature, tc.contentType))
			require.Contains(t, l.log.String(), `"refused":"`+tc.logged+`"`)
		})
	}
	require.Equal(t, 403, l.post(t, "", vectorBody, twiliotest.Sign(vectorToken, l.url, edited(t)), formType),
		"signed for the address that it came to, and not for the one of the settings")
	require.Empty(t, l.news)
}

// What is being told is not lost in an outage by our saying that it was heard.
func TestAnOutage(t *testing.T) {
	l := serve(t)
	l.err = errors.New("canary-7f: the record is away")
	require.Equal(t, 503, l.post(t, "", vectorBody, vectorSignature, formType))
	require.Contains(t, l.log.String(), `"refused":"outage"`)
	l.err = nil
	require.Equal(t, 204, l.post(t, "", vectorBody, vectorSignature, formType))
	require.Equal(t, []sms.Delivery{vector(t)}, l.news)
}

// A caller that says more than it sends gets no further than to be told so.
func TestCutShort(t *testing.T) {
	l := serve(t)
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.Split(l.url, "/")[2])
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 900\r\n\r\n%s", webhook.TwilioPath, formType, vectorBody)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(said), "HTTP/1.1 400 "), string(said))
	require.Empty(t, l.news)
}

func TestNothingElseIsThere(t *testing.T) {
	l := serve(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		r, err := http.NewRequestWithContext(t.Context(), method, l.url, nil)
		require.NoError(t, err)
		answer, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 405, answer.StatusCode, method)
	}
}

// No number, signature or token of a callback is in the log, whatever came of it.
func TestTheLogOfCallbacks(t *testing.T) {
	l := serve(t)
	l.post(t, "?To=%2B447700900123", vectorBody, vectorSignature, formType)
	l.post(t, "", vectorBody, vectorSignature, formType)
	l.post(t, "", vectorBody, "forged-signature", formType)
	for _, secret := range []string{"447700900123", "7700900123", vectorToken, vectorSignature, "forged-signature", "SM0000"} {
		require.NotContains(t, l.log.String(), secret)
	}
	require.Equal(t, 3, strings.Count(l.log.String(), `"route":"/webhooks/twilio/status"`))
}

// The stand-in's whole way: a text that was sent there, and the news of it.
func TestCallbacksOfTheStandIn(t *testing.T) {
	l := serve(t)
	form := edited(t, "MessageSid", "SM00000000000000000000000000000009", "MessageStatus", "failed", "ErrorCode", "30034")
	news := twiliotest.Callback{URL: vectorURL, Form: form, Signature: twiliotest.Sign(vectorToken, vectorURL, form)}
	status, err := news.Send(t.Context(), l.url)
	require.NoError(t, err)
	require.Equal(t, 204, status)
	require.Equal(t, sms.OurConfig, l.news[0].Class)
	require.Equal(t, 30034, l.news[0].Code)
}
