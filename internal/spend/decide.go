package spend

import (
	"slices"
	"time"
)

// Outcome is what a store found, as indexes into the plan's checks.
type Outcome struct {
	// Refused is the check that refuses, or -1.
	Refused int
	// Noted are the record-only checks that were reached before.
	Noted []int
	// Tell are the checks that operators have not been told of.
	Tell []int
}

// Counters is what Decide looks at.
type Counters interface {
	// Count returns a counter of the window that now is in.
	Count(Counter) int64
	// PausedUntil returns until when a country is paused; zero if it never was.
	PausedUntil(country string) time.Time
}

// Decide judges the checks of a plan. It changes nothing: a store then adds the counts, if nothing
// refuses, and sets Told of each check in Tell to Check.Level, all in one step.
func Decide(p Plan, now time.Time, c Counters) Outcome {
	out := Outcome{Refused: -1}
	for i, check := range p.Checks {
		if !check.reached(now, c) {
			continue
		}
		if check.Told.Name != "" && c.Count(check.Told) < check.Level(c) && !p.tells(out.Tell, check.Told) {
			out.Tell = append(out.Tell, i)
		}
		switch check.Mode {
		case Refuse:
			out.Refused = i
			return out
		case Record:
			out.Noted = append(out.Noted, i)
		}
	}
	return out
}

// tells reports whether one of the checks has the same news.
func (p Plan) tells(tell []int, news Counter) bool {
	return slices.ContainsFunc(tell, func(i int) bool { return p.Checks[i].Told == news })
}

// Level is 1, and one more for each time that operators have raised the limit: they are told again then.
func (k Check) Level(c Counters) int64 { return 1 + c.Count(k.Raised) }

func (k Check) reached(now time.Time, c Counters) bool {
	if k.Paused != "" {
		return now.Before(c.PausedUntil(k.Paused))
	}
	return c.Count(k.Counter)+k.Add > k.Limit*k.Level(c)
}
