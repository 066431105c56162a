package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
)

// restoreTimeout bounds giving a code back; the person's request has failed already.
const restoreTimeout = 2 * time.Second

// SignInRequest redeems a code.
type SignInRequest struct {
	// Client has been authenticated.
	Client *client.Client
	// Grant is the door: each client has its own list of them.
	Grant client.Grant
	Realm string
	// Phone and Code are as the person typed them.
	Phone string
	Code  string
	// Scope is as it was asked for; nil takes scope.Default.
	Scope    scope.Set
	Audience string
	Source   otp.Source
	// Address is where the request comes from, for the person's list of sessions.
	Address string
	Device  string
}

// Tokens is the answer to a sign-in.
type Tokens struct {
	token.Minted
	Scope scope.Set
	// The rest is for the log; clients read it in the tokens. Phone is set with an error too,
	// once it is known.
	Tier      string
	SessionID string
	Phone     phone.Number
}

// SignIn redeems a code for tokens. What is wrong with the request itself is found before the code
// is used up. Errors are ErrGrant, ErrConnection, ErrAudience, otp.ErrMalformedCode, those of
// phone.Parser.Parse, otp.ErrInvalidCode, otp.ErrTooManyGuesses, ErrTier and outages; after an
// outage the code works again.
func (s *Service) SignIn(ctx context.Context, r SignInRequest) (Tokens, error) {
	number, code, err := s.check(&r)
	if err != nil {
		return Tokens{}, err
	}
	key := otp.Key{Client: r.Client.ID, Connection: r.Realm, Number: number}
	redeemed, err := s.Codes.Redeem(ctx, key, r.Source, code)
	if err != nil {
		return Tokens{Phone: number}, s.notRedeemed(ctx, r, key, redeemed.Attempt, err)
	}
	admitted, err := s.admit(ctx, r, number, redeemed.Use)
	if err != nil {
		if !errors.Is(err, ErrTier) && !errors.Is(err, otp.ErrInvalidCode) {
			s.restore(ctx, key, redeemed.Attempt)
		}
		return Tokens{Phone: number}, err
	}
	// The sign-in is on record: a caller who gave up waiting for a free core must not make it one
	// whose tokens nobody has.
	minted, err := s.Tokens.Mint(context.WithoutCancel(ctx), admitted)
	if err != nil {
		s.restore(ctx, key, redeemed.Attempt)
		return Tokens{Phone: number}, fmt.Errorf("mint tokens: %w", err)
	}
	return Tokens{
		Minted: minted, Scope: admitted.Scope, Tier: admitted.Tier.Name, SessionID: admitted.SessionID, Phone: number,
	}, nil
}

// check refuses what no code could make good, and fills in what the request left out.
func (s *Service) check(r *SignInRequest) (phone.Number, otp.Code, error) {
	switch {
	case !r.Client.May(r.Grant):
		return phone.Number{}, "", ErrGrant
	case r.Realm != SMS:
		return phone.Number{}, "", ErrConnection
	case r.Audience != "" && r.Audience != s.Tokens.UserInfoAudience() && !slices.Contains(r.Client.Audiences, r.Audience):
		return phone.Number{}, "", ErrAudience
	}
	if r.Scope == nil {
		r.Scope = scope.Default
	}
	number, err := s.Phone.Parse(r.Phone)
	if err != nil {
		return phone.Number{}, "", err
	}
	code, err := otp.ParseCode(r.Code)
	return number, code, err
}

// notRedeemed records a wrong guess. Guesses that were not even compared are not recorded one by
// one: those before them were, and no single number may fill the record.
func (s *Service) notRedeemed(ctx context.Context, r SignInRequest, key otp.Key, attempt otp.Attempt, err error) error {
	switch {
	case errors.Is(err, otp.ErrInvalidCode):
		event := s.event(audit.SignInRefused, r, key.Number)
		event.Reason = "wrong_code"
		if failed := s.Store.Record(ctx, event); failed != nil {
			return fmt.Errorf("record refusal: %w", failed)
		}
	case errors.Is(err, otp.ErrTooManyGuesses):
	default:
		// It may have been redeemed and only the answer lost.
		s.restore(ctx, key, attempt)
	}
	return err
}

// admit finds who is behind the number, as of now, and opens the one session that this use of a
// code is good for.
func (s *Service) admit(ctx context.Context, r SignInRequest, number phone.Number, use string) (token.SignIn, error) {
	var admitted token.SignIn
	var refused error
	identity := account.Identity{Method: account.SMS, Identifier: number.E164()}
	err := s.Store.SignIn(ctx, identity, func(found Found) (Entry, error) {
		var entry Entry
		admitted, entry, refused = s.decide(r, number, found)
		if entry.Session != nil {
			entry.Session.CodeUse = use
		}
		return entry, nil
	})
	if err != nil {
		return token.SignIn{}, fmt.Errorf("sign in: %w", err)
	}
	return admitted, refused
}

// decide is pure but for the clock and new ids: facts in, what to write and what to sign out.
func (s *Service) decide(r SignInRequest, number phone.Number, found Found) (token.SignIn, Entry, error) {
	now := s.Now()
	profile := token.Profile{Phone: number}
	level := s.Tiers.Anonymous()
	facts := account.Facts{Holder: found.Holder}
	if len(found.Users) == 1 { // two people with one number match nobody (P6)
		user := found.Users[0]
		facts.UserID, facts.UserAccount = user.ID, found.UserAccount
		level = s.Tiers.Resolve(user)
		profile.Name, profile.Email, profile.UpdatedAt = user.Name, user.Email, user.UpdatedAt
	}
	event := s.event(audit.SignInRefused, r, number)
	event.At, event.UserID, event.Detail = now, facts.UserID, map[string]any{"tier": level.Name}
	if !r.Client.Admits(level.Name) {
		event.Reason = "tier_not_admitted"
		return token.SignIn{}, Entry{Events: []audit.Event{event}}, ErrTier
	}
	decision := account.Match(facts, account.NewSubject)
	granted := s.grantable(r, level)
	opened := session.Session{
		SID: session.NewSID(), Subject: decision.Account.Subject, ClientID: r.Client.ID,
		Method: account.SMS, Identifier: number.E164(), Scope: granted, Tier: level.Name,
		Device: session.DeviceName(r.Device), Address: r.Address,
		AuthTime: now, ExpiresAt: now.Add(level.AccessTokenLifetime),
	}
	event.Kind, event.Actor = audit.SignInSucceeded, opened.Subject
	event.Subject, event.SID = opened.Subject, opened.SID
	if len(found.Users) > 1 {
		event.Reason = "number_shared"
	}
	return token.SignIn{
		Subject: opened.Subject, SessionID: opened.SID, ClientID: r.Client.ID, Algorithm: r.Client.Algorithm,
		Audience: r.Audience, Scope: granted, Tier: level, AuthTime: now, Method: account.SMS, Profile: profile,
	}, Entry{Decision: decision, Session: &opened, Events: append(changes(decision, found.Holder, event), event)}, nil
}

// changes are the events of what a decision does to accounts. holder had the identity before.
func changes(d account.Decision, holder *account.Account, base audit.Event) []audit.Event {
	var events []audit.Event
	add := func(kind audit.Kind, happened bool) {
		if happened {
			event := base
			event.Kind, event.Detail = kind, nil
			if kind == audit.IdentityMoved {
				event.Detail = map[string]any{"from": holder.Subject}
			}
			events = append(events, event)
		}
	}
	add(audit.AccountCreated, d.Create)
	add(audit.AccountLinked, d.Link)
	add(audit.IdentityMoved, d.Attach && holder != nil)
	return events
}

// grantable is asked ∩ client ∩ tier (O7). Sign-ins are not renewed yet, so nobody is promised
// offline_access.
func (s *Service) grantable(r SignInRequest, level tier.Tier) scope.Set {
	granted := r.Scope.Within(level.Scopes).Without(scope.OfflineAccess)
	if len(r.Client.Scopes) > 0 {
		granted = granted.Within(r.Client.Scopes)
	}
	return granted
}

func (s *Service) event(kind audit.Kind, r SignInRequest, number phone.Number) audit.Event {
	return audit.Event{
		At: s.Now(), Kind: kind, ClientID: r.Client.ID, Address: r.Address, Phone: number.Masked(),
	}
}

// restore gives a code back after a failure that was not the person's, also when their request has
// been given up meanwhile.
func (s *Service) restore(ctx context.Context, key otp.Key, attempt otp.Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTimeout)
	defer cancel()
	if err := s.Codes.Restore(ctx, key, attempt); err != nil {
		s.Log.WarnContext(ctx, "a code was used up by a sign-in that failed", "to", key.Number, "error", err)
	}
}
