package otp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// ErrInvalidCode covers a wrong, an expired, a used and a never-issued code alike: telling them
// apart would tell a caller which numbers are enrolled.
var ErrInvalidCode = errors.New("otp: invalid code")

// ErrTooManyGuesses means that the source, or everybody, has no guess left at this code.
var ErrTooManyGuesses = errors.New("otp: too many guesses")

// ThrottledError means that a start came too soon and had no effect.
type ThrottledError struct {
	// RetryAfter is when the same start can succeed.
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("otp: throttled, retry after %s", e.RetryAfter)
}

// Service makes and redeems codes. It is safe for concurrent use.
type Service struct {
	store Store
	keys  keys
}

// NewService returns a Service whose codes are derived with secret, at least 32 random bytes that
// all replicas share. A change of secret makes living codes wrong, nothing worse.
func NewService(store Store, secret []byte) (*Service, error) {
	if len(secret) < 32 {
		return nil, errors.New("otp: the secret is shorter than 32 bytes")
	}
	derived, err := deriveKeys(secret)
	if err != nil {
		return nil, err
	}
	return &Service{store: store, keys: derived}, nil
}

// Started is a challenge as the start's caller needs it.
type Started struct {
	// ID names the challenge towards the client; the same while the code is the same.
	ID   string
	Code Code
	// Left is the rest of the code's life.
	Left time.Duration
	// Send says whether a text with Code may go out now.
	Send bool
	// Text names the text that may go out, for Unsent.
	Text TextID
}

// TextID names one text towards Unsent.
type TextID string

// Start opens a challenge for key, or finds the living one. The error is *ThrottledError, or an
// outage.Error of the store.
func (s *Service) Start(ctx context.Context, key Key, source Source) (Started, error) {
	nonce := rand.Text() + rand.Text() // 256 bits and more
	opened, err := s.store.Open(ctx, s.keys.deriveSlot(key), source, Challenge{
		Nonce:  nonce,
		Digest: s.keys.deriveDigest(key, s.keys.deriveCode(key, nonce)),
	})
	if err != nil {
		return Started{}, err
	}
	return Started{
		ID:   s.keys.deriveID(opened.Nonce),
		Code: s.keys.deriveCode(key, opened.Nonce),
		Left: opened.Left,
		Send: opened.Send,
		Text: TextID(nonce),
	}, nil
}

// Redeemed is a code that was used up.
type Redeemed struct {
	// Use names this use of the code. A store that loses its last writes may let a code be used
	// again, under the same name: whoever must not believe that keeps it.
	Use string
	// Attempt is for Restore.
	Attempt Attempt
}

// Redeem uses up the code of key. The error is ErrInvalidCode, ErrTooManyGuesses, or an
// outage.Error of the store, after which the code may be used up or not. The attempt is set
// whatever the error.
func (s *Service) Redeem(ctx context.Context, key Key, source Source, code Code) (Redeemed, error) {
	attempt := Attempt(rand.Text())
	use, err := s.store.Redeem(ctx, s.keys.deriveSlot(key), source, s.keys.deriveDigest(key, code), attempt)
	return Redeemed{Use: s.keys.deriveID(use), Attempt: attempt}, err
}

// Restore gives back a code that attempt used up, because what followed failed through no fault of
// the person: the code they hold works again until its end.
func (s *Service) Restore(ctx context.Context, key Key, attempt Attempt) error {
	return s.store.Restore(ctx, s.keys.deriveSlot(key), attempt)
}

// Unsent says that a text to number surely was not sent, so that the next start may send one at
// once (M9). It does nothing once another text was on its way.
func (s *Service) Unsent(ctx context.Context, number phone.Number, text TextID) error {
	return s.store.Release(ctx, s.keys.deriveSlot(Key{Number: number}).Number, string(text))
}
