// Package spend owns what texts may cost: whether one more may be sent, by how many went out already
// and for how much money (M1, M2, M4 to M7 of the security requirements). A worker asks it just
// before it sends, off the request path, so that nobody can tell from an answer what it said (U1).
//
//	Text ── Rules.Plan ──► Plan ── Store.Take ──► Verdict: send, or the rule that keeps it back
//	         people                 one atomic step: check all, then count all
//
// A Plan is a list of checks in order and of counters to raise, made from the rules and the number of
// people; Decide is the pure judgement of it. Stores do nothing else, so they know no rule. A text that
// is kept back is counted nowhere. One that surely was not sent is given back by its Ticket.
//
// Minutes, hours and days are aligned to UTC and told by the store's clock. They only go forward: a
// clock that steps back over midnight stays in the new day, so no money is there twice.
//
// Strangers, whom HR does not know, have a purse of their own. A country where hardly any of their
// codes is used is closed to them for a while (conversion.go).
//
// The package sees no number and no code: of a number it knows the country and an opaque tag of
// its block. Ranges that cost a premium never come here: phone.Parser refuses them (M8).
package spend
