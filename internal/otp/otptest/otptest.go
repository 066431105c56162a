// Package otptest is the contract of otp.Store: a suite that every store passes.
package otptest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// Limits are the product's own numbers, as the suite's stores are opened with.
var Limits = otp.Limits{
	Lifetime: 300 * time.Second, RenewBelow: 120 * time.Second, ResendGap: 30 * time.Second,
	GuessesPerSource: 5, Guesses: 10,
}

// Clock is a time that a test moves.
type Clock struct{ at atomic.Int64 }

// NewClock starts at a whole millisecond, which is what stores resolve.
func NewClock() *Clock {
	c := &Clock{}
	c.at.Store(time.Now().UnixMilli())
	return c
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.at.Load()) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

const (
	home   otp.Source = "192.0.2.1"
	office otp.Source = "192.0.2.2"
	attack otp.Source = "198.51.100.9"
)

// TestStore runs the contract. open returns an empty store with Limits that goes by now.
func TestStore(t *testing.T, open func(t *testing.T, now func() time.Time) otp.Store) {
	run := func(name string, f func(t *testing.T, s suite)) {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			f(t, suite{t: t, Store: open(t, clock.Now), clock: clock})
		})
	}
	run("a start within the gap keeps the code and sends nothing", startInGap)
	run("a start after the gap sends the same code with the same end", startAfterGap)
	run("a start near the end makes a new code and the old is void", startNearEnd)
	run("no start refills guesses", noRefill)
	run("a dead code is replaced after the gap", deadCode)
	run("a source cannot spend another's guesses", sourcesApart)
	run("the right code after too many wrong ones stays refused", rightAfterTooMany)
	run("a used code is dead", usedCode)
	run("a code is over at its end", overAtEnd)
	run("a number without a challenge is counted alike", withoutChallenge)
	run("a code works only in its own slot", ownSlot)
	run("a restored code works once more", restored)
	run("an attempt cannot restore what another used", restoreOfAnother)
	run("a restore does not void a newer code", restoreAfterNewer)
	run("release ends the gap that its text began", released)
	run("a call that is sent again is answered again", repeated)
	run("what became of a text does not show", fateOfATextDoesNotShow)
	run("of many right codes one wins", raceRight)
	run("never more guesses are compared than the limit", raceWrong)
	run("many starts at once make one code and one text", raceStart)
}

type suite struct {
	otp.Store
	t     *testing.T
	clock *Clock
}

var slot = otp.Slot{Number: "number", Client: "app", Connection: "sms"}

func (s suite) open(from otp.Source, code string) otp.Opened {
	s.t.Helper()
	opened, err := s.Open(context.Background(), slot, from, otp.Challenge{Nonce: "nonce-" + code, Digest: code})
	require.NoError(s.t, err)
	return opened
}

func (s suite) throttled(from otp.Source, code string, want time.Duration) {
	s.t.Helper()
	_, err := s.Open(context.Background(), slot, from, otp.Challenge{Nonce: "nonce-" + code, Digest: code})
	var throttled *otp.ThrottledError
	require.ErrorAs(s.t, err, &throttled)
	require.InDelta(s.t, want.Seconds(), throttled.RetryAfter.Seconds(), 1)
}

func (s suite) redeem(from otp.Source, code string) error {
	return s.attempt(from, code, otp.Attempt(rand.Text()))
}

func (s suite) attempt(from otp.Source, code string, attempt otp.Attempt) error {
	use, err := s.Redeem(context.Background(), slot, from, code, attempt)
	if err == nil && !strings.HasPrefix(use, "nonce-"+code) {
		return fmt.Errorf("the use %q of %q is not named after its nonce", use, code)
	}
	return err
}

func (s suite) restore(attempt otp.Attempt) {
	s.t.Helper()
	require.NoError(s.t, s.Restore(context.Background(), slot, attempt))
}

func (s suite) wrong(from otp.Source, times int) {
	s.t.Helper()
	for range times {
		require.ErrorIs(s.t, s.redeem(from, "wrong"), otp.ErrInvalidCode)
	}
}

func startInGap(t *testing.T, s suite) {
	first := s.open(home, "a")
	require.True(t, first.Send)
	require.Equal(t, Limits.Lifetime, first.Left)
	s.clock.Advance(29 * time.Second)
	second := s.open(office, "b")
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: first.Left - 29*time.Second}, second)
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

func noRefill(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(home, 4)
	s.clock.Advance(31 * time.Second)
	s.open(home, "b")
	s.wrong(home, 1)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses)
	s.clock.Advance(31 * time.Second)
	s.throttled(home, "c", (300-62-120)*time.Second)
	require.NoError(t, s.redeem(office, "a"), "the code lives on for others")
}

func deadCode(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(attack, 5)
	s.wrong(office, 5)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses)
	s.throttled(home, "b", 30*time.Second)
	s.clock.Advance(30 * time.Second)
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
		_, err := s.Redeem(context.Background(), other, home, "a", "an attempt")
		require.ErrorIs(t, err, otp.ErrInvalidCode)
	}
	require.NoError(t, s.redeem(home, "a"))
}

func restored(t *testing.T, s suite) {
	first := s.open(home, "a")
	s.wrong(home, 4)
	use, err := s.Redeem(context.Background(), slot, home, "a", "mine")
	require.NoError(t, err)
	s.restore("mine")
	s.clock.Advance(31 * time.Second)
	require.Equal(t, first.Left-31*time.Second, s.open(home, "b").Left)
	again, err := s.Redeem(context.Background(), slot, home, "a", "again")
	require.NoError(t, err)
	require.NotEqual(t, use, again, "a restored code is another use")
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
	require.NoError(t, s.Restore(context.Background(), otp.Slot{Number: "never"}, "mine"))
}

func released(t *testing.T, s suite) {
	release := func(nonce string) {
		t.Helper()
		require.NoError(t, s.Release(context.Background(), slot.Number, nonce))
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
}

// A client of a Cluster sends a script again when the answer is lost.
func repeated(t *testing.T, s suite) {
	first := s.open(home, "a")
	require.Equal(t, first, s.open(home, "a"))
	require.NoError(t, s.attempt(home, "a", "mine"))
	require.NoError(t, s.attempt(home, "a", "mine"))
	require.ErrorIs(t, s.attempt(home, "a", "another"), otp.ErrInvalidCode)
}

func raceRight(t *testing.T, s suite) {
	s.open(home, "a")
	right, _ := race(200, func(int) error { return s.redeem(home, "a") })
	require.Equal(t, 1, right)
}

func raceWrong(t *testing.T, s suite) {
	for round := range 5 {
		code := fmt.Sprint("code", round)
		s.open(otp.Source(fmt.Sprint("opener", round)), code)
		right, compared := race(300, func(i int) error {
			from := otp.Source(fmt.Sprintf("source-%d", i%10))
			if i == 150 {
				return s.redeem(from, code)
			}
			return s.redeem(from, "wrong")
		})
		require.LessOrEqual(t, compared, Limits.Guesses+right)
		s.clock.Advance(301 * time.Second)
	}
}

func raceStart(t *testing.T, s suite) {
	var sent atomic.Int32
	nonces := sync.Map{}
	race(100, func(i int) error {
		opened, err := s.Open(context.Background(), slot, home, otp.Challenge{Nonce: fmt.Sprint(i), Digest: fmt.Sprint(i)})
		if err != nil {
			return err
		}
		nonces.Store(opened.Nonce, true)
		if opened.Send {
			sent.Add(1)
		}
		return nil
	})
	require.EqualValues(t, 1, sent.Load())
	distinct := 0
	nonces.Range(func(any, any) bool { distinct++; return true })
	require.Equal(t, 1, distinct)
}

// race calls f n times at once and returns how many calls were right, and how many were compared
// with the code at all.
func race(n int, f func(i int) error) (right, compared int) {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			errs[i] = f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	for _, err := range errs {
		if err == nil {
			right++
		}
		if !errors.Is(err, otp.ErrTooManyGuesses) {
			compared++
		}
	}
	return right, compared
}

// What became of a text must not show in an answer (U1).
func fateOfATextDoesNotShow(t *testing.T, s suite) {
	s.open(home, "a")
	require.NoError(t, s.Release(context.Background(), slot.Number, "nonce-a"))
	other := otp.Slot{Number: slot.Number, Client: "other", Connection: slot.Connection}
	_, err := s.Open(context.Background(), other, home, otp.Challenge{Nonce: "n", Digest: "d"})
	var throttled *otp.ThrottledError
	require.ErrorAs(t, err, &throttled, "as it is when the text was sent")
	s.clock.Advance(Limits.ResendGap)
	_, err = s.Open(context.Background(), other, home, otp.Challenge{Nonce: "n", Digest: "d"})
	require.NoError(t, err)
}
