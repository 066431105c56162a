package otp

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
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

// Limits are the numbers of the security requirements, sections 1, 2 and 4, that hang on one number. A
// count of 0 lifts its rule, but for those of C4.
type Limits struct {
	// Lifetime of a code (C2).
	Lifetime time.Duration
	// RenewBelow is the rest of a code's life under which a start makes a new code (C6).
	RenewBelow time.Duration
	// ResendGap is the least time between two texts to a number that one source asks for (C6, M3).
	ResendGap time.Duration
	// GuessesPerSource and Guesses are the wrong guesses that a code survives (C4), the Strict ones
	// those from untrusted sources while all together guess too much (T4).
	GuessesPerSource       int
	Guesses                int
	StrictGuessesPerSource int
	StrictGuesses          int
	// NumberGuessesPerSource and NumberGuesses are the wrong guesses at a number in 24 h (T1).
	NumberGuessesPerSource int
	NumberGuesses          int
	// NumberAlarm is the number of wrong guesses in 24 h that is worth an alarm (T1).
	NumberAlarm int
	// InARow are the wrong guesses without a success after which only trusted sources may go on (T2),
	// ForgetRow how long after the last of them they are forgotten (T10), a day at least.
	InARow    int
	ForgetRow time.Duration
	// Texts to a number (M3). Of TextsPerDay the last TextsKept are for trusted sources (T5).
	TextsPerSourceHour int
	TextsPerSourceDay  int
	TextsPerHour       int
	TextsPerDay        int
	TextsKept          int
	// TrustFor is how long a network is trusted for a number that was signed in with from there.
	TrustFor time.Duration
	// RecordOnly are rules that refuse nothing; ResendGap among them holds no text back either. Those of C4
	// cannot be among them.
	RecordOnly rule.RecordOnly
}

// Guard is what limits beyond the number ask of a start or a guess.
type Guard struct {
	// Strict holds untrusted origins to the strict numbers of Limits (T4).
	Strict bool
	// TrustedOnly refuses untrusted origins with ErrUntrusted, without any effect; KnownOnly also those
	// that are trusted for being listed only.
	TrustedOnly bool
	KnownOnly   bool
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
	// Trusted says that the origin is in a network from which the number was signed in with in the last
	// TrustFor.
	Trusted bool
	// Noted are the rules in RecordOnly that would have refused it. It is set with a *ThrottledError too.
	Noted []rule.Name
}

// Compared is the answer of Store.Redeem. It is set with an error too, as far as is known.
type Compared struct {
	// Nonce is that of the challenge whose code was right, Restored how often that was given back.
	Nonce    string
	Restored int
	// Failures are the wrong guesses at the number since the success before, at most those of 24 h,
	// from anywhere (T9).
	Failures int
	// Alarm says that this wrong guess is the one that reaches NumberAlarm.
	Alarm bool
	Noted []rule.Name
}

// State is what a store knows of a number, for an admin (T10).
type State struct {
	// Guesses and Texts are those of the last 24 h, InARow the wrong guesses without a success.
	Guesses, InARow, Texts int
	// Blocked are the rules that refuse now, each with how long it still does to an origin that is
	// neither trusted nor has guessed or asked itself.
	Blocked map[rule.Name]time.Duration
	// Trusted are the networks from which it was signed in with, with how long each stays so.
	Trusted map[origin.Network]time.Duration
}

// Attempt names one call of Redeem, so that it alone can take back what it did.
type Attempt string

// Store keeps challenges and counts. All times are by the store's one clock, so replicas whose
// clocks differ agree. Each method is one atomic step.
//
// An origin is trusted for a number if it is listed, or its network is one from which the number was
// signed in with during the last TrustFor; origin.Unknown is no network. Trusted origins are not
// stopped by NumberGuesses, InARow, Guard, TextsPerHour, nor by the last TextsKept of TextsPerDay (T5); what their own
// source did does stop them.
// Windows slide: in any 24 h there are at most so many. What refuses has no effect (T7).
type Store interface {
	// Open returns the living challenge of slot, or keeps fresh as the new one:
	//   - a living challenge with RenewBelow or more left is returned as it is, with its counts;
	//     Send is true unless a text went out less than ResendGap ago at this source's asking;
	//   - without one, and no text less than ResendGap ago at this source's asking, fresh is kept,
	//     with counts at zero;
	//   - otherwise *ThrottledError, without any effect. Where several rules refuse, it is that of the one
	//     that does so longest: then the same start can succeed.
	// *ThrottledError also where a guess from there would be refused before it is compared: by C4
	// at a challenge that lives on for others, by T1 or T2. With Send a text is counted (M3), whether it
	// then goes out or not; where M3 has no more, *ThrottledError. ErrUntrusted is for guard.
	Open(ctx context.Context, slot Slot, from origin.Origin, guard Guard, fresh Challenge) (Opened, error)

	// Redeem counts the guess, then compares it, and marks the challenge as used if it is
	// right, in one step: of any number of concurrent calls at most one returns nil. In this order:
	// ErrUntrusted for guard; ErrTooManyGuesses where source or code has no guess left (C4);
	// *BlockedError where the number has none (T1, T2): these are not counted, the right code included.
	// Anything else is ErrInvalidCode. A slot without a challenge counts alike.
	// A right guess ends the resend gap of its source, clears the failures of that source at the
	// number (T6) and the count in a row, makes its network trusted, and leaves attempt beside the mark.
	Redeem(ctx context.Context, slot Slot, from origin.Origin, guard Guard, digest string, attempt Attempt) (Compared, error)

	// Restore makes the challenge that attempt marked as used live again, with its end and its
	// counts; it does nothing if another attempt did, or another challenge has taken its place.
	Restore(ctx context.Context, slot Slot, attempt Attempt) error

	// Release ends the resend gap of a Slot's Number that the Open with this fresh nonce began,
	// for a text that surely was not sent. It shows in no answer: only a start that finds a
	// living challenge sends sooner for it. Counts of M3 stay as they are (U1).
	Release(ctx context.Context, number, nonce string) error

	// Withdraw forgets the text that the Open with this fresh nonce counted, its gap included.
	Withdraw(ctx context.Context, number, nonce string) error

	// State returns what is known of a Slot's Number.
	State(ctx context.Context, number string) (State, error)

	// Unlock forgets wrong guesses and texts of a Slot's Number, resend gaps with them, those at its living
	// challenges excepted; trusted networks stay.
	Unlock(ctx context.Context, number string) error
}
