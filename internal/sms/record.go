package sms

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Micros is money in millionths of the price list's currency.
type Micros int64

// Record is what is kept of one text, whatever became of it.
type Record struct {
	// At is when a provider took it, or when it was given up.
	At        time.Time
	To        phone.Number
	Country   string // ISO 3166-1 alpha-2, of the number
	Kind      Kind
	Challenge string
	ClientID  string
	// Stranger says that HR did not know the number.
	Stranger bool
	Segments int
	// Cost is by the price list; 0 for a text that surely was not sent.
	Cost Micros
	// Provider and ProviderID are those of the Receipt, or the last provider asked.
	Provider   string
	ProviderID string
	// Class is empty for a text that was accepted, Code the provider's error code. Rule is that of a
	// Withheld one.
	Class Class
	Code  int
	Rule  string
}

// Status is how far a text has come, as its provider tells.
type Status string

// Statuses, in the order in which they can follow each other; the last three are final.
const (
	Accepted    Status = "accepted"
	Queued      Status = "queued"
	Sending     Status = "sending"
	Sent        Status = "sent" // some networks never say more
	Failed      Status = "failed"
	Undelivered Status = "undelivered"
	Delivered   Status = "delivered"
)

var ranks = map[Status]int{Accepted: 1, Queued: 2, Sending: 3, Sent: 4, Failed: 5, Undelivered: 5, Delivered: 6}

// Bad reports whether the text will not arrive.
func (s Status) Bad() bool { return s == Failed || s == Undelivered }

// Rank orders statuses: a text never goes from a higher to a lower one, nor between equals, whatever
// order the news comes in. 0 is a status that we do not know.
func (s Status) Rank() int { return ranks[s] }

// Delivery is a provider's news of a text.
type Delivery struct {
	Provider   string
	ProviderID string
	Status     Status
	// Code is the provider's error code, or 0, and Class what it means; Account as in Error.
	Code    int
	Class   Class
	Account bool
	// To is the number as the provider tells it.
	To phone.Number
}

// Moved is news that brought a text further than it was known to be. Of all replicas, one is told so.
type Moved struct {
	Delivery
	// Text is what is kept of it; nil while the record does not have it, as the replica that sent it
	// writes in batches.
	Text *Record
}

// Tracked is a text and what has become of it.
type Tracked struct {
	Record
	// Status is the furthest that its provider has told, and empty before any news. StatusCode and
	// StatusClass say why it is a bad one.
	Status      Status
	StatusCode  int
	StatusClass Class
	StatusAt    time.Time
	// RedeemedAt is when its code was used; zero if it was not.
	RedeemedAt time.Time
}
