package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/rule"
)

func ofNumber(change func(*NumberLimit)) func(*Config) {
	return func(c *Config) { change(&c.Limits.Number) }
}

func TestLimits(t *testing.T) {
	checkRules(t, []oneChange{
		{"all that can be is lifted", func(c *Config) {
			c.Limits = Limits{Number: NumberLimit{GuessesInARow: 1, ForgetRow: 24 * time.Hour}, Source: SourceLimit{NetworkFactor: 1}, All: AllLimit{ClosedFactor: 2}}
		}, nil},
		{"the ceilings", func(c *Config) {
			c.Limits = Limits{
				Number: NumberLimit{10000, 10000, 10000, 100, maxSession, 10000, 10000, 10000, 10000, 9999},
				Source: SourceLimit{10000, 10000, 10000, 10000, 256, 10000}, All: AllLimit{10_000_000, 100 * millionths, 100},
				TrustFor: 90 * day, NoticeAfter: 100,
			}
		}, nil},
		{"beyond them", func(c *Config) {
			c.Limits = Limits{
				Number: NumberLimit{10001, 10001, 10001, 101, maxSession + 1, 10001, 10001, 10001, 10001, 10001},
				Source: SourceLimit{10001, 10001, 10001, 10001, 257, 10001}, All: AllLimit{10_000_001, 100*millionths + 1, 101},
				TrustFor: 90*day + 1, NoticeAfter: 101,
			}
		}, []string{
			"limits.number.guesses_per_source_day: want 0 to 10000", "limits.number.guesses_per_day: want", "limits.number.guesses_alarm: want",
			"limits.number.guesses_in_a_row: want 1 to 100", "limits.number.forget_row: want 24h to 8784h", "limits.number.texts_per_source_hour: want",
			"limits.number.texts_per_source_day: want", "limits.number.texts_per_hour: want", "limits.number.texts_per_day: want",
			"limits.number.texts_kept: want 0 to 10000", "limits.number.texts_kept: want less than texts_per_day",
			"limits.source.guesses_per_hour: want 0 to 10000", "limits.source.numbers_per_hour: want",
			"limits.source.starts_per_ten_minutes: want", "limits.source.starts_per_hour: want", "limits.source.network_factor: want 1 to 256",
			"limits.source.company_guesses_per_hour: want", "limits.all.guesses_per_hour: want 0 to 10000000", "limits.all.guesses_percent: want 0 to 100",
			"limits.all.closed_factor: want 2 to 100", "limits.trust_for: want 0s to 2160h", "limits.notice_after: want 0 to 100",
		}},
		{"a row cannot be lifted", ofNumber(func(n *NumberLimit) { n.GuessesInARow = 0 }), []string{"limits.number.guesses_in_a_row: want 1 to 100"}},
		{"a row that is forgotten at once", ofNumber(func(n *NumberLimit) { n.ForgetRow = time.Hour }), []string{"limits.number.forget_row: want 24h"}},
		{"less than nothing", ofNumber(func(n *NumberLimit) { n.GuessesPerDay = -1 }), []string{"limits.number.guesses_per_day: want 0"}},
		{"one address more than all", ofNumber(func(n *NumberLimit) { n.GuessesPerSourceDay = 21 }), []string{
			"limits.number.guesses_per_source_day: more than guesses_per_day",
		}},
		{"an alarm that never rings", ofNumber(func(n *NumberLimit) { n.GuessesAlarm = 21 }), []string{"limits.number.guesses_alarm: more than guesses_per_day"}},
		{"an hour more than its day", ofNumber(func(n *NumberLimit) { n.TextsPerSourceHour = 6 }), []string{
			"limits.number.texts_per_source_hour: more than texts_per_source_day",
		}},
		{"an address more than all in an hour", ofNumber(func(n *NumberLimit) { n.TextsPerHour = 2 }), []string{
			"limits.number.texts_per_source_hour: more than texts_per_hour",
		}},
		{"an address more than all in a day", ofNumber(func(n *NumberLimit) { n.TextsPerSourceDay = 13 }), []string{
			"limits.number.texts_per_source_day: more than texts_per_day",
		}},
		{"an hour more than the day", ofNumber(func(n *NumberLimit) { n.TextsPerHour = 13 }), []string{"limits.number.texts_per_hour: more than texts_per_day"}},
		{"all kept", ofNumber(func(n *NumberLimit) { n.TextsKept = 12 }), []string{"limits.number.texts_kept: want less than texts_per_day"}},
		{"kept of what has no end", ofNumber(func(n *NumberLimit) { n.TextsPerDay = 0 }), nil},
		{"strict", func(c *Config) { c.Codes.StrictGuessesPerSource, c.Codes.StrictGuesses = 6, 0 }, []string{
			"codes.strict_guesses_per_source: want 1 to as many as codes.guesses_per_source", "codes.strict_guesses: want 1 to as many as codes.guesses"}},
	})
}

// Who lowers codes.guesses need not know of the strict ones; who sets those has to mean them.
func TestStrictGuessesFollow(t *testing.T) {
	c := mustLoad(t, disk{"main.yaml": minimal + "codes: {guesses: 3, guesses_per_source: 1}\n"})
	require.Equal(t, []int{1, 3}, []int{c.Codes.StrictGuessesPerSource, c.Codes.StrictGuesses})
	_, err := load(disk{"main.yaml": minimal + "codes: {guesses: 3, guesses_per_source: 1, strict_guesses: 4}\n"})
	wantProblems(t, err, "codes.strict_guesses: want 1 to as many as codes.guesses (main.yaml:8)")
}

func TestRecordOnly(t *testing.T) {
	recorded := func(names ...string) func(*Config) { return func(c *Config) { c.Limits.RecordOnly = names } }
	checkRules(t, []oneChange{
		{"some", recorded("country", "strangers_hour", "number_guesses"), nil},
		{"twice", recorded("country", "country"), []string{"limits.record_only[1]: listed twice"}},
		{"nearly", recorded("stranger_hour"), []string{`limits.record_only[0]: no such rule: did you mean "strangers_hour"?`}},
		{"nothing near", recorded("everything"), []string{"limits.record_only[0]: want one of all_day, all_guesses,"}},
		{"guesses at codes", recorded("code_guesses", "code_guesses_source"), []string{
			"limits.record_only[0]: cannot only be recorded: codes could be guessed", "limits.record_only[1]: cannot only be recorded: codes could be guessed"}},
		{"a ceiling", recorded("number_in_a_row"), []string{"limits.record_only[0]: cannot only be recorded: NIST SP 800-63B"}},
		{"no limits", recorded("undeliverable", "provider_outage", "provider_country"), []string{
			"limits.record_only[0]: cannot only be recorded: it is no limit", "limits.record_only[1]: cannot", "limits.record_only[2]: cannot"}},
	})
	var rest []string
	for _, name := range rule.All() {
		if notRecordable[name] == "" {
			rest = append(rest, string(name))
		}
	}
	checkRules(t, []oneChange{{"all others", recorded(rest...), nil}})
}
