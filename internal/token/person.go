package token

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/scope"
)

// PersonClaims are the claims of OIDC Core §5.1 that we have values for.
type PersonClaims struct {
	Name     string `json:"name,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	// UpdatedAt is RFC 3339 text, as Auth0 sends it: one of its SDKs cannot read the number
	// that OIDC Core asks for (wire contract 6).
	UpdatedAt string `json:"updated_at,omitempty"`
	Email     string `json:"email,omitempty"`
	// EmailVerified is false: HR told us the address, and nobody has proven it to us.
	EmailVerified       *bool  `json:"email_verified,omitempty"`
	PhoneNumber         string `json:"phone_number,omitempty"`
	PhoneNumberVerified *bool  `json:"phone_number_verified,omitempty"`
}

// Claims returns what granted lets be said of the person (OIDC Core §5.4).
func (p Profile) Claims(granted scope.Set) PersonClaims {
	var c PersonClaims
	if granted.Has(scope.Profile) {
		c.Name, c.Nickname = p.Name, p.Name
		if !p.UpdatedAt.IsZero() {
			c.UpdatedAt = p.UpdatedAt.UTC().Format(time.RFC3339)
		}
	}
	if granted.Has(scope.Email) && p.Email != "" {
		c.Email, c.EmailVerified = p.Email, new(bool)
	}
	if (granted.Has(scope.Phone) || granted.Has(scope.PhoneNumber)) && !p.Phone.IsZero() {
		verified := true
		c.PhoneNumber, c.PhoneNumberVerified = p.Phone.E164(), &verified
	}
	return c
}
