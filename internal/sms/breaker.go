package sms

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// How a breaker works (security requirement X1).
const (
	// failuresToOpen is how many texts in a row a provider fails, or leaves in the dark, before it is
	// left alone.
	failuresToOpen = 5
	// A breaker stays open for shortestOpen, and after each trial that fails for twice as long as
	// before, up to longestOpen: half an outage at most is added to it.
	shortestOpen, longestOpen = 30 * time.Second, 5 * time.Minute
)

// verdict is what the outcome of a text says about the way it went.
type verdict int

const (
	silent verdict = iota // nothing: neither that it works nor that it does not
	works
	fails  // perhaps by chance: several in a row open the breaker
	broken // for certain: opens the breaker at once, or with the second number where only some may be odd
)

// breaker keeps texts away from a way that does not work. It is not safe for concurrent use.
//
//	closed ── broken, or fails five times in a row ──► open
//	   ▲                                                │ its time is over
//	   └── the trial works ── half-open: one trial ◄────┘
//	                              └── the trial fails ──► open, for twice as long
type breaker struct {
	open     bool // or half-open, from until on
	until    time.Time
	lasts    time.Duration // how long it is open
	reason   string
	failures int // in a row, while closed
	// failed are the numbers of those: one that a provider fails for, again and again, counts once.
	failed []phone.Number
	trial  bool // a text is being tried, while half-open
	// odd is the number for which the way was broken, while that may lie with the number: otherwise
	// whoever has one that a provider chokes on could close a country to everybody (T5).
	odd phone.Number
	// era counts the changes between open and closed. What comes of a text that was let through in an
	// earlier era says nothing about this one.
	era int
}

// pass lets one text through. Give it back to done.
type pass struct{ era int }

// refuses reports whether no text may go now.
func (b *breaker) refuses(now time.Time) bool { return b.open && (b.trial || now.Before(b.until)) }

// admits reports whether a text may go as the trial before its time: one of staff's, from a place that is
// known for them, which nobody can use to keep the way closed (T5).
func (b *breaker) admits(insider bool) bool { return b.open && insider && !b.trial }

// enter lets a text through, which refuses has not refused.
func (b *breaker) enter() pass {
	b.trial = b.open
	return pass{b.era}
}

// done hears what came of a text to a number that was let through, and reports whether that opened or
// closed the breaker, or kept it open. The zero number is for a way on which numbers make no difference.
func (b *breaker) done(p pass, v verdict, to phone.Number, reason string, now time.Time) (changed bool) {
	if p.era != b.era {
		return false
	}
	b.trial = false
	switch {
	case v == silent:
		return false
	case b.open && v == works:
		*b = breaker{era: b.era + 1}
		return true
	case b.open && !to.IsZero() && (v == broken && to == b.odd || v == fails && slices.Contains(b.failed, to)):
		return false // again, which says nothing of the others
	case b.open: // the trial failed
		b.openFor(min(2*b.lasts, longestOpen), to, reason, now)
		return true
	case v == works:
		b.failures, b.failed, b.odd = 0, nil, phone.Number{}
		return false
	case v == fails && !to.IsZero() && slices.Contains(b.failed, to):
		return false
	case v == broken && b.perhapsOdd(to):
		return false
	}
	b.failures++
	b.failed = append(b.failed, to)
	if v == fails && b.failures < failuresToOpen {
		return false
	}
	b.openFor(shortestOpen, to, reason, now)
	return true
}

// trip opens a closed breaker for bad news of a text that went earlier. An open one knows already.
func (b *breaker) trip(to phone.Number, reason string, now time.Time) (changed bool) {
	if b.open || b.perhapsOdd(to) {
		return false
	}
	b.openFor(shortestOpen, to, reason, now)
	return true
}

// perhapsOdd notes the number, and reports whether no other one has failed before it.
func (b *breaker) perhapsOdd(to phone.Number) bool {
	if to.IsZero() || !b.odd.IsZero() && b.odd != to {
		return false
	}
	b.odd = to
	return true
}

func (b *breaker) openFor(d time.Duration, to phone.Number, reason string, now time.Time) {
	*b = breaker{open: true, until: now.Add(d), lasts: d, reason: reason, odd: to, failed: b.failed, era: b.era + 1}
}
