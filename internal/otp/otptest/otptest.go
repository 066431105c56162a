// Package otptest is the contract of otp.Store: a suite that every store passes, a store in memory, and
// a random walk that finds where two stores differ.
package otptest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// Limits are the product's own numbers.
var Limits = otp.Limits{
	Lifetime: 300 * time.Second, RenewBelow: 120 * time.Second, ResendGap: 30 * time.Second,
	GuessesPerSource: 5, Guesses: 10, StrictGuessesPerSource: 2, StrictGuesses: 4,
	NumberGuessesPerSource: 5, NumberGuesses: 20, NumberAlarm: 10,
	InARow: 100, ForgetRow: 90 * 24 * time.Hour,
	TextsPerSourceHour: 3, TextsPerSourceDay: 5, TextsPerHour: 6, TextsPerDay: 12, TextsKept: 3,
	TrustFor: 30 * 24 * time.Hour,
}

// Opener opens an empty store that goes by now.
type Opener func(t testing.TB, limits otp.Limits, now func() time.Time) otp.Store

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
