package otp

import (
	"context"
	"net/netip"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Key is what a code hangs on: it works for this client, connection and number only (C5).
type Key struct {
	Client     string
	Connection string
	Number     phone.Number
}

// Slot is where a store keeps a Key's challenge. Number is a keyed digest of the number: stores
// that shard keep everything of one Number in one shard.
type Slot struct {
	Number     string
	Client     string
	Connection string
}

// Source is where a request comes from, as limits see it: an IPv4 address or an IPv6 /64, since
// whoever has one address of a /64 has them all.
type Source string

// SourceOf returns the source of addr.
func SourceOf(addr netip.Addr) Source {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return Source(prefix.Masked().String())
	}
	return Source(addr.String())
}

// Limits are the numbers of the security requirements, section 1.
type Limits struct {
	// Lifetime of a code (C2).
	Lifetime time.Duration
	// RenewBelow is the rest of a code's life under which a start makes a new code (C6).
	RenewBelow time.Duration
	// ResendGap is the least time between two texts to a number (C6, M3).
	ResendGap time.Duration
	// GuessesPerSource and Guesses are the wrong guesses that a code survives (C4).
	GuessesPerSource int
	Guesses          int
}

// Challenge is what a store keeps of a code.
type Challenge struct {
	// Nonce is random text from which the code is derived.
	Nonce string
	// Digest is what a right guess looks like.
	Digest string
}

// Opened is the answer of Store.Open.
type Opened struct {
	// Nonce is that of the living challenge.
	Nonce string
	// Left is the rest of the challenge's life, by the store's clock.
	Left time.Duration
	// Send says that a text may go out now; the gap to the next one began.
	Send bool
}

// Attempt names one call of Redeem, so that it alone can take back what it did.
type Attempt string

// Store keeps challenges and counts. All times are by the store's one clock, so replicas whose
// clocks differ agree.
type Store interface {
	// Open returns the living challenge of slot, or keeps fresh as the new one:
	//   - a living challenge with RenewBelow or more left is returned as it is, with its counts;
	//     Send is true unless a text went out less than ResendGap ago;
	//   - without one, and no text less than ResendGap ago, fresh is kept, with counts at zero;
	//   - otherwise, or for a source that has spent its guesses at a challenge that lives on
	//     for others, *ThrottledError, without any effect.
	Open(ctx context.Context, slot Slot, source Source, fresh Challenge) (Opened, error)

	// Redeem counts the guess, then compares it, and marks the challenge as used if it is
	// right, in one step: of any number of concurrent calls at most one returns nil. A source
	// or a code that has no guess left is ErrTooManyGuesses, uncounted, the right code
	// included; anything else is ErrInvalidCode. A slot without a challenge counts alike.
	// A right guess also ends the resend gap, and leaves attempt beside the mark.
	// use names this use of the code: the nonce, and behind it how often it was restored.
	Redeem(ctx context.Context, slot Slot, source Source, digest string, attempt Attempt) (use string, err error)

	// Restore makes the challenge that attempt marked as used live again, with its end and its
	// counts; it does nothing if another attempt did, or another challenge has taken its place.
	Restore(ctx context.Context, slot Slot, attempt Attempt) error

	// Release ends the resend gap of a Slot's Number that the Open with this fresh nonce began,
	// for a text that surely was not sent. It shows in no answer: only a start that finds a
	// living challenge sends sooner for it.
	Release(ctx context.Context, number, nonce string) error
}
