// Package audit names the events that are kept for good: who did what, when, to whom. Events are
// written by stores in the same transaction as what they record; they are not logs, and they
// never hold a code, a token, a key or a whole phone number.
package audit

import "time"

// Kind says what happened.
type Kind string

// Kinds, as they rest in the store; renaming one orphans history.
const (
	SignInSucceeded Kind = "signin.succeeded"
	SignInRefused   Kind = "signin.refused"
	AccountCreated  Kind = "account.created"
	AccountLinked   Kind = "account.linked"
	IdentityMoved   Kind = "identity.moved"
	SessionEnded    Kind = "session.ended"
	RefreshRepeated Kind = "refresh.repeated"
	UserEntered     Kind = "user.entered"
	UserChanged     Kind = "user.changed"
	UserLeft        Kind = "user.left"
	FeedApplied     Kind = "feed.applied"
	KeyCreated      Kind = "key.created"
	KeyStaged       Kind = "key.staged"
	KeyImported     Kind = "key.imported"
	KeyActivated    Kind = "key.activated"
	KeyReplaced     Kind = "key.replaced"
	KeyRetired      Kind = "key.retired"
	KeyRevoked      Kind = "key.revoked"
	KeyRewrapped    Kind = "key.rewrapped"
	LimitReached    Kind = "limit.reached"
	LimitLifted     Kind = "limit.lifted"
	NumberUnlocked  Kind = "number.unlocked"
	TextTested      Kind = "text.tested"

	NumberUndeliverable Kind = "number.undeliverable"
	NumberDeliverable   Kind = "number.deliverable"
)

// System is the actor of what nobody asked for.
const System = "system"

// Event is one entry. Empty fields are unknown or do not apply.
type Event struct {
	At   time.Time
	Kind Kind
	// Actor is who caused it: a subject, "cli:USER", "dev" or "system".
	Actor    string
	Subject  string
	UserID   string
	ClientID string
	SID      string
	// Address is where the request came from.
	Address string
	// Phone is masked.
	Phone string
	// Reason says why, in words of ours: "wrong_code", "tier_not_admitted".
	Reason string
	// Detail is anything more, field by field; phones in it are masked.
	Detail map[string]any
}
