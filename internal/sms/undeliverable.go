package sms

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

const (
	// undeliverableFor is how long a number that cannot get texts is sent none (X2).
	undeliverableFor = 24 * time.Hour
	// hitsTogether is within what time two failures that came by webhook count as two.
	hitsTogether = 7 * 24 * time.Hour
	// asyncHits is how many of them it takes: a network may be wrong once.
	asyncHits = 2
)

// Failure is why one text did not reach a number.
type Failure struct {
	Class    Class
	Code     int
	Reason   string
	Provider string
	// Sync says that the provider refused the text when it was asked; else it took it and told later.
	Sync bool
}

// AboutNumber reports whether the class says of the number itself that it gets no texts.
func (c Class) AboutNumber() bool { return c == NumberPermanent || c == OptedOut }

// Undeliverable is what is known of a number to which texts have failed.
type Undeliverable struct {
	To phone.Number
	// Class, Code, Reason and Provider are those of the last failure.
	Class    Class
	Code     int
	Reason   string
	Provider string
	// Hits is how many there were, each within 7 days of the one before.
	Hits    int
	FirstAt time.Time
	LastAt  time.Time
	// Until is up to when the number is sent nothing; zero while it has not failed often enough.
	Until time.Time
}

// Blocked reports whether the number is sent nothing now.
func (u Undeliverable) Blocked(now time.Time) bool { return now.Before(u.Until) }

// After returns what is known after one more failure of a class that is AboutNumber (X2). One refusal, or
// two pieces of bad news within 7 days, block the number for 24 hours from the last one; whoever replied STOP is
// blocked at once. The zero Undeliverable is a number of which nothing is known.
func (u Undeliverable) After(f Failure, now time.Time) Undeliverable {
	if u.Hits == 0 || now.Sub(u.LastAt) > hitsTogether {
		u.Hits, u.FirstAt, u.Until = 0, now, time.Time{}
	}
	u.Class, u.Code, u.Reason, u.Provider = f.Class, f.Code, f.Reason, f.Provider
	u.Hits++
	u.LastAt = now
	if f.Sync || f.Class == OptedOut || u.Hits >= asyncHits {
		u.Until = now.Add(undeliverableFor)
	}
	return u
}

// Recipient is what has to be known of a number before it is sent a text.
type Recipient struct {
	// Known says that it is an active person's of HR.
	Known bool
	// Undeliverable is nil unless the number is sent nothing now.
	Undeliverable *Undeliverable
}

// Holder is one of HR's people.
type Holder struct {
	UserID     string
	Source     string
	ExternalID string
	Name       string
}

// UndeliverableNumber is a number that could not get texts, and whose it is.
type UndeliverableNumber struct {
	Undeliverable
	// Holders are HR's active people with the number: none for a stranger's, several where HR has to
	// correct that as well.
	Holders []Holder
}
