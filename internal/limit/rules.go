package limit

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Rules are the numbers of T3 and T4. 0 lifts a rule.
type Rules struct {
	// What one source may do: wrong guesses and different numbers in an hour, starts in ten minutes and
	// in an hour. Sources in a listed network start as they like.
	GuessesPerHour, NumbersPerHour, StartsPerTenMinutes, StartsPerHour int
	// NetworkFactor is how many times as much a /24 or /48 may do.
	NetworkFactor int
	// ListedGuessesPerHour are the wrong guesses of one source in a listed network, where thousands of
	// people may share an address.
	ListedGuessesPerHour int
	// AllPerHour are the wrong guesses of all together that put them in protective mode; where AllPercent
	// of the people in the directory are more, that many do.
	AllPerHour int
	AllPercent float64
	// ClosedFactor times as many close starts to untrusted origins.
	ClosedFactor int
	// ProtectiveDivisor divides what an untrusted source or network may do in protective mode.
	ProtectiveDivisor int
	// RecordOnly are rules that refuse nothing.
	RecordOnly rule.RecordOnly
}

// Lengths of the windows of T3.
const (
	hour       = time.Hour
	tenMinutes = 10 * time.Minute
)

// plan holds the Rules as meters without a place.
type plan struct {
	start, guess []Meter
	listed       []Meter
}

func newPlan(r Rules) plan {
	many := r.NetworkFactor
	return plan{
		start: used(
			r.starts(rule.SourceStarts, rule.SourceStartsHour, Source, 1),
			r.numbers(rule.SourceNumbers, Source, 1),
			r.starts(rule.NetworkStarts, rule.NetworkStartsHour, Network, many),
			r.numbers(rule.NetworkNumbers, Network, many),
		),
		guess: used(
			r.meter(Place{Source, Guesses}, r.window(rule.SourceGuesses, hour, r.GuessesPerHour)),
			r.meter(Place{Network, Guesses}, r.window(rule.NetworkGuesses, hour, many*r.GuessesPerHour)),
		),
		listed: used(r.meter(Place{Source, Guesses}, r.window(rule.SourceGuesses, hour, r.ListedGuessesPerHour))),
	}
}

func (r Rules) starts(short, long rule.Name, at Around, factor int) Meter {
	return r.meter(Place{at, Starts}, r.window(short, tenMinutes, factor*r.StartsPerTenMinutes),
		r.window(long, hour, factor*r.StartsPerHour))
}

func (r Rules) numbers(name rule.Name, at Around, factor int) Meter {
	m := r.meter(Place{at, Numbers}, r.window(name, hour, factor*r.NumbersPerHour))
	m.Renew = true
	return m
}

func (r Rules) window(name rule.Name, length time.Duration, limit int) Window {
	w := Window{Rule: name, Length: length, Limit: limit, Enforced: !r.RecordOnly[name]}
	if r.ProtectiveDivisor > 0 && limit > 0 {
		w.Third = max(1, limit/r.ProtectiveDivisor)
	}
	return w
}

// meter leaves out windows whose rule is lifted. The room is what enforced windows can let in during Keep, so
// it bounds a meter only while its rules are recorded and not enforced.
func (r Rules) meter(place Place, windows ...Window) Meter {
	m := Meter{Place: place}
	for _, w := range windows {
		if w.Limit <= 0 {
			continue
		}
		m.Windows = append(m.Windows, w)
		m.Keep = max(m.Keep, w.Length)
	}
	for _, w := range m.Windows {
		m.Room += w.Limit * int((m.Keep+w.Length-1)/w.Length)
	}
	return m
}

func used(meters ...Meter) []Meter {
	var kept []Meter
	for _, m := range meters {
		if len(m.Windows) > 0 {
			kept = append(kept, m)
		}
	}
	return kept
}

// at returns meters with what is counted there: the call, or the number that it is about.
func at(from origin.Origin, meters []Meter, call, number string) []Meter {
	placed := make([]Meter, len(meters))
	for i, m := range meters {
		m.From, m.Member = from, call
		if m.Place.Kind == Numbers {
			m.Member = number
		}
		placed[i] = m
	}
	return placed
}
