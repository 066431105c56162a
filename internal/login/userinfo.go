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
	person, err := s.Store.Person(ctx, claims.SessionID, s.Now())
	if err != nil {
		return UserInfo{}, err
	}
	profile := token.Profile{Phone: person.Phone}
	if person.User != nil {
		profile.Name, profile.Email, profile.UpdatedAt = person.User.Name, person.User.Email, person.User.UpdatedAt
	}
	return UserInfo{Subject: claims.Subject, PersonClaims: profile.Claims(granted)}, nil
}
