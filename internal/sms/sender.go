package sms

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Kind is what a text is for.
type Kind string

// Kinds of texts.
const (
	KindCode   Kind = "code"
	KindNotice Kind = "notice" // tells a person about a sign-in
	KindTest   Kind = "test"   // an operator's own
)

// Message is one text on its way to a phone.
type Message struct {
	To   phone.Number
	Body string
	Kind Kind
	// Country is that of To, ISO 3166-1 alpha-2; empty where nobody has looked yet.
	Country string
	// Challenge names the code in it, and ClientID the app that asked; empty where there is none.
	Challenge string
	ClientID  string
	// Trusted says that whoever asked for it did so from a place that is trusted for the number,
	// Listed that it was a network of the company's own.
	Trusted bool
	Listed  bool
	// ValidUntil is when the text stops being of use: the end of its code.
	ValidUntil time.Time
	// Ref is the caller's own name for the text, handed back with its outcome.
	Ref string
}

// Format hides the body, which holds a code, and the number from every fmt verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "text to "+m.To.Masked()) }

// LogValue hides the body, which holds the code.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("to", m.To), slog.Time("valid_until", m.ValidUntil))
}

// Receipt is a provider's word that it took a message; with an error, what is known all the same.
type Receipt struct {
	// Provider is the name of the one that took it, ID its own name for the message.
	Provider string
	ID       string
	// Stranger says that HR does not know the number.
	Stranger bool
}

// Sender hands one message to a provider. A failure is an *Error. Implementations make one
// attempt, honour ctx, and are safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Error is a provider's refusal, or the lack of an answer. Its text never holds the number, the
// body or a credential.
type Error struct {
	Class Class
	// Code is the provider's own error code, or 0.
	Code int
	// Status is the HTTP status of the answer, or 0.
	Status int
	// RetryAfter is how long the provider asks us to wait, or 0.
	RetryAfter time.Duration
	// Account says that the account as a whole is refused, whatever the destination: wrong or
	// suspended credentials.
	Account bool
	// Rule is the one that kept a Withheld text back.
	Rule rule.Name
	// Provider is the name of the one that was asked last; empty where none was.
	Provider string
	// Final says that another provider has tried as well, so that the queue does not try again.
	Final bool
	// Reason is in our words, or the provider's where they are free of people's data.
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("sms: %s (code %d, status %d): %s", e.Class, e.Code, e.Status, e.Reason)
}

// Definite reports whether the message was surely not sent.
func (e *Error) Definite() bool { return e.Class.Definite() }
