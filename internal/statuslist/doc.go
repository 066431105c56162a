// Package statuslist owns Token Status Lists (draft-ietf-oauth-status-list-21, in JWT form): where
// a session's status stands, and the signed lists in which everybody can look it up. Bit 1 means
// revoked (INVALID, §7.1), 0 means nothing is held against it.
//
//	       OpenList                first lease              last place leased
//	(none) ────────► open, empty ───────────────► filling ───────────────────► full
//	                 (a Board, when every other                                  │ its last session
//	                 list is 90 % leased)                                        ▼ is swept
//	                                                                           gone: ErrUnknownList
//
// A session gets a Place from Places, for life, and never one that was another's (§13.3). Its
// revocation is a row of the record, behind the rows of earlier ticks. Every replica has a Board,
// which follows those rows and holds each list as a signed token:
//
//	record ── Lists, Revocations ──► Poll: set bits ─► compress ─► sign ──► Token, from memory
//
// There is no leader. The token is a function of the record alone, its clock included, so that
// replicas of one build that sign with one deterministic key (RS256, EdDSA) serve the same bytes
// under the same entity tag, and a cache in front of them may ask any.
//
// What it never does: sign a list anew without having read the record in the same breath, for that
// would make old news look fresh; serve a list of which it has read a part; take a revocation back;
// know whose a place is or why it was revoked; say how a list was in the past (§8.4) or which lists
// there are (§9), from which outsiders could learn how many sign in (§12.4).
package statuslist
