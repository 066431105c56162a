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
	var errs []error
	fail := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", opts.Path, key, err))
		}
	}
	opts.check(fail)
	var err error
	s.url, err = newURL(opts.URL)
	fail("url", err)
	s.readBody(fail)
	s.readHeaders(fail)
	if opts.From == "" && s.uses(from) {
		fail("from", errors.New("missing: {from} stands for it"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sender) readBody(fail func(key string, err error)) {
	var err error
	switch s.body, err = newBody(s.opts.ContentType, s.opts.Body); {
	case errors.Is(err, errContentType):
		fail("content_type", err)
	case err != nil:
		fail("body", err)
	case !s.body.uses(to, toDigits) && !s.url.uses(to, toDigits):
		fail("body", errors.New("neither {to} nor {to_digits} is in it or in the URL: the text would go to nobody"))
	}
}

// uses reports whether a placeholder is anywhere in a request.
func (s *Sender) uses(name string) bool {
	all := slices.Collect(maps.Values(s.headers))
	return slices.ContainsFunc(append(all, s.url, s.body), func(t template) bool { return t.uses(name) })
}

// readHeaders never repeats a value: it may be a credential.
func (s *Sender) readHeaders(fail func(key string, err error)) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.opts.Headers)) {
		t, err := newTemplate(s.opts.Headers[name], url.QueryEscape, anywhere...)
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !headerName.MatchString(name):
			fail("headers", fmt.Errorf("%q: want a header's name, such as Authorization", name))
			continue
		case seen[canonical] != "":
			err = fmt.Errorf("the same header as %s: keep one", seen[canonical])
		case slices.Contains(reserved, canonical):
			err = errors.New("is set by Latchkey: leave it out, content_type is a setting of its own")
		case !headerValue.MatchString(t.text):
			err = errors.New("its value holds what no header may: want printable ASCII on one line")
		}
		seen[canonical] = name
		if err != nil {
			fail("headers."+name, err)
			continue
		}
		s.headers[canonical] = t
	}
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
