package app

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/tier"
)

// What follows turns settings into limits. The settings have been checked.

func recordOnly(c config.Config) rule.RecordOnly {
	only := rule.RecordOnly{}
	for _, name := range c.Limits.RecordOnly {
		only[rule.Name(name)] = true
	}
	return only
}

// newNumberLimits are the limits that hang on one number.
func newNumberLimits(c config.Config) otp.Limits {
	n := c.Limits.Number
	return otp.Limits{
		// A code that was set to live for less than renewBelow must still be sent again as it is for
		// a while, or each start would void the one before.
		Lifetime: c.Codes.Lifetime, RenewBelow: min(renewBelow, c.Codes.Lifetime/2), ResendGap: c.Codes.ResendGap,
		GuessesPerSource: c.Codes.GuessesPerSource, Guesses: c.Codes.Guesses,
		StrictGuessesPerSource: c.Codes.StrictGuessesPerSource, StrictGuesses: c.Codes.StrictGuesses,
		NumberGuessesPerSource: n.GuessesPerSourceDay, NumberGuesses: n.GuessesPerDay, NumberAlarm: n.GuessesAlarm,
		InARow: n.GuessesInARow, ForgetRow: n.ForgetRow,
		TextsPerSourceHour: n.TextsPerSourceHour, TextsPerSourceDay: n.TextsPerSourceDay,
		TextsPerHour: n.TextsPerHour, TextsPerDay: n.TextsPerDay, TextsKept: n.TextsKept,
		TrustFor: c.Limits.TrustFor, RecordOnly: recordOnly(c),
	}
}

// protectiveDivisor is by how much T3 is lower for untrusted sources in protective mode (T4).
const protectiveDivisor = 3

// newSourceRules are the limits of sources, and of all together.
func newSourceRules(c config.Config) limit.Rules {
	s, all := c.Limits.Source, c.Limits.All
	return limit.Rules{
		GuessesPerHour: s.GuessesPerHour, NumbersPerHour: s.NumbersPerHour,
		StartsPerTenMinutes: s.StartsPerTenMinutes, StartsPerHour: s.StartsPerHour,
		NetworkFactor: s.NetworkFactor, ListedGuessesPerHour: s.CompanyGuessesPerHour,
		AllPerHour: all.GuessesPerHour, AllPercent: float64(all.GuessesPercent) / 1e6, ClosedFactor: all.ClosedFactor,
		ProtectiveDivisor: protectiveDivisor, RecordOnly: recordOnly(c),
	}
}

// newSpendRules are the limits of what texts may cost.
func newSpendRules(c config.Config) spend.Rules {
	return spend.Rules{
		Roster: c.SMS.Recipients == config.RecipientsRoster, Countries: c.SMS.Countries,
		StrangersHour: c.SMS.Strangers.PerHour, StrangersDay: c.SMS.Strangers.PerDay, StrangersBlockHour: c.SMS.Strangers.PerBlockHour,
		CountryDay: c.SMS.Volume.PerCountryDay, CountryPerPerson: c.SMS.Volume.PerCountryDayPerson,
		AllMinute: c.SMS.Volume.PerMinute, AllMinutePercent: c.SMS.Volume.PerMinutePercent,
		AllDay: c.SMS.Volume.PerDay, AllPerPerson: c.SMS.Volume.PerDayPerson, StrangersPercent: c.SMS.Strangers.VolumePercent,
		BudgetDay: spend.Micros(c.SMS.Money.PerDay), BudgetPerPerson: spend.Micros(c.SMS.Money.PerDayPerson),
		BudgetFloor:      spend.Micros(c.SMS.Money.PerDayFloor),
		ConversionSample: c.SMS.Conversion.Sample, ConversionPercent: c.SMS.Conversion.Percent,
		ConversionPause: c.SMS.Conversion.Pause, RecordOnly: recordOnly(c),
	}
}

func newPrices(c config.Config) spend.Prices {
	prices := spend.Prices{
		Currency: c.SMS.Money.Currency, Default: spend.Micros(c.SMS.Money.Price), ByCountry: map[string]spend.Micros{},
	}
	for country, price := range c.SMS.Money.Prices {
		prices.ByCountry[country] = spend.Micros(price)
	}
	return prices
}

func newCompany(c config.Config) origin.Company {
	return origin.Company(append([]netip.Prefix(nil), c.CompanyNetworks...))
}

// newReviewers are the numbers with agreed codes, as the counting of guesses and as the sign-in see
// them (C11). The day until which they are agreed is the last one.
func newReviewers(c config.Config, tiers *tier.Table) ([]otp.Reviewer, []login.Reviewer, error) {
	var codes []otp.Reviewer
	var people []login.Reviewer
	parser := newParser(c)
	parser.AllowFictional = true
	for name, r := range c.Reviewers {
		number, err := parser.Parse(r.Phone)
		if err != nil {
			return nil, nil, fmt.Errorf("reviewers.%s.phone: %w", name, err)
		}
		last, err := time.Parse(time.DateOnly, r.Until)
		if err != nil {
			return nil, nil, fmt.Errorf("reviewers.%s.until: want a day, such as 2027-01-31", name)
		}
		level, ok := tiers.Named(r.Tier)
		if !ok {
			return nil, nil, fmt.Errorf("reviewers.%s.tier: no such tier", name)
		}
		until := last.AddDate(0, 0, 1)
		key := otp.Key{Client: r.Client, Connection: login.SMS, Number: number}
		codes = append(codes, otp.Reviewer{Key: key, Code: otp.Code(r.Code.Reveal()), Until: until})
		people = append(people, login.Reviewer{Number: number, ClientID: r.Client, Tier: level, Until: until})
	}
	return codes, people, nil
}
