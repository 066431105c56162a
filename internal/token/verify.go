package token

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/pkg/accesstoken"
)

// ErrInvalid means a token that is not an access token of ours, or not any more.
var ErrInvalid = errors.New("token: invalid access token")

// Access checks an access token that came back to us: our signature, typ, iss and exp. Any
// audience will do, since userinfo is open to tokens for other services too (wire contract 6).
// The error is ErrInvalid.
func (m *Minter) Access(raw string) (accesstoken.Claims, error) {
	payload, err := m.keys.Verify(raw, accesstoken.Type)
	if err != nil {
		return accesstoken.Claims{}, ErrInvalid
	}
	var claims accesstoken.Claims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return accesstoken.Claims{}, ErrInvalid
	}
	if claims.Issuer != m.issuer || !m.now().Before(time.Unix(claims.Expiry, 0)) {
		return accesstoken.Claims{}, ErrInvalid
	}
	return claims, nil
}
