package otptest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Walk does steps random operations on a Memory and on the store that open opens, with small limits drawn
// from seed, and compares every answer. The same seed is the same walk.
func Walk(t testing.TB, seed uint64, steps int, open Opener) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a walk has to be repeatable
	limits := smallLimits(r)
	clock := NewClock()
	w := walk{rand: r, clock: clock, want: NewMemory(limits, clock.Now), got: open(t, limits, clock.Now)}
	w.nonces, w.attempts = []string{"no nonce"}, []otp.Attempt{"no attempt"}
	for step := range steps {
		name, do := w.next(step)
		want, got := do(w.want), do(w.got)
		require.Equal(t, want, got, "seed %d, step %d, %s, limits %+v", seed, step, name, limits)
	}
}

// smallLimits are reached, and slid over, within few operations.
func smallLimits(r *rand.Rand) otp.Limits {
	upTo := func(n int) int { return r.IntN(n + 1) }
	limits := otp.Limits{
		Lifetime: 300 * time.Second, RenewBelow: 120 * time.Second, ResendGap: time.Duration(upTo(60)) * time.Second,
		GuessesPerSource: 1 + upTo(4), Guesses: 2 + upTo(6), StrictGuessesPerSource: 1 + upTo(2), StrictGuesses: 1 + upTo(4),
		NumberGuessesPerSource: upTo(6), NumberGuesses: upTo(12), NumberAlarm: upTo(8),
		InARow: upTo(15), ForgetRow: time.Duration(upTo(5)) * day,
		TextsPerSourceHour: upTo(4), TextsPerSourceDay: upTo(6), TextsPerHour: upTo(7), TextsPerDay: upTo(12), TextsKept: upTo(4),
		TrustFor: time.Duration(upTo(4)) * day, RecordOnly: rule.RecordOnly{},
	}
	for _, name := range rule.All() {
		if r.IntN(4) == 0 {
			limits.RecordOnly[name] = true
		}
	}
	return limits
}

// walk is what the operations of one Walk choose from.
type walk struct {
	rand      *rand.Rand
	clock     *Clock
	want, got otp.Store
	nonces    []string
	attempts  []otp.Attempt
	// again is the last start or guess, as a Cluster's client sends it a second time.
	again func(otp.Store) outcome
	name  string
}

func (w *walk) remember(name string, do func(otp.Store) outcome) (string, func(otp.Store) outcome) {
	w.name, w.again = name, do
	return name, do
}

// outcome is all that an operation tells.
type outcome struct {
	Answer any
	Err    error
}

// next draws an operation.
func (w *walk) next(step int) (name string, do func(otp.Store) outcome) {
	ctx := context.Background()
	where := otp.Slot{Number: w.pick("1", "1", "1", "2"), Client: w.pick("app", "app", "web"), Connection: "sms"}
	from := w.origin()
	guard := otp.Guard{Strict: w.rand.IntN(4) == 0, TrustedOnly: w.rand.IntN(20) == 0, KnownOnly: w.rand.IntN(20) == 0}
	switch n := w.rand.IntN(100); {
	case n < 35:
		nonce := fmt.Sprint("nonce", step)
		w.nonces = append(w.nonces, nonce)
		return w.remember(fmt.Sprint("open ", where, from, guard, nonce), func(s otp.Store) outcome {
			opened, err := s.Open(ctx, where, from, guard, otp.Challenge{Nonce: nonce, Digest: where.Client})
			return outcome{opened, err}
		})
	case n < 68:
		attempt := otp.Attempt(fmt.Sprint("attempt ", step))
		w.attempts = append(w.attempts, attempt)
		digest := w.pick("wrong", "wrong", "wrong", where.Client)
		return w.remember(fmt.Sprint("redeem ", where, from, guard, digest, attempt), func(s otp.Store) outcome {
			compared, err := s.Redeem(ctx, where, from, guard, digest, attempt)
			return outcome{compared, err}
		})
	case n < 75 && w.again != nil:
		return "again " + w.name, w.again
	case n < 80:
		attempt := w.attempts[max(0, len(w.attempts)-1-w.rand.IntN(3))]
		return fmt.Sprint("restore ", where, attempt), func(s otp.Store) outcome { return outcome{nil, s.Restore(ctx, where, attempt)} }
	case n < 82:
		nonce := w.nonces[max(0, len(w.nonces)-1-w.rand.IntN(3))]
		return fmt.Sprint("withdraw ", where, nonce), func(s otp.Store) outcome { return outcome{nil, s.Withdraw(ctx, where.Number, nonce)} }
	case n < 85:
		nonce := w.nonces[max(0, len(w.nonces)-1-w.rand.IntN(3))]
		return fmt.Sprint("release ", where, nonce), func(s otp.Store) outcome { return outcome{nil, s.Release(ctx, where.Number, nonce)} }
	case n == 85:
		return fmt.Sprint("unlock ", where), func(s otp.Store) outcome { return outcome{nil, s.Unlock(ctx, where.Number)} }
	case n < 90:
		w.clock.Advance(w.pause())
	}
	return fmt.Sprint("state ", where), func(s otp.Store) outcome {
		state, err := s.State(ctx, where.Number)
		return outcome{state, err}
	}
}

// pause is as long as something lasts, or a millisecond off.
func (w *walk) pause() time.Duration {
	pauses := []time.Duration{time.Second, 30 * time.Second, 180 * time.Second, 300 * time.Second, time.Hour, 6 * time.Hour, day, 2 * day}
	return pauses[w.rand.IntN(len(pauses))] + time.Duration(w.rand.IntN(3))*time.Millisecond
}

func (w *walk) origin() origin.Origin {
	if w.rand.IntN(30) == 0 {
		return origin.Origin{Source: origin.Unknown, Network: origin.Network(origin.Unknown)}
	}
	from := []origin.Origin{home, neighbour, office, attack, at("2001:db8:1:2::3")}[w.rand.IntN(5)]
	from.Listed = w.rand.IntN(15) == 0
	return from
}

func (w *walk) pick(of ...string) string { return of[w.rand.IntN(len(of))] }
