// Package client owns the registered applications: what each may do, and how it proves that it is
// itself (RFC 6749 §2). Clients come from the configuration and do not change while we run.
package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Grant names something that a client may do.
type Grant string

const (
	// Passwordless is the code grant at /oauth/token.
	Passwordless Grant = "passwordless"
	// LegacyRO is the code as a password at /oauth/ro, for apps that cannot be updated.
	LegacyRO Grant = "legacy_ro"
)

var (
	// ErrUnknown means that no client has the id.
	ErrUnknown = errors.New("client: unknown")
	// ErrSecret means a confidential client with a wrong secret, or none.
	ErrSecret = errors.New("client: wrong secret")
	// ErrNoSecret means a public client that sent a secret: it is registered otherwise than its
	// developer thinks, and is told so rather than left in a false safety.
	ErrNoSecret = errors.New("client: public client sent a secret")
)

// Client is an application.
type Client struct {
	ID   string
	Name string
	// Secret is the text that a confidential client proves itself with; empty for a public one.
	// NewRegistry forgets it and keeps a digest.
	Secret    string
	Grants    []Grant
	Audiences []string
	// Scopes that the client may ask for; empty means all that the tier allows.
	Scopes []string
	// Tiers whose people may sign in; empty means all.
	Tiers []string
	// Origins whose pages may call us (Fetch standard: scheme://host[:port]).
	Origins []string
	// Algorithm signs the client's tokens.
	Algorithm string
	// Language is that of its people's texts, unless a request asks for another (BCP 47).
	Language string
	// ForwardsFor lets a confidential client say for whom it asks, in auth0-forwarded-for (O15).
	ForwardsFor bool

	digest [sha256.Size]byte
}

// Confidential reports whether the client has a secret (RFC 6749 §2.1).
func (c *Client) Confidential() bool { return c.digest != [sha256.Size]byte{} }

// Authenticate checks secret, empty for none. The error is ErrSecret or ErrNoSecret.
func (c *Client) Authenticate(secret string) error {
	switch {
	case !c.Confidential() && secret != "":
		return ErrNoSecret
	case !c.Confidential():
		return nil
	}
	digest := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(digest[:], c.digest[:]) != 1 {
		return ErrSecret
	}
	return nil
}

// May reports whether the client may use grant.
func (c *Client) May(grant Grant) bool { return slices.Contains(c.Grants, grant) }

// Admits reports whether people of tier may sign in to the client.
func (c *Client) Admits(tier string) bool {
	return len(c.Tiers) == 0 || slices.Contains(c.Tiers, tier)
}

// Registry finds clients. It is immutable and safe for concurrent use.
type Registry struct {
	clients       map[string]*Client
	origins       map[string]bool
	allowLoopback bool
}

// NewRegistry takes clients that the configuration has checked. With allowLoopback, pages of this
// machine may call us from any port.
func NewRegistry(clients []Client, allowLoopback bool) *Registry {
	r := &Registry{clients: map[string]*Client{}, origins: map[string]bool{}, allowLoopback: allowLoopback}
	for _, c := range clients {
		if c.Secret != "" {
			c.digest, c.Secret = sha256.Sum256([]byte(c.Secret)), ""
		}
		for _, origin := range c.Origins {
			r.origins[strings.ToLower(origin)] = true
		}
		r.clients[c.ID] = &c
	}
	return r
}

// Find returns the client with id, or ErrUnknown.
func (r *Registry) Find(id string) (*Client, error) {
	if c, ok := r.clients[id]; ok {
		return c, nil
	}
	return nil, ErrUnknown
}

// Algorithms returns the algorithms that clients' tokens are signed with, sorted.
func (r *Registry) Algorithms() []string {
	used := map[string]bool{}
	for _, c := range r.clients {
		used[c.Algorithm] = true
	}
	return slices.Sorted(maps.Keys(used))
}

// AllowsOrigin reports whether pages of origin may call us and read the answer.
func (r *Registry) AllowsOrigin(origin string) bool {
	if r.origins[origin] {
		return true
	}
	if !r.allowLoopback {
		return false
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") &&
		slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}
