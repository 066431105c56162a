package otptest

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
)

// Memory is an otp.Store that does what the pure rules of package otp say, one call at a time. It is what
// others are compared with, and forgets nothing by itself.
type Memory struct {
	limits otp.Limits
	now    func() time.Time

	mu      sync.Mutex
	numbers map[string]otp.Number
	kept    map[otp.Slot]kept
}

// kept is a challenge, or the guesses at a number without one.
type kept struct {
	otp.Challenge
	end      time.Time
	bySource map[origin.Source]int
	guesses  int
	used     bool
	attempt  otp.Attempt
	// answered is what attempt was told.
	answered otp.Compared
	restored int
}

func (k kept) tally(from origin.Source) otp.Tally {
	return otp.Tally{Living: k.Nonce != "" && !k.used, End: k.end, Guesses: k.guesses, Own: k.bySource[from]}
}

// NewMemory returns an empty store that goes by now.
func NewMemory(limits otp.Limits, now func() time.Time) *Memory {
	return &Memory{limits: limits, now: now, numbers: map[string]otp.Number{}, kept: map[otp.Slot]kept{}}
}

// Open implements otp.Store.
func (m *Memory) Open(_ context.Context, slot otp.Slot, from origin.Origin, guard otp.Guard, fresh otp.Challenge) (otp.Opened, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	number := m.limits.Forget(m.numbers[slot.Number], now).WithoutText(fresh.Nonce)
	verdict, err := m.limits.JudgeStart(number, m.kept[slot].tally(from.Source), from, guard, now)
	if err != nil {
		return otp.Opened{Noted: verdict.Noted}, err
	}
	if verdict.Renew {
		m.kept[slot] = kept{Challenge: fresh, end: now.Add(m.limits.Lifetime)}
	}
	switch {
	case verdict.Instead:
		m.numbers[slot.Number] = number.TextedInstead(from.Source, fresh.Nonce)
	case verdict.Send:
		m.numbers[slot.Number] = m.limits.Texted(number, from.Source, fresh.Nonce, now)
	}
	living := m.kept[slot]
	return otp.Opened{
		Nonce: living.Nonce, Left: living.end.Sub(now), Send: verdict.Send, Trusted: verdict.Trusted, Noted: verdict.Noted,
	}, nil
}

// Redeem implements otp.Store.
func (m *Memory) Redeem(
	_ context.Context, slot otp.Slot, from origin.Origin, guard otp.Guard, digest string, attempt otp.Attempt,
) (otp.Compared, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	living := m.kept[slot]
	if living.used && living.attempt == attempt {
		return living.answered, nil
	}
	if !living.end.After(now) {
		living = kept{end: now.Add(m.limits.Lifetime)}
	}
	number, repeated := m.limits.Forget(m.numbers[slot.Number], now).WithoutGuess(attempt)
	if repeated {
		living = living.guessed(from.Source, -1)
	}
	noted, err := m.limits.JudgeGuess(number, living.tally(from.Source), from, guard, now)
	compared := otp.Compared{Noted: noted}
	if err != nil {
		return compared, err
	}
	if living.tally(from.Source).Living && living.Digest == digest {
		number, compared.Failures = m.limits.SignedIn(number, from, now)
		compared.Nonce, compared.Restored = living.Nonce, living.restored
		living.used, living.attempt, living.answered = true, attempt, compared
	} else {
		number, compared.Alarm = m.limits.Guessed(number, from.Source, attempt, now)
		living = living.guessed(from.Source, 1)
		err = otp.ErrInvalidCode
	}
	m.numbers[slot.Number], m.kept[slot] = number, living
	return compared, err
}

// guessed returns k with n more wrong guesses.
func (k kept) guessed(from origin.Source, n int) kept {
	bySource := maps.Clone(k.bySource)
	if bySource == nil {
		bySource = map[origin.Source]int{}
	}
	bySource[from] = max(0, bySource[from]+n)
	k.bySource, k.guesses = bySource, max(0, k.guesses+n)
	return k
}

// Restore implements otp.Store.
func (m *Memory) Restore(_ context.Context, slot otp.Slot, attempt otp.Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.kept[slot]; k.used && k.attempt == attempt {
		k.used, k.attempt = false, ""
		k.restored++
		m.kept[slot] = k
	}
	return nil
}

// Release implements otp.Store.
func (m *Memory) Release(_ context.Context, number, nonce string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.numbers[number] = m.numbers[number].Unsent(nonce)
	return nil
}

// Withdraw implements otp.Store.
func (m *Memory) Withdraw(_ context.Context, number, nonce string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.numbers[number] = m.numbers[number].WithoutText(nonce)
	return nil
}

// State implements otp.Store.
func (m *Memory) State(_ context.Context, number string) (otp.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.limits.State(m.limits.Forget(m.numbers[number], m.now()), m.now()), nil
}

// Unlock implements otp.Store.
func (m *Memory) Unlock(_ context.Context, number string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.numbers[number] = otp.Number{SignIns: m.numbers[number].SignIns}
	return nil
}
