package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

const (
	// textTimeout is when a text counts as lost.
	textTimeout = 10 * time.Second
	codeDigits  = 6
)

// inbox is the stand-in for Twilio, with the people's phones behind it. It runs beside the load and
// not in a measured process.
type inbox struct {
	baseURL  string
	server   *http.Server
	provider *twiliotest.Server
	// heard, if set, is told of each text when it comes in.
	heard func(number string)

	mu     sync.Mutex
	phones map[string]chan string // codes on their way, by number
}

// openInbox answers each text after latency.
func openInbox(latency time.Duration, heard func(number string)) (*inbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	in := &inbox{
		baseURL:  "http://" + listener.Addr().String(),
		provider: twiliotest.New(twiliotest.Options{NoValidation: true, Keep: 1, Latency: latency}),
		heard:    heard,
		phones:   map[string]chan string{},
	}
	in.server = &http.Server{Handler: in, ReadHeaderTimeout: textTimeout}
	go func() { _ = in.server.Serve(listener) }() // ErrServerClosed
	return in, nil
}

func (in *inbox) close() { _ = in.server.Close() }

// ServeHTTP hands the text to the phone, and the request to the stand-in.
func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	form, _ := url.ParseQuery(string(body)) // a text that cannot be read does not arrive
	if text := form.Get("Body"); len(text) >= codeDigits {
		if in.heard != nil {
			in.heard(form.Get("To"))
		}
		select {
		case in.phone(form.Get("To")) <- text[:codeDigits]:
		default: // nobody is waiting for a second one
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	in.provider.ServeHTTP(w, r)
}

func (in *inbox) phone(number string) chan string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.phones[number] == nil {
		in.phones[number] = make(chan string, 1)
	}
	return in.phones[number]
}

// await returns the code that arrives at number.
func (in *inbox) await(ctx context.Context, number string) (string, error) {
	timer := time.NewTimer(textTimeout)
	defer timer.Stop()
	select {
	case code := <-in.phone(number):
		return code, nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-timer.C:
		return "", errors.New("the text did not arrive within " + fmt.Sprint(textTimeout))
	}
}
