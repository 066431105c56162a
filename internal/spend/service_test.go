package spend_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/spend/spendtest"
)

const noon = "2026-03-04T12:00:00Z"

func service(store spend.Store, rules spend.Rules, people spend.People, history spend.History) *spend.Service {
	return spend.NewService(store, rules, func() spend.People { return people }, history,
		spend.Options{CodeLife: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)})
}

func TestNobodyIsNotTheSameAsUnknown(t *testing.T) {
	store := spendtest.NewMemory(spendtest.NewClock(noon).Now)
	_, err := service(store, spendtest.Rules(), spend.People{}, nil).Take(t.Context(), staff)
	require.True(t, outage.Is(err))
	require.ErrorContains(t, err, "not been counted yet")

	v, err := service(store, spendtest.Rules(), nobody, nil).Take(t.Context(), staff)
	require.NoError(t, err)
	require.Equal(t, rule.Country, v.Rule)
	require.Contains(t, v.Why, "set the allowed countries or let HR's list enter people")
	standing, err := service(store, spendtest.Rules(), nobody, nil).Standing(t.Context())
	require.NoError(t, err)
	require.Equal(t, v.Why, standing.Nowhere)

	v, err = service(store, spendtest.Rules(), spendtest.People(), nil).Take(t.Context(), spend.Text{Country: "DE"})
	require.NoError(t, err)
	require.Equal(t, rule.Country.Explain(), v.Why, "some countries are allowed, this one is not")
	require.Equal(t, spend.Ticket{}, v.Ticket)
	require.NoError(t, service(store, spendtest.Rules(), nobody, nil).Return(t.Context(), v.Ticket))
}

func TestReopenRefusesWhatItCannot(t *testing.T) {
	s := service(spendtest.NewMemory(spendtest.NewClock(noon).Now), spendtest.Rules(), nobody, nil)
	for _, name := range []rule.Name{rule.Roster, rule.Country, rule.Undeliverable, rule.SourceStarts, "", "nonsense"} {
		require.ErrorIs(t, s.Reopen(t.Context(), name, "GB"), spend.ErrNotReopened, name)
	}
	for _, country := range []string{"", "gb", "GBR", "G1", "éé"} {
		require.ErrorIs(t, s.Reopen(t.Context(), rule.CountryDay, country), spend.ErrNoCountry)
		require.ErrorIs(t, s.Reopen(t.Context(), rule.Conversion, country), spend.ErrNoCountry)
	}
	require.NoError(t, s.Reopen(t.Context(), rule.BudgetUntrusted, ""))
}

// In a small country strangers cannot use up what M5 leaves to the people there (T5).
func TestStrangersLeaveACountryToItsPeople(t *testing.T) {
	rules := spendtest.Rules()
	rules.StrangersHour, rules.StrangersBlockHour = 0, 0
	store := spendtest.NewMemory(spendtest.NewClock(noon).Now)
	s := service(store, rules, spendtest.People(), nil)
	polish := spend.Text{Country: "PL", Stranger: true}
	var last spend.Verdict
	for range 40 {
		var err error
		last, err = s.Take(t.Context(), polish)
		require.NoError(t, err)
	}
	require.Equal(t, rule.CountryDay, last.Rule)
	standing, err := s.Standing(t.Context())
	require.NoError(t, err)
	require.Equal(t, []spend.Block{{Rule: rule.CountryDay, Country: "PL", Until: spendtest.NewClock(noon).Now().Add(12 * time.Hour), Strangers: true}}, standing.Blocks)
	state, err := store.Read(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 15, state.Count(spend.Counter{Window: spend.Day, Name: "texts:PL"}), "half of 30")
	polish.Stranger = false
	for range 15 {
		v, err := s.Take(t.Context(), polish)
		require.NoError(t, err)
		require.Empty(t, v.Rule)
	}
	v, err := s.Take(t.Context(), polish)
	require.NoError(t, err)
	require.Equal(t, rule.CountryDay, v.Rule)
	require.Equal(t, []spend.Alarm{{Rule: rule.CountryDay, Country: "PL"}}, v.Alarms)
}

// While every minute is full, operators hear of it once an hour.
func TestAFullMinuteIsToldOnceAnHour(t *testing.T) {
	clock := spendtest.NewClock(noon)
	s := service(spendtest.NewMemory(clock.Now), spend.Rules{AllMinute: 1}, spendtest.People(), nil)
	alarms := 0
	for range 180 {
		v, err := s.Take(t.Context(), staff)
		require.NoError(t, err)
		alarms += len(v.Alarms)
		clock.Advance(30 * time.Second)
	}
	require.Equal(t, 2, alarms, "in an hour and a half")
}

func TestStanding(t *testing.T) {
	clock := spendtest.NewClock(noon)
	rules := spendtest.Rules()
	rules.StrangersBlockHour, rules.RecordOnly = 1, rule.RecordOnly{rule.StrangersBlock: true}
	s := service(spendtest.NewMemory(clock.Now), rules, spendtest.People(), nil)
	for range 2 {
		_, err := s.Take(t.Context(), stranger)
		require.NoError(t, err)
	}
	require.NoError(t, s.Reopen(t.Context(), rule.BudgetStrangers, ""))
	got, err := s.Standing(t.Context())
	require.NoError(t, err)
	require.Equal(t, spend.Standing{
		Spent: 14_000, Budget: 40_000_000,
		Blocks: []spend.Block{{Rule: rule.StrangersBlock, Until: clock.Now().Add(time.Hour), RecordOnly: true}},
	}, got)
}

func TestAlarmsSpeak(t *testing.T) {
	for want, a := range map[string]spend.Alarm{
		"80 % of the day's money for texts is spent":                           {Rule: rule.BudgetStrangers, Percent: 80},
		"the day's money is spent: texts to HR's numbers only":                 {Rule: rule.BudgetStrangers, Percent: 100},
		"the day's texts to the country are spent (PL); the rule only records": {Rule: rule.CountryDay, Country: "PL", RecordOnly: true},
		"the day's texts are spent: the part of numbers that HR does not know": {Rule: rule.AllDay, Strangers: true},
	} {
		require.Equal(t, want, a.String())
	}
}

// sends is a History of texts to strangers.
type sends struct {
	mu   sync.Mutex
	list []sent
	err  error
}

type sent struct {
	country  string
	at       time.Time
	redeemed bool
}

func (h *sends) add(n int, country string, at time.Time, redeemed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range n {
		h.list = append(h.list, sent{country, at, redeemed})
	}
}

func (h *sends) StrangerCountries(_ context.Context, since, before time.Time) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen, found := map[string]bool{}, []string(nil)
	for _, s := range h.list {
		if s.at.After(since) && s.at.Before(before) && !seen[s.country] {
			seen[s.country] = true
			found = append(found, s.country)
		}
	}
	return found, h.err
}

func (h *sends) StrangerSends(_ context.Context, country string, since, before time.Time, limit int) (total, redeemed int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.list) - 1; i >= 0 && total < limit; i-- {
		s := h.list[i]
		if s.country == country && s.at.After(since) && s.at.Before(before) {
			total++
			if s.redeemed {
				redeemed++
			}
		}
	}
	return total, redeemed, h.err
}

func TestUnused(t *testing.T) {
	for _, tc := range []struct {
		sent, redeemed int
		want           bool
	}{
		{0, 0, false}, {49, 0, false}, {50, 0, true}, {50, 12, true}, {50, 13, false}, {50, 50, false},
	} {
		require.Equal(t, tc.want, spendtest.Rules().Unused(tc.sent, tc.redeemed), "%d of %d", tc.redeemed, tc.sent)
	}
	require.False(t, spend.Rules{ConversionPercent: 25}.Unused(100, 0), "lifted")
}

func TestACountryWhereCodesAreNotUsedIsPaused(t *testing.T) {
	clock, history := spendtest.NewClock(noon), &sends{}
	store := spendtest.NewMemory(clock.Now)
	one := service(store, spendtest.Rules(), spendtest.People(), history)
	two := service(store, spendtest.Rules(), spendtest.People(), history)
	check := func(s *spend.Service) []spend.Alarm {
		alarms, err := s.CheckConversions(t.Context())
		require.NoError(t, err)
		return alarms
	}
	take := func() rule.Name {
		v, err := one.Take(t.Context(), stranger)
		require.NoError(t, err)
		return v.Rule
	}
	history.add(38, "GB", clock.Now(), false)
	history.add(12, "GB", clock.Now(), true)
	history.add(60, "PL", clock.Now(), true)
	clock.Advance(5*time.Minute - time.Second)
	require.Empty(t, check(one), "their codes live still")
	clock.Advance(2 * time.Second)
	require.Equal(t, []spend.Alarm{{Rule: rule.Conversion, Country: "GB"}}, check(one))
	require.Empty(t, check(two), "the other replica has nothing to tell")
	require.Equal(t, rule.Conversion, take())

	history.add(49, "GB", clock.Now().Add(time.Minute), false)
	clock.Advance(59 * time.Minute)
	require.Empty(t, check(two))
	require.Equal(t, rule.Conversion, take())
	clock.Advance(time.Minute)
	require.Empty(t, take(), "after an hour")
	standing, err := one.Standing(t.Context())
	require.NoError(t, err)
	require.Empty(t, standing.Blocks)
	clock.Advance(10 * time.Minute)
	require.Empty(t, check(one), "what went out before it reopened is judged no more")

	history.add(50, "GB", clock.Now(), false)
	clock.Advance(6 * time.Minute)
	require.Len(t, check(two), 1)
	clock.Advance(time.Minute)
	require.NoError(t, one.Reopen(t.Context(), rule.Conversion, "GB"))
	require.Empty(t, take(), "an operator reopens")
	require.Empty(t, check(one), "and the same texts do not close it again")
	clock.Advance(time.Second)
	history.add(50, "GB", clock.Now(), false)
	clock.Advance(6 * time.Minute)
	require.Len(t, check(one), 1)
}

// Sends of long ago are no sign, strangers who get no texts need no judging, and a lifted rule does not ask.
func TestWhatIsNotJudged(t *testing.T) {
	clock, history := spendtest.NewClock(noon), &sends{}
	store := spendtest.NewMemory(clock.Now)
	history.add(50, "GB", clock.Now(), false)
	history.add(50, "", clock.Now(), false)
	clock.Advance(time.Hour)
	roster, lifted := spendtest.Rules(), spendtest.Rules()
	roster.Roster, lifted.ConversionSample = true, 0
	for _, rules := range []spend.Rules{roster, lifted} {
		alarms, err := service(store, rules, nobody, history).CheckConversions(t.Context())
		require.NoError(t, err)
		require.Empty(t, alarms)
	}
	clock.Advance(7 * 24 * time.Hour)
	alarms, err := service(store, spendtest.Rules(), nobody, history).CheckConversions(t.Context())
	require.NoError(t, err)
	require.Empty(t, alarms)
	clock.Advance(-7 * 24 * time.Hour)
	alarms, err = service(store, spendtest.Rules(), nobody, history).CheckConversions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []spend.Alarm{{Rule: rule.Conversion, Country: "GB"}}, alarms)
}

func TestOneReplicaTellsOfAPause(t *testing.T) {
	clock, history := spendtest.NewClock(noon), &sends{}
	store := spendtest.NewMemory(clock.Now)
	history.add(50, "GB", clock.Now(), false)
	clock.Advance(time.Hour)
	alarms := make(chan []spend.Alarm, 10)
	for range cap(alarms) {
		go func() {
			found, err := service(store, spendtest.Rules(), nobody, history).CheckConversions(context.Background())
			if err != nil {
				t.Error(err)
			}
			alarms <- found
		}()
	}
	var all []spend.Alarm
	for range cap(alarms) {
		all = append(all, <-alarms...)
	}
	require.Len(t, all, 1)
}

func TestWatchLooksEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		history := &sends{err: errors.New("database away")}
		s := spend.NewService(spendtest.NewMemory(time.Now), spendtest.Rules(), func() spend.People { return nobody }, history,
			spend.Options{CodeLife: 5 * time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		var told []spend.Alarm
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Watch(ctx, func(a spend.Alarm) { told = append(told, a) })
		}()
		synctest.Wait()
		require.Contains(t, log.String(), "database away")
		history.mu.Lock()
		history.err = nil
		history.mu.Unlock()
		history.add(50, "GB", time.Now().Add(-time.Hour), false)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []spend.Alarm{{Rule: rule.Conversion, Country: "GB"}}, told)
		stop()
		<-ended
	})
}
