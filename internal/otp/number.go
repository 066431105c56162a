package otp

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
)

// The windows of T1 and M3. They slide: what happened at t counts until t plus the window.
const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// Bounds on what is kept of a number. Where the limits hold, far less comes together; these are for rules
// that are lifted or only recorded. What is beyond is forgotten, the oldest first.
const (
	keptEvents = 200
	// KeptNetworks are the trusted networks of a number: who travels has a new one in each town.
	KeptNetworks = 50
)

// Guess is one wrong guess at a number.
type Guess struct {
	At      time.Time
	Source  origin.Source
	Attempt Attempt
}

// Text is one text to a number, whether it went out or not.
type Text struct {
	At     time.Time
	Source origin.Source
	// Nonce is that of the start that asked for it.
	Nonce string
	Gap   Gap
}

// Gap is what became of the time without a further text that begins with a Text.
type Gap int

const (
	// GapRuns for ResendGap.
	GapRuns Gap = iota
	// GapFreed by a text that was not sent: the living code may be sent at once, in its place. Nothing else
	// changes, since an answer that hung on the fate of a text would tell which numbers cannot get any (U1).
	GapFreed
	// GapOver by a right code: whoever redeemed it holds the phone.
	GapOver
)

// SignIn is the last one from a network.
type SignIn struct {
	At      time.Time
	Network origin.Network
}

// Number is what a store keeps of a number beside its challenges, the oldest first. It is a plain value
// without a clock; Limits judge it.
type Number struct {
	Wrong []Guess
	// InARow are the wrong guesses since the last success (T2), LastWrong is the time of the last.
	InARow    int
	LastWrong time.Time
	Texts     []Text
	SignIns   []SignIn
}

// Forget returns n without what no rule looks at any more.
func (l Limits) Forget(n Number, now time.Time) Number {
	n.Wrong = without(n.Wrong, func(g Guess) bool { return now.Sub(g.At) >= day })
	n.Texts = without(n.Texts, func(t Text) bool { return now.Sub(t.At) >= day })
	n.SignIns = without(n.SignIns, func(s SignIn) bool { return now.Sub(s.At) >= l.TrustFor })
	if now.Sub(n.LastWrong) >= l.RowKept() {
		n.InARow = 0
	}
	return n
}

// RowKept is ForgetRow, but never shorter than the day in which the same guesses count for T1.
func (l Limits) RowKept() time.Duration { return max(l.ForgetRow, day) }

// Kept bounds how many guesses and how many texts are kept: more than any rule counts.
func (l Limits) Kept() int {
	return 1 + max(keptEvents, l.NumberGuesses, l.NumberGuessesPerSource, l.NumberAlarm,
		l.TextsPerSourceHour, l.TextsPerSourceDay, l.TextsPerHour, l.TextsPerDay)
}

// Knows reports whether n was signed in with from there in the last TrustFor.
func (l Limits) Knows(n Number, from origin.Origin, now time.Time) bool {
	return slices.ContainsFunc(n.SignIns, func(s SignIn) bool {
		return s.Network == Trustable(from) && s.Network != "" && now.Sub(s.At) < l.TrustFor
	})
}

// Trustable is the network that a sign-in makes trusted: none for requests without an address, since
// those who come so have nothing in common.
func Trustable(from origin.Origin) origin.Network {
	if from.Source == origin.Unknown {
		return ""
	}
	return from.Network
}

// Guessed returns n with one more wrong guess, and whether this is the one that reaches NumberAlarm.
func (l Limits) Guessed(n Number, from origin.Source, attempt Attempt, now time.Time) (_ Number, alarm bool) {
	n.Wrong = append(slices.Clone(n.Wrong), Guess{At: now, Source: from, Attempt: attempt})
	alarm = len(n.Wrong) == l.NumberAlarm
	n.Wrong = last(n.Wrong, l.Kept())
	n.InARow++
	n.LastWrong = now
	return n, alarm
}

// SignedIn returns n after a right guess (T6), and the wrong guesses of a day since the success before.
func (l Limits) SignedIn(n Number, from origin.Origin, now time.Time) (_ Number, failures int) {
	failures = min(n.InARow, len(n.Wrong))
	n.InARow = 0
	n.Wrong = without(n.Wrong, func(g Guess) bool { return g.Source == from.Source })
	n.Texts = slices.Clone(n.Texts)
	for i := range n.Texts {
		if n.Texts[i].Source == from.Source {
			n.Texts[i].Gap = GapOver
		}
	}
	if network := Trustable(from); network != "" && l.TrustFor > 0 {
		n.SignIns = append(without(n.SignIns, func(s SignIn) bool { return s.Network == network }), SignIn{At: now, Network: network})
		n.SignIns = last(n.SignIns, KeptNetworks)
	}
	return n, failures
}

// Texted returns n with one more text.
func (l Limits) Texted(n Number, from origin.Source, nonce string, now time.Time) Number {
	n.Texts = last(append(slices.Clone(n.Texts), Text{At: now, Source: from, Nonce: nonce}), l.Kept())
	return n
}

// TextedInstead returns n with the text of nonce in the place of the source's last one.
func (n Number) TextedInstead(from origin.Source, nonce string) Number {
	n.Texts = slices.Clone(n.Texts)
	for i, t := range slices.Backward(n.Texts) {
		if t.Source == from {
			n.Texts[i].Nonce, n.Texts[i].Gap = nonce, GapRuns
			break
		}
	}
	return n
}

// Unsent returns n after the text of nonce surely was not sent (M9).
func (n Number) Unsent(nonce string) Number {
	n.Texts = slices.Clone(n.Texts)
	for i := range n.Texts {
		if n.Texts[i].Nonce == nonce && n.Texts[i].Gap == GapRuns {
			n.Texts[i].Gap = GapFreed
		}
	}
	return n
}

// WithoutText and WithoutGuess take back what an earlier run of the same call counted, so that the second
// is judged, answered and counted as the first.
func (n Number) WithoutText(nonce string) Number {
	n.Texts = without(n.Texts, func(t Text) bool { return t.Nonce == nonce })
	return n
}

// WithoutGuess also reports whether there was an earlier run.
func (n Number) WithoutGuess(attempt Attempt) (_ Number, repeated bool) {
	kept := without(n.Wrong, func(g Guess) bool { return g.Attempt == attempt })
	if repeated = len(kept) < len(n.Wrong); repeated {
		n.Wrong, n.InARow = kept, max(0, n.InARow-1)
	}
	return n, repeated
}

// gaps returns how long the living code is not sent again at the asking of source, and how long that
// source gets no new one.
func (l Limits) gaps(n Number, source origin.Source, now time.Time) (resend, renew time.Duration) {
	for _, t := range n.Texts {
		if t.Source != source {
			continue
		}
		resend, renew = 0, 0
		left := max(0, t.At.Add(l.ResendGap).Sub(now))
		if t.Gap == GapRuns {
			resend = left
		}
		if t.Gap != GapOver {
			renew = left
		}
	}
	return resend, renew
}

// without is slices.DeleteFunc on a copy.
func without[E any](all []E, drop func(E) bool) []E {
	return slices.DeleteFunc(slices.Clone(all), drop)
}

// last returns the last most of all.
func last[E any](all []E, most int) []E {
	return all[max(0, len(all)-most):]
}
