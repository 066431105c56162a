package limit

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Around says whether a meter is that of a source or of the network around it.
type Around string

// The two.
const (
	Source  Around = "source"
	Network Around = "network"
)

// Kind is what a meter counts.
type Kind string

// What is counted of an origin.
const (
	Starts  Kind = "starts"
	Numbers Kind = "numbers" // different ones
	Guesses Kind = "guesses" // wrong ones, and those of which it is not known yet
)

// Place is where a meter stands at an origin.
type Place struct {
	Around Around
	Kind   Kind
}

// Meter counts different members, each by the time at which it was counted last.
type Meter struct {
	From  origin.Origin
	Place Place
	// Member is what is to be counted: a name of the call, which is counted once however often the store
	// hears of it, or a number's tag.
	Member string
	// Renew says that a member counts from now on when it is counted again.
	Renew bool
	// Keep is the longest of Windows. A meter of Room members takes no more, should no rule stop it.
	Keep    time.Duration
	Room    int
	Windows []Window
}

// Window is one rule: at most Limit members in any Length.
type Window struct {
	Rule   rule.Name
	Length time.Duration
	Limit  int
	// Third is the limit of untrusted origins in protective mode; 0 is none.
	Third int
	// Enforced says that the rule refuses; others are only recorded.
	Enforced bool
}

// Reading is what a meter said of one member.
type Reading struct {
	// Stamp is when the member was counted, in Unix ms; a little later than it was if that is what it
	// takes to tell it from the time before. 0 if it was not.
	Stamp int64
	// Previous is the Stamp that it had, if it is one to Renew; else 0.
	Previous int64
	// Waits are those of Windows.
	Waits []Wait
}

// Wait is how long until a window has room, for Limit and for Third; 0 if it has.
type Wait struct{ Full, Third time.Duration }

// Admits reports whether no enforced window makes the members of meters wait.
func Admits(meters []Meter, readings []Reading) bool {
	for i, m := range meters {
		for j, w := range m.Windows {
			if w.Enforced && readings[i].Waits[j].Full > 0 {
				return false
			}
		}
	}
	return true
}

// Read is the decision that every store makes: what the meter says at now, in Unix ms, when stamps are
// those of its members of the last Keep, ascending, and present is its Member's own, 0 if it has none.
// Stamp is what it gets if all meters admit it.
func (m Meter) Read(stamps []int64, present, now int64) Reading {
	r := Reading{Stamp: now, Waits: make([]Wait, len(m.Windows))}
	if present > 0 { // counted already: it takes no more room
		r.Stamp = present
		if m.Renew {
			r.Stamp, r.Previous = max(now, present+1), present
		}
		return r
	}
	if len(stamps) >= m.Room {
		r.Stamp = 0
	}
	for i, w := range m.Windows {
		r.Waits[i] = Wait{Full: wait(stamps, w.Limit, w.Length, now), Third: wait(stamps, w.Third, w.Length, now)}
	}
	return r
}

// wait returns how long until fewer than limit of stamps are within length: until the limit-th newest
// is not.
func wait(stamps []int64, limit int, length time.Duration, now int64) time.Duration {
	if limit <= 0 || len(stamps) < limit {
		return 0
	}
	left := stamps[len(stamps)-limit] + length.Milliseconds() - now
	return time.Duration(max(0, left)) * time.Millisecond
}
