package twilio

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey/internal/outbound"
)

// hop carries one call of twilio-go: it adds the context and the address that the library cannot
// be given, and keeps what the library throws away.
type hop struct {
	ctx  context.Context // a hop lives for one call, and RoundTrip has no other way to get it
	base *url.URL
	next http.RoundTripper

	trace  outbound.Trace
	status int // 0 while there is no answer
	header http.Header
	err    error // why there is no answer
}

// RoundTrip sends the request to the base URL, and reads, bounds and closes the body of the answer:
// the library leaves the bodies of errors open, which would cost a connection each.
func (h *hop) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(h.trace.Context(h.ctx))
	r.URL.Scheme, r.URL.Host, r.Host = h.base.Scheme, h.base.Host, h.base.Host
	r.URL.Path = h.base.Path + r.URL.Path
	res, err := h.next.RoundTrip(r)
	if err != nil {
		h.err = err
		return nil, err
	}
	h.status, h.header = res.StatusCode, res.Header
	// A body that breaks off is kept as far as it came: it will not decode, and the status
	// decides what that means.
	body, _ := io.ReadAll(io.LimitReader(res.Body, outbound.AnswerLimit))
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}
