// Package rule names the limits that keep codes from being guessed and texts from being abused, so
// that a refusal, a metric, a block that an admin lists and a setting all call it the same.
package rule

import (
	"maps"
	"slices"
)

// Name is one rule. Names stand in settings and metrics: renaming one breaks them.
type Name string

// The rules; behind each, its number in the security requirements.
const (
	CodeGuessesSource Name = "code_guesses_source" // C4
	CodeGuesses       Name = "code_guesses"        // C4

	NumberGuessesSource Name = "number_guesses_source" // T1
	NumberGuesses       Name = "number_guesses"        // T1
	NumberInARow        Name = "number_in_a_row"       // T2

	SourceGuesses     Name = "source_guesses"      // T3
	SourceNumbers     Name = "source_numbers"      // T3
	SourceStarts      Name = "source_starts"       // T3, per 10 minutes
	SourceStartsHour  Name = "source_starts_hour"  // T3
	NetworkGuesses    Name = "network_guesses"     // T3, /24 or /48
	NetworkNumbers    Name = "network_numbers"     // T3
	NetworkStarts     Name = "network_starts"      // T3
	NetworkStartsHour Name = "network_starts_hour" // T3

	AllGuesses       Name = "all_guesses"        // T4, protective mode
	AllGuessesClosed Name = "all_guesses_closed" // T4, three times that

	ResendGap             Name = "resend_gap"               // C6, M3
	NumberTextsSourceHour Name = "number_texts_source_hour" // M3
	NumberTextsSourceDay  Name = "number_texts_source_day"  // M3
	NumberTextsHour       Name = "number_texts_hour"        // M3
	NumberTextsDay        Name = "number_texts_day"         // M3

	Roster          Name = "roster"           // M1
	Country         Name = "country"          // M2
	StrangersHour   Name = "strangers_hour"   // M4
	StrangersDay    Name = "strangers_day"    // M4
	StrangersBlock  Name = "strangers_block"  // M4, numbers that differ in the last four digits
	CountryDay      Name = "country_day"      // M5
	AllMinute       Name = "all_minute"       // M5
	AllDay          Name = "all_day"          // M5
	BudgetStrangers Name = "budget_strangers" // M6, 100 %
	BudgetUntrusted Name = "budget_untrusted" // M6, 150 %
	Conversion      Name = "conversion"       // M7
	Undeliverable   Name = "undeliverable"    // X2, a number that gets no texts
	ProviderOutage  Name = "provider_outage"  // X1, every provider's breaker is open
	ProviderCountry Name = "provider_country" // X1, every provider's breaker for the country is open
)

// explained says of each rule what happened, to an admin.
var explained = map[Name]string{
	CodeGuessesSource: "too many wrong guesses at one code from one address",
	CodeGuesses:       "too many wrong guesses at one code",

	NumberGuessesSource: "too many wrong guesses at the number from one address in a day",
	NumberGuesses:       "too many wrong guesses at the number in a day; networks it has signed in from still may",
	NumberInARow:        "too many wrong guesses at the number in a row; only networks it has signed in from may",

	SourceGuesses:     "too many wrong guesses from one address in an hour",
	SourceNumbers:     "too many different numbers from one address in an hour",
	SourceStarts:      "too many codes asked for from one address in ten minutes",
	SourceStartsHour:  "too many codes asked for from one address in an hour",
	NetworkGuesses:    "too many wrong guesses from one network in an hour",
	NetworkNumbers:    "too many different numbers from one network in an hour",
	NetworkStarts:     "too many codes asked for from one network in ten minutes",
	NetworkStartsHour: "too many codes asked for from one network in an hour",

	AllGuesses:       "too many wrong guesses in all in an hour: limits are lower for unknown networks",
	AllGuessesClosed: "far too many wrong guesses in all in an hour: no codes for unknown networks",

	ResendGap:             "another text so soon",
	NumberTextsSourceHour: "too many texts to the number from one address in an hour",
	NumberTextsSourceDay:  "too many texts to the number from one address in a day",
	NumberTextsHour:       "too many texts to the number in an hour",
	NumberTextsDay:        "too many texts to the number in a day",

	Roster:          "texts go to HR's numbers only",
	Country:         "no texts to this country",
	StrangersHour:   "the hour's texts to numbers that HR does not know are spent",
	StrangersDay:    "the day's texts to numbers that HR does not know are spent",
	StrangersBlock:  "too many texts to neighbouring numbers that HR does not know",
	CountryDay:      "the day's texts to the country are spent",
	AllMinute:       "the minute's texts are spent",
	AllDay:          "the day's texts are spent",
	BudgetStrangers: "the day's money is spent: texts to HR's numbers only",
	BudgetUntrusted: "half as much again as the day's money is spent: texts to networks known for the number only",
	Conversion:      "hardly any code to unknown numbers in the country is used: none for an hour",
	Undeliverable:   "the number cannot get texts",
	ProviderOutage:  "no provider takes texts",
	ProviderCountry: "no provider takes texts to the country",
}

// Explain says in a few words what reaching the rule means.
func (n Name) Explain() string { return explained[n] }

// Known reports whether there is such a rule.
func (n Name) Known() bool { return explained[n] != "" }

// All returns every rule, sorted.
func All() []Name { return slices.Sorted(maps.Keys(explained)) }

// RecordOnly holds the rules that are counted and reported, but refuse nothing.
type RecordOnly map[Name]bool
