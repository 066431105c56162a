package sms

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Message is one text on its way to a phone.
type Message struct {
	To   phone.Number
	Body string
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

// Receipt is a provider's word that it took a message.
type Receipt struct {
	// ID is the provider's own name for the message.
	ID string
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
	// Reason is in our words, or the provider's where they are free of people's data.
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("sms: %s (code %d, status %d): %s", e.Class, e.Code, e.Status, e.Reason)
}

// Definite reports whether the message was surely not sent.
func (e *Error) Definite() bool { return e.Class.Definite() }
