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
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
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
	Origin   origin.Origin
	// Address is where the request comes from, for the person's list of sessions.
	Address string
	Device  string
}

// Tokens is the answer to a sign-in or a refresh.
type Tokens struct {
	token.Minted
	// Refresh is empty unless offline_access was granted.
	Refresh session.RefreshToken
	Scope   scope.Set
	// The rest is for the log; clients read it in the tokens. Phone is set with an error too,
	// once it is known.
	Tier      string
	SessionID string
	Phone     phone.Number
	// Repeated says that the same refresh token came before.
	Repeated bool
}

// SignIn redeems a code for tokens. What is wrong with the request itself is found before the code
// is used up. Errors are ErrGrant, ErrConnection, ErrAudience, otp.ErrMalformedCode, those of
// phone.Parser.Parse, *limit.Error, otp.ErrInvalidCode, otp.ErrTooManyGuesses, *otp.BlockedError, ErrTier,
// ErrReviewer and outages; after an outage the code works again.
func (s *Service) SignIn(ctx context.Context, r SignInRequest) (Tokens, error) {
	number, code, err := s.check(&r)
	if err != nil {
		return Tokens{}, err
	}
	key := otp.Key{Client: r.Client.ID, Connection: r.Realm, Number: number}
	redeemed, err := s.redeem(ctx, r, key, code)
	if err != nil {
		return Tokens{Phone: number}, s.notRedeemed(ctx, r, key, redeemed.Attempt, err)
	}
	s.Texts.Redeemed(redeemed.Challenge) // whatever follows, somebody has read the text
	admitted, err := s.admit(ctx, r, number, redeemed)
	if err != nil {
		if !errors.Is(err, ErrTier) && !errors.Is(err, ErrReviewer) && !errors.Is(err, otp.ErrInvalidCode) {
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
	if s.NoticeAfter > 0 && redeemed.Failures >= s.NoticeAfter {
		s.Texts.Notice(number, r.Client)
	}
	tokens := Tokens{
		Minted: minted, Scope: admitted.Scope, Tier: admitted.Tier.Name, SessionID: admitted.SessionID, Phone: number,
	}
	if admitted.Scope.Has(scope.OfflineAccess) {
		tokens.Refresh = s.RefreshTokens.Token(admitted.SessionID, 0)
	}
	return tokens, nil
}

// redeem uses up the code, within limits. The guess is reserved at its source before it is compared, and
// given back, off the path, unless it was compared and wrong.
func (s *Service) redeem(ctx context.Context, r SignInRequest, key otp.Key, code otp.Code) (otp.Redeemed, error) {
	a := attempt{door: DoorGuess, client: r.Client.ID, from: r.Origin, number: key.Number, tag: s.Codes.Tag(key.Number)}
	pass, err := s.Sources.Guess(ctx, r.Origin)
	if err != nil {
		s.limited(ctx, a, pass.Noted, err)
		return otp.Redeemed{}, err
	}
	redeemed, err := s.Codes.Redeem(ctx, key, r.Origin, guard(pass), code)
	err = s.settle(pass, err, errors.Is(err, otp.ErrInvalidCode) || outage.Is(err)) // it may have been compared
	s.limited(ctx, a, append(pass.Noted, redeemed.Noted...), err)
	if redeemed.Alarm {
		s.Watch.Alarm(ctx, a.limited(rule.NumberGuesses, false, 0))
	}
	return redeemed, err
}

// check refuses what no code could make good, and fills in what the request left out.
func (s *Service) check(r *SignInRequest) (phone.Number, otp.Code, error) {
	switch {
	case !r.Client.May(r.Grant):
		return phone.Number{}, "", ErrGrant
	case r.Realm != SMS:
		return phone.Number{}, "", ErrConnection
	case !s.mayAsk(r.Client, r.Audience):
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

// mayAsk reports whether the client may ask for tokens for audience; empty is for none in particular.
func (s *Service) mayAsk(c *client.Client, audience string) bool {
	return audience == "" || audience == s.Tokens.UserInfoAudience() || slices.Contains(c.Audiences, audience)
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
	case errors.Is(err, otp.ErrTooManyGuesses), isLimit(err):
	default:
		// It may have been redeemed and only the answer lost.
		s.restore(ctx, key, attempt)
	}
	return err
}

// maxPlaces bounds how often a place that turns out to be taken is replaced.
const maxPlaces = 3

// admit finds who is behind the number, as of now, and opens the one session that this use of a
// code is good for.
func (s *Service) admit(ctx context.Context, r SignInRequest, number phone.Number, redeemed otp.Redeemed) (token.SignIn, error) {
	var admitted token.SignIn
	var refused error
	reviewer := s.reviewer(r.Client.ID, number, s.Now())
	if redeemed.Agreed != (reviewer != nil) { // its time ran out in between
		return token.SignIn{}, otp.ErrInvalidCode
	}
	identity := account.Identity{Method: method(reviewer != nil), Identifier: number.E164()}
	for attempt := 1; ; attempt++ {
		place, err := s.place(ctx)
		if err != nil {
			return token.SignIn{}, fmt.Errorf("sign in: %w", err)
		}
		err = s.Store.SignIn(ctx, identity, func(found Found) (Entry, error) {
			var entry Entry
			admitted, entry, refused = s.decide(r, number, found, reviewer)
			if entry.Session != nil {
				entry.Session.CodeUse, entry.Session.Place = redeemed.Use, place
				admitted.StatusList, admitted.StatusIndex = place.List, place.Index
			}
			return entry, nil
		})
		switch {
		case errors.Is(err, ErrPlaceTaken) && s.Places != nil && attempt < maxPlaces:
			s.Places.Discard()
		case err != nil:
			return token.SignIn{}, fmt.Errorf("sign in: %w", err)
		default:
			return admitted, refused
		}
	}
}

// place returns where the status of a new session's tokens will stand; nowhere while lists are off.
func (s *Service) place(ctx context.Context) (session.Place, error) {
	if s.Places == nil {
		return session.Place{}, nil
	}
	place, err := s.Places.Take(ctx)
	if err != nil {
		return session.Place{}, fmt.Errorf("take a place in a status list: %w", err)
	}
	return place, nil
}

// decide is pure but for the clock and new ids: facts in, what to write and what to sign out.
func (s *Service) decide(r SignInRequest, number phone.Number, found Found, reviewer *Reviewer) (token.SignIn, Entry, error) {
	now := found.Now
	profile := token.Profile{Phone: number}
	level := s.Tiers.Anonymous()
	facts := account.Facts{Holder: found.Holder}
	switch {
	case reviewer != nil && len(found.Users) > 0:
		return token.SignIn{}, Entry{Events: []audit.Event{s.reviewed(r, number, found)}}, ErrReviewer
	case reviewer != nil:
		level = reviewer.Tier
	case len(found.Users) == 1: // two people with one number match nobody (P6)
		user := found.Users[0]
		facts.UserID, facts.UserAccount = user.ID, found.UserAccount
		level = s.Tiers.Resolve(user)
		profile = profileOf(number, &user)
	}
	event := s.event(audit.SignInRefused, r, number)
	event.At, event.UserID, event.Detail = now, facts.UserID, map[string]any{"tier": level.Name}
	if !r.Client.Admits(level.Name) {
		event.Reason = "tier_not_admitted"
		return token.SignIn{}, Entry{Events: []audit.Event{event}}, ErrTier
	}
	decision := account.Match(facts, account.NewSubject)
	opened := session.Session{
		SID: session.NewSID(), Subject: decision.Account.Subject, ClientID: r.Client.ID,
		Method: method(reviewer != nil), Identifier: number.E164(), Scope: grantable(r.Scope, r.Client, level), Audience: r.Audience,
		Tier: level.Name, Device: session.DeviceName(r.Device), Address: r.Address, LastAddress: r.Address,
		AuthTime: now, LastUsedAt: now, Family: session.Family{RotatedAt: now},
	}
	opened.ExpiresAt = s.Limits.ExpiresAt(opened, now, level.AccessTokenLifetime)
	event.Kind, event.Actor = audit.SignInSucceeded, opened.Subject
	event.Subject, event.SID = opened.Subject, opened.SID
	switch {
	case reviewer != nil:
		event.Reason = "reviewer"
		opened.ExpiresAt = earlier(opened.ExpiresAt, reviewer.Until)
	case len(found.Users) > 1:
		event.Reason = "number_shared"
	}
	return about(opened, r.Client, level, now, profile), Entry{
		Decision: decision, EndProvenBefore: now.Add(-s.Limits.RaiseWithin), Session: &opened, KeepSessions: s.Limits.PerPerson,
		Events: append(changes(decision, found.Holder, event), event),
	}, nil
}

// about is what the tokens of a session say that is used at now.
func about(of session.Session, c *client.Client, level tier.Tier, now time.Time, profile token.Profile) token.SignIn {
	return token.SignIn{
		Subject: of.Subject, SessionID: of.SID, ClientID: of.ClientID, Algorithm: c.Algorithm, Audience: of.Audience,
		Scope: of.Scope, IdentityToken: of.Scope.Has(scope.OpenID), Tier: level, AuthTime: of.AuthTime, IssuedAt: now,
		Method: amr(of.Method), Profile: profile, StatusList: of.Place.List, StatusIndex: of.Place.Index,
	}
}

// profileOf is what HR says of a person; user is nil for an anonymous one.
func profileOf(number phone.Number, user *directory.User) token.Profile {
	profile := token.Profile{Phone: number}
	if user != nil {
		profile.Name, profile.Email, profile.UpdatedAt = user.Name, user.Email, user.UpdatedAt
	}
	return profile
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

// grantable is asked ∩ client ∩ tier (O7).
func grantable(asked scope.Set, c *client.Client, level tier.Tier) scope.Set {
	granted := asked.Within(level.Scopes)
	if len(c.Scopes) > 0 {
		granted = granted.Within(c.Scopes)
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
