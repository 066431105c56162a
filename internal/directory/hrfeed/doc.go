// Package hrfeed reads what HR systems export. It turns a file into a directory.Feed and never
// into a guess: what cannot be read is a Problem with its line, its column and a reason.
//
//	bytes ─ encoding ─► lines ─ encoding/csv ─► records ─ cells ─► people
//	                                  └───────────┴────────► problems
//
// Two rules stand above convenience. Nothing but a readable line changes or removes a person, so a
// line that may hide others says so by naming nobody (see directory.Problem). And a phone number
// is a credential, so one that a spreadsheet has damaged, that stands in a wrong column, or that
// needs a country which is not known is refused and not repaired.
//
// CSV is RFC 4180 with the delimiters and encodings that spreadsheets use. The package opens no
// file, knows no user, and never puts a whole phone number into a reason.
package hrfeed
