package login

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
)

// SMS is the connection, and realm, of a code by text.
const SMS = "sms"

var (
	// ErrConnection means a connection that does not exist, or not for this client.
	ErrConnection = errors.New("login: no such connection for this client")
	// ErrGrant means a grant that this client may not use.
	ErrGrant = errors.New("login: the client may not use this grant")
	// ErrAudience means an audience that this client may not ask for.
	ErrAudience = errors.New("login: no such audience for this client")
	// ErrTier means that people of this tier may not sign in to this client.
	ErrTier = errors.New("login: the person's tier may not sign in to this client")
	// ErrScope means that a token lacks the scope for what was asked.
	ErrScope = errors.New("login: the token lacks a scope")
	// ErrSessionEnded means a token whose session is over or revoked.
	ErrSessionEnded = errors.New("login: the session has ended")
	// ErrRefreshToken means a refresh token that is unknown, expired, revoked, replayed or another
	// client's: telling these apart would help nobody but a thief.
	ErrRefreshToken = errors.New("login: invalid refresh token")
	// ErrEverywhere means an access token where a sign-out everywhere needs the refresh token.
	ErrEverywhere = errors.New("login: a sign-out everywhere needs the refresh token")
	// ErrUserGone means a refresh token of a person whom HR deactivated.
	ErrUserGone = errors.New("login: the person has left")
	// ErrBusy means that no more texts can be queued just now.
	ErrBusy = errors.New("login: too many texts are waiting")
	// ErrProvider means that no provider takes texts, to whatever number.
	ErrProvider = errors.New("login: no provider takes texts")
)

// Store is the record. Each method is one transaction.
type Store interface {
	// SignIn finds who is behind id, holding them still until it is done, calls decide, and
	// writes the Entry whole: account, identity, session and events. It calls decide again if
	// somebody else signed in or changed in between. An error of decide is returned as it is,
	// with nothing written. A Session whose CodeUse has one already is otp.ErrInvalidCode:
	// the store of codes has forgotten that the code was used. ErrPlaceTaken says so of its Place.
	SignIn(ctx context.Context, id account.Identity, decide func(Found) (Entry, error)) error
	// Record writes an event that changes nothing else.
	Record(ctx context.Context, event audit.Event) error
	// Person returns who is behind a session; ErrSessionEnded if it is over, revoked or unknown.
	Person(ctx context.Context, sid string) (Person, error)
	// Live reports whether a session is neither over nor revoked.
	Live(ctx context.Context, sid string) (bool, error)
	// Standing returns a session, also one that has ended, with who is behind it as of now;
	// ErrSessionEnded if it is unknown.
	Standing(ctx context.Context, sid string) (Standing, error)
	// Advance writes what a use makes of a session, with its events, unless its family is not as
	// in before any more, or it was revoked: then it writes nothing and returns false. ErrPlaceTaken
	// says so of a Place that after has and before had not.
	Advance(ctx context.Context, before, after session.Session, events []audit.Event) (bool, error)
	// EndSessions revokes the live sessions that filter selects, at most limit of them, and
	// returns them.
	EndSessions(ctx context.Context, filter session.Filter, how session.Ending, limit int) ([]session.Listed, error)
}

// ErrPlaceTaken means a Place that another session has: the record has lost its last writes, and
// with them whose it was.
var ErrPlaceTaken = errors.New("login: the place in the status list is taken")

// Found is what the record knows of a verified identity.
type Found struct {
	// Users are the active Users with the number: none, the one, or two for "more than one".
	Users []directory.User
	// UserAccount is the account of the one User, if there is one.
	UserAccount *account.Account
	// Holder is the account that the identity belongs to, if there is one.
	Holder *account.Account
	// Now is the record's clock: replicas whose own clocks differ agree on it.
	Now time.Time
}

// Entry is what a sign-in writes. Without a Session none is opened, as when the sign-in was
// refused, or when a refresh only links the account.
type Entry struct {
	Decision account.Decision
	Session  *session.Session
	// EndProvenBefore ends, where Decision links the account to a User, the account's sessions that were
	// proven before then: who proved the number so long ago need not be the person whom HR means.
	EndProvenBefore time.Time
	// KeepSessions is how many live sessions the account may have with it; the oldest beyond end. 0
	// is any number.
	KeepSessions int
	Events       []audit.Event
}

// Standing is a session and who is behind it.
type Standing struct {
	Session session.Session
	// UserID is the User whom the account is linked to, User that User while active.
	UserID string
	User   *directory.User
	// Entered is, for an account without a User, how many active Users have the number by now.
	Entered int
	// Now is the record's clock.
	Now time.Time
}

// Person is who is behind a session, as the directory knows them now.
type Person struct {
	Subject string
	Phone   phone.Number
	// User is nil for an anonymous account.
	User *directory.User
}

// Text is a code to be sent.
type Text struct {
	To   phone.Number
	Code otp.Code
	// Left is the rest of the code's life.
	Left time.Duration
	// ID names the text, Challenge the code in it.
	ID        otp.TextID
	Challenge string
	Client    *client.Client
	// Language is what the request asked for, as it came.
	Language string
	// Trusted says that it was asked for from a place that is trusted for the number, Listed that
	// this was a network of the company's own.
	Trusted, Listed bool
}

// Texter sends texts off the request path. Its methods never wait.
type Texter interface {
	// Available returns nil, or why no text can be sent just now to whatever number.
	Available() error
	// Text takes a code to be sent; ErrBusy if it cannot take more. Who fails to send it tells
	// otp.Service.Unsent, by its ID.
	Text(t Text) error
	// Redeemed says that a code has been used.
	Redeemed(challenge string)
	// Notice tells a person that somebody has signed in with their number (T9). It may be dropped.
	Notice(to phone.Number, c *client.Client)
}

// Places hands out places in token status lists.
type Places interface {
	// Take returns a place that no other session has or will have.
	Take(ctx context.Context) (session.Place, error)
	// Discard drops what was reserved: some of it is taken.
	Discard()
}

// Service signs people in and keeps them signed in. It is safe for concurrent use.
type Service struct {
	Clients       *client.Registry
	Phone         phone.Parser
	Codes         *otp.Service
	Sources       *limit.Service
	Watch         Watch
	Texts         Texter
	Store         Store
	Tiers         *tier.Table
	Tokens        *token.Minter
	RefreshTokens *session.RefreshTokens
	// Places is nil while token status lists are off.
	Places Places
	Limits Limits
	// NoticeAfter is after how many wrong guesses the person is told of the success that follows (T9);
	// 0 is never.
	NoticeAfter int
	// Reviewers have a tier of their own, by number and client (C11).
	Reviewers []Reviewer
	Now       func() time.Time
	Log       *slog.Logger
}

// Limits are those of sessions.
type Limits struct {
	session.Rules
	// RaiseWithin is for how long after the number was proven a session may become an employee's
	// without a new code (P3): later the number may be somebody else's.
	RaiseWithin time.Duration
	// PerPerson is how many live sessions an account has at most.
	PerPerson int
}
