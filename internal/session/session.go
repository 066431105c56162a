// Package session owns the Session: one sign-in of an account on one client and device, named by
// the sid of its tokens. A session ends by its expiry or by being revoked, with a reason; it is
// never reopened.
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
	Scope      scope.Set
	Tier       string
	// Device is what the person would know it by: the client's own name for it, or its agent.
	Device string
	// Address is where the sign-in came from.
	Address   string
	AuthTime  time.Time
	ExpiresAt time.Time
}

// Reason says why a session was revoked, as it rests in the store.
type Reason string

const (
	// UserLeft ends all sessions of a person whom HR deactivated.
	UserLeft Reason = "user_left"
	// NumberMoved ends the sessions that a number proved which HR has changed or removed.
	NumberMoved Reason = "number_moved"
)

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
