package otp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/store/redis"
)

var home = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}

var secret = bytes.Repeat([]byte("s"), 32)

// parts is a Service over the in-process engine, and what a test looks at behind its back.
type parts struct {
	*otp.Service
	clock  *otptest.Clock
	client goredis.UniversalClient
	store  otp.Store
}

func newParts(t *testing.T, reviewers ...otp.Reviewer) parts {
	t.Helper()
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	clock := otptest.NewClock()
	store := redis.NewChallenges(client, "t:", otptest.Limits).WithClock(clock.Now)
	service, err := otp.NewService(store, secret, otp.Options{Reviewers: reviewers, Now: clock.Now})
	require.NoError(t, err)
	return parts{service, clock, client, store}
}

// redeem is for tests that have nothing to give back.
func redeem(ctx context.Context, s interface {
	Redeem(context.Context, otp.Key, origin.Origin, otp.Guard, otp.Code) (otp.Redeemed, error)
}, key otp.Key, from origin.Origin, code otp.Code) error {
	_, err := s.Redeem(ctx, key, from, otp.Guard{}, code)
	return err
}

func keyFor(t *testing.T, e164 string) otp.Key {
	t.Helper()
	number, err := phone.Stored(e164)
	require.NoError(t, err)
	return otp.Key{Client: "app", Connection: "sms", Number: number}
}

func (p parts) start(t *testing.T, key otp.Key) otp.Started {
	t.Helper()
	started, err := p.Start(t.Context(), key, home, otp.Guard{})
	require.NoError(t, err)
	return started
}

// another is a code that is not code.
func another(code otp.Code) otp.Code {
	last := code[len(code)-1]
	return code[:len(code)-1] + otp.Code('0'+(last-'0'+1)%10)
}

func TestNewServiceRefusesAShortSecret(t *testing.T) {
	for size, ok := range map[int]bool{0: false, 31: false, 32: true, 64: true} {
		_, err := otp.NewService(nil, make([]byte, size), otp.Options{})
		require.Equal(t, ok, err == nil, size)
	}
}

func TestAResendIsTheSameCode(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	first := p.start(t, key)
	require.Regexp(t, `\A[0-9]{6}\z`, string(first.Code))
	require.NotEmpty(t, first.ID)
	require.True(t, first.Send)
	require.Equal(t, otptest.Limits.Lifetime, first.Left)

	p.clock.Advance(otptest.Limits.ResendGap - time.Millisecond)
	quiet := p.start(t, key)
	require.False(t, quiet.Send)
	p.clock.Advance(time.Millisecond)
	resent := p.start(t, key)
	require.True(t, resent.Send)
	for _, again := range []otp.Started{quiet, resent} {
		require.Equal(t, first.ID, again.ID)
		require.Equal(t, string(first.Code), string(again.Code))
		require.NotEqual(t, first.Text, again.Text)
	}
	require.Equal(t, first.Left-otptest.Limits.ResendGap, resent.Left, "the same end")

	require.NoError(t, redeem(t.Context(), p, key, home, first.Code))
	require.ErrorIs(t, redeem(t.Context(), p, key, home, first.Code), otp.ErrInvalidCode)
	next := p.start(t, key)
	require.NotEqual(t, first.ID, next.ID, "a new code has a new ID")
}

// A replica is a Service with the same secret and the same Redis.
func TestReplicasShareCodes(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	replica, err := otp.NewService(p.store, secret, otp.Options{})
	require.NoError(t, err)
	first := p.start(t, key)
	second, err := replica.Start(t.Context(), key, home, otp.Guard{})
	require.NoError(t, err)
	require.Equal(t, first.ID, second.ID)
	require.Equal(t, string(first.Code), string(second.Code))
	require.NoError(t, redeem(t.Context(), replica, key, home, first.Code))
}

func TestAnotherSecretMakesLivingCodesWrong(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	first := p.start(t, key)
	stranger, err := otp.NewService(p.store, bytes.Repeat([]byte("x"), 32), otp.Options{})
	require.NoError(t, err)
	require.ErrorIs(t, redeem(t.Context(), stranger, key, home, first.Code), otp.ErrInvalidCode)
	require.NoError(t, redeem(t.Context(), p, key, home, first.Code))
}

func TestACodeWorksOnlyForItsKey(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	started := p.start(t, key)
	for name, elsewhere := range map[string]otp.Key{
		"client":     {Client: "web", Connection: "sms", Number: key.Number},
		"connection": {Client: "app", Connection: "email", Number: key.Number},
		"number":     keyFor(t, "+447700900124"),
	} {
		require.ErrorIs(t, redeem(t.Context(), p, elsewhere, home, started.Code), otp.ErrInvalidCode, name)
	}
	require.NoError(t, redeem(t.Context(), p, key, home, started.Code))
}

// Whoever reads Redis learns neither a code nor whose it is (C7).
func TestWhatRestsRevealsNothing(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	started := p.start(t, key)
	require.ErrorIs(t, redeem(t.Context(), p, key, home, another(started.Code)), otp.ErrInvalidCode)
	p.reveals(t, started)
	redeemed, err := p.Redeem(t.Context(), key, home, otp.Guard{}, started.Code)
	require.NoError(t, err)
	p.reveals(t, started)
	require.NoError(t, p.Restore(t.Context(), key, redeemed.Attempt))
	p.reveals(t, started)
}

func (p parts) reveals(t *testing.T, started otp.Started) {
	t.Helper()
	secrets := []string{string(started.Code), "7700900123"}
	for _, guessed := range []string{string(started.Code), "+447700900123", "447700900123"} {
		bare := sha256.Sum256([]byte(guessed))
		secrets = append(secrets, hex.EncodeToString(bare[:8]), base64.RawURLEncoding.EncodeToString(bare[:9]),
			base64.RawStdEncoding.EncodeToString(bare[:9]))
	}
	keys, err := p.client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	challenges := 0
	for _, name := range keys {
		for _, hidden := range secrets {
			require.NotContains(t, name, hidden)
		}
		if !strings.Contains(name, ":challenge:") {
			fields, err := p.client.HGetAll(t.Context(), name).Result()
			require.NoError(t, err)
			p.revealsNothingOfTheNumber(t, fields, secrets)
			continue
		}
		challenges++
		fields, err := p.client.HGetAll(t.Context(), name).Result()
		require.NoError(t, err)
		for field, value := range fields {
			switch field {
			case "n", "d", "u", "a", "o":
				for _, hidden := range secrets {
					require.NotContains(t, value, hidden, field)
				}
			case "e":
				require.Equal(t, strconv.FormatInt(p.clock.Now().Add(started.Left).UnixMilli(), 10), value)
			case "g", "r", "f", "s:" + string(home.Source):
				require.Equal(t, "1", value)
			default:
				t.Fatalf("a field that nobody has looked at: %s", field)
			}
		}
	}
	require.Equal(t, 1, challenges)
}

// Each line begins with the time, in which any digits may stand.
func (p parts) revealsNothingOfTheNumber(t *testing.T, fields map[string]string, secrets []string) {
	t.Helper()
	now := strconv.FormatInt(p.clock.Now().UnixMilli(), 10)
	for field, value := range fields {
		switch field {
		case "guesses", "texts", "networks":
			for line := range strings.Lines(value) {
				at, rest, _ := strings.Cut(line, " ")
				require.Equal(t, now, at)
				for _, hidden := range secrets {
					require.NotContains(t, rest, hidden, field)
				}
			}
		case "row":
			require.Contains(t, []string{"0", "1"}, value)
		case "last":
			require.Equal(t, now, value)
		default:
			t.Fatalf("a field that nobody has looked at: %s", field)
		}
	}
}

func TestRestore(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	started := p.start(t, key)
	require.NoError(t, p.Restore(t.Context(), key, "nothing yet"), "nothing to give back")
	redeemed, err := p.Redeem(t.Context(), key, home, otp.Guard{}, started.Code)
	require.NoError(t, err)

	require.NoError(t, p.Restore(t.Context(), key, "somebody else's"))
	require.ErrorIs(t, redeem(t.Context(), p, key, home, started.Code), otp.ErrInvalidCode, "another attempt gives nothing back")
	require.NoError(t, p.Restore(t.Context(), keyFor(t, "+447700900124"), redeemed.Attempt))
	require.ErrorIs(t, redeem(t.Context(), p, key, home, started.Code), otp.ErrInvalidCode, "nor another number")

	require.NoError(t, p.Restore(t.Context(), key, redeemed.Attempt))
	again := p.start(t, key)
	require.Equal(t, started.ID, again.ID)
	require.Equal(t, started.Left, again.Left, "a restored code ends when it would have")
	require.NoError(t, redeem(t.Context(), p, key, home, started.Code))
	require.ErrorIs(t, redeem(t.Context(), p, key, home, started.Code), otp.ErrInvalidCode)
}

func TestUnsentFreesTheGapForEveryClient(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	first := p.start(t, key)
	require.False(t, p.start(t, key).Send)
	web := key
	web.Client = "web"
	_, err := p.Start(t.Context(), web, home, otp.Guard{})
	var throttled *otp.ThrottledError
	require.ErrorAs(t, err, &throttled, "the gap is the number's, whichever client asks")
	require.InDelta(t, otptest.Limits.ResendGap.Seconds(), throttled.RetryAfter.Seconds(), 1)

	require.NoError(t, p.Unsent(t.Context(), keyFor(t, "+447700900124").Number, first.Text))
	require.False(t, p.start(t, key).Send, "another number's text is not this one's")
	require.NoError(t, p.Unsent(t.Context(), key.Number, first.Text))
	resent := p.start(t, key)
	require.True(t, resent.Send)
	require.Equal(t, string(first.Code), string(resent.Code))
}

func TestErrorsOfTheStoreComeThrough(t *testing.T) {
	p, key := newParts(t), keyFor(t, "+447700900123")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Start(ctx, key, home, otp.Guard{})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, redeem(ctx, p, key, home, "123456"), context.Canceled)
	require.ErrorIs(t, p.Restore(ctx, key, "123456"), context.Canceled)
	require.ErrorIs(t, p.Unsent(ctx, key.Number, "a text"), context.Canceled)
}
