package twiliotest

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- Twilio signs with HMAC-SHA1
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Callback is a request with which Twilio tells what became of a message.
type Callback struct {
	// URL is where the message's StatusCallback said to send it.
	URL       string
	Form      url.Values
	Signature string
}

// Callback returns the signed news that the message is in status, with an error code or 0. The message
// must have been created here with a StatusCallback, and be one of those that are kept.
func (s *Server) Callback(sid, status string, code int) (Callback, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.SID == sid && m.Form.Get("StatusCallback") != "" {
			return s.callback(m, status, code), nil
		}
	}
	return Callback{}, fmt.Errorf("twiliotest: no message %s with a StatusCallback", sid)
}

func (s *Server) callback(m *Message, status string, code int) Callback {
	form := url.Values{
		"AccountSid": {s.opts.AccountSID}, "ApiVersion": {"2010-04-01"},
		"MessageSid": {m.SID}, "SmsSid": {m.SID}, "MessageStatus": {status}, "SmsStatus": {status},
		"To": {m.To},
	}
	if from := m.Form.Get("From"); from != "" {
		form.Set("From", from)
	}
	if service := m.Form.Get("MessagingServiceSid"); service != "" {
		form.Set("MessagingServiceSid", service)
	}
	if code != 0 {
		form.Set("ErrorCode", strconv.Itoa(code))
	}
	to := m.Form.Get("StatusCallback")
	return Callback{URL: to, Form: form, Signature: Sign(s.opts.AuthToken, to, form)}
}

// Sign returns the X-Twilio-Signature of a form that is sent to address.
func Sign(token, address string, form url.Values) string {
	text := address
	for _, name := range slices.Sorted(maps.Keys(form)) {
		text += name + form.Get(name)
	}
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = io.WriteString(mac, text)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Send makes the request and returns the status of its answer. Where to is not empty, it goes there, with
// the signature still over URL: as behind a proxy that has the public name.
func (c Callback) Send(ctx context.Context, to string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, orDefault(to, c.URL), strings.NewReader(c.Form.Encode()))
	if err != nil {
		return 0, fmt.Errorf("twiliotest: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", c.Signature)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return 0, fmt.Errorf("twiliotest: %w", err)
	}
	return res.StatusCode, res.Body.Close()
}
