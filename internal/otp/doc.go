// Package otp owns one-time codes: a challenge for a client, a connection and a number, the code
// derived from it, and the counting of guesses. It never sends a text and never knows whose number
// it is.
//
//	          Start                       Redeem: right
//	(none) ─────────► living ───────────────────────────► used ── Restore (sign-in failed
//	   ▲                │  ▲                                │      through no fault of the
//	   │                │  └────────────────────────────────┘      person) ──► living
//	   │                ├─ wrong guesses reach the limit ──► dead ┐
//	   │                └─ its time is over ─────────────► over   │ Start makes a new one
//	   └──────────────────────────────────────────────────────────┘
//
// A guess at a number without a living challenge is counted and answered exactly as one with
// (security requirement C9). What rests in a store is a random nonce and a keyed digest; the code
// is derived from the nonce with a server key, so it is readable nowhere and can be sent again
// (C7). Counting, comparing and using up a code is one atomic step of the store (C3, C4, T8).
//
// Beside its challenges a number has a log of wrong guesses and of texts, and the networks that it was
// signed in with from (T1, T2, M3, T5). The rules over them are pure functions of Limits and a Number;
// a store that counts in another language is held to them by otptest.
package otp
