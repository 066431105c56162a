package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// longestValidity is how long a text may wait at the provider at most (security requirement M10).
const longestValidity = 180 * time.Second

// Sender is an sms.Sender. It is safe for concurrent use.
type Sender struct {
	opts      Options
	url       template
	headers   map[string]template
	body      template
	success   *condition
	failures  []condition // of opts.Failures, in their order
	transport *http.Transport
}

// New checks the options and returns every mistake in them at once, each with its setting's key. It
// contacts nobody.
func New(opts Options) (*Sender, error) {
	opts = opts.withDefaults()
	s := &Sender{opts: opts, headers: map[string]template{}, transport: outbound.NewTransport()}
	// An answer on a connection of its own can only be to its own request, and no idle connection can
	// break under a text. The gateway is somebody's program, and texts are few.
	s.transport.DisableKeepAlives = true
	errs := []error{opts.check()}
	at := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", opts.Path, key, err))
		}
	}
	var err error
	s.url, err = newURL(opts.URL)
	at("url", err)
	s.body, err = newBody(opts.ContentType, opts.Body)
	at("body", err)
	if err == nil && !s.body.uses(to, toDigits) && !s.url.uses(to, toDigits) {
		at("body", errors.New("neither {to} nor {to_digits} is in it or in the URL: the text would go to nobody"))
	}
	at("headers", s.readHeaders())
	at("success", s.readSuccess())
	for i, f := range opts.Failures {
		c, err := newCondition(f.Condition)
		at(fmt.Sprintf("failures[%d]", i), err)
		s.failures = append(s.failures, c)
	}
	if badPointer(opts.IDField) {
		at("id_field", errPointer)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// readHeaders never repeats a value: it may be a credential.
func (s *Sender) readHeaders() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.opts.Headers)) {
		t, err := newTemplate(s.opts.Headers[name], url.QueryEscape, anywhere...)
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		_, twice := s.headers[canonical]
		switch {
		case !headerName.MatchString(name), twice:
			err = errors.New("want a header's name, once")
		case slices.Contains(reserved, canonical):
			err = errors.New("is set by Latchkey: leave it out, content_type is a setting of its own")
		case !headerValue.MatchString(t.text):
			err = errors.New("its value holds what no header may: want printable ASCII on one line")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", name, err))
			continue
		}
		s.headers[canonical] = t
	}
	return errors.Join(errs...)
}

func (s *Sender) readSuccess() error {
	if s.opts.Success == nil {
		return nil
	}
	c, err := newCondition(*s.opts.Success)
	s.success = &c
	return err
}

// Close drops connections. The Sender can still be used.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Send makes one request. Its error is an *sms.Error; the package's documentation says of which class.
func (s *Sender) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	left := min(m.ValidUntil.Sub(s.opts.Now()), longestValidity)
	if left < time.Second {
		return sms.Receipt{}, &sms.Error{Class: sms.Late, Reason: "its code is over"}
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	var trace outbound.Trace
	r, err := s.request(trace.Context(ctx), m, left)
	if err != nil {
		return sms.Receipt{}, &sms.Error{Class: sms.OurConfig, Account: true, Reason: "no request can be made of " + s.opts.Path}
	}
	res, err := s.transport.RoundTrip(r) // no http.Client, which would follow redirects
	switch {
	case err == nil:
		return s.outcome(read(res), m)
	case trace.Written():
		return sms.Receipt{}, &sms.Error{Class: sms.UnknownOutcome, Reason: "no answer after the request was written: " + outbound.Cause(err)}
	default:
		return sms.Receipt{}, &sms.Error{Class: sms.Provider, Reason: "could not connect: " + outbound.Cause(err)}
	}
}

func (s *Sender) request(ctx context.Context, m sms.Message, left time.Duration) (*http.Request, error) {
	values := map[string]string{
		to: m.To.E164(), toDigits: strings.TrimPrefix(m.To.E164(), "+"), body: m.Body, from: s.opts.From,
		ref: m.Ref, validSeconds: strconv.Itoa(int(left / time.Second)),
	}
	r, err := http.NewRequestWithContext(ctx, s.opts.Method, s.url.fill(values), strings.NewReader(s.body.fill(values)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "Latchkey")
	r.Header.Set("Accept", "*/*")
	for name, t := range s.headers {
		r.Header.Set(name, t.fill(values))
	}
	r.Header.Set("Content-Type", s.opts.ContentType)
	return r, nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	whole  bool // the body came to its end within the limit
}

func read(res *http.Response) answer {
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, outbound.AnswerLimit+1))
	return answer{res.StatusCode, res.Header, text, err == nil && len(text) <= outbound.AnswerLimit}
}
