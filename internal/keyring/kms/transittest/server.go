package transittest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Server is a Vault that a test has to itself.
type Server struct {
	// URL is its address, Token may encrypt and decrypt with Key and do nothing else.
	URL, Token, Key string

	address string
	door    atomic.Pointer[http.Handler]
	inside  http.Handler
	server  *http.Server
}

// Start returns a server that is up until t ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{Token: "s.latchkey", Key: "latchkey", address: "127.0.0.1:0"}
	if real := os.Getenv("LATCHKEY_TEST_VAULT"); real != "" {
		at, err := url.Parse(real)
		require.NoError(t, err)
		s.Token, s.Key = provision(t, at)
		s.inside = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host})
	} else {
		s.inside = newTransit(s.Token, s.Key)
	}
	s.Work()
	s.Return(t)
	t.Cleanup(func() { s.Leave(t) })
	return s
}

// Work lets requests through, as from the start.
func (s *Server) Work() { s.door.Store(&s.inside) }

// Hang leaves requests without an answer until their client gives up.
func (s *Server) Hang() {
	s.shut(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the end of a connection is noticed only behind the body
		<-r.Context().Done()
	})
}

// Answer gives every request this answer.
func (s *Server) Answer(status int, body string) {
	s.shut(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func (s *Server) shut(door http.HandlerFunc) {
	var h http.Handler = door
	s.door.Store(&h)
}

// Leave stops listening and ends all connections.
func (s *Server) Leave(t testing.TB) {
	t.Helper()
	if s.server == nil {
		return
	}
	require.NoError(t, s.server.Close())
	s.server = nil
}

// Return listens again at the same address, if it does not.
func (s *Server) Return(t testing.TB) {
	t.Helper()
	if s.server != nil {
		return
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.address)
	require.NoError(t, err)
	s.address = listener.Addr().String()
	s.URL = "http://" + s.address
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.door.Load()).ServeHTTP(w, r)
	})}
	go func(server *http.Server) { _ = server.Serve(listener) }(s.server)
}
