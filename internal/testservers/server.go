package testservers

import (
	"errors"
	"fmt"
	"testing"
)

// Server is a server of one test's own. Its methods fail the test when they cannot do their work,
// so they belong in the test's goroutine; they are not safe for concurrent use. When the test ends
// the server goes, and its folder with it.
type Server struct {
	t  testing.TB
	in *instance
}

// StartPostgres starts a PostgreSQL server of t's own. Committed transactions survive Stop and Kill.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	return private(t, newPostgres)
}

// StartRedis starts a Redis server of t's own. It writes nothing to disk: Stop and Kill empty it.
func StartRedis(t testing.TB) *Server {
	t.Helper()
	return private(t, newRedis)
}

func private(t testing.TB, create func(*folder) (kind, error)) *Server {
	t.Helper()
	NeedReal(t)
	in, err := open(create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.close(); err != nil {
			t.Error(err)
		}
	})
	return &Server{t: t, in: in}
}

// DSN returns the server's URL, which stays the same when it comes back: postgres:// with an empty
// database and a superuser, or redis:// with database 0.
func (s *Server) DSN() string { return s.in.dsn() }

// Addr returns the server's host:port.
func (s *Server) Addr() string { return s.in.addr() }

// Stop shuts the server down in good order, cutting its clients off, and waits until it is gone.
// On a server that is down it does nothing.
func (s *Server) Stop() {
	s.t.Helper()
	s.must(s.in.stop())
}

// Kill ends the server with SIGKILL, as a crash or the OOM killer would, and waits until it is
// gone. On a server that is down it does nothing.
func (s *Server) Kill() {
	s.t.Helper()
	s.must(s.in.kill())
}

// Start brings the server back on its port and waits until it answers; after Kill that includes
// recovery. On a server that is up it does nothing.
func (s *Server) Start() {
	s.t.Helper()
	s.must(s.in.start())
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// closeAll closes all of them even if one fails.
func closeAll(running []*instance) error {
	var failed []error
	for _, in := range running {
		failed = append(failed, in.close())
	}
	return errors.Join(failed...)
}

// failedToo is the tail of a message for an error that came up while dealing with another.
func failedToo(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(" (and then: %v)", err)
}
