package session

import "time"

// Filter selects sessions. Fields that are set must all hold.
type Filter struct {
	// All has to be set to end sessions without saying whose: what was left empty by mistake must
	// not sign everybody out.
	All      bool
	SID      string
	ClientID string
	// AfterSID selects those whose sid comes later: where a batch before has stopped.
	AfterSID string
	// Subject, Phone (E.164), Email and ExternalID say whose.
	Subject    string
	Phone      string
	Email      string
	ExternalID string
	// OpenedUntil selects those that were opened by then.
	OpenedUntil time.Time
	// Ended selects those that are over or revoked as well, as long as they are kept.
	Ended bool
}

// Named reports whether the filter says whose sessions it is about, or that it is everybody's.
func (f Filter) Named() bool {
	return f.All || f.SID+f.ClientID+f.Subject+f.Phone+f.Email+f.ExternalID != ""
}

// EndBatch is how many sessions are ended in one transaction: few enough that nobody waits long
// behind it.
const EndBatch = 1000

// Ending says how sessions end, for the record.
type Ending struct {
	Reason Reason
	// Actor is who ends them, as in audit.Event.
	Actor   string
	Address string
	Detail  map[string]any
}

// Listed is a session as an operator looks at it.
type Listed struct {
	Session
	// UserID and Name are the person's, as HR has them; empty for an anonymous one.
	UserID string
	Name   string
}

// State says in a word whether the session lives: "live", "over" or "revoked".
func (l Listed) State(now time.Time) string {
	switch {
	case l.Revoked():
		return "revoked"
	case !now.Before(l.ExpiresAt):
		return "over"
	}
	return "live"
}
