package login

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/token"
)

// UserInfo is what /userinfo says of the person behind an access token (OIDC Core §5.3).
type UserInfo struct {
	Subject string `json:"sub"`
	token.PersonClaims
}

// UserInfo returns the claims that the token's scope allows, as the directory has them now. Errors
// are token.ErrInvalid, ErrSessionEnded, ErrScope for a token without openid, and outages.
func (s *Service) UserInfo(ctx context.Context, accessToken string) (UserInfo, error) {
	claims, err := s.Tokens.Access(accessToken)
	if err != nil {
		return UserInfo{}, err
	}
	granted := scope.Parse(claims.Scope)
	if !granted.Has(scope.OpenID) {
		return UserInfo{}, ErrScope
	}
	person, err := s.Store.Person(ctx, claims.SessionID)
	if err != nil {
		return UserInfo{}, err
	}
	return UserInfo{Subject: claims.Subject, PersonClaims: profileOf(person.Phone, person.User).Claims(granted)}, nil
}
