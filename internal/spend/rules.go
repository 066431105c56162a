package spend

import (
	"maps"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// Rules are the numbers of M1, M2 and M4 to M7. A limit whose every number is 0 is lifted.
type Rules struct {
	// Roster sends texts to HR's numbers only (M1).
	Roster bool
	// Countries are the ISO 3166-1 alpha-2 codes that texts may go to (M2). Empty: those where HR's
	// people have numbers.
	Countries []string

	// The purse of strangers (M4): 20 an hour, 100 a day, 10 an hour to one block, which is all
	// numbers that differ in the last four digits only.
	StrangersHour, StrangersDay, StrangersBlockHour int

	// Texts to one country in a day (M5): the greater of 30 and 3 for each person there.
	CountryDay, CountryPerPerson int
	// Texts in a minute (M5): the greater of 60 and 5 % of the people; 60 alone would stop a shift of a
	// thousand. Texts asked for from a listed network are neither counted nor stopped.
	AllMinute, AllMinutePercent int
	// Texts in a day (M5): the greater of 200 and 3 for each person.
	AllDay, AllPerPerson int
	// StrangersPercent is the part of a country's day and of the whole day that strangers may use, so that
	// in a country with few people they cannot use up what M5 leaves these (T5). 0 is all of it.
	StrangersPercent int

	// The money of a day (M6): BudgetDay or, if that is 0, the greater of BudgetFloor and
	// BudgetPerPerson for each person.
	BudgetDay, BudgetPerPerson, BudgetFloor Micros

	// Of the last ConversionSample (50) texts to strangers in a country at least ConversionPercent (25)
	// must have led to a sign-in, else strangers there get none for ConversionPause (1 h) (M7).
	ConversionSample, ConversionPercent int
	ConversionPause                     time.Duration

	// RecordOnly are rules that refuse nothing and are reported all the same.
	RecordOnly rule.RecordOnly
}

// Shares of the day's money, in percent (M6).
const (
	percentAlarm     = 80
	percentStrangers = 100
	percentUntrusted = 150
)

// People are those whom HR knows.
type People struct {
	// Known is false until the record has been read: nobody is then taken for "no people".
	Known bool
	Total int
	// ByCountry counts them by the country of their numbers.
	ByCountry map[string]int
}

// Allowed returns the countries that texts may go to, sorted.
func (r Rules) Allowed(p People) []string {
	if len(r.Countries) > 0 {
		return slices.Sorted(slices.Values(r.Countries))
	}
	var allowed []string
	for _, country := range slices.Sorted(maps.Keys(p.ByCountry)) {
		if r.allows(country, p) {
			allowed = append(allowed, country)
		}
	}
	return allowed
}

func (r Rules) allows(country string, p People) bool {
	if len(r.Countries) > 0 {
		return slices.Contains(r.Countries, country)
	}
	return country != "" && p.ByCountry[country] > 0
}

// limit is the most that may be counted.
type limit struct {
	most   int64
	lifted bool
}

// greater is the limit that grows with the people: floor, or each for as many.
func greater(floor, each int64, people int) limit {
	return limit{most: max(floor, each*int64(people)), lifted: floor == 0 && each == 0}
}

// part returns percent of l, rounded up so that of a limit of 1 something is left.
func (l limit) part(percent int64) limit {
	return limit{most: ceilPercent(l.most, percent), lifted: l.lifted}
}

func fixed(n int) limit { return limit{most: int64(n), lifted: n == 0} }

func (r Rules) countryDay(p People, country string) limit {
	return greater(int64(r.CountryDay), int64(r.CountryPerPerson), p.ByCountry[country])
}

func (r Rules) allMinute(p People) limit {
	return limit{
		most:   max(int64(r.AllMinute), ceilPercent(int64(p.Total), int64(r.AllMinutePercent))),
		lifted: r.AllMinute == 0 && r.AllMinutePercent == 0,
	}
}

func (r Rules) allDay(p People) limit {
	return greater(int64(r.AllDay), int64(r.AllPerPerson), p.Total)
}

func (r Rules) budget(p People) limit {
	if r.BudgetDay != 0 {
		return limit{most: int64(r.BudgetDay)}
	}
	return greater(int64(r.BudgetFloor), int64(r.BudgetPerPerson), p.Total)
}

// ceilPercent is percent of n, rounded up. Whole hundreds are taken apart, so that it does not overflow.
func ceilPercent(n, percent int64) int64 { return n/100*percent + (n%100*percent+99)/100 }
