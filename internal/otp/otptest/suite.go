package otptest

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// TestStore runs the contract.
func TestStore(t *testing.T, open Opener) {
	for _, group := range []struct {
		name  string
		limit func(*otp.Limits)
		cases []contract
	}{
		{"code", onlyTheCode, codeCases},
		{"guesses", asTheyAre, guessCases},
		{"texts", asTheyAre, textCases},
		{"number", asTheyAre, numberCases},
	} {
		for _, c := range group.cases {
			t.Run(group.name+"/"+c.name, func(t *testing.T) {
				limits := Limits
				group.limit(&limits)
				if c.limit != nil {
					c.limit(&limits)
				}
				clock := NewClock()
				c.test(t, suite{t: t, Store: open(t, limits, clock.Now), clock: clock, limits: limits})
			})
		}
	}
}

// contract is one promise of otp.Store.
type contract struct {
	name string
	test func(t *testing.T, s suite)
	// limit changes the limits of its group.
	limit func(*otp.Limits)
}

func asTheyAre(*otp.Limits) {}

// onlyTheCode lifts what is not about one code and its gap.
func onlyTheCode(l *otp.Limits) {
	l.NumberGuessesPerSource, l.NumberGuesses, l.InARow = 0, 0, 0
	l.TextsPerSourceHour, l.TextsPerSourceDay, l.TextsPerHour, l.TextsPerDay = 0, 0, 0, 0
}

// suite is one store under test.
type suite struct {
	otp.Store
	t      *testing.T
	clock  *Clock
	limits otp.Limits
}

// Each is in a network of its own; neighbour is in home's.
var (
	home      = at("192.0.2.1")
	neighbour = at("192.0.2.2")
	office    = at("198.51.100.2")
	attack    = at("203.0.113.9")
)

var slot = otp.Slot{Number: "number", Client: "app", Connection: "sms"}

const day = 24 * time.Hour

func at(address string) origin.Origin { return origin.Company{}.Of(netip.MustParseAddr(address)) }

// stranger is the nth of many origins in different networks.
func stranger(n int) origin.Origin { return at(fmt.Sprintf("10.%d.%d.7", n/250, n%250)) }

func listed(from origin.Origin) origin.Origin {
	from.Listed = true
	return from
}

// openAs starts with a code that is its own digest.
func (s suite) openAs(from origin.Origin, guard otp.Guard, code string) (otp.Opened, error) {
	return s.Open(s.t.Context(), slot, from, guard, otp.Challenge{Nonce: "nonce-" + code, Digest: code})
}

func (s suite) open(from origin.Origin, code string) otp.Opened {
	s.t.Helper()
	opened, err := s.openAs(from, otp.Guard{}, code)
	require.NoError(s.t, err)
	return opened
}

func (s suite) throttled(from origin.Origin, code string, want rule.Name, wait time.Duration) {
	s.t.Helper()
	_, err := s.openAs(from, otp.Guard{}, code)
	require.Equal(s.t, &otp.ThrottledError{Rule: want, RetryAfter: wait}, err)
}

func (s suite) blocked(from origin.Origin, code string, want rule.Name, wait time.Duration) {
	s.t.Helper()
	require.Equal(s.t, &otp.BlockedError{Rule: want, RetryAfter: wait}, s.redeem(from, code))
}

func (s suite) redeem(from origin.Origin, code string) error {
	return s.attempt(from, code, otp.Attempt(rand.Text()))
}

func (s suite) attempt(from origin.Origin, code string, attempt otp.Attempt) error {
	compared, err := s.Redeem(s.t.Context(), slot, from, otp.Guard{}, code, attempt)
	if err == nil && compared.Nonce != "nonce-"+code {
		return fmt.Errorf("the right guess %q names another challenge, %q", code, compared.Nonce)
	}
	return err
}

func (s suite) restore(attempt otp.Attempt) {
	s.t.Helper()
	require.NoError(s.t, s.Restore(s.t.Context(), slot, attempt))
}

func (s suite) wrong(from origin.Origin, times int) {
	s.t.Helper()
	for range times {
		require.ErrorIs(s.t, s.redeem(from, "wrong"), otp.ErrInvalidCode)
	}
}

// signIn makes from's network trusted.
func (s suite) signIn(from origin.Origin, code string) {
	s.t.Helper()
	require.Equal(s.t, "nonce-"+code, s.open(from, code).Nonce)
	require.NoError(s.t, s.redeem(from, code))
}

// nextCode lets what is counted at the code be over, not what is counted at the number.
func (s suite) nextCode() { s.clock.Advance(s.limits.Lifetime) }

// exactly moves the clock over the edge of a wait: a millisecond before, refused still holds.
func (s suite) exactly(wait time.Duration, refused func(left time.Duration)) {
	s.t.Helper()
	s.clock.Advance(wait - time.Millisecond)
	refused(time.Millisecond)
	s.clock.Advance(time.Millisecond)
}

func (s suite) state() otp.State {
	s.t.Helper()
	state, err := s.State(s.t.Context(), slot.Number)
	require.NoError(s.t, err)
	return state
}
