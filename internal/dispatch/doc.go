// Package dispatch gets a text out, off the request path: it finds out whether HR knows the number,
// asks what texts may cost, hands the text to a provider, and keeps a record of what became of it. The
// person who asked has had their answer before any of this (security requirements U1 and U2).
//
//	queue ─► Send ─ who has the number? ─ may it be sent? ─ provider ─► Outcome ─► the record
//	                  │                     │                │             │
//	                  └─ gets no texts      └─ a rule        └─ failed     └─ a number that gets no texts
//	                     withheld              withheld         money back    is left alone for a day
//
//	provider's webhook ─► Deliver ─► the record, forward only ─► what the news calls for, once
//
// The record is written in batches (ledger), in the order in which news finds the text that it is of; while it is
// away, what waits is kept up to a bound. What news calls for is done beside it (actor), and holds up nobody.
package dispatch
