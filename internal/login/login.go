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
	// ErrBusy means that no more texts can be queued just now.
	ErrBusy = errors.New("login: too many texts are waiting")
)

// Store is the record. Each method is one transaction.
type Store interface {
	// SignIn finds who is behind id, holding them still until it is done, calls decide, and
	// writes the Entry whole: account, identity, session and events. It calls decide again if
	// somebody else signed in or changed in between. An error of decide is returned as it is,
	// with nothing written. A Session whose CodeUse has one already is otp.ErrInvalidCode:
	// the store of codes has forgotten that the code was used.
	SignIn(ctx context.Context, id account.Identity, decide func(Found) (Entry, error)) error
	// Record writes an event that changes nothing else.
	Record(ctx context.Context, event audit.Event) error
	// Person returns who is behind a session; ErrSessionEnded if it is over at now, revoked
	// or unknown.
	Person(ctx context.Context, sid string, now time.Time) (Person, error)
}

// Found is what the record knows of a verified identity.
type Found struct {
	// Users are the active Users with the number: none, the one, or two for "more than one".
	Users []directory.User
	// UserAccount is the account of the one User, if there is one.
	UserAccount *account.Account
	// Holder is the account that the identity belongs to, if there is one.
	Holder *account.Account
}

// Entry is what a sign-in writes. Without a Session the sign-in was refused, and only the events
// are written.
type Entry struct {
	Decision account.Decision
	Session  *session.Session
	Events   []audit.Event
}

// Person is who is behind a session, as the directory knows them now.
type Person struct {
	Subject string
	Phone   phone.Number
	// User is nil for an anonymous account.
	User *directory.User
}

// Texter sends codes off the request path.
type Texter interface {
	// Text takes a code to be sent, which lives for left more; ErrBusy if it cannot take more.
	// It never waits. Who fails to send it tells otp.Service.Unsent, by id.
	Text(to phone.Number, code otp.Code, left time.Duration, id otp.TextID) error
}

// Service signs people in. It is safe for concurrent use.
type Service struct {
	Clients *client.Registry
	Phone   phone.Parser
	Codes   *otp.Service
	Texts   Texter
	Store   Store
	Tiers   *tier.Table
	Tokens  *token.Minter
	Now     func() time.Time
	Log     *slog.Logger
}
