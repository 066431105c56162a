package session

import (
	"crypto/rand"
	"strings"
	"time"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/scope"
)

// Session is one sign-in.
type Session struct {
	SID      string
	Subject  string
	ClientID string
	// CodeUse is the use of a code that opened it; no other session has the same.
	CodeUse string
	// Method and Identifier are the identity that proved the account: when HR takes the number
	// away, the sessions that it proved end.
	Method     string
	Identifier string
	// Scope is the grant: what the sign-in was given, and what no refresh exceeds (RFC 6749 §6).
	Scope scope.Set
	// Audience is what was asked for at the sign-in; empty for our own userinfo endpoint.
	Audience string
	// Tier is that of the newest tokens.
	Tier string
	// Device is what the person would know it by: the client's own name for it, or its agent.
	Device string
	// Address is where the sign-in came from, LastAddress where the newest use did.
	Address     string
	LastAddress string
	// AuthTime is when the person proved the identity.
	AuthTime   time.Time
	LastUsedAt time.Time
	// ExpiresAt is when nothing of it is valid any more unless it is used again: neither its
	// refresh token nor the last access token.
	ExpiresAt time.Time
	Family
	// Place is where its tokens' status stands; the zero Place while status lists are off.
	Place Place
	// RevokedAt is zero while it lives.
	RevokedAt     time.Time
	RevokedReason Reason
}

// Place is an index of a token status list.
type Place struct {
	List  string
	Index int
}

// Refreshable reports whether the sign-in was given refresh tokens (OIDC Core §11).
func (s Session) Refreshable() bool { return s.Scope.Has(scope.OfflineAccess) }

// Revoked reports whether it was ended before its time.
func (s Session) Revoked() bool { return !s.RevokedAt.IsZero() }

// NewSID returns a session id: 130 random bits.
func NewSID() string { return strings.ToLower(rand.Text()) }

// maxDevice bounds a device name, in runes; user agents go on for ever.
const maxDevice = 120

// DeviceName returns what the client said of the device, cleaned of what cannot be shown or kept.
func DeviceName(said string) string {
	clean := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(said, ""))
	runes := []rune(strings.TrimSpace(clean))
	return strings.TrimSpace(string(runes[:min(len(runes), maxDevice)]))
}
