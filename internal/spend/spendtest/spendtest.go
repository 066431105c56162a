package spendtest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
)

// Rules are the product's own numbers, as the suite uses them where it does not say otherwise.
func Rules() spend.Rules {
	return spend.Rules{
		StrangersHour: 20, StrangersDay: 100, StrangersBlockHour: 10,
		CountryDay: 30, CountryPerPerson: 3, AllMinute: 60, AllMinutePercent: 5, AllDay: 200, AllPerPerson: 3,
		StrangersPercent: 50, BudgetPerPerson: 200_000, BudgetFloor: 20_000_000,
		ConversionSample: 50, ConversionPercent: 25, ConversionPause: time.Hour,
	}
}

// People are ten in Britain and two in Poland.
func People() spend.People {
	return spend.People{Known: true, Total: 12, ByCountry: map[string]int{"GB": 10, "PL": 2}}
}

// noon is far from every edge but that of a minute and an hour.
const noon = "2026-03-04T12:00:00Z"

// Open returns an empty store that goes by now.
type Open func(t *testing.T, now func() time.Time) spend.Store

// TestStore runs the contract.
func TestStore(t *testing.T, open Open) {
	run := func(name string, f func(t *testing.T, s suite)) {
		t.Run(name, func(t *testing.T) {
			clock := NewClock(noon)
			f(t, suite{open(t, clock.Now), clock})
		})
	}
	run("each limit lets so many pass and no more", eachLimit)
	run("windows begin anew at their edge", edges)
	run("midnight in UTC, and a clock that steps back over it", midnight)
	run("a clock that was a week ahead does not stop texts for a week", weekAhead)
	run("money is counted, told of and stops strangers first", money)
	run("a text that was kept back is counted nowhere", refusedCountsNowhere)
	run("a text is given back once", givenBack)
	run("what is given back late does not reach the next window", givenBackLate)
	run("a call that is sent again counts once and answers alike", repeated)
	run("a rule that only records is noted and goes on counting", recordOnly)
	run("an operator reopens until the window's end, and is told again", reopened)
	run("a pause stops strangers of one country until its end", pauses)
	run("a pause is begun once, by whoever judged what is still to be judged", pauseOnce)
	run("texts at once never pass a limit", race)
	run("a text is given back once by many", raceReturn)
}

type suite struct {
	spend.Store
	clock *Clock
}

func (s suite) service(rules spend.Rules) *spend.Service {
	return spend.NewService(s.Store, rules, People, nil, spend.Options{
		CodeLife: 5 * time.Minute, Log: slog.New(slog.DiscardHandler),
	})
}

func (s suite) counters(t *testing.T) map[spend.Counter]int64 {
	t.Helper()
	state, err := s.Read(context.Background())
	require.NoError(t, err)
	return state.Counters
}

// take returns the rule that keeps the text back.
func take(t *testing.T, s *spend.Service, text spend.Text) rule.Name {
	t.Helper()
	v, err := s.Take(context.Background(), text)
	require.NoError(t, err)
	return v.Rule
}

// send takes n texts that must all pass.
func send(t *testing.T, s *spend.Service, n int, text spend.Text) {
	t.Helper()
	for i := range n {
		require.Empty(t, take(t, s, text), "text %d", i+1)
	}
}

var (
	staff    = spend.Text{Country: "GB", Block: "a", Cost: 40_000}
	stranger = spend.Text{Country: "GB", Block: "b", Stranger: true, Cost: 40_000}
)

// with returns the text with another block.
func with(t spend.Text, block int) spend.Text {
	t.Block = fmt.Sprint("block ", block)
	return t
}

func eachLimit(t *testing.T, s suite) {
	listed, trusted, polish, polishStranger := staff, staff, staff, stranger
	listed.Listed, trusted.Trusted = true, true
	polish.Country, polishStranger.Country = "PL", "PL"
	for _, tc := range []struct {
		name  string
		text  spend.Text
		rules spend.Rules
		limit int
		want  rule.Name
		goes  spend.Text // still goes
	}{
		{"block", stranger, spend.Rules{StrangersBlockHour: 10}, 10, rule.StrangersBlock, with(stranger, 1)},
		{"hour", stranger, spend.Rules{StrangersHour: 20}, 20, rule.StrangersHour, staff},
		{"day", stranger, spend.Rules{StrangersDay: 100}, 100, rule.StrangersDay, staff},
		{"country's floor", polish, spend.Rules{CountryDay: 30, CountryPerPerson: 3}, 30, rule.CountryDay, staff},
		{"country by people", staff, spend.Rules{CountryDay: 5, CountryPerPerson: 3}, 30, rule.CountryDay, polish},
		{"not those from a known place", staff, spend.Rules{CountryDay: 5, CountryPerPerson: 3}, 30, rule.CountryDay, trusted},
		{"strangers' part of a country", polishStranger,
			spend.Rules{CountryDay: 30, StrangersPercent: 50}, 15, rule.CountryDay, polish},
		{"strangers' part of a day", stranger, spend.Rules{AllDay: 31, StrangersPercent: 50}, 16, rule.AllDay, staff},
		{"minute", staff, spend.Rules{AllMinute: 60}, 60, rule.AllMinute, listed},
		{"minute, from a known place", staff, spend.Rules{AllMinute: 60}, 60, rule.AllMinute, trusted},
		{"minute by people, rounded up", staff, spend.Rules{AllMinute: 1, AllMinutePercent: 20}, 3, rule.AllMinute, listed},
		{"day's floor", staff, spend.Rules{AllDay: 40, AllPerPerson: 3}, 40, rule.AllDay, trusted},
		{"day by people", staff, spend.Rules{AllDay: 30, AllPerPerson: 3}, 36, rule.AllDay, listed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.clock.Advance(48 * time.Hour) // a new day for each
			service := s.service(tc.rules)
			send(t, service, tc.limit, tc.text)
			require.Equal(t, tc.want, take(t, service, tc.text))
			if tc.goes.Country != "" {
				require.Empty(t, take(t, service, tc.goes))
			}
		})
	}
}

func edges(t *testing.T, s suite) {
	for _, tc := range []struct {
		rules  spend.Rules
		want   rule.Name
		window time.Duration
	}{
		{spend.Rules{AllMinute: 1}, rule.AllMinute, time.Minute},
		{spend.Rules{StrangersHour: 1}, rule.StrangersHour, time.Hour},
		{spend.Rules{StrangersBlockHour: 1}, rule.StrangersBlock, time.Hour},
		{spend.Rules{StrangersDay: 1}, rule.StrangersDay, 24 * time.Hour},
		{spend.Rules{AllDay: 1}, rule.AllDay, 24 * time.Hour},
	} {
		t.Run(string(tc.want), func(t *testing.T) {
			edge := s.clock.Now().Add(48 * time.Hour).Truncate(24 * time.Hour)
			s.clock.Advance(edge.Sub(s.clock.Now()))
			service := s.service(tc.rules)
			require.Empty(t, take(t, service, stranger))
			s.clock.Advance(tc.window - time.Millisecond)
			require.Equal(t, tc.want, take(t, service, stranger))
			s.clock.Advance(time.Millisecond)
			require.Empty(t, take(t, service, stranger))
		})
	}
}

func midnight(t *testing.T, s suite) {
	service := s.service(spend.Rules{AllDay: 3})
	s.clock.Advance(12*time.Hour - 2*time.Second)
	send(t, service, 3, staff)
	require.Equal(t, rule.AllDay, take(t, service, staff))
	s.clock.Advance(3 * time.Second)
	send(t, service, 2, staff)
	s.clock.Advance(-2 * time.Second)
	require.Empty(t, take(t, service, staff), "the third of the new day")
	require.Equal(t, rule.AllDay, take(t, service, staff), "the old day is not there again")
	s.clock.Advance(2 * time.Second)
	require.Equal(t, rule.AllDay, take(t, service, staff), "nor is the new one")
	state, err := s.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2026-03-06T00:00:00Z", state.Ends[spend.Day].Format(time.RFC3339))
}

func weekAhead(t *testing.T, s suite) {
	service := s.service(spend.Rules{AllDay: 1})
	s.clock.Advance(7 * 24 * time.Hour)
	send(t, service, 1, staff)
	s.clock.Advance(-7 * 24 * time.Hour)
	send(t, service, 1, staff)
	require.Equal(t, rule.AllDay, take(t, service, staff))
	s.clock.Advance(24 * time.Hour)
	send(t, service, 1, staff)
}

func money(t *testing.T, s suite) {
	service := s.service(spend.Rules{BudgetDay: 1_000_000})
	text, trusted, listed, strange := staff, staff, staff, stranger
	text.Cost, strange.Cost, trusted.Cost, listed.Cost = 100_000, 100_000, 100_000, 100_000
	trusted.Trusted, listed.Listed = true, true
	free := strange
	free.Cost = 0

	told := map[int]int{}
	spent := 0
	pay := func(text spend.Text) rule.Name {
		v, err := service.Take(t.Context(), text)
		require.NoError(t, err)
		for _, a := range v.Alarms {
			told[a.Percent]++
		}
		if v.Rule == "" {
			spent++
		}
		return v.Rule
	}
	for range 7 {
		require.Empty(t, pay(strange))
	}
	require.Empty(t, told)
	require.Empty(t, pay(strange))
	require.Equal(t, map[int]int{80: 1}, told, "the text that reaches 80 %")
	require.Empty(t, pay(strange))
	require.Empty(t, pay(text))
	require.Equal(t, map[int]int{80: 1, 100: 1}, told)
	require.Equal(t, rule.BudgetStrangers, pay(strange))
	require.Equal(t, rule.BudgetStrangers, pay(free), "a text that costs nothing stops too")
	for range 5 {
		require.Empty(t, pay(text))
	}
	require.Equal(t, rule.BudgetUntrusted, pay(text))
	require.Equal(t, rule.BudgetStrangers, pay(strange))
	require.Empty(t, pay(trusted))
	require.Empty(t, pay(listed))
	require.Equal(t, map[int]int{80: 1, 100: 1, 150: 1}, told, "each once a day")
	require.Equal(t, 17, spent)

	standing, err := service.Standing(t.Context())
	require.NoError(t, err)
	require.Equal(t, spend.Micros(1_700_000), standing.Spent)
	require.Equal(t, spend.Micros(1_000_000), standing.Budget)
	state, err := s.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, []spend.Block{
		{Rule: rule.BudgetStrangers, Until: state.Ends[spend.Day]}, {Rule: rule.BudgetUntrusted, Until: state.Ends[spend.Day]},
	}, standing.Blocks)
	s.clock.Advance(12 * time.Hour)
	require.Empty(t, pay(strange), "00:00 UTC")
}

func refusedCountsNowhere(t *testing.T, s suite) {
	service := s.service(spend.Rules{StrangersHour: 50, AllDay: 2, AllMinute: 50, CountryDay: 50})
	send(t, service, 2, stranger)
	require.Equal(t, rule.AllDay, take(t, service, stranger))
	before := s.counters(t)
	for range 3 {
		require.Equal(t, rule.AllDay, take(t, service, stranger))
		v, err := s.service(spend.Rules{Roster: true}).Take(t.Context(), stranger)
		require.NoError(t, err)
		require.Equal(t, rule.Roster, v.Rule)
	}
	require.Equal(t, before, s.counters(t))
	require.EqualValues(t, 2, before[spend.Counter{Window: spend.Hour, Name: "strangers"}])
}

func givenBack(t *testing.T, s suite) {
	service := s.service(spend.Rules{
		StrangersBlockHour: 1, StrangersHour: 1, StrangersDay: 1, CountryDay: 1, AllMinute: 1, AllDay: 1, BudgetDay: 40_000,
	})
	for range 3 {
		v, err := service.Take(t.Context(), stranger)
		require.NoError(t, err)
		require.Empty(t, v.Rule)
		require.Equal(t, rule.StrangersBlock, take(t, service, stranger))
		for range 3 {
			require.NoError(t, service.Return(t.Context(), v.Ticket))
		}
	}
	for counter, n := range s.counters(t) {
		require.GreaterOrEqual(t, n, int64(0), counter)
	}
	send(t, service, 1, stranger)
	kept, err := service.Take(t.Context(), stranger)
	require.NoError(t, err)
	require.NoError(t, service.Return(t.Context(), kept.Ticket), "nothing")
	require.Equal(t, rule.StrangersBlock, take(t, service, stranger))
}

func givenBackLate(t *testing.T, s suite) {
	service := s.service(spend.Rules{AllMinute: 1, AllDay: 5})
	first, err := service.Take(t.Context(), staff)
	require.NoError(t, err)
	s.clock.Advance(time.Minute)
	second, err := service.Take(t.Context(), staff)
	require.NoError(t, err)
	require.NoError(t, service.Return(t.Context(), first.Ticket))
	require.Equal(t, rule.AllMinute, take(t, service, staff), "the first was of another minute")
	require.EqualValues(t, 1, s.counters(t)[spend.Counter{Window: spend.Day, Name: "texts"}], "and of the same day")
	s.clock.Advance(spend.TicketLife)
	require.NoError(t, service.Return(t.Context(), second.Ticket))
	require.EqualValues(t, 1, s.counters(t)[spend.Counter{Window: spend.Day, Name: "texts"}], "too late")
}

func repeated(t *testing.T, s suite) {
	rules := spend.Rules{StrangersHour: 1, AllDay: 5, RecordOnly: rule.RecordOnly{rule.StrangersHour: true}}
	plan := rules.Plan(People(), stranger)
	first, err := s.Take(t.Context(), "first", plan)
	require.NoError(t, err)
	require.Equal(t, spend.Outcome{Refused: -1}, first)
	second, err := s.Take(t.Context(), "second", plan)
	require.NoError(t, err)
	require.Equal(t, spend.Outcome{Refused: -1, Noted: []int{0}, Tell: []int{0}}, second)
	for range 3 {
		again, err := s.Take(t.Context(), "second", plan)
		require.NoError(t, err)
		require.Equal(t, second, again)
		require.NoError(t, s.Raise(t.Context(), "raise", spend.Counter{Window: spend.Day, Name: "more:texts"}))
	}
	require.EqualValues(t, 2, s.counters(t)[spend.Counter{Window: spend.Day, Name: "texts"}])
	require.EqualValues(t, 1, s.counters(t)[spend.Counter{Window: spend.Day, Name: "more:texts"}])
}

func recordOnly(t *testing.T, s suite) {
	all := rule.RecordOnly{}
	for _, name := range rule.All() {
		all[name] = true
	}
	service := s.service(spend.Rules{
		Roster: true, Countries: []string{"DE"}, StrangersBlockHour: 1, StrangersHour: 1, StrangersDay: 1, CountryDay: 1,
		AllMinute: 1, AllDay: 1, BudgetDay: 40_000, ConversionSample: 1, RecordOnly: all,
	})
	send(t, service, 1, stranger)
	paused, err := s.Pause(t.Context(), "pause", "GB", time.Time{}, time.Hour, time.Hour)
	require.NoError(t, err)
	require.True(t, paused)
	v, err := service.Take(t.Context(), stranger) // half as much again as the money for one is less than for two
	require.NoError(t, err)
	require.Empty(t, v.Rule)
	require.Equal(t, []rule.Name{
		rule.Roster, rule.Country, rule.Conversion, rule.StrangersBlock, rule.StrangersHour, rule.StrangersDay,
		rule.CountryDay, rule.AllMinute, rule.AllDay, rule.BudgetStrangers, rule.BudgetUntrusted,
	}, v.Noted)
	for _, a := range v.Alarms {
		require.True(t, a.RecordOnly, a)
	}
	require.EqualValues(t, 2, s.counters(t)[spend.Counter{Window: spend.Day, Name: "texts"}])
}

func reopened(t *testing.T, s suite) {
	for _, tc := range []struct {
		rules spend.Rules
		rule  rule.Name
		wait  time.Duration
	}{
		{spend.Rules{StrangersBlockHour: 2}, rule.StrangersBlock, time.Hour},
		{spend.Rules{StrangersHour: 2}, rule.StrangersHour, time.Hour},
		{spend.Rules{StrangersDay: 2}, rule.StrangersDay, 24 * time.Hour},
		{spend.Rules{CountryDay: 2}, rule.CountryDay, 24 * time.Hour},
		{spend.Rules{AllMinute: 2}, rule.AllMinute, time.Minute},
		{spend.Rules{AllDay: 2}, rule.AllDay, 24 * time.Hour},
		{spend.Rules{BudgetDay: 80_000}, rule.BudgetStrangers, 24 * time.Hour},
	} {
		t.Run(string(tc.rule), func(t *testing.T) {
			s.clock.Advance(48 * time.Hour)
			service := s.service(tc.rules)
			refused := func() (alarms int) {
				v, err := service.Take(t.Context(), stranger)
				require.NoError(t, err)
				require.Equal(t, tc.rule, v.Rule)
				return len(v.Alarms)
			}
			send(t, service, 2, stranger)
			first := refused()
			require.Zero(t, refused(), "told once")
			require.NoError(t, service.Reopen(t.Context(), tc.rule, "GB"))
			send(t, service, 2, stranger)
			require.Equal(t, first, refused(), "and again after it was reopened")
			s.clock.Advance(tc.wait)
			send(t, service, 2, stranger)
			refused()
		})
	}
}

func pauses(t *testing.T, s suite) {
	service := s.service(Rules())
	polish := stranger
	polish.Country = "PL"
	paused, err := s.Pause(t.Context(), "pause", "GB", time.Time{}, time.Hour, time.Hour)
	require.NoError(t, err)
	require.True(t, paused)
	until := s.clock.Now().Add(time.Hour)
	require.Equal(t, rule.Conversion, take(t, service, stranger))
	require.Empty(t, take(t, service, polish))
	require.Empty(t, take(t, service, staff))
	standing, err := service.Standing(t.Context())
	require.NoError(t, err)
	require.Equal(t, []spend.Block{{Rule: rule.Conversion, Country: "GB", Until: until}}, standing.Blocks)

	s.clock.Advance(time.Hour - time.Millisecond)
	require.Equal(t, rule.Conversion, take(t, service, stranger))
	s.clock.Advance(time.Millisecond)
	require.Empty(t, take(t, service, stranger))
	state, err := s.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]spend.Pause{"GB": {Until: until, JudgeFrom: until}}, state.Pauses)
}

func pauseOnce(t *testing.T, s suite) {
	pause := func(id string, from time.Time) bool {
		paused, err := s.Pause(t.Context(), id, "GB", from, time.Hour, time.Hour)
		require.NoError(t, err)
		return paused
	}
	require.True(t, pause("a", time.Time{}))
	require.True(t, pause("a", time.Time{}), "sent again")
	require.False(t, pause("b", time.Time{}), "paused already")
	s.clock.Advance(10 * time.Minute)
	require.NoError(t, s.service(Rules()).Reopen(t.Context(), rule.Conversion, "GB"))
	reopened := s.clock.Now()
	require.Empty(t, take(t, s.service(Rules()), stranger))
	require.NoError(t, s.Resume(t.Context(), "GB"))
	require.NoError(t, s.Resume(t.Context(), "PL"))
	s.clock.Advance(time.Minute)
	require.NoError(t, s.Resume(t.Context(), "GB"), "without effect: it is over")
	require.False(t, pause("c", time.Time{}), "judged by texts from before")
	require.False(t, pause("d", reopened.Add(50*time.Minute)), "judged from an end that never came")
	require.True(t, pause("e", reopened))
}

func race(t *testing.T, s suite) {
	rules := spend.Rules{StrangersDay: 20, AllDay: 50, BudgetDay: 2_000_000}
	one, two := s.service(rules), s.service(rules)
	var passed, strangers atomic.Int64
	var all sync.WaitGroup
	for i := range 120 {
		service, text := one, staff
		if i%2 == 0 {
			service = two
		}
		if i%3 == 0 {
			text = stranger
		}
		all.Go(func() {
			v, err := service.Take(context.Background(), text)
			switch {
			case err != nil:
				t.Error(err)
			case v.Rule == "":
				passed.Add(1)
				if text.Stranger {
					strangers.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 50, passed.Load())
	require.LessOrEqual(t, strangers.Load(), int64(20))
}

func raceReturn(t *testing.T, s suite) {
	service := s.service(spend.Rules{AllDay: 100})
	send(t, service, 3, staff)
	v, err := service.Take(t.Context(), staff)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := service.Return(context.Background(), v.Ticket); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 3, s.counters(t)[spend.Counter{Window: spend.Day, Name: "texts"}])
}
