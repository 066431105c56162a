package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// A text waits at most this long in Twilio's queue, whose default is ten hours (security
// requirement M10). It covers only their queue: a network may hold a text longer.
const longestValidity = 180 * time.Second

// Sender is an sms.Sender. It is safe for concurrent use.
type Sender struct {
	opts      Options
	base      *url.URL
	transport *http.Transport
}

// New checks the options and returns every mistake in them at once, each with its setting's key. It
// contacts nobody; see Check.
func New(opts Options) (*Sender, error) {
	opts = opts.withDefaults()
	base, err := opts.parseBaseURL()
	if err := errors.Join(err, opts.check()); err != nil {
		return nil, err
	}
	return &Sender{opts: opts, base: base, transport: outbound.NewTransport()}, nil
}

// Close drops idle connections. The Sender can still be used.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Send makes one request to create m. Its error is an *sms.Error; the table in the package's
// documentation says of which class.
func (s *Sender) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	validity, ok := s.validity(m.ValidUntil)
	if !ok {
		return sms.Receipt{}, &sms.Error{Class: sms.Late, Reason: "its code is over"}
	}
	params := (&api.CreateMessageParams{}).
		SetTo(m.To.E164()).
		SetBody(m.Body).
		SetValidityPeriod(validity)
	s.sender(params, m.To)
	if s.opts.StatusCallback != "" {
		params.SetStatusCallback(s.opts.StatusCallback)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	h := s.hop(ctx)
	created, err := s.service(h).CreateMessage(params)
	if err == nil && is2xx(h.status) && created.Sid != nil && messageSID.MatchString(*created.Sid) {
		return sms.Receipt{Provider: s.opts.Name, ID: *created.Sid}, nil
	}
	return sms.Receipt{}, s.failure(h, err)
}

// sender sets who the text is from.
func (s *Sender) sender(params *api.CreateMessageParams, to phone.Number) {
	own, ok := "", false
	if len(s.opts.Senders) > 0 {
		own, ok = s.opts.Senders[to.Country()]
	}
	switch {
	case ok:
		params.SetFrom(own)
	case s.opts.MessagingServiceSID != "":
		params.SetMessagingServiceSid(s.opts.MessagingServiceSID)
	default:
		params.SetFrom(s.opts.From)
	}
}

// messageSID is what Twilio names a message. Anything else may be text of the caller's, and goes into
// no log.
var messageSID = regexp.MustCompile(`^(SM|MM)[0-9a-fA-F]{32}$`)

// validity is how many seconds the text may wait in Twilio's queue, never beyond the code's end.
func (s *Sender) validity(until time.Time) (seconds int, ok bool) {
	left := min(until.Sub(s.opts.Now()), longestValidity)
	return int(left / time.Second), left >= time.Second
}

func (s *Sender) hop(ctx context.Context) *hop {
	return &hop{ctx: ctx, base: s.base, next: s.transport}
}

// service is twilio-go for one call.
func (s *Sender) service(h *hop) *api.ApiService { return api.NewApiService(s.handler(h)) }

// handler is built by hand, because the library's constructor takes TWILIO_REGION and TWILIO_EDGE from
// the environment.
func (s *Sender) handler(h *hop) *client.RequestHandler {
	c := &client.Client{
		Credentials: client.NewCredentials(s.opts.APIKeySID, s.opts.APIKeySecret),
		HTTPClient: &http.Client{
			Transport: h,
			// A followed redirect would carry the text and the credentials to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.SetAccountSid(s.opts.AccountSID)
	return &client.RequestHandler{Client: c}
}

// failure turns what is known after a call into an error. err itself is not wrapped: a *url.Error
// holds the account SID, and Twilio's message may hold the number.
func (s *Sender) failure(h *hop, err error) *sms.Error {
	if h.status == 0 {
		return h.noAnswer()
	}
	e := &sms.Error{Status: h.status, RetryAfter: outbound.RetryAfter(h.header, s.opts.Now())}
	what := byStatus(h.status)
	e.Account = accountByStatus(h.status)
	var rest *client.TwilioRestError
	if errors.As(err, &rest) && rest.Code != 0 {
		e.Code = rest.Code
		known, ok := codes[rest.Code]
		if ok {
			what, e.Account = known, accountCodes[rest.Code]
		} else {
			what.reason = "code unknown to Latchkey; by its status: " + what.reason
		}
	}
	e.Class, e.Reason = what.class, what.reason
	return e
}

func is2xx(status int) bool { return status/100 == 2 }
