package spendtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
)

// Walks does steps at random to stores and Memories, a pair for each seed, and requires that they answer
// alike and hold the same. Limits are small and rules change on the way; all together must reach every one.
func Walks(t *testing.T, seeds []uint64, steps int, open Open) {
	reached := map[rule.Name]bool{}
	for _, seed := range seeds {
		maps.Copy(reached, walk(t, seed, steps, open))
	}
	require.Equal(t, []rule.Name{
		rule.AllDay, rule.AllMinute, rule.BudgetStrangers, rule.BudgetUntrusted, rule.Conversion,
		rule.CountryDay, rule.StrangersBlock, rule.StrangersDay, rule.StrangersHour,
	}, slices.Sorted(maps.Keys(reached)))
}

func walk(t *testing.T, seed uint64, steps int, open Open) map[rule.Name]bool {
	clock := NewClock("2026-03-04T23:30:00Z")
	w := &walker{
		Rand: rand.New(rand.NewPCG(seed, 0)), clock: clock,
		stores: [2]spend.Store{NewMemory(clock.Now), open(t, clock.Now)}, refused: map[rule.Name]bool{},
	}
	w.rules = w.someRules()
	for step := range steps {
		what, answers := w.step(t, step)
		require.Equal(t, answers[0], answers[1], "seed %d, step %d: %s", seed, step, what)
		if step%10 == 0 {
			require.Equal(t, w.read(t, 0), w.read(t, 1), "seed %d, step %d: after %s", seed, step, what)
		}
	}
	return w.refused
}

type walker struct {
	*rand.Rand
	clock  *Clock
	stores [2]spend.Store
	rules  spend.Rules
	taken  []ticket
	// refused are the rules that were reached.
	refused map[rule.Name]bool
}

type ticket struct {
	id     string
	counts []spend.Count
}

func (w *walker) read(t *testing.T, i int) spend.State {
	t.Helper()
	state, err := w.stores[i].Read(t.Context())
	require.NoError(t, err)
	return state
}

func (w *walker) step(t *testing.T, step int) (what string, answers [2]any) {
	each := func(f func(s spend.Store) (any, error)) {
		for i, store := range w.stores {
			answer, err := f(store)
			require.NoError(t, err)
			answers[i] = answer
		}
	}
	id := fmt.Sprint("call ", step)
	countries := []string{"GB", "PL", "DE"}
	country := countries[w.IntN(3)]
	switch n := w.IntN(100); {
	case n < 70:
		plan := w.rules.Plan(People(), w.text(country))
		each(func(s spend.Store) (any, error) { return s.Take(t.Context(), id, plan) })
		w.note(plan, answers[0].(spend.Outcome))
		w.taken = append(w.taken, ticket{id, plan.Counts})
		return "take", answers
	case n < 78 && len(w.taken) > 0:
		back := w.taken[w.IntN(len(w.taken))]
		each(func(s spend.Store) (any, error) { return nil, s.Return(t.Context(), back.id, back.counts) })
		return "return " + back.id, answers
	case n < 82:
		raise := spend.Counter{Window: spend.Day, Name: "more:spent"}
		if w.IntN(2) == 0 {
			raise = spend.Counter{Window: spend.Hour, Name: "more:strangers"}
		}
		each(func(s spend.Store) (any, error) { return nil, s.Raise(t.Context(), id, raise) })
		return "raise", answers
	case n < 85:
		from := w.read(t, 0).Pauses[country].JudgeFrom
		each(func(s spend.Store) (any, error) {
			return s.Pause(t.Context(), id, country, from, 20*time.Minute, 24*time.Hour)
		})
		return "pause", answers
	case n < 87:
		each(func(s spend.Store) (any, error) { return nil, s.Resume(t.Context(), country) })
		return "resume", answers
	case n < 90:
		w.rules = w.someRules()
		return "other rules", answers
	}
	steps := []time.Duration{-3 * time.Second, time.Second, 20 * time.Second, 5 * time.Minute, 2 * time.Hour, -time.Minute}
	by := steps[w.IntN(len(steps))]
	w.clock.Advance(by)
	return "clock " + by.String(), answers
}

func (w *walker) text(country string) spend.Text {
	return spend.Text{
		Country: country, Block: string(rune('a' + w.IntN(3))), Stranger: w.IntN(2) == 0,
		Trusted: w.IntN(4) == 0, Listed: w.IntN(6) == 0, Cost: spend.Micros(w.IntN(3) * 30_000),
	}
}

// someRules have each limit lifted, small or large, and some rules only record.
func (w *walker) someRules() spend.Rules {
	some := func(most int) int { return []int{0, 0, 1 + w.IntN(most), 1000}[w.IntN(4)] }
	r := spend.Rules{
		Countries:     []string{"GB", "PL", "DE"},
		StrangersHour: some(5), StrangersDay: some(12), StrangersBlockHour: some(3),
		CountryDay: some(10), AllMinute: some(4), AllDay: some(20), StrangersPercent: 50 * w.IntN(3),
		BudgetDay: spend.Micros(some(8) * 30_000), ConversionSample: 50 * w.IntN(2), RecordOnly: rule.RecordOnly{},
	}
	for _, name := range rule.All() {
		if w.IntN(5) == 0 {
			r.RecordOnly[name] = true
		}
	}
	return r
}

func (w *walker) note(p spend.Plan, out spend.Outcome) {
	if out.Refused >= 0 {
		w.refused[p.Checks[out.Refused].Rule] = true
	}
}
