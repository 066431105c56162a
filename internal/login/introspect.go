package login

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/pkg/accesstoken"
)

// Introspection is what /oauth/introspect says of a token (RFC 7662 §2.2). Unless it is Active,
// nothing else is set.
type Introspection struct {
	Active bool `json:"active"`
	*ActiveToken
}

// ActiveToken is what is said of a token that is good now. For a refresh token only the first
// members are set.
type ActiveToken struct {
	Subject   string `json:"sub"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope,omitempty"`
	Issuer    string `json:"iss"`
	Expiry    int64  `json:"exp"`
	SessionID string `json:"sid"`
	AuthTime  int64  `json:"auth_time"`
	Tier      string `json:"tier"`

	TokenType   string   `json:"token_type,omitempty"`
	IssuedAt    int64    `json:"iat,omitempty"`
	Audience    string   `json:"aud,omitempty"`
	ID          string   `json:"jti,omitempty"`
	ACR         string   `json:"acr,omitempty"`
	AMR         []string `json:"amr,omitempty"`
	Permissions []string `json:"permissions,omitempty"`
}

// Introspect says whether a token is good as of now, and what it says. Of a token that is over,
// revoked, unknown or none of the caller's business it says nothing (O11): an access token is for
// its audience and its client, a refresh token for its client. caller has authenticated. Errors
// are outages.
func (s *Service) Introspect(ctx context.Context, caller *client.Client, raw string) (Introspection, error) {
	if sid, generation, ok := s.RefreshTokens.Read(raw); ok {
		return s.introspectRefresh(ctx, caller, sid, generation)
	}
	claims, err := s.Tokens.Access(raw)
	if err != nil || claims.ClientID != caller.ID && !slices.Contains(caller.Audiences, claims.Audience) {
		return Introspection{}, nil
	}
	live, err := s.Store.Live(ctx, claims.SessionID)
	if err != nil {
		return Introspection{}, fmt.Errorf("introspect: %w", err)
	}
	if !live {
		return Introspection{}, nil
	}
	return Introspection{Active: true, ActiveToken: activeToken(claims)}, nil
}

func activeToken(c accesstoken.Claims) *ActiveToken {
	return &ActiveToken{
		Subject: c.Subject, ClientID: c.ClientID, Scope: c.Scope, Issuer: c.Issuer, Expiry: c.Expiry, SessionID: c.SessionID,
		AuthTime: c.AuthTime, Tier: c.Tier, TokenType: "Bearer", IssuedAt: c.IssuedAt, Audience: c.Audience, ID: c.ID,
		ACR: c.ACR, AMR: c.AMR, Permissions: c.Permissions,
	}
}

// introspectRefresh asks the rules what a use by its client would lead to, and leads to nothing.
func (s *Service) introspectRefresh(ctx context.Context, caller *client.Client, sid string, generation int64) (Introspection, error) {
	standing, err := s.Store.Standing(ctx, sid)
	switch {
	case errors.Is(err, ErrSessionEnded):
		return Introspection{}, nil
	case err != nil:
		return Introspection{}, fmt.Errorf("introspect: %w", err)
	}
	of := standing.Session
	verdict := s.Limits.Judge(of, session.Presented{Generation: generation, ClientID: caller.ID, At: standing.Now}).Verdict
	left := standing.UserID != "" && standing.User == nil
	if verdict == session.Refuse || verdict == session.End || left {
		return Introspection{}, nil
	}
	return Introspection{Active: true, ActiveToken: &ActiveToken{
		Subject: of.Subject, ClientID: of.ClientID, Scope: of.Scope.String(), Issuer: s.Tokens.Issuer(),
		Expiry: of.ExpiresAt.Unix(), SessionID: of.SID, AuthTime: of.AuthTime.Unix(), Tier: of.Tier,
	}}, nil
}
