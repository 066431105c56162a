package outbound

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	// ConnectTimeout bounds a connection, and once more its TLS handshake (security requirement X1).
	ConnectTimeout = 2 * time.Second
	// Timeout is the default for a request from connecting to the end of the answer (X1).
	Timeout = 5 * time.Second
	// AnswerLimit is how much of an answer is read, in bytes. Providers' answers are below 2 kB.
	AnswerLimit = 64 << 10

	// A connection that the other side closes while a request is being written leaves an unknown
	// outcome, and so a person without a code. Idle ones are therefore dropped before the provider or
	// a firewall does; at a rush they are still shared.
	idleTimeout = 15 * time.Second
	atOnce      = 20 // security requirement X1: as many connections as texts are sent at once
)

// NewTransport is like http.DefaultTransport but reads no proxy from the environment, and speaks
// HTTP/1.1 only, where "nothing was written" is certain and texts do not share one connection's fate.
func NewTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    ConnectTimeout,
		MaxIdleConnsPerHost:    atOnce,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: AnswerLimit,
		Protocols:              &protocols,
	}
}

// Trace knows whether bytes of one request may have left. The zero Trace is ready for one request.
type Trace struct {
	written atomic.Bool // set by net/http's write loop
}

// Context is ctx for the request that is traced.
func (t *Trace) Context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http asks for a second connection only when nothing went out on the first
		// (a POST without Idempotency-Key is not repeated otherwise).
		GetConn: func(string) { t.written.Store(false) },
		// The headers are in the buffer: from here on bytes may be on the wire.
		WroteHeaders: func() { t.written.Store(true) },
	})
}

// Written reports whether bytes of the request may have left. It is sure once the request is over.
func (t *Trace) Written() bool { return t.written.Load() }
