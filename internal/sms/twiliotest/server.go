package twiliotest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Credentials and senders of the right shape; all but the service are defaults of Options.
const (
	AccountSID          = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	APIKeySID           = "SKbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	APIKeySecret        = "cccccccccccccccccccccccccccccccc" // #nosec G101 -- opens nothing but this stand-in
	MessagingServiceSID = "MGdddddddddddddddddddddddddddddddd"
	AuthToken           = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" // #nosec G101 -- signs this stand-in's callbacks only
)

// Options say whom the stand-in knows and how it works.
type Options struct {
	// AccountSID, APIKeySID and APIKeySecret are the only ones that are let in; each defaults to
	// the constant of its name.
	AccountSID, APIKeySID, APIKeySecret string
	// AuthToken signs status callbacks; its default is the constant.
	AuthToken string
	// Latency is added to every answer.
	Latency time.Duration
	// NoValidation takes every request as good, for measuring: validation costs more than all
	// the rest.
	NoValidation bool
	// Keep is how many requests and violations are kept, the newest; default 1000.
	Keep int
}

// Message is one request to create a message.
type Message struct {
	To, Body string
	// Form holds every parameter.
	Form url.Values
	// SID is the new message's name; empty if none was created.
	SID string
	At  time.Time
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	opts Options
	mux  *http.ServeMux

	mu         sync.Mutex
	script     []Fault
	messages   []*Message
	violations []string
	created    int
	geo        []geoPermission // nil: the key may not read them
}

// New returns a Server that serves HTTP as it is; Start gives it an address.
func New(opts Options) *Server {
	opts.AccountSID = orDefault(opts.AccountSID, AccountSID)
	opts.APIKeySID = orDefault(opts.APIKeySID, APIKeySID)
	opts.APIKeySecret = orDefault(opts.APIKeySecret, APIKeySecret)
	opts.AuthToken = orDefault(opts.AuthToken, AuthToken)
	if opts.Keep <= 0 {
		opts.Keep = 1000
	}
	s := &Server{opts: opts, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST "+messagesPath, s.serve(s.create))
	s.mux.HandleFunc("GET "+messagesPath, s.serve(s.list))
	s.mux.HandleFunc("GET "+geoPath, s.geoPermissions)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.violate("%s %s: no such operation", r.Method, r.URL.Path)
		answer(w, refusal{http.StatusNotFound, 20404, "The requested resource was not found"})
	})
	return s
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// Start serves on a free loopback port. stop closes every connection at once.
func (s *Server) Start() (baseURL string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("twiliotest: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ErrServerClosed
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		<-done
	}, nil
}

// ServeHTTP answers as Twilio's API does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Script makes the next requests, of any kind, go as each Fault says, one Fault for one request.
func (s *Server) Script(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// Messages returns the newest requests to create a message, refused ones and those met by a Fault
// included, oldest first.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Message, 0, len(s.messages))
	for _, m := range s.messages {
		all = append(all, *m)
	}
	return all
}

// Violations returns how requests, or the stand-in's own answers, broke Twilio's description or its
// further rules, oldest first. A test number is not a violation; wrong credentials are.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

func (s *Server) violate(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = newest(append(s.violations, fmt.Sprintf(format, args...)), s.opts.Keep)
}

func newest[T any](all []T, keep int) []T { return all[max(0, len(all)-keep):] }
