package token_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
)

const issuer = "https://id.example/"

// clock is a time that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time      { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) set(at time.Time)    { c.at.Store(at.UnixNano()) }
func (c *clock) add(d time.Duration) { c.at.Add(int64(d)) }

func keys(t *testing.T) *keyring.Ring {
	t.Helper()
	return keyringtest.Open(t, keyring.RS256, keyring.ES256, keyring.EdDSA)
}

func newMinter(t *testing.T) (*token.Minter, *keyring.Ring, *clock) {
	t.Helper()
	ring, c := keys(t), &clock{}
	c.set(time.Date(2026, 3, 4, 5, 6, 7, 999_999_999, time.UTC))
	return token.NewMinter(issuer, ring, c.now), ring, c
}

func number(t *testing.T, e164 string) phone.Number {
	t.Helper()
	n, err := phone.Stored(e164)
	require.NoError(t, err)
	return n
}

// alice signed in a minute ago, with everything that a token can say.
func alice(t *testing.T, c *clock) token.SignIn {
	t.Helper()
	return token.SignIn{
		Subject: "subject", SessionID: "sid", ClientID: "app", Algorithm: keyring.ES256, Audience: "https://api.example",
		Scope: scope.Set{"openid", "profile", "email", "phone", "read:shifts"},
		Tier: tier.Tier{Name: "manager", Permissions: []string{"shifts:read", "shifts:write"},
			AccessTokenLifetime: 15 * time.Minute, IDTokenLifetime: time.Hour},
		IdentityToken: true, AuthTime: c.now().Add(-time.Minute), IssuedAt: c.now(), Method: "sms",
		Profile: token.Profile{Name: "Alice", Email: "alice@example.com", Phone: number(t, "+447700900123"),
			UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))},
	}
}

// decode returns a token's header and claims as any JSON reader sees them.
func decode(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	parts := bytes.Split([]byte(raw), []byte("."))
	require.Len(t, parts, 3)
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(string(parts[i]))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, into))
	}
	return header, claims
}

func mint(t *testing.T, m *token.Minter, s token.SignIn) token.Minted {
	t.Helper()
	minted, err := m.Mint(t.Context(), s)
	require.NoError(t, err)
	return minted
}
