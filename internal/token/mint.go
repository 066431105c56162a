package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/pkg/accesstoken"
)

// idTokenType is the typ header of an ID token (RFC 7519 §5.1).
const idTokenType = "JWT"

// ACR is the authentication context class of a code by text: NIST SP 800-63B's AAL1, never more.
const ACR = "aal1"

// Keys signs and verifies.
type Keys interface {
	// Sign returns payload as a compact JWS with typ in its header.
	Sign(ctx context.Context, algorithm, typ string, payload []byte) (string, error)
	// Verify returns the payload of a token that we signed, with this typ.
	Verify(token, typ string) ([]byte, error)
}

// SignIn is what tokens are about.
type SignIn struct {
	Subject   string
	SessionID string
	ClientID  string
	Algorithm string
	// Audience is what the access token is for; empty means our own userinfo endpoint.
	Audience string
	Scope    scope.Set
	// IdentityToken asks for an ID token too: openid was granted (OIDC Core §3.1.2.1).
	IdentityToken bool
	Tier          tier.Tier
	// AuthTime is when the person proved the number, IssuedAt is now.
	AuthTime time.Time
	IssuedAt time.Time
	// Method is the RFC 8176 name of how.
	Method  string
	Profile Profile
	// StatusList and StatusIndex are where the access token's status stands; without a list, nowhere.
	StatusList  string
	StatusIndex int
}

// Profile is what ID tokens and userinfo say of the person, by scope.
type Profile struct {
	Name      string
	Email     string
	Phone     phone.Number
	UpdatedAt time.Time
}

// Minter makes tokens. It is safe for concurrent use.
type Minter struct {
	issuer string
	keys   Keys
	now    func() time.Time
}

// NewMinter returns a Minter whose tokens name issuer, which ends with a slash.
func NewMinter(issuer string, keys Keys, now func() time.Time) *Minter {
	return &Minter{issuer: issuer, keys: keys, now: now}
}

// Minted is the tokens of one sign-in.
type Minted struct {
	Access string
	// ID is empty unless SignIn.IdentityToken asks for it.
	ID        string
	ExpiresIn time.Duration
}

// Mint signs the tokens for a sign-in. iat is never in the future of our clock (J8).
func (m *Minter) Mint(ctx context.Context, s SignIn) (Minted, error) {
	now := s.IssuedAt
	if ours := m.now(); ours.Before(now) { // by whichever clock
		now = ours
	}
	access, err := m.sign(ctx, s.Algorithm, accesstoken.Type, m.accessClaims(s, now))
	if err != nil {
		return Minted{}, fmt.Errorf("access token: %w", err)
	}
	minted := Minted{Access: access, ExpiresIn: s.Tier.AccessTokenLifetime}
	if s.IdentityToken {
		minted.ID, err = m.sign(ctx, s.Algorithm, idTokenType, m.idClaims(s, access, now))
		if err != nil {
			return Minted{}, fmt.Errorf("ID token: %w", err)
		}
	}
	return minted, nil
}

// UserInfoAudience is the audience of access tokens for which no other was asked.
func (m *Minter) UserInfoAudience() string { return m.issuer + "userinfo" }

// Issuer is the iss of every token.
func (m *Minter) Issuer() string { return m.issuer }

// StatusListURI is where a token status list is served, and the sub of its own token.
func (m *Minter) StatusListURI(list string) string { return m.issuer + StatusListsPath + list }

// StatusListsPath is where token status lists are, below the issuer.
const StatusListsPath = "status-lists/"

func (m *Minter) accessClaims(s SignIn, now time.Time) accesstoken.Claims {
	audience := s.Audience
	if audience == "" {
		audience = m.UserInfoAudience()
	}
	claims := accesstoken.Claims{
		Issuer: m.issuer, Subject: s.Subject, Audience: audience, ClientID: s.ClientID, AuthorizedParty: s.ClientID,
		IssuedAt: now.Unix(), Expiry: now.Add(s.Tier.AccessTokenLifetime).Unix(), AuthTime: s.AuthTime.Unix(),
		ID: rand.Text(), SessionID: s.SessionID, ACR: ACR, AMR: []string{s.Method},
		Scope: s.Scope.String(), Tier: s.Tier.Name, Permissions: s.Tier.Permissions,
	}
	if s.StatusList != "" {
		claims.Status = &accesstoken.Status{StatusList: accesstoken.StatusList{
			Index: s.StatusIndex, URI: m.StatusListURI(s.StatusList),
		}}
	}
	return claims
}

// idClaims are those of OIDC Core §2 and §5.4. Tier is there for the app, which takes the access
// token for opaque and still has to know whether to show the waiting screen.
type idClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	Expiry    int64    `json:"exp"`
	AuthTime  int64    `json:"auth_time"`
	SessionID string   `json:"sid"`
	ACR       string   `json:"acr"`
	AMR       []string `json:"amr"`
	AtHash    string   `json:"at_hash"`
	Tier      string   `json:"tier"`
	PersonClaims
}

func (m *Minter) idClaims(s SignIn, access string, now time.Time) idClaims {
	return idClaims{
		Issuer: m.issuer, Subject: s.Subject, Audience: s.ClientID,
		IssuedAt: now.Unix(), Expiry: now.Add(s.Tier.IDTokenLifetime).Unix(), AuthTime: s.AuthTime.Unix(),
		SessionID: s.SessionID, ACR: ACR, AMR: []string{s.Method}, AtHash: atHash(s.Algorithm, access),
		Tier: s.Tier.Name, PersonClaims: s.Profile.Claims(s.Scope),
	}
}

func (m *Minter) sign(ctx context.Context, algorithm, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	return m.keys.Sign(ctx, algorithm, typ, payload)
}

// atHash is the left half of the access token's hash (OIDC Core §3.1.3.6), by the hash of the
// algorithm: SHA-256, and SHA-512 for Ed25519.
func atHash(algorithm, access string) string {
	if algorithm == "EdDSA" {
		digest := sha512.Sum512([]byte(access))
		return base64.RawURLEncoding.EncodeToString(digest[:32])
	}
	digest := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(digest[:16])
}
