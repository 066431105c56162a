// Package tier decides how far a person may go: which tier an HR user falls into, and what that
// tier permits. It is pure: rules in, tier out.
//
//	verified number ─ HR knows no active person ──────────────► anonymous
//	                └ an active User ─ first rule that matches ─► employee, manager, …
//
// A Table cannot be built with a rule that an earlier one covers, an attribute that users do not have, or
// without the two tiers that everybody relies on, so a person always has exactly one tier.
package tier
