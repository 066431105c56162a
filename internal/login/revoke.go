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
	// Everywhere ends all sessions of the person, on every client and device.
	Everywhere bool
	Address    string
}

// Revoke ends the session of a token, access tokens and all, if it is the client's own (O10). A
// token that is unknown, over or another client's is no error (RFC 7009 §2.2): the caller could
// do nothing about it. Errors are outages.
func (s *Service) Revoke(ctx context.Context, r RevokeRequest) error {
	sid := s.sessionOf(r.Token)
	if sid == "" {
		return nil
	}
	standing, err := s.Store.Standing(ctx, sid)
	switch {
	case errors.Is(err, ErrSessionEnded):
		return nil
	case err != nil:
		return fmt.Errorf("revoke: %w", err)
	case standing.Session.ClientID != r.Client.ID, standing.Session.Revoked(), !standing.Now.Before(standing.Session.ExpiresAt):
		return nil
	}
	how := session.Ending{Reason: session.SignedOut, Actor: standing.Session.Subject, Address: r.Address}
	if !r.Everywhere {
		_, err := s.Store.EndSessions(ctx, session.Filter{SID: sid}, how, 1)
		return err
	}
	how.Reason = session.SignedOutEverywhere
	for {
		ended, err := s.Store.EndSessions(ctx, session.Filter{Subject: standing.Session.Subject}, how, session.EndBatch)
		if err != nil || len(ended) == 0 { // a batch may be short because somebody else ended some of it
			return err
		}
	}
}

// sessionOf returns the session that a token of ours names. A refresh token of any generation will
// do: whoever has it had the session.
func (s *Service) sessionOf(raw string) string {
	if sid, _, ok := s.RefreshTokens.Read(raw); ok {
		return sid
	}
	if claims, err := s.Tokens.Access(raw); err == nil {
		return claims.SessionID
	}
	return ""
}
