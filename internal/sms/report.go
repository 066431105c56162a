package sms

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// ReportRow sums up the texts of one day to one country.
type ReportRow struct {
	// Day begins at 00:00 UTC.
	Day     time.Time
	Country string
	// Sent are the texts that a provider took, also those that failed later; Delivered those of them
	// that arrived, as far as the networks tell.
	Sent      int
	Delivered int
	// Failed are texts that a provider refused, or took and could not deliver, by what that means.
	Failed map[Class]int
	// Withheld are texts that a rule of ours kept back; no provider was asked.
	Withheld map[rule.Name]int
	// Redeemed are the texts whose code was used, and Strangers those that a provider took to numbers
	// that HR did not know.
	Redeemed  int
	Strangers int
	// Segments and Cost are of all texts that were sent, or may have been.
	Segments int
	Cost     Micros
}
