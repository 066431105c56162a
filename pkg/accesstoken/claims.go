// Package accesstoken names what Latchkey's access tokens say, for the internal services that
// check them. A token is a JWT with header typ "at+jwt" (RFC 9068), signed by a key of the issuer's
// JWKS; a service checks the signature, typ, iss, aud and exp before it reads anything else.
package accesstoken

// Type is the typ header of an access token (RFC 9068 §2.1); an ID token has another.
const Type = "at+jwt"

// Claims are the members of an access token (RFC 9068 §2.2), with Latchkey's own two: Tier and
// Permissions. Members without a value are left out.
type Claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ClientID string `json:"client_id"`
	// AuthorizedParty is the client again, where Auth0's libraries look for it.
	AuthorizedParty string `json:"azp"`
	// IssuedAt, Expiry and AuthTime are Unix seconds.
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	AuthTime int64  `json:"auth_time"`
	ID       string `json:"jti"`
	// SessionID is one sign-in; it lives on through refreshes.
	SessionID string `json:"sid"`
	// ACR and AMR say how the person proved who they are (RFC 8176: "sms").
	ACR   string   `json:"acr"`
	AMR   []string `json:"amr"`
	Scope string   `json:"scope,omitempty"`
	// Tier is how far the person may go: "anonymous", "employee", or an operator's own.
	Tier        string   `json:"tier"`
	Permissions []string `json:"permissions,omitempty"`
	// Status says where to ask whether the token was revoked; nil where the issuer has switched
	// status lists off.
	Status *Status `json:"status,omitempty"`
}

// Status is the status claim (draft-ietf-oauth-status-list §6.1).
type Status struct {
	StatusList StatusList `json:"status_list"`
}

// StatusList is a token's place: the bit at Index of the list at URI is 1 once it is revoked.
type StatusList struct {
	Index int    `json:"idx"`
	URI   string `json:"uri"`
}
