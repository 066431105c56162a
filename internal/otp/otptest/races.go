package otptest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
)

func raceRight(t *testing.T, s suite) {
	s.open(home, "a")
	right, _ := race(200, func(int) error { return s.redeem(home, "a") })
	require.Equal(t, 1, right)
}

func raceWrong(t *testing.T, s suite) {
	for round := range 5 {
		code := fmt.Sprint("code", round)
		s.open(stranger(100+round), code)
		right, compared := race(300, func(i int) error {
			if i == 150 {
				return s.redeem(stranger(i%10), code)
			}
			return s.redeem(stranger(i%10), "wrong")
		})
		require.Equal(t, Limits.Guesses+right, compared)
		s.clock.Advance(301 * time.Second)
	}
}

func raceStart(t *testing.T, s suite) {
	var sent atomic.Int32
	nonces := sync.Map{}
	race(100, func(i int) error {
		opened, err := s.openAs(home, otp.Guard{}, fmt.Sprint(i))
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

// Guesses at four codes of one number, so that C4 alone would allow forty: T1 stops them at twenty.
func raceNumber(t *testing.T, s suite) {
	_, compared := race(300, func(i int) error {
		elsewhere := slot
		elsewhere.Client = fmt.Sprint("client", i%4)
		_, err := s.Redeem(t.Context(), elsewhere, stranger(i%10), otp.Guard{}, "wrong", otp.Attempt(fmt.Sprint(i)))
		return err
	})
	require.Equal(t, Limits.NumberGuesses, compared)
	require.Equal(t, Limits.NumberGuesses, s.state().Guesses)
}

func raceTexts(t *testing.T, s suite) {
	var sent atomic.Int32
	race(200, func(i int) error {
		opened, err := s.openAs(stranger(i%50), otp.Guard{}, fmt.Sprint(i))
		if opened.Send {
			sent.Add(1)
		}
		return err
	})
	require.EqualValues(t, Limits.TextsPerHour, sent.Load())
	require.Equal(t, Limits.TextsPerHour, s.state().Texts)
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
		switch {
		case err == nil:
			right++
			compared++
		case errors.Is(err, otp.ErrInvalidCode):
			compared++
		}
	}
	return right, compared
}
