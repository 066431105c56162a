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
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/tier"
)

// maxRefreshRaces bounds how often a refresh that lost a race looks again. Whoever loses finds the
// session one generation on, and needs no write any more.
const maxRefreshRaces = 10

// RefreshRequest trades a refresh token for new tokens (RFC 6749 §6).
type RefreshRequest struct {
	// Client has been authenticated.
	Client *client.Client
	Token  string
	// Scope narrows these tokens, never the session; nil takes all that was granted.
	Scope scope.Set
	// Audience is whom the access token is for; empty takes that of the sign-in.
	Audience string
	// Address is where the request comes from, for the person's list of sessions.
	Address string
}

// errAgain means that the session was changed between the look at it and the write.
var errAgain = errors.New("login: the session was changed in between")

// Refresh trades a refresh token for new tokens, of the tier that the person has by now. Errors are
// ErrRefreshToken, ErrUserGone, ErrAudience, ErrTier and outages. After an outage the token that
// was sent works still, whether or not the write had come through.
func (s *Service) Refresh(ctx context.Context, r RefreshRequest) (Tokens, error) {
	sid, generation, ok := s.RefreshTokens.Read(r.Token)
	if !ok {
		return Tokens{}, ErrRefreshToken
	}
	for race := range maxRefreshRaces {
		tokens, err := s.refresh(ctx, r, sid, generation, race > 0)
		if !errors.Is(err, errAgain) {
			return tokens, err
		}
	}
	return Tokens{SessionID: sid}, outage.Wrap("database", errAgain)
}

// refresh is one look at the session and, if something changes, one write. The write names the
// family it expects to find, so that of any number of concurrent uses one rotates it. raced says that
// the token was good at an earlier look of this request.
func (s *Service) refresh(ctx context.Context, r RefreshRequest, sid string, generation int64, raced bool) (Tokens, error) {
	failed := Tokens{SessionID: sid}
	standing, err := s.Store.Standing(ctx, sid)
	switch {
	case errors.Is(err, ErrSessionEnded): // swept, or of another installation with our key
		return failed, ErrRefreshToken
	case err != nil:
		return failed, fmt.Errorf("refresh: %w", err)
	}
	before := standing.Session
	verdict := s.Limits.Judge(before, session.Presented{Generation: generation, ClientID: r.Client.ID, At: standing.Now})
	switch verdict.Verdict {
	case session.Refuse:
		return failed, refusal(before.RevokedReason)
	case session.End:
		if raced && verdict.Reason == session.Replayed {
			// It came in time, and only we were slow: a client that sends several requests at once,
			// and uses the first answer, is no thief.
			return failed, ErrRefreshToken
		}
		return failed, s.end(ctx, r, before, verdict.Reason, map[string]any{
			"presented": generation, "newest": before.Generation, "client": r.Client.ID,
		})
	}
	level, err := s.level(ctx, r, standing)
	if err != nil {
		return failed, err
	}
	after, err := s.renewed(ctx, r, standing, level, verdict)
	if err != nil {
		return failed, err
	}
	if verdict.Verdict != session.Repeat {
		if generation > before.Generation {
			s.Log.WarnContext(ctx, "the record is behind a refresh token of ours: was it restored, or did a failover lose writes?",
				"sid", sid, "presented", generation, "newest", before.Generation)
		}
		written, err := s.Store.Advance(ctx, before, after, s.repeated(r, standing, verdict.Verdict))
		switch {
		case errors.Is(err, ErrPlaceTaken):
			s.Places.Discard()
			return failed, errAgain
		case err != nil:
			return failed, fmt.Errorf("refresh: %w", err)
		case !written:
			return failed, errAgain
		}
	}
	tokens, err := s.reissue(ctx, r, standing, after, level)
	tokens.Repeated = verdict.Verdict != session.Rotate
	return tokens, err
}

// renewed is the session as this use leaves it.
func (s *Service) renewed(
	ctx context.Context, r RefreshRequest, standing Standing, level tier.Tier, verdict session.Judgement,
) (session.Session, error) {
	after := standing.Session
	after.Family = verdict.Family
	if r.Audience != "" {
		after.Audience = r.Audience // for these tokens; the record keeps the sign-in's
	}
	allowed := grantable(after.Scope, r.Client, level)
	switch {
	case !s.mayAsk(r.Client, after.Audience):
		return after, ErrAudience
	case !r.Client.Admits(level.Name), !allowed.Has(scope.OfflineAccess):
		// Nothing is used up: tier, client or settings may change back.
		return after, ErrTier
	}
	if verdict.Verdict == session.Repeat { // nothing is written
		return after, nil
	}
	after.ExpiresAt = s.Limits.ExpiresAt(standing.Session, standing.Now, level.AccessTokenLifetime)
	if reviewer := s.reviewerOf(standing.Session, standing.Now); reviewer != nil {
		after.ExpiresAt = earlier(after.ExpiresAt, reviewer.Until)
	}
	after.Tier, after.LastUsedAt, after.LastAddress = level.Name, standing.Now, r.Address
	if after.Place == (session.Place{}) { // opened while lists were off
		place, err := s.place(ctx)
		if err != nil {
			return after, fmt.Errorf("refresh: %w", err)
		}
		after.Place = place
	}
	return after, nil
}

// reissue signs the tokens. What they may say is what was granted, as far as client and tier still
// allow it, and as narrow as was asked for; but the ID token comes whether or not openid was asked
// for again, since single-page apps fail without one (wire contract 4).
func (s *Service) reissue(ctx context.Context, r RefreshRequest, standing Standing, after session.Session, level tier.Tier) (Tokens, error) {
	number, err := phone.Stored(after.Identifier)
	if err != nil {
		return Tokens{SessionID: after.SID}, fmt.Errorf("session's number: %w", err)
	}
	// No token outlives its session, which a repeat does not prolong; in its last second it is over.
	left := after.ExpiresAt.Sub(standing.Now)
	if left < time.Second {
		return Tokens{SessionID: after.SID}, ErrRefreshToken
	}
	level.AccessTokenLifetime = min(level.AccessTokenLifetime, left)
	signed := about(after, r.Client, level, standing.Now, profileOf(number, standing.User))
	signed.Scope = grantable(after.Scope, r.Client, level)
	signed.IdentityToken = signed.Scope.Has(scope.OpenID)
	if r.Scope != nil {
		signed.Scope = signed.Scope.Within(append(slices.Clone(r.Scope), scope.OfflineAccess))
	}
	minted, err := s.Tokens.Mint(context.WithoutCancel(ctx), signed)
	if err != nil {
		return Tokens{SessionID: after.SID}, fmt.Errorf("mint tokens: %w", err)
	}
	return Tokens{
		Minted: minted, Refresh: s.RefreshTokens.Token(after.SID, after.Generation), Scope: signed.Scope,
		Tier: level.Name, SessionID: after.SID, Phone: number,
	}, nil
}

// level is the tier of who is behind a session now (P3). It ends the session if they have left or
// the number is not theirs any more, which HR's own changes have done already unless something
// went wrong; and it raises a waiting person whom HR has entered since.
func (s *Service) level(ctx context.Context, r RefreshRequest, standing Standing) (tier.Tier, error) {
	of := standing.Session
	switch {
	case of.Method == account.Reviewer:
		return s.reviewerLevel(ctx, r, standing)
	case standing.UserID != "" && standing.User == nil:
		return tier.Tier{}, s.end(ctx, r, of, session.UserLeft, nil)
	case standing.User != nil && of.Method == account.SMS && standing.User.Phone.E164() != of.Identifier:
		return tier.Tier{}, s.end(ctx, r, of, session.NumberMoved, nil)
	case standing.User != nil:
		return s.Tiers.Resolve(*standing.User), nil
	case standing.Entered == 1: // two people with one number match nobody (P6)
		return tier.Tier{}, s.raise(ctx, r, standing)
	}
	return s.Tiers.Anonymous(), nil
}

// reviewerLevel ends the session of a reviewer whose time is over, or whose number has become a person's.
func (s *Service) reviewerLevel(ctx context.Context, r RefreshRequest, standing Standing) (tier.Tier, error) {
	reviewer := s.reviewerOf(standing.Session, standing.Now)
	if reviewer == nil || standing.Entered > 0 {
		return tier.Tier{}, s.end(ctx, r, standing.Session, session.ReviewerOver, nil)
	}
	return reviewer.Tier, nil
}

// raise links the account of a waiting person to the User whom HR has entered: the refresh then
// looks again, and finds an employee with the same subject.
func (s *Service) raise(ctx context.Context, r RefreshRequest, standing Standing) error {
	of := standing.Session
	if standing.Now.Sub(of.AuthTime) > s.Limits.RaiseWithin {
		return s.end(ctx, r, of, session.ProofTooOld, nil)
	}
	moved := false
	err := s.Store.SignIn(ctx, account.Identity{Method: of.Method, Identifier: of.Identifier}, func(found Found) (Entry, error) {
		if len(found.Users) != 1 {
			return Entry{}, nil // HR has changed it again
		}
		decision := account.Match(account.Facts{
			UserID: found.Users[0].ID, UserAccount: found.UserAccount, Holder: found.Holder,
		}, account.NewSubject)
		if moved = decision.Account.Subject != of.Subject; moved {
			return Entry{}, nil // the person has an account of their own already
		}
		event := s.sessionEvent(audit.AccountLinked, r, standing)
		event.UserID = found.Users[0].ID
		return Entry{
			Decision: decision, EndProvenBefore: found.Now.Add(-s.Limits.RaiseWithin), Events: changes(decision, found.Holder, event),
		}, nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("refresh: link account: %w", err)
	case moved:
		return s.end(ctx, r, of, session.NumberMoved, nil)
	}
	return errAgain
}

// end revokes a session and returns what its refresh token is answered with.
func (s *Service) end(ctx context.Context, r RefreshRequest, of session.Session, reason session.Reason, detail map[string]any) error {
	how := session.Ending{Reason: reason, Actor: audit.System, Address: r.Address, Detail: detail}
	ctx, cancel := regardless(ctx)
	defer cancel()
	if _, err := s.Store.EndSessions(ctx, session.Filter{SID: of.SID}, how, 1); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return refusal(reason)
}

// endTimeout bounds ending sessions for a caller who may have gone.
const endTimeout = 10 * time.Second

// regardless is for what must be done although the caller hangs up: an app that signs out and is closed
// at once, a thief who does not wait to be caught.
func regardless(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
}

// refusal is the answer to a token of a session that was ended; mobile SDKs compare its text.
func refusal(reason session.Reason) error {
	if reason == session.UserLeft {
		return ErrUserGone
	}
	return ErrRefreshToken
}

// repeated is the event of a late repeat, which somebody may want to look into.
func (s *Service) repeated(r RefreshRequest, standing Standing, verdict session.Verdict) []audit.Event {
	if verdict != session.RepeatLate {
		return nil
	}
	return []audit.Event{s.sessionEvent(audit.RefreshRepeated, r, standing)}
}

func (s *Service) sessionEvent(kind audit.Kind, r RefreshRequest, standing Standing) audit.Event {
	of := standing.Session
	event := audit.Event{
		At: standing.Now, Kind: kind, Actor: of.Subject, Subject: of.Subject, UserID: standing.UserID,
		ClientID: of.ClientID, SID: of.SID, Address: r.Address,
	}
	if number, err := phone.Stored(of.Identifier); err == nil {
		event.Phone = number.Masked()
	}
	return event
}
