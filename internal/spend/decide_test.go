package spend_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
)

var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	counter := func(name string) spend.Counter { return spend.Counter{Window: spend.Day, Name: name} }
	check := func(name string, mode spend.Mode) spend.Check {
		return spend.Check{
			Rule: rule.AllDay, Counter: counter(name), Add: 1, Limit: 2, Mode: mode,
			Raised: counter("more:" + name), Told: counter("told:" + name),
		}
	}
	paused := spend.Check{Rule: rule.Conversion, Paused: "GB"}
	refuse, record, watch := check("a", spend.Refuse), check("b", spend.Record), check("c", spend.Watch)
	same := check("a", spend.Watch)
	for _, tc := range []struct {
		name     string
		checks   []spend.Check
		counters map[string]int64
		pause    time.Duration
		want     spend.Outcome
	}{
		{"nothing to check", nil, nil, 0, spend.Outcome{Refused: -1}},
		{"the last that may", []spend.Check{refuse, record, watch}, map[string]int64{"a": 1, "b": 1, "c": 1}, 0, spend.Outcome{Refused: -1}},
		{"one too many", []spend.Check{refuse}, map[string]int64{"a": 2}, 0, spend.Outcome{Refused: 0, Tell: []int{0}}},
		{"told already", []spend.Check{refuse}, map[string]int64{"a": 2, "told:a": 1}, 0, spend.Outcome{Refused: 0}},
		{"recorded", []spend.Check{record}, map[string]int64{"b": 9}, 0, spend.Outcome{Refused: -1, Noted: []int{0}, Tell: []int{0}}},
		{"watched", []spend.Check{watch}, map[string]int64{"c": 2}, 0, spend.Outcome{Refused: -1, Tell: []int{0}}},
		{"nothing after the first that refuses", []spend.Check{record, refuse, check("d", spend.Record), watch},
			map[string]int64{"a": 2, "b": 2, "c": 2, "d": 2}, 0, spend.Outcome{Refused: 1, Noted: []int{0}, Tell: []int{0, 1}}},
		{"raised once", []spend.Check{refuse}, map[string]int64{"a": 3, "more:a": 1}, 0, spend.Outcome{Refused: -1}},
		{"raised and reached", []spend.Check{refuse}, map[string]int64{"a": 4, "more:a": 1, "told:a": 1}, 0, spend.Outcome{Refused: 0, Tell: []int{0}}},
		{"news is told once", []spend.Check{watch, check("c", spend.Record), same}, map[string]int64{"a": 2, "c": 2}, 0,
			spend.Outcome{Refused: -1, Noted: []int{1}, Tell: []int{0, 2}}},
		{"paused", []spend.Check{paused}, nil, time.Millisecond, spend.Outcome{Refused: 0}},
		{"no longer paused", []spend.Check{paused}, nil, 0, spend.Outcome{Refused: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := spend.State{Counters: map[spend.Counter]int64{}, Pauses: map[string]spend.Pause{"GB": {Until: now.Add(tc.pause)}}}
			for name, n := range tc.counters {
				state.Counters[counter(name)] = n
			}
			require.Equal(t, tc.want, spend.Decide(spend.Plan{Checks: tc.checks}, now, state))
		})
	}
}
