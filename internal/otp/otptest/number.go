package otptest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

var numberCases = []contract{
	{name: "a number of which nothing is known", test: nothingKnown},
	{name: "unlock forgets guesses and texts", test: unlock},
	{name: "unlock gives a code no new guesses", test: unlockAndCode},
	{name: "numbers are apart", test: numbersApart},
	{name: "a call that is sent again is answered again and counted once", test: repeated},
	{name: "a recorded call that is sent again is answered again", test: repeatedRecorded, limit: func(l *otp.Limits) {
		l.NumberGuessesPerSource, l.TextsPerSourceHour, l.NumberAlarm = 1, 1, 1
		l.RecordOnly = rule.RecordOnly{rule.NumberGuessesSource: true, rule.NumberTextsSourceHour: true}
	}},
	{name: "a bounded number of networks is kept", test: boundedNetworks, limit: onlyTheCode},
}

func nothingKnown(t *testing.T, s suite) {
	require.Equal(t, otp.State{
		Blocked: map[rule.Name]time.Duration{}, Trusted: map[origin.Network]time.Duration{},
	}, s.state())
	require.NoError(t, s.Unlock(t.Context(), slot.Number))
}

func unlock(t *testing.T, s suite) {
	s.signIn(home, "a")
	for i := range 5 {
		s.text(stranger(i))
	}
	s.spend(20)
	require.Len(t, s.state().Blocked, 2)
	require.NoError(t, s.Unlock(t.Context(), slot.Number))
	state := s.state()
	require.Zero(t, state.Guesses+state.InARow+state.Texts)
	require.Empty(t, state.Blocked)
	require.Contains(t, state.Trusted, home.Network, "trusted networks stay")
	s.text(attack)
	s.wrong(attack, 5)
}

func unlockAndCode(t *testing.T, s suite) {
	s.open(home, "a")
	s.wrong(attack, 5)
	require.NoError(t, s.Unlock(t.Context(), slot.Number))
	require.ErrorIs(t, s.redeem(attack, "a"), otp.ErrTooManyGuesses)
	require.NoError(t, s.redeem(home, "a"))
}

func numbersApart(t *testing.T, s suite) {
	s.signIn(home, "a")
	s.spend(20)
	other := otp.Slot{Number: "other", Client: slot.Client, Connection: slot.Connection}
	opened, err := s.Open(t.Context(), other, home, otp.Guard{}, otp.Challenge{Nonce: "n", Digest: "d"})
	require.NoError(t, err)
	require.False(t, opened.Trusted)
	state, err := s.State(t.Context(), other.Number)
	require.NoError(t, err)
	require.Zero(t, state.Guesses)
}

// A client of a Cluster sends a script again when the answer is lost.
func repeated(t *testing.T, s suite) {
	first := s.open(home, "a")
	require.Equal(t, first, s.open(home, "a"))
	require.Equal(t, 1, s.state().Texts)
	for i := range 5 {
		attempt := otp.Attempt(fmt.Sprint("attempt ", i))
		require.ErrorIs(t, s.attempt(office, "wrong", attempt), otp.ErrInvalidCode)
		require.ErrorIs(t, s.attempt(office, "wrong", attempt), otp.ErrInvalidCode)
		require.Equal(t, i+1, s.state().Guesses)
		require.Equal(t, i+1, s.state().InARow)
	}
	for range 2 {
		compared, err := s.Redeem(t.Context(), slot, home, otp.Guard{}, "a", "mine")
		require.NoError(t, err)
		require.Equal(t, otp.Compared{Nonce: "nonce-a", Failures: 5}, compared)
	}
	require.ErrorIs(t, s.attempt(home, "a", "another"), otp.ErrInvalidCode)
}

func repeatedRecorded(t *testing.T, s suite) {
	s.open(home, "a")
	s.clock.Advance(time.Minute)
	for range 2 {
		require.Equal(t, []rule.Name{rule.NumberTextsSourceHour}, s.open(home, "b").Noted)
	}
	for range 2 {
		compared, err := s.Redeem(t.Context(), slot, home, otp.Guard{}, "wrong", "1")
		require.ErrorIs(t, err, otp.ErrInvalidCode)
		require.Equal(t, otp.Compared{Alarm: true}, compared)
	}
	for range 2 {
		compared, err := s.Redeem(t.Context(), slot, home, otp.Guard{}, "a", "2")
		require.NoError(t, err)
		require.Equal(t, otp.Compared{Nonce: "nonce-a", Failures: 1, Noted: []rule.Name{rule.NumberGuessesSource}}, compared)
	}
}

func boundedNetworks(t *testing.T, s suite) {
	for i := range otp.KeptNetworks + 5 {
		s.signIn(stranger(i), fmt.Sprint(i))
	}
	state := s.state()
	require.Len(t, state.Trusted, otp.KeptNetworks)
	require.NotContains(t, state.Trusted, stranger(4).Network)
	require.Contains(t, state.Trusted, stranger(5).Network)
}
