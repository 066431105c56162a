package otp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
)

const agreed otp.Code = "246810"

// withReviewer is a Service with one reviewer, for a day.
func withReviewer(t *testing.T) (parts, otp.Key, time.Time) {
	t.Helper()
	key, until := keyFor(t, "+447700900123"), time.Now().Add(24*time.Hour)
	return newParts(t, otp.Reviewer{Key: key, Code: agreed, Until: until}), key, until
}

func TestAReviewerSignsInWithTheAgreedCode(t *testing.T) {
	p, key, _ := withReviewer(t)
	require.ErrorIs(t, redeem(t.Context(), p, key, home, agreed), otp.ErrInvalidCode, "not without a start")
	started := p.start(t, key)
	require.False(t, started.Send, "nobody reads texts there")
	require.Equal(t, string(agreed), string(started.Code))

	redeemed, err := p.Redeem(t.Context(), key, home, otp.Guard{}, agreed)
	require.NoError(t, err)
	require.Equal(t, started.ID, redeemed.Challenge)
	require.Equal(t, 1, redeemed.Failures)
	require.ErrorIs(t, redeem(t.Context(), p, key, home, agreed), otp.ErrInvalidCode, "used once")
	require.NoError(t, p.Restore(t.Context(), key, redeemed.Attempt))
	require.NoError(t, redeem(t.Context(), p, key, home, agreed))

	again := p.start(t, key)
	require.NotEqual(t, started.ID, again.ID)
	require.NoError(t, redeem(t.Context(), p, key, home, agreed), "and again after another start")
}

func TestAReviewerHasTheLimitsOfAll(t *testing.T) {
	p, key, _ := withReviewer(t)
	p.start(t, key)
	for range otptest.Limits.GuessesPerSource {
		require.ErrorIs(t, redeem(t.Context(), p, key, home, another(agreed)), otp.ErrInvalidCode)
	}
	require.ErrorIs(t, redeem(t.Context(), p, key, home, agreed), otp.ErrTooManyGuesses)
	p.clock.Advance(otptest.Limits.Lifetime)
	var blocked *otp.BlockedError
	require.ErrorAs(t, redeem(t.Context(), p, key, home, agreed), &blocked)
	state, err := p.State(t.Context(), key.Number)
	require.NoError(t, err)
	require.Equal(t, otptest.Limits.NumberGuessesPerSource, state.Guesses)
	require.Equal(t, 1, state.Texts, "counted, although none goes out")
}

func TestAnAgreedCodeIsForItsKeyOnly(t *testing.T) {
	p, key, _ := withReviewer(t)
	for name, other := range map[string]otp.Key{
		"client": {Client: "web", Connection: "sms", Number: key.Number},
		"number": keyFor(t, "+447700900124"),
	} {
		p.clock.Advance(otptest.Limits.ResendGap)
		started := p.start(t, other)
		require.True(t, started.Send, name)
		require.NotEqual(t, string(agreed), string(started.Code), name)
		require.ErrorIs(t, redeem(t.Context(), p, other, home, agreed), otp.ErrInvalidCode, name)
	}
}

// Also where the challenge was begun before the end, and outlives it.
func TestAnAgreedCodeEndsOnItsDay(t *testing.T) {
	p, key, until := withReviewer(t)
	p.clock.Advance(until.Sub(p.clock.Now()) - time.Minute)
	p.start(t, key)
	p.clock.Advance(time.Minute + time.Millisecond)
	require.ErrorIs(t, redeem(t.Context(), p, key, home, agreed), otp.ErrInvalidCode)
	started := p.start(t, key)
	require.True(t, started.Send, "from then on the number is as any")
	require.NotEqual(t, string(agreed), string(started.Code))
	require.NoError(t, redeem(t.Context(), p, key, home, started.Code), "the code that is texted is the one that works")
}
