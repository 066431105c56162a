package otptest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

var codeCases = []contract{
	{name: "a start within the gap keeps the code and sends nothing", test: startInGap},
	{name: "a start after the gap sends the same code with the same end", test: startAfterGap},
	{name: "a start near the end makes a new code and the old is void", test: startNearEnd},
	{name: "each source has its own gap", test: gapsApart},
	{name: "no start refills guesses", test: noRefill},
	{name: "a dead code is replaced after the gap", test: deadCode},
	{name: "a source cannot spend another's guesses", test: sourcesApart},
	{name: "the right code after too many wrong ones stays refused", test: rightAfterTooMany},
	{name: "a used code is dead", test: usedCode},
	{name: "a code is over at its end", test: overAtEnd},
	{name: "a number without a challenge is counted alike", test: withoutChallenge},
	{name: "a code works only in its own slot", test: ownSlot},
	{name: "a restored code works once more", test: restored},
	{name: "an attempt cannot restore what another used", test: restoreOfAnother},
	{name: "a restore does not void a newer code", test: restoreAfterNewer},
	{name: "release ends the gap that its text began", test: released},
	{name: "what became of a text does not show", test: fateOfATextDoesNotShow},
	{name: "a strict guard holds strangers to fewer guesses", test: strict},
	{name: "of many right codes one wins", test: raceRight},
	{name: "never more guesses are compared than the limit", test: raceWrong},
	{name: "many starts at once make one code and one text", test: raceStart},
}

func startInGap(t *testing.T, s suite) {
	first := s.open(home, "a")
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: Limits.Lifetime, Send: true}, first)
	s.clock.Advance(29 * time.Second)
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: first.Left - 29*time.Second}, s.open(home, "b"))
	require.NoError(t, s.redeem(home, "a"))
}

func startAfterGap(t *testing.T, s suite) {
	first := s.open(home, "a")
	s.clock.Advance(30 * time.Second)
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: first.Left - 30*time.Second, Send: true}, s.open(home, "b"))
	require.False(t, s.open(home, "c").Send, "the resend starts a gap of its own")
}

func startNearEnd(t *testing.T, s suite) {
	s.open(home, "a")
	s.clock.Advance(180 * time.Second)
	require.Equal(t, "nonce-a", s.open(home, "b").Nonce, "120 s left: the same code")
	s.clock.Advance(time.Millisecond)
	require.Equal(t, "nonce-a", s.open(home, "c").Nonce, "within the gap the old code lives on")
	s.clock.Advance(30 * time.Second)
	renewed := s.open(home, "d")
	require.Equal(t, otp.Opened{Nonce: "nonce-d", Left: Limits.Lifetime, Send: true}, renewed)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
	require.NoError(t, s.redeem(home, "d"))
}

func gapsApart(t *testing.T, s suite) {
	s.open(home, "a")
	s.clock.Advance(10 * time.Second)
	again := s.open(office, "b")
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: 290 * time.Second, Send: true}, again, "nobody's text keeps another from theirs")
	require.False(t, s.open(office, "c").Send)
	require.NoError(t, s.redeem(home, "a"))
	s.throttled(office, "d", rule.ResendGap, 30*time.Second)
	require.True(t, s.open(home, "e").Send, "the right code ends the gap of its source, and no other's")
	require.Equal(t, otp.Opened{Nonce: "nonce-e", Left: 300 * time.Second}, s.open(office, "f"))
}

func noRefill(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(home, 4)
	s.clock.Advance(31 * time.Second)
	s.open(home, "b")
	s.wrong(home, 1)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses)
	s.clock.Advance(31 * time.Second)
	wait := (300-62-120)*time.Second + time.Millisecond
	s.throttled(home, "c", rule.CodeGuessesSource, wait)
	require.NoError(t, s.redeem(office, "a"), "the code lives on for others")
}

func deadCode(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(attack, 5)
	s.wrong(office, 5)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses)
	s.throttled(home, "b", rule.ResendGap, 30*time.Second)
	s.exactly(30*time.Second, func(left time.Duration) { s.throttled(home, "b", rule.ResendGap, left) })
	require.Equal(t, "nonce-c", s.open(home, "c").Nonce)
	s.wrong(attack, 1)
	require.NoError(t, s.redeem(home, "c"))
}

func sourcesApart(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(attack, 5)
	require.ErrorIs(t, s.redeem(attack, "a"), otp.ErrTooManyGuesses)
	require.NoError(t, s.redeem(home, "a"))
}

func rightAfterTooMany(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(home, 5)
	for range 20 {
		require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses)
	}
	s.wrong(office, 5)
	require.ErrorIs(t, s.redeem(attack, "a"), otp.ErrTooManyGuesses, "refused guesses are not counted, ten wrong ones are")
	require.Equal(t, 10, s.state().Guesses)
}

func usedCode(t *testing.T, s suite) {
	s.open(home, "a")
	require.NoError(t, s.redeem(home, "a"))
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
	next := s.open(home, "b")
	require.Equal(t, "nonce-b", next.Nonce)
	require.True(t, next.Send, "a success ends the gap: the next sign-in need not wait")
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
}

func overAtEnd(t *testing.T, s suite) {
	s.open(home, "a")
	s.clock.Advance(300 * time.Second)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
	require.Equal(t, "nonce-b", s.open(home, "b").Nonce)
}

func withoutChallenge(t *testing.T, s suite) {
	s.wrong(home, 5)
	require.ErrorIs(t, s.redeem(home, "wrong"), otp.ErrTooManyGuesses)
	s.wrong(office, 5)
	require.ErrorIs(t, s.redeem(attack, "wrong"), otp.ErrTooManyGuesses)
	s.clock.Advance(300 * time.Second)
	s.wrong(home, 5)
	require.True(t, s.open(home, "a").Send, "guesses at nothing do not stop a start")
	require.NoError(t, s.redeem(home, "a"))
}

func ownSlot(t *testing.T, s suite) {
	s.open(home, "a")
	for _, other := range []otp.Slot{
		{Number: "other", Client: "app", Connection: "sms"},
		{Number: "number", Client: "web", Connection: "sms"},
		{Number: "number", Client: "app", Connection: "email"},
	} {
		_, err := s.Redeem(t.Context(), other, home, otp.Guard{}, "a", "an attempt")
		require.ErrorIs(t, err, otp.ErrInvalidCode)
	}
	require.NoError(t, s.redeem(home, "a"))
}

func restored(t *testing.T, s suite) {
	first := s.open(home, "a")
	s.wrong(home, 4)
	use, err := s.Redeem(t.Context(), slot, home, otp.Guard{}, "a", "mine")
	require.NoError(t, err)
	require.Equal(t, otp.Compared{Nonce: "nonce-a", Failures: 4}, use)
	s.restore("mine")
	s.clock.Advance(31 * time.Second)
	require.Equal(t, first.Left-31*time.Second, s.open(home, "b").Left)
	again, err := s.Redeem(t.Context(), slot, home, otp.Guard{}, "a", "again")
	require.NoError(t, err)
	require.Equal(t, otp.Compared{Nonce: "nonce-a", Restored: 1}, again, "a restored code is another use")
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses, "four wrong ones before, and the used one")
}

func restoreOfAnother(t *testing.T, s suite) {
	s.open(home, "a")
	require.NoError(t, s.attempt(home, "a", "winner"))
	s.restore("an attempt that never arrived")
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
	s.restore("winner")
	s.restore("winner")
	require.NoError(t, s.attempt(home, "a", "next"))
	s.restore("winner")
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
}

func restoreAfterNewer(t *testing.T, s suite) {
	s.open(home, "a")
	require.NoError(t, s.attempt(home, "a", "mine"))
	s.open(home, "b")
	s.restore("mine")
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrInvalidCode)
	require.NoError(t, s.redeem(home, "b"))
	require.NoError(t, s.Restore(t.Context(), otp.Slot{Number: "never"}, "mine"))
}

func released(t *testing.T, s suite) {
	release := func(nonce string) {
		t.Helper()
		require.NoError(t, s.Release(t.Context(), slot.Number, nonce))
	}
	s.open(home, "a")
	release("nonce-of-another-text")
	require.False(t, s.open(home, "b").Send)
	release("nonce-a")
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: Limits.Lifetime, Send: true}, s.open(home, "c"))
	release("nonce-a")
	require.False(t, s.open(home, "d").Send, "the first text's failure does not free the second's gap")
	release("nonce-c")
	require.True(t, s.open(home, "e").Send)
	require.NoError(t, s.Release(t.Context(), "never", "nonce-a"))
}

// What became of a text must not show in an answer (U1).
func fateOfATextDoesNotShow(t *testing.T, s suite) {
	s.open(home, "a")
	require.NoError(t, s.Release(t.Context(), slot.Number, "nonce-a"))
	other := otp.Slot{Number: slot.Number, Client: "other", Connection: slot.Connection}
	_, err := s.Open(t.Context(), other, home, otp.Guard{}, otp.Challenge{Nonce: "n", Digest: "d"})
	require.Equal(t, &otp.ThrottledError{Rule: rule.ResendGap, RetryAfter: Limits.ResendGap}, err, "as it is when the text was sent")
	s.clock.Advance(Limits.ResendGap)
	_, err = s.Open(t.Context(), other, home, otp.Guard{}, otp.Challenge{Nonce: "n", Digest: "d"})
	require.NoError(t, err)
}

// In protective mode a code has 2 and 4 wrong guesses from untrusted origins (T4).
func strict(t *testing.T, s suite) {
	guess := func(n int) error {
		_, err := s.Redeem(t.Context(), slot, stranger(n), otp.Guard{Strict: true}, "wrong", otp.Attempt(rand.Text()))
		return err
	}
	s.signIn(home, "first")
	s.open(office, "a")
	for _, n := range []int{1, 1} {
		require.ErrorIs(t, guess(n), otp.ErrInvalidCode)
	}
	require.ErrorIs(t, guess(1), otp.ErrTooManyGuesses, "two from one source")
	_, err := s.openAs(stranger(1), otp.Guard{Strict: true}, "b")
	require.Equal(t, &otp.ThrottledError{Rule: rule.CodeGuessesSource, RetryAfter: 180*time.Second + time.Millisecond}, err)
	for _, n := range []int{2, 2} {
		require.ErrorIs(t, guess(n), otp.ErrInvalidCode)
	}
	require.ErrorIs(t, guess(3), otp.ErrTooManyGuesses, "four in all")
	_, err = s.openAs(stranger(3), otp.Guard{Strict: true}, "b")
	require.Equal(t, &otp.ThrottledError{Rule: rule.CodeGuesses, RetryAfter: 180*time.Second + time.Millisecond}, err,
		"nobody's start voids a code that lives on for others")

	require.ErrorIs(t, s.redeem(stranger(3), "wrong"), otp.ErrInvalidCode, "the mode is over")
	_, err = s.Redeem(t.Context(), slot, neighbour, otp.Guard{Strict: true}, "wrong", "another")
	require.ErrorIs(t, err, otp.ErrInvalidCode, "a trusted origin has the usual ones")
	_, err = s.Redeem(t.Context(), slot, listed(attack), otp.Guard{Strict: true}, "wrong", "a third")
	require.ErrorIs(t, err, otp.ErrInvalidCode)
	_, err = s.Redeem(t.Context(), slot, home, otp.Guard{Strict: true}, "a", "right")
	require.NoError(t, err)
}
