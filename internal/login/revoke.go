package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/session"
)

// RevokeRequest signs somebody out (RFC 7009 §2.1).
type RevokeRequest struct {
	// Client has been authenticated.
	Client *client.Client
	// Token is a refresh token or an access token of the session; any other is of no effect.
	Token string
	// Everywhere ends all sessions of the person, on every client and device; Token must be a
	// refresh token.
	Everywhere bool
	Address    string
}

// Revoke ends the session of a token, access tokens and all, if it is the client's own (O10). A
// token that is unknown, over or another client's is no error (RFC 7009 §2.2): the caller could
// do nothing about it. Errors are ErrEverywhere and outages.
//
// A refresh token of any generation ends its session: whoever has it had the session. To end the
// person's others takes one that a refresh would take: an access token is seen by every service
// that it is used at, and an old refresh token by whoever finds an old backup.
func (s *Service) Revoke(ctx context.Context, r RevokeRequest) error {
	ctx, cancel := regardless(ctx)
	defer cancel()
	sid, generation, refresh := s.RefreshTokens.Read(r.Token)
	if !refresh {
		claims, err := s.Tokens.Access(r.Token)
		if err != nil {
			return nil
		}
		sid = claims.SessionID
	}
	standing, err := s.Store.Standing(ctx, sid)
	of := standing.Session
	switch {
	case errors.Is(err, ErrSessionEnded):
		return nil
	case err != nil:
		return fmt.Errorf("revoke: %w", err)
	case of.ClientID != r.Client.ID, of.Revoked(), !standing.Now.Before(of.ExpiresAt):
		return nil
	case r.Everywhere && !refresh:
		return ErrEverywhere
	}
	how := session.Ending{Reason: session.SignedOut, Actor: of.Subject, Address: r.Address}
	verdict := s.Limits.Judge(of, session.Presented{Generation: generation, ClientID: r.Client.ID, At: standing.Now}).Verdict
	if !r.Everywhere || verdict == session.Refuse || verdict == session.End {
		_, err := s.Store.EndSessions(ctx, session.Filter{SID: sid}, how, 1)
		return err
	}
	how.Reason = session.SignedOutEverywhere
	for {
		ended, err := s.Store.EndSessions(ctx, session.Filter{Subject: of.Subject}, how, session.EndBatch)
		if err != nil || len(ended) == 0 { // a batch may be short because somebody else ended some of it
			return err
		}
	}
}
