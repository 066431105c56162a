package otp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// ErrInvalidCode covers a wrong, an expired, a used and a never-issued code alike: telling them
// apart would tell a caller which numbers are enrolled.
var ErrInvalidCode = errors.New("otp: invalid code")

// ErrTooManyGuesses means that the source, or everybody, has no guess left at this code.
var ErrTooManyGuesses = errors.New("otp: too many guesses")

// ErrUntrusted means an origin that is not trusted for the number, where Guard asks for one.
var ErrUntrusted = errors.New("otp: not a trusted origin")

// ThrottledError means that a start came too soon, or too often, and had no effect.
type ThrottledError struct {
	Rule rule.Name
	// RetryAfter is when the same start can succeed.
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("otp: throttled by %s, retry after %s", e.Rule, e.RetryAfter)
}

// BlockedError means a guess that was not compared, because of those before it at the number.
type BlockedError struct {
	Rule rule.Name
	// RetryAfter is when the next guess from there is compared.
	RetryAfter time.Duration
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("otp: blocked by %s for %s", e.Rule, e.RetryAfter)
}

// Reviewer is a number whose code is agreed beforehand, for the people of an app store who cannot read
// texts to it (C11). Everything else, limits and single use included, is as for any other.
type Reviewer struct {
	Key  Key
	Code Code
	// Until is when the agreed code stops working.
	Until time.Time
}

// Service makes and redeems codes. It is safe for concurrent use.
type Service struct {
	store     Store
	keys      keys
	reviewers map[Key]Reviewer
	now       func() time.Time
}

// Options of a Service.
type Options struct {
	Reviewers []Reviewer
	// Now is the clock that ends Reviewers; default time.Now.
	Now func() time.Time
}

// NewService returns a Service whose codes are derived with secret, at least 32 random bytes that
// all replicas share. A change of secret makes living codes wrong, nothing worse.
func NewService(store Store, secret []byte, opts Options) (*Service, error) {
	if len(secret) < 32 {
		return nil, errors.New("otp: the secret is shorter than 32 bytes")
	}
	derived, err := deriveKeys(secret)
	if err != nil {
		return nil, err
	}
	s := &Service{store: store, keys: derived, reviewers: map[Key]Reviewer{}, now: opts.Now}
	if s.now == nil {
		s.now = time.Now
	}
	for _, r := range opts.Reviewers {
		s.reviewers[r.Key] = r
	}
	return s, nil
}

// Started is a challenge as the start's caller needs it.
type Started struct {
	// ID names the challenge towards the client; the same while the code is the same.
	ID   string
	Code Code
	// Left is the rest of the code's life.
	Left time.Duration
	// Send says whether a text with Code may go out now; never to a Reviewer.
	Send bool
	// Text names the text that may go out, for Unsent.
	Text TextID
	// Trusted and Noted are those of Opened.
	Trusted bool
	Noted   []rule.Name
}

// TextID names one text towards Unsent.
type TextID string

// Start opens a challenge for key, or finds the living one. The error is *ThrottledError,
// ErrUntrusted, or an outage.Error of the store. Noted is set with an error too.
func (s *Service) Start(ctx context.Context, key Key, from origin.Origin, guard Guard) (Started, error) {
	nonce := rand.Text() + rand.Text() // 256 bits and more
	slot, agreed := s.slot(key)
	code := func(nonce string) Code {
		if agreed != "" {
			return agreed
		}
		return s.keys.deriveCode(key, nonce)
	}
	opened, err := s.store.Open(ctx, slot, from, guard, Challenge{Nonce: nonce, Digest: s.keys.deriveDigest(key, code(nonce))})
	if err != nil {
		return Started{Noted: opened.Noted}, err
	}
	return Started{
		ID: s.keys.deriveID(opened.Nonce), Code: code(opened.Nonce), Left: opened.Left,
		Send: opened.Send && agreed == "", Text: TextID(nonce), Trusted: opened.Trusted, Noted: opened.Noted,
	}, nil
}

// slot is where the challenge of key is kept, and the code that was agreed for it, while that works.
// Agreed codes have slots of their own: at Until they are out of reach, and what is texted from then on
// is never compared with them. The number, and so what is counted of it, is the same.
func (s *Service) slot(key Key) (slot Slot, agreed Code) {
	slot = s.keys.deriveSlot(key)
	if r, ok := s.reviewers[key]; ok && s.now().Before(r.Until) {
		slot.Connection = "agreed:" + slot.Connection
		return slot, r.Code
	}
	return slot, ""
}

// Redeemed is a code that was used up.
type Redeemed struct {
	// Challenge is the Started.ID of the code.
	Challenge string
	// Use names this use of the code. A store that loses its last writes may let a code be used
	// again, under the same name: whoever must not believe that keeps it.
	Use string
	// Agreed says that it was a Reviewer's, so that no text proves anything.
	Agreed bool
	// Attempt is for Restore.
	Attempt Attempt
	// Failures, Alarm and Noted are those of Compared.
	Failures int
	Alarm    bool
	Noted    []rule.Name
}

// Redeem uses up the code of key. The error is ErrInvalidCode, ErrTooManyGuesses, *BlockedError,
// ErrUntrusted, or an outage.Error of the store, after which the code may be used up or not. The
// attempt, Alarm and Noted are set whatever the error.
func (s *Service) Redeem(ctx context.Context, key Key, from origin.Origin, guard Guard, code Code) (Redeemed, error) {
	attempt := Attempt(rand.Text())
	slot, agreed := s.slot(key)
	compared, err := s.store.Redeem(ctx, slot, from, guard, s.keys.deriveDigest(key, code), attempt)
	redeemed := Redeemed{Agreed: agreed != "", Attempt: attempt, Failures: compared.Failures, Alarm: compared.Alarm, Noted: compared.Noted}
	if err != nil {
		return redeemed, err
	}
	redeemed.Challenge = s.keys.deriveID(compared.Nonce)
	redeemed.Use = redeemed.Challenge
	if compared.Restored > 0 {
		redeemed.Use = s.keys.deriveID(fmt.Sprint(compared.Nonce, compared.Restored))
	}
	return redeemed, nil
}

// Restore gives back a code that attempt used up, because what followed failed through no fault of
// the person: the code they hold works again until its end.
func (s *Service) Restore(ctx context.Context, key Key, attempt Attempt) error {
	slot, _ := s.slot(key)
	return s.store.Restore(ctx, slot, attempt)
}

// Unsent says that a text to number surely was not sent, so that the next start may send one at
// once (M9). It does nothing once another text was on its way.
func (s *Service) Unsent(ctx context.Context, number phone.Number, text TextID) error {
	return s.store.Release(ctx, s.Tag(number), string(text))
}

// Withdraw takes back a text that was never handed to anybody, whatever the number: with Unsent, its count
// stays, or who can get texts could be told by when they may not ask again.
func (s *Service) Withdraw(ctx context.Context, number phone.Number, text TextID) error {
	return s.store.Withdraw(ctx, s.Tag(number), string(text))
}

// Tag stands for number where the number itself must not be readable.
func (s *Service) Tag(number phone.Number) string {
	return s.keys.deriveSlot(Key{Number: number}).Number
}

// Block stands for all numbers that differ from number in the last four digits only (M4).
func (s *Service) Block(number phone.Number) string {
	const last = 4
	e164 := number.E164()
	return encode(mac(s.keys.slot, []byte("block"), e164[:max(0, len(e164)-last)])[:16])
}

// State returns what is known of number.
func (s *Service) State(ctx context.Context, number phone.Number) (State, error) {
	return s.store.State(ctx, s.Tag(number))
}

// Unlock forgets wrong guesses at number and texts to it; tag is from Tag.
func (s *Service) Unlock(ctx context.Context, tag string) error {
	return s.store.Unlock(ctx, tag)
}
