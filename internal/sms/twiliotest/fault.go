package twiliotest

import (
	"net/http"
	"strconv"
	"time"
)

// Fault is one answer that goes wrong, or comes late. The zero Fault is a normal answer.
type Fault struct {
	// Delay passes before anything else happens.
	Delay time.Duration
	// Hold, if set, keeps the answer back until it is closed or the client has gone.
	Hold <-chan struct{}
	// Status, if set, answers with it, Header and Body instead of acting on the request.
	Status int
	Header http.Header
	Body   string
	// Cut closes the connection: before the answer, or, with a Status, in the middle of it.
	Cut bool
}

// Delayed answers as usual, after d.
func Delayed(d time.Duration) Fault { return Fault{Delay: d} }

// Held answers as usual, once release is closed.
func Held(release <-chan struct{}) Fault { return Fault{Hold: release} }

// HTML answers with status and a page, as a gateway does.
func HTML(status int) Fault {
	return Fault{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   "<html><head><title>" + http.StatusText(status) + "</title></head><body><h1>nginx</h1></body></html>",
	}
}

// Empty answers with status and nothing else.
func Empty(status int) Fault { return Fault{Status: status} }

// JSON answers with status and body.
func JSON(status int, body string) Fault {
	return Fault{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// Refused answers as Twilio refuses: with one of its error codes and a message that repeats what
// was sent, as Twilio's messages do.
func Refused(status, code int) Fault {
	return JSON(status, string(refusal{status: status, code: code, message: "The 'To' number +447700900123 was refused"}.body()))
}

// TooMany answers 429 with Retry-After; "" leaves the header out.
func TooMany(retryAfter string) Fault {
	f := Refused(http.StatusTooManyRequests, 20429)
	if retryAfter != "" {
		f.Header.Set("Retry-After", retryAfter)
	}
	return f
}

// Redirect answers with status and a Location.
func Redirect(status int, to string) Fault {
	return Fault{Status: status, Header: http.Header{"Location": {to}}}
}

// Cut takes the request and closes the connection without an answer.
func Cut() Fault { return Fault{Cut: true} }

// CutMidAnswer begins an answer with status and closes the connection within it.
func CutMidAnswer(status int) Fault {
	f := JSON(status, `{"sid": "SM0000`)
	f.Cut = true
	return f
}

// write sends what f scripts. It panics with http.ErrAbortHandler to cut the connection.
func (f Fault) write(w http.ResponseWriter) {
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	if f.Cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(f.Body)+100))
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
	if f.Cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
