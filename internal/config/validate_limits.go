package config

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

func (v *validator) codes() {
	at := path{"codes"}
	between(v, at.key("lifetime"), v.Codes.Lifetime, time.Second, 10*time.Minute)
	between(v, at.key("resend_gap"), v.Codes.ResendGap, 10*time.Second, 5*time.Minute)
	between(v, at.key("guesses_per_source"), v.Codes.GuessesPerSource, 1, 5)
	between(v, at.key("guesses"), v.Codes.Guesses, 1, 10)
	if v.Codes.GuessesPerSource > v.Codes.Guesses {
		v.fail(at.key("guesses_per_source"), "more than codes.guesses, which counts all sources: want at most that many")
	}
	v.strict(count{"guesses_per_source", v.Codes.GuessesPerSource}, v.Codes.StrictGuessesPerSource)
	v.strict(count{"guesses", v.Codes.Guesses}, v.Codes.StrictGuesses)
}

// strict checks the number that takes the place of usual while limits are lower (T4).
func (v *validator) strict(usual count, n int) {
	if n < 1 || n > usual.n {
		v.fail(path{"codes", "strict_" + usual.key}, "want 1 to as many as codes.%s", usual.key)
	}
}

// Sensible ends of counts, far above what anybody needs: beyond, a number is a slip.
const (
	mostOfOne = 10_000     // of one number, address or network
	mostOfAll = 10_000_000 // of all together
)

// limits checks T1 to T4, T9 and M3. A 0 lifts a rule, but T2's: its ceiling is NIST SP 800-63B's.
func (v *validator) limits() {
	at := path{"limits"}
	v.recordOnly(at.key("record_only"))
	v.numberLimits(at.key("number"), v.Limits.Number)

	source := v.Limits.Source
	v.counts(at.key("source"), mostOfOne, []count{
		{"guesses_per_hour", source.GuessesPerHour}, {"numbers_per_hour", source.NumbersPerHour},
		{"starts_per_ten_minutes", source.StartsPerTenMinutes}, {"starts_per_hour", source.StartsPerHour},
		{"company_guesses_per_hour", source.CompanyGuessesPerHour},
	})
	between(v, at.key("source").key("network_factor"), source.NetworkFactor, 1, 256)

	all := v.Limits.All
	between(v, at.key("all").key("guesses_per_hour"), all.GuessesPerHour, 0, mostOfAll)
	between(v, at.key("all").key("guesses_percent"), all.GuessesPercent, 0, 100*millionths)
	between(v, at.key("all").key("closed_factor"), all.ClosedFactor, 2, 100)

	between(v, at.key("trust_for"), v.Limits.TrustFor, 0, 90*24*time.Hour)
	between(v, at.key("notice_after"), v.Limits.NoticeAfter, 0, 100)
}

func (v *validator) numberLimits(at path, n NumberLimit) {
	v.counts(at, mostOfOne, []count{
		{"guesses_per_source_day", n.GuessesPerSourceDay}, {"guesses_per_day", n.GuessesPerDay},
		{"guesses_alarm", n.GuessesAlarm},
		{"texts_per_source_hour", n.TextsPerSourceHour}, {"texts_per_source_day", n.TextsPerSourceDay},
		{"texts_per_hour", n.TextsPerHour}, {"texts_per_day", n.TextsPerDay}, {"texts_kept", n.TextsKept},
	})
	between(v, at.key("guesses_in_a_row"), n.GuessesInARow, 1, 100)
	between(v, at.key("forget_row"), n.ForgetRow, 24*time.Hour, 366*24*time.Hour)
	v.notAbove(at, count{"guesses_per_source_day", n.GuessesPerSourceDay}, count{"guesses_per_day", n.GuessesPerDay})
	v.notAbove(at, count{"guesses_alarm", n.GuessesAlarm}, count{"guesses_per_day", n.GuessesPerDay})
	v.notAbove(at, count{"texts_per_source_hour", n.TextsPerSourceHour}, count{"texts_per_source_day", n.TextsPerSourceDay})
	v.notAbove(at, count{"texts_per_source_hour", n.TextsPerSourceHour}, count{"texts_per_hour", n.TextsPerHour})
	v.notAbove(at, count{"texts_per_source_day", n.TextsPerSourceDay}, count{"texts_per_day", n.TextsPerDay})
	v.notAbove(at, count{"texts_per_hour", n.TextsPerHour}, count{"texts_per_day", n.TextsPerDay})
	if n.TextsPerDay > 0 && n.TextsKept >= n.TextsPerDay {
		v.fail(at.key("texts_kept"), "want less than texts_per_day, or nobody gets a text on a new network")
	}
}

// count is a setting of a section.
type count struct {
	key string
	n   int
}

func (v *validator) counts(at path, most int, counts []count) {
	for _, c := range counts {
		between(v, at.key(c.key), c.n, 0, most)
	}
}

// notAbove reports a limit that another one never lets anybody reach.
func (v *validator) notAbove(at path, c, other count) {
	if other.n > 0 && c.n > other.n {
		v.fail(at.key(c.key), "more than %s, which ends it before: want at most that many", other.key)
	}
}

// notRecordable are rules that cannot only record: ceilings of NIST SP 800-63B, and what is no limit of ours.
var notRecordable = map[rule.Name]string{
	rule.CodeGuesses:       "codes could be guessed without an end: raise codes.guesses instead",
	rule.CodeGuessesSource: "codes could be guessed without an end: raise codes.guesses_per_source instead",
	rule.NumberInARow:      "NIST SP 800-63B allows at most 100 wrong guesses in a row: raise limits.number.guesses_in_a_row instead",
	rule.Undeliverable:     "it is no limit: such a number gets no texts anyway",
	rule.ProviderOutage:    "it is no limit: nobody takes the text",
	rule.ProviderCountry:   "it is no limit: nobody takes the text",
}

func (v *validator) recordOnly(at path) {
	var known []string
	for _, name := range rule.All() {
		if notRecordable[name] == "" {
			known = append(known, string(name))
		}
	}
	for i, name := range v.Limits.RecordOnly {
		switch because := notRecordable[rule.Name(name)]; {
		case because != "":
			v.fail(at.index(i), "cannot only be recorded: %s", because)
		case !slices.Contains(known, name):
			if near := suggest(name, known); near != "" {
				v.fail(at.index(i), "no such rule%s", near)
			} else {
				v.oneOf(at.index(i), name, known...)
			}
		}
	}
	v.noRepeats(at, v.Limits.RecordOnly)
}
