package twilio

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	connectTimeout = 2 * time.Second
	// A connection that the other side closes while a request is being written leaves an unknown
	// outcome, and so a person without a code. Idle ones are therefore dropped before Twilio or
	// a firewall does; at a rush they are still shared.
	idleTimeout = 15 * time.Second
	// An answer is below 2 kB. More than this is not Twilio's and is cut off.
	answerLimit = 64 << 10
)

// newTransport is like http.DefaultTransport but reads no proxy from the environment, and speaks
// HTTP/1.1 only, where "nothing was written" is certain and texts do not share one connection's fate.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConnsPerHost:    20, // security requirement X1: as many as are sent at once
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: answerLimit,
		Protocols:              &protocols,
	}
}

// hop carries one call of twilio-go: it adds the context and the address that the library cannot
// be given, and keeps what the library throws away.
type hop struct {
	ctx  context.Context // a hop lives for one call, and RoundTrip has no other way to get it
	base *url.URL
	next http.RoundTripper

	written atomic.Bool // set by net/http's write loop
	status  int         // 0 while there is no answer
	header  http.Header
	err     error // why there is no answer
}

// RoundTrip sends the request to the base URL, and reads, bounds and closes the body of the answer:
// the library leaves the bodies of errors open, which would cost a connection each.
func (h *hop) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(httptrace.WithClientTrace(h.ctx, &httptrace.ClientTrace{
		// net/http asks for a second connection only when nothing went out on the first
		// (a POST without Idempotency-Key is not repeated otherwise).
		GetConn: func(string) { h.written.Store(false) },
		// The headers are in the buffer: from here on bytes may be on the wire.
		WroteHeaders: func() { h.written.Store(true) },
	}))
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
	body, _ := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}
