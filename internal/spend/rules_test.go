package spend_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/spend/spendtest"
)

var (
	nobody   = spend.People{Known: true}
	staff    = spend.Text{Country: "GB", Block: "a", Cost: 7_000}
	stranger = spend.Text{Country: "GB", Block: "a", Stranger: true, Cost: 7_000}
)

func TestWhoGetsTextsAtAll(t *testing.T) {
	roster := spend.Rules{Roster: true}
	listed := spend.Rules{Countries: []string{"DE", "AT"}}
	for _, tc := range []struct {
		name   string
		rules  spend.Rules
		people spend.People
		text   spend.Text
		want   rule.Name
	}{
		{"anyone: a stranger", spend.Rules{}, spendtest.People(), stranger, ""},
		{"roster: a stranger", roster, spendtest.People(), stranger, rule.Roster},
		{"roster: HR's number", roster, spendtest.People(), staff, ""},
		{"the country of HR's people", spend.Rules{}, spendtest.People(), spend.Text{Country: "PL"}, ""},
		{"one where HR has nobody", spend.Rules{}, spendtest.People(), spend.Text{Country: "DE"}, rule.Country},
		{"no country", spend.Rules{}, spendtest.People(), spend.Text{}, rule.Country},
		{"no country, though somebody counted one", spend.Rules{}, spend.People{ByCountry: map[string]int{"": 1}}, spend.Text{}, rule.Country},
		{"a listed country", listed, spendtest.People(), spend.Text{Country: "AT"}, ""},
		{"one that is not, though people are there", listed, spendtest.People(), staff, rule.Country},
		{"nobody and nothing listed", spend.Rules{}, nobody, staff, rule.Country},
		{"nobody, a listed country", listed, nobody, spend.Text{Country: "DE"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.rules.Plan(tc.people, tc.text).Refused)
			tc.rules.RecordOnly = rule.RecordOnly{rule.Roster: true, rule.Country: true}
			plan := tc.rules.Plan(tc.people, tc.text)
			require.Empty(t, plan.Refused)
			require.NotEmpty(t, plan.Counts)
			if tc.want != "" {
				require.Contains(t, plan.Noted, tc.want)
			}
		})
	}
	require.Equal(t, []string{"AT", "DE"}, listed.Allowed(nobody))
	require.Equal(t, []string{"GB", "PL"}, spend.Rules{}.Allowed(spendtest.People()))
}

// The product's numbers become these limits; of money the shares.
func TestLimitsGrowWithThePeople(t *testing.T) {
	type limits map[rule.Name]int64
	for _, tc := range []struct {
		name   string
		people spend.People
		want   limits
	}{
		{"nobody", nobody, limits{
			rule.CountryDay: 30, rule.AllMinute: 60, rule.AllDay: 200, rule.BudgetUntrusted: 30_000_000,
		}},
		{"a thousand", spend.People{Known: true, Total: 1000, ByCountry: map[string]int{"GB": 400}}, limits{
			rule.CountryDay: 1200, rule.AllMinute: 60, rule.AllDay: 3000, rule.BudgetUntrusted: 300_000_000,
		}},
		{"5 % are rounded up", spend.People{Known: true, Total: 1201, ByCountry: map[string]int{"GB": 11}}, limits{
			rule.CountryDay: 33, rule.AllMinute: 61, rule.AllDay: 3603, rule.BudgetUntrusted: 360_300_000,
		}},
		{"a million", spend.People{Known: true, Total: 1_000_000, ByCountry: map[string]int{"GB": 1_000_000}}, limits{
			rule.CountryDay: 3_000_000, rule.AllMinute: 50_000, rule.AllDay: 3_000_000, rule.BudgetUntrusted: 300_000_000_000,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rules := spendtest.Rules()
			rules.Countries = []string{"GB"}
			got := limits{}
			for _, check := range rules.Plan(tc.people, staff).Checks {
				if check.Mode == spend.Refuse {
					got[check.Rule] = check.Limit
				}
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTheDaysMoney(t *testing.T) {
	ten := spend.People{Known: true, Total: 10, ByCountry: map[string]int{"GB": 10}}
	for _, tc := range []struct {
		name  string
		rules spend.Rules
		want  int64
	}{
		{"set", spend.Rules{BudgetDay: 5, BudgetPerPerson: 100, BudgetFloor: 1000}, 5},
		{"by people", spend.Rules{BudgetPerPerson: 200, BudgetFloor: 1000}, 2000},
		{"floor", spend.Rules{BudgetPerPerson: 200, BudgetFloor: 3000}, 3000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checks := tc.rules.Plan(ten, stranger).Checks
			require.Equal(t, rule.BudgetStrangers, checks[0].Rule)
			require.Equal(t, tc.want, checks[0].Limit)
		})
	}
	require.Empty(t, spend.Rules{}.Plan(ten, stranger).Checks, "all numbers 0: every limit is lifted")
}

// Which rules a text meets, and in which order; the watches of money come last.
func TestWhichRulesATextMeets(t *testing.T) {
	rules := spendtest.Rules()
	money := []rule.Name{rule.BudgetStrangers, rule.BudgetStrangers, rule.BudgetUntrusted}
	everybody := []rule.Name{rule.CountryDay, rule.AllMinute, rule.AllDay, rule.BudgetUntrusted}
	for _, tc := range []struct {
		name string
		text spend.Text
		want []rule.Name
	}{
		{"staff", spend.Text{Country: "GB"}, everybody},
		{"staff, trusted", spend.Text{Country: "GB", Trusted: true}, []rule.Name{rule.CountryDay, rule.AllMinute, rule.AllDay}},
		{"staff, listed", spend.Text{Country: "GB", Listed: true}, []rule.Name{rule.CountryDay, rule.AllDay}},
		{"a stranger", stranger, []rule.Name{
			rule.Conversion, rule.StrangersBlock, rule.StrangersHour, rule.StrangersDay, rule.CountryDay, rule.AllDay,
			rule.CountryDay, rule.AllMinute, rule.AllDay, rule.BudgetStrangers, rule.BudgetUntrusted,
		}},
		{"a stranger, trusted", spend.Text{Country: "GB", Stranger: true, Trusted: true}, []rule.Name{
			rule.Conversion, rule.StrangersBlock, rule.StrangersHour, rule.StrangersDay, rule.CountryDay, rule.AllDay,
			rule.CountryDay, rule.AllMinute, rule.AllDay, rule.BudgetStrangers,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []rule.Name
			for _, check := range rules.Plan(spendtest.People(), tc.text).Checks {
				got = append(got, check.Rule)
			}
			require.Equal(t, append(tc.want, money...), got)
		})
	}
}

// Where the country is only recorded, a text may go to none, which no pause can name.
func TestNoCountryHasNoPause(t *testing.T) {
	rules := spendtest.Rules()
	rules.RecordOnly = rule.RecordOnly{rule.Country: true}
	checks := rules.Plan(nobody, spend.Text{Stranger: true}).Checks
	require.Equal(t, rule.StrangersBlock, checks[0].Rule)
}

// Texts count the same whatever is limited: a limit that is set at noon knows the morning.
func TestCountsDoNotDependOnRules(t *testing.T) {
	require.Equal(t, spend.Rules{}.Plan(spendtest.People(), stranger).Counts, spendtest.Rules().Plan(spendtest.People(), stranger).Counts)
	for _, c := range (spend.Rules{}).Plan(spendtest.People(), spend.Text{Country: "GB", Listed: true}).Counts {
		require.NotEqual(t, spend.Minute, c.Window, "a listed network does not use up the minute")
	}
}

// Blocks share a bounded number of counters, so an hour of strangers cannot fill the store.
func TestBlocksAreBounded(t *testing.T) {
	seen := map[spend.Counter]bool{}
	for i := range 100_000 {
		for _, c := range (spend.Rules{}).Plan(spendtest.People(), spend.Text{Country: "GB", Block: fmt.Sprint(i), Stranger: true}).Counts {
			if c.Window == spend.Blocks {
				seen[c.Counter] = true
			}
		}
	}
	require.LessOrEqual(t, len(seen), 1<<14)
	require.Greater(t, len(seen), 1<<13, "and are spread over them")
}

// A price list with a mistake cannot refill the day's money.
func TestNoTextBringsMoneyIn(t *testing.T) {
	text := spend.Text{Country: "GB", Cost: -5}
	for _, c := range (spend.Rules{}).Plan(spendtest.People(), text).Counts {
		require.GreaterOrEqual(t, c.Add, int64(0))
	}
}

func TestWindows(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return when
	}
	day := spend.Day.At(at("2026-03-04T23:59:59.999Z"), 0)
	for _, tc := range []struct {
		name string
		now  string
		kept int64
		want int64
	}{
		{"the same day", "2026-03-04T00:00:00Z", day, day},
		{"midnight", "2026-03-05T00:00:00Z", day, day + 1},
		{"seconds back over midnight", "2026-03-04T23:59:58Z", day + 1, day + 1},
		{"a whole day back and no more", "2026-03-04T00:00:00Z", day + 1, day + 1},
		{"two days back: the clock was wrong", "2026-03-04T23:59:59Z", day + 2, day},
		{"a month later", "2026-04-04T12:00:00Z", day, day + 31},
		{"in another zone", "2026-03-05T00:30:00+01:00", day, day},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, spend.Day.At(at(tc.now), tc.kept)) })
	}
	require.Equal(t, at("2026-03-05T00:00:00Z"), spend.Day.End(day))
}

func TestPrices(t *testing.T) {
	prices := spend.Prices{Currency: "USD", Default: 200_000, ByCountry: map[string]spend.Micros{"GB": 46_300, "XX": 0}}
	require.Equal(t, spend.Micros(46_300), prices.Of("GB", 1))
	require.Equal(t, spend.Micros(92_600), prices.Of("GB", 2))
	require.Equal(t, spend.Micros(46_300), prices.Of("GB", 0), "no text costs nothing for want of segments")
	require.Equal(t, spend.Micros(200_000), prices.Of("TV", 1))
	require.Zero(t, prices.Of("XX", 1), "listed as free")
	for want, m := range map[string]spend.Micros{
		"0.00": 0, "0.0463": 46_300, "20.00": 20_000_000, "1.50": 1_500_000, "0.000001": 1, "-0.20": -200_000,
	} {
		require.Equal(t, want, m.String())
	}
}
