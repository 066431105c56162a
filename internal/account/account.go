package account

import (
	"crypto/rand"
	"strings"
)

// SMS is the method of an identity that a text proved.
const SMS = "sms"

// Reviewer is that of an identity that a code proved which was agreed beforehand (C11).
const Reviewer = "reviewer"

// Identity is a method and an identifier that proves an account: ("sms", "+447700900123").
type Identity struct {
	Method     string
	Identifier string
}

// Account is who signed in.
type Account struct {
	// Subject is the `sub` of tokens: random, stable for the same person, never handed to another.
	Subject string
	// UserID is the directory User whom the account belongs to; empty while anonymous.
	UserID string
}

// NewSubject returns a subject that nobody has had: 130 random bits, in lower case so that it
// survives systems that fold case, with nothing of the person in it (P2).
func NewSubject() string { return strings.ToLower(rand.Text()) }

// Facts are what the stores know of a verified identity at one moment.
type Facts struct {
	// UserID is the one active User with the number; empty if there is none, or more than one.
	UserID string
	// UserAccount is that User's account, if there is one.
	UserAccount *Account
	// Holder is the account that the identity belongs to, if there is one.
	Holder *Account
}

// Decision is what a sign-in does to accounts. The zero fields say what is left alone.
type Decision struct {
	// Account is who signs in.
	Account Account
	// Create says that Account is new.
	Create bool
	// Link says that Account exists and now belongs to Account.UserID.
	Link bool
	// Attach says that the identity, new or another account's until now, now proves Account.
	Attach bool
}

// Match decides who is behind a verified identity (design: matching a verified number). newSubject
// names an account that has to be made.
func Match(f Facts, newSubject func() string) Decision {
	switch {
	case f.UserAccount != nil:
		// The User's own account, wherever the identity was until now: HR's word that the
		// number is theirs is the confirmation.
		return Decision{Account: *f.UserAccount, Attach: f.Holder == nil || f.Holder.Subject != f.UserAccount.Subject}
	case f.UserID != "" && f.Holder != nil && f.Holder.UserID == "":
		// The waiting person is upgraded, and stays the same subject.
		return Decision{Account: Account{Subject: f.Holder.Subject, UserID: f.UserID}, Link: true}
	case f.UserID != "":
		// First sign-in; or a recycled number, which never opens its former owner's account.
		return Decision{Account: Account{Subject: newSubject(), UserID: f.UserID}, Create: true, Attach: true}
	case f.Holder != nil && f.Holder.UserID == "":
		return Decision{Account: *f.Holder}
	default:
		// A stranger; or HR took the number from the person whose account this was.
		return Decision{Account: Account{Subject: newSubject()}, Create: true, Attach: true}
	}
}
