package twiliotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// call is a request whose body has been read.
type call struct {
	*http.Request
	body    []byte
	message *Message // guarded by Server.mu once it is in the log
}

// serve reads the request, lets a scripted Fault have its way, and checks what is to be checked
// before and after handle, which makes the answer.
func (s *Server) serve(handle func(*call) (status int, value any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return // the client has gone
		}
		form, _ := url.ParseQuery(string(body)) // keeps what can be read
		c := &call{Request: r, body: body, message: &Message{
			To: form.Get("To"), Body: form.Get("Body"), Form: form, At: time.Now(),
		}}
		fault := s.take(c)
		if !pause(r, s.opts.Latency+fault.Delay, fault.Hold) {
			panic(http.ErrAbortHandler)
		}
		refused := s.check(c)
		switch {
		case fault.Status != 0 || fault.Cut:
			fault.write(w)
		case refused != nil:
			answer(w, *refused)
		default:
			status, value := handle(c)
			s.send(w, r, status, value)
		}
	}
}

// take notes a request to create and returns the Fault that is next in the script.
func (s *Server) take(c *call) (f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Method == http.MethodPost {
		s.messages = newest(append(s.messages, c.message), s.opts.Keep)
	}
	if len(s.script) > 0 {
		f, s.script = s.script[0], s.script[1:]
	}
	return f
}

// accept gives the message a name.
func (s *Server) accept(m *Message) (sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created++
	m.SID = fmt.Sprintf("SM%032x", s.created)
	return m.SID
}

// pause waits for d, then for hold, and reports false if the client goes before.
func pause(r *http.Request, d time.Duration, hold <-chan struct{}) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	if hold == nil {
		return true
	}
	select {
	case <-hold:
		return true
	case <-r.Context().Done():
		return false
	}
}

// check returns how the request is refused, and keeps it as a violation unless a test number is the
// reason.
func (s *Server) check(c *call) *refusal {
	if s.opts.NoValidation {
		return magic(c.message.Form)
	}
	refused := s.account(c.Request)
	if refused == nil && c.Method == http.MethodPost {
		refused = undescribed(c.Request, c.message.Form)
	}
	if refused == nil {
		c.Body = io.NopCloser(bytes.NewReader(c.body))
		if err := checkRequest(c.Request); err != nil {
			refused = &refusal{http.StatusBadRequest, 20001, err.Error()}
		}
	}
	if refused != nil {
		s.violate("%s %s: %d %s", c.Method, c.URL.Path, refused.code, refused.message)
		return refused
	}
	return magic(c.message.Form)
}

// send checks the answer against the description and sends it, or a 500 if it breaks it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	header := http.Header{"Content-Type": {"application/json"}}
	if err == nil && !s.opts.NoValidation {
		err = checkAnswer(r, status, header, body)
	}
	if err != nil {
		s.violate("the stand-in's own answer: %v", err)
		answer(w, refusal{http.StatusInternalServerError, 20500, "the stand-in's answer is not Twilio's"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func answer(w http.ResponseWriter, r refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body())
}
