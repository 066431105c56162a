package otptest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

var guessCases = []contract{
	{name: "a source has five wrong guesses a day at a number", test: guessesOfASource},
	{name: "a number has twenty wrong guesses a day from strangers", test: guessesOfANumber},
	{name: "the window slides from one guess to the next", test: guessesSlide},
	{name: "a trusted origin is not stopped by others", test: trustedGoesOn},
	{name: "a listed origin is not stopped by others", test: listedGoesOn},
	{name: "trust ends", test: trustEnds},
	{name: "requests without an address make nothing trusted", test: unknownIsNotTrusted},
	{name: "a success clears the failures of its source only", test: successClearsItsSource},
	{name: "a hundred in a row leave trusted origins only", test: inARow, limit: onlyInARow},
	{name: "a row is forgotten", test: rowForgotten, limit: onlyInARow},
	{name: "a row ends with a success", test: rowEnds, limit: onlyInARow},
	{name: "refused guesses change nothing", test: hammering},
	{name: "the alarm goes once", test: alarm},
	{name: "failures are those since the last success, of a day", test: failures},
	{name: "a guard for trusted origins refuses others without effect", test: trustedOnly},
	{name: "recorded rules refuse nothing", test: recordedGuesses, limit: func(l *otp.Limits) {
		l.InARow = 6
		l.RecordOnly = rule.RecordOnly{
			rule.NumberGuessesSource: true, rule.NumberGuesses: true, rule.NumberInARow: true,
			rule.CodeGuesses: true, rule.CodeGuessesSource: true, // which cannot be
		}
	}},
	{name: "lifted rules keep a bounded number of guesses", test: boundedGuesses, limit: func(l *otp.Limits) {
		l.NumberGuesses, l.NumberGuessesPerSource, l.InARow = 0, 0, 0
	}},
	{name: "a number never asked for is counted as one with a code", test: neverAskedFor},
	{name: "never more guesses at a number are compared than the limit", test: raceNumber},
}

func onlyInARow(l *otp.Limits) { l.NumberGuesses, l.NumberGuessesPerSource = 0, 0 }

func guessesOfASource(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(home, 4)
	s.clock.Advance(time.Second)
	s.wrong(home, 1)
	require.ErrorIs(t, s.redeem(home, "a"), otp.ErrTooManyGuesses, "C4 comes first")
	s.throttled(home, "b", rule.NumberGuessesSource, day-time.Second)
	s.nextCode()
	s.open(office, "b")
	s.blocked(home, "b", rule.NumberGuessesSource, day-301*time.Second)
	require.NoError(t, s.redeem(office, "b"), "nobody else is locked out")

	s.blocked(home, "b", rule.NumberGuessesSource, day-301*time.Second)
	s.exactly(day-301*time.Second, func(left time.Duration) {
		s.blocked(home, "x", rule.NumberGuessesSource, left)
		s.throttled(home, "x", rule.NumberGuessesSource, left)
	})
	s.open(home, "c")
	s.wrong(home, 4)
	s.blocked(home, "c", rule.NumberGuessesSource, time.Second)
}

// spend makes n wrong guesses from as many strangers as it takes.
func (s suite) spend(n int) {
	s.t.Helper()
	for i := range n {
		if i > 0 && i%s.limits.Guesses == 0 {
			s.nextCode()
		}
		s.wrong(stranger(s.state().InARow/3), 1)
	}
	s.nextCode()
}

func guessesOfANumber(t *testing.T, s suite) {
	s.spend(20)
	s.blocked(office, "x", rule.NumberGuesses, day-2*s.limits.Lifetime)
	s.throttled(office, "x", rule.NumberGuesses, day-2*s.limits.Lifetime)
	require.Equal(t, otp.State{
		Guesses: 20, InARow: 20, Trusted: map[origin.Network]time.Duration{},
		Blocked: map[rule.Name]time.Duration{rule.NumberGuesses: day - 2*s.limits.Lifetime},
	}, s.state())
	s.exactly(day-2*s.limits.Lifetime, func(left time.Duration) { s.blocked(office, "x", rule.NumberGuesses, left) })
	s.open(office, "a")
	require.NoError(t, s.redeem(office, "a"))
}

func guessesSlide(_ *testing.T, s suite) {
	for i := range 20 {
		s.wrong(stranger(i), 1)
		s.clock.Advance(time.Hour)
	}
	s.clock.Advance(4*time.Hour - time.Millisecond)
	for i := 20; i < 30; i++ { // each takes the place of one a day before, to the millisecond
		s.blocked(stranger(i), "x", rule.NumberGuesses, time.Millisecond)
		s.clock.Advance(time.Millisecond)
		s.wrong(stranger(i), 1)
		s.blocked(stranger(i), "x", rule.NumberGuesses, time.Hour)
		s.clock.Advance(time.Hour - time.Millisecond)
	}
}

func trustedGoesOn(t *testing.T, s suite) {
	s.signIn(home, "a")
	s.spend(20)
	s.blocked(office, "x", rule.NumberGuesses, day-2*s.limits.Lifetime)
	require.True(t, s.open(neighbour, "b").Trusted, "all of the network is")
	s.wrong(neighbour, 1)
	require.NoError(t, s.redeem(neighbour, "b"))

	s.wrong(home, 5)
	s.nextCode()
	s.blocked(home, "x", rule.NumberGuessesSource, day-s.limits.Lifetime)
	s.throttled(home, "x", rule.NumberGuessesSource, day-s.limits.Lifetime)
	s.wrong(neighbour, 1)
}

func listedGoesOn(t *testing.T, s suite) {
	s.spend(20)
	require.False(t, s.open(listed(office), "a").Trusted, "nobody has signed in from there")
	require.NoError(t, s.redeem(listed(office), "a"))
	for range 4 { // an address of many people has as many as all
		s.wrong(listed(office), 5)
		s.nextCode()
	}
	s.blocked(listed(office), "x", rule.NumberGuessesSource, day-4*s.limits.Lifetime)
	s.wrong(listed(stranger(900)), 5)
	s.wrong(listed(stranger(901)), 5)
	s.nextCode()
	s.blocked(attack, "x", rule.NumberGuesses, day-3*s.limits.Lifetime) // ten of thirty have to leave, and one more
}

func trustEnds(t *testing.T, s suite) {
	require.False(t, s.open(home, "a").Trusted)
	require.NoError(t, s.redeem(home, "a"))
	s.clock.Advance(10 * day)
	s.signIn(office, "b")
	require.Equal(t, map[origin.Network]time.Duration{home.Network: 20 * day, office.Network: 30 * day}, s.state().Trusted)
	s.clock.Advance(20*day - time.Millisecond)
	require.True(t, s.open(home, "c").Trusted)
	s.clock.Advance(time.Millisecond)
	require.False(t, s.open(home, "d").Trusted)
	require.True(t, s.open(office, "e").Trusted)
	require.NoError(t, s.redeem(office, "c"), "which begins anew")
	require.Equal(t, map[origin.Network]time.Duration{office.Network: 30 * day}, s.state().Trusted)
}

func unknownIsNotTrusted(t *testing.T, s suite) {
	unknown := origin.Company{}.Of(netip.Addr{})
	s.signIn(unknown, "a")
	require.False(t, s.open(unknown, "b").Trusted)
	require.Empty(t, s.state().Trusted)
}

func successClearsItsSource(t *testing.T, s suite) {
	s.wrong(office, 4)
	s.nextCode()
	s.open(home, "a")
	s.wrong(home, 4)
	require.NoError(t, s.redeem(home, "a"))
	state := s.state()
	require.Equal(t, []int{4, 0}, []int{state.Guesses, state.InARow})
	s.nextCode()
	s.wrong(office, 1)
	s.nextCode()
	s.blocked(office, "x", rule.NumberGuessesSource, day-3*s.limits.Lifetime)
	s.wrong(home, 5)
}

func inARow(t *testing.T, s suite) {
	s.open(home, "a")
	require.NoError(t, s.redeem(home, "a"))
	s.spend(99)
	s.wrong(office, 1)
	s.blocked(attack, "x", rule.NumberInARow, s.limits.ForgetRow)
	s.throttled(attack, "x", rule.NumberInARow, s.limits.ForgetRow)
	require.Equal(t, map[rule.Name]time.Duration{rule.NumberInARow: s.limits.ForgetRow}, s.state().Blocked)
	s.clock.Advance(2 * day)
	s.blocked(attack, "x", rule.NumberInARow, s.limits.ForgetRow-2*day)
	s.wrong(neighbour, 1)
	s.blocked(attack, "x", rule.NumberInARow, s.limits.ForgetRow)
	require.Equal(t, 101, s.state().InARow)
}

func rowForgotten(t *testing.T, s suite) {
	s.spend(100)
	wait := s.limits.ForgetRow - s.limits.Lifetime
	s.exactly(wait, func(left time.Duration) {
		s.blocked(attack, "x", rule.NumberInARow, left)
		require.Equal(t, 100, s.state().InARow)
	})
	require.Zero(t, s.state().InARow)
	s.wrong(attack, 1)
	require.Equal(t, 1, s.state().InARow)
}

func rowEnds(t *testing.T, s suite) {
	s.spend(99)
	s.open(home, "a")
	require.NoError(t, s.redeem(home, "a"))
	s.spend(99)
	s.wrong(office, 1)
	s.blocked(attack, "x", rule.NumberInARow, s.limits.ForgetRow)
	s.signIn(home, "b")
	s.nextCode()
	s.wrong(attack, 1)
}

// What is refused neither moves the end of the block nor counts for anybody else (T7).
func hammering(t *testing.T, s suite) {
	s.wrong(attack, 5)
	s.nextCode()
	before := s.state()
	for i := range 30 {
		s.blocked(attack, "x", rule.NumberGuessesSource, day-s.limits.Lifetime-time.Duration(i)*time.Minute)
		s.throttled(attack, "x", rule.NumberGuessesSource, day-s.limits.Lifetime-time.Duration(i)*time.Minute)
		s.clock.Advance(time.Minute)
	}
	require.Equal(t, before, s.state())
	s.open(home, "a")
	for range 10 {
		s.blocked(attack, "x", rule.NumberGuessesSource, day-s.limits.Lifetime-30*time.Minute)
	}
	s.wrong(home, 4)
	require.NoError(t, s.redeem(home, "a"), "the code has all its guesses")
}

func alarm(t *testing.T, s suite) {
	var alarms []int
	guess := func(i int, digest string) {
		compared, _ := s.Redeem(t.Context(), slot, stranger(i), otp.Guard{}, digest, otp.Attempt(fmt.Sprint(i)))
		if compared.Alarm {
			alarms = append(alarms, i)
		}
	}
	s.open(home, "a")
	for i := range 9 {
		guess(i, "wrong")
	}
	guess(9, "a")
	require.Empty(t, alarms, "a right guess is none")
	s.nextCode()
	for i := 10; i < 25; i++ {
		guess(i, "wrong")
	}
	require.Equal(t, []int{10}, alarms)
}

func failures(t *testing.T, s suite) {
	right := func(from origin.Origin, code string, want int) {
		t.Helper()
		s.open(from, code)
		compared, err := s.Redeem(t.Context(), slot, from, otp.Guard{}, code, otp.Attempt(code))
		require.NoError(t, err)
		require.Equal(t, want, compared.Failures)
	}
	right(home, "a", 0)
	s.wrong(attack, 4)
	s.clock.Advance(time.Hour)
	s.wrong(office, 2)
	s.wrong(home, 1)
	right(home, "b", 7)
	right(home, "c", 0)
	s.wrong(office, 1)
	s.clock.Advance(day - time.Minute)
	s.wrong(attack, 1)
	s.clock.Advance(2 * time.Minute)
	right(office, "d", 1)
}

func trustedOnly(t *testing.T, s suite) {
	guard := otp.Guard{TrustedOnly: true}
	s.signIn(home, "a")
	before := s.state()
	_, err := s.openAs(office, guard, "b")
	require.ErrorIs(t, err, otp.ErrUntrusted)
	_, err = s.Redeem(t.Context(), slot, office, guard, "wrong", "1")
	require.ErrorIs(t, err, otp.ErrUntrusted)
	require.Equal(t, before, s.state())
	opened, err := s.openAs(neighbour, guard, "c")
	require.NoError(t, err)
	require.True(t, opened.Trusted)
	_, err = s.openAs(listed(office), guard, "c")
	require.NoError(t, err)
	_, err = s.openAs(listed(office), otp.Guard{KnownOnly: true}, "c")
	require.ErrorIs(t, err, otp.ErrUntrusted, "listed, and not known for the number")
	_, err = s.openAs(neighbour, otp.Guard{KnownOnly: true}, "c")
	require.NoError(t, err)
	_, err = s.Redeem(t.Context(), slot, office, guard, "c", "2")
	require.ErrorIs(t, err, otp.ErrUntrusted, "the right code too, which stays good")
	_, err = s.Redeem(t.Context(), slot, neighbour, guard, "c", "3")
	require.NoError(t, err)
}

func recordedGuesses(t *testing.T, s suite) {
	guess := func(from origin.Origin, digest string) ([]rule.Name, error) {
		compared, err := s.Redeem(t.Context(), slot, from, otp.Guard{}, digest, otp.Attempt(fmt.Sprint(from, s.clock.Now())))
		s.clock.Advance(time.Millisecond)
		return compared.Noted, err
	}
	for range 5 {
		noted, err := guess(home, "wrong")
		require.ErrorIs(t, err, otp.ErrInvalidCode)
		require.Empty(t, noted)
	}
	_, err := guess(home, "wrong")
	require.ErrorIs(t, err, otp.ErrTooManyGuesses, "C4 is not only recorded")
	s.nextCode()
	noted, err := guess(home, "wrong")
	require.ErrorIs(t, err, otp.ErrInvalidCode)
	require.Equal(t, []rule.Name{rule.NumberGuessesSource}, noted)
	for i := range 14 {
		s.nextCode()
		_, err := guess(stranger(i), "wrong")
		require.ErrorIs(t, err, otp.ErrInvalidCode)
	}
	s.nextCode()
	opened := s.open(home, "a")
	all := []rule.Name{rule.NumberGuessesSource, rule.NumberGuesses, rule.NumberInARow}
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: 300 * time.Second, Send: true, Noted: all}, opened)
	noted, err = guess(home, "a")
	require.NoError(t, err)
	require.Equal(t, all, noted)
	require.Empty(t, s.state().Blocked)
}

func boundedGuesses(t *testing.T, s suite) {
	for i := range 400 {
		s.wrong(stranger(i), 1)
		if i%5 == 0 {
			s.nextCode()
		}
	}
	state := s.state()
	require.Equal(t, s.limits.Kept(), state.Guesses)
	require.Equal(t, 400, state.InARow)
}

// Whoever guesses learns nothing of whether there is a code (C9).
func neverAskedFor(t *testing.T, s suite) {
	asked, never := slot, slot
	never.Number = "never asked for"
	s.open(home, "a")
	for i := range 200 {
		var answers []any
		for _, where := range []otp.Slot{asked, never} {
			compared, err := s.Redeem(t.Context(), where, stranger(i*7%9), otp.Guard{}, "wrong", otp.Attempt(fmt.Sprint(i)))
			state, failed := s.State(t.Context(), where.Number)
			require.NoError(t, failed)
			answers = append(answers, []any{compared, err, state.Guesses, state.InARow, state.Blocked})
		}
		require.Equal(t, answers[0], answers[1], i)
		s.clock.Advance(37 * time.Second)
		if i%20 == 19 {
			s.clock.Advance(11 * time.Hour)
			require.NoError(t, s.Unlock(t.Context(), asked.Number))
			require.NoError(t, s.Unlock(t.Context(), never.Number))
		}
	}
}
