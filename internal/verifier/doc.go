// Package verifier owns who fetches our keys: the services that verify our tokens, when each last
// fetched the key set (RFC 7517 §5), and at which revision. Before a key signs, it tells an operator
// who would refuse its tokens.
//
//	request ──► Seen ──► Fetches, in memory ──Drain, every few seconds──► record ──► Verifier.Standing
//	                            ▲                                          │
//	                            └────────── Restore, if it is down ────────┘
//
// A verifier is a name and the address that it comes from, for that is all that a fetch tells:
// nobody signs in to read public keys. So it cannot tell apart what shares both. Ten copies of one
// service behind one address are one verifier, which has the key as soon as one of them does; copies
// with addresses of their own, as pods have, are seen one by one. And whoever can reach us can
// invent verifiers: they are a warning to people, and no reason to refuse anybody anything. How many
// are remembered is bounded, however many are invented.
//
// What it never does: write to the record for a request, delay a fetch, or keep a path, a version or
// anything else of a request than that name.
package verifier
