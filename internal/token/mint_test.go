package token_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
)

// 2026-03-04T05:06:07Z, the clock's second.
const (
	iat      = 1772600767.0
	authTime = iat - 60
)

// Security requirement J2 and wire contract 12, member by member.
func TestAccessTokenClaims(t *testing.T) {
	m, _, c := newMinter(t)
	minted := mint(t, m, alice(t, c))
	header, claims := decode(t, minted.Access)
	require.Equal(t, "at+jwt", header["typ"])
	require.Equal(t, "ES256", header["alg"])
	require.NotEmpty(t, header["kid"])
	jti, _ := claims["jti"].(string)
	require.GreaterOrEqual(t, len(jti), 26, "128 bits")
	delete(claims, "jti")
	require.Equal(t, map[string]any{
		"iss": issuer, "sub": "subject", "aud": "https://api.example", "client_id": "app", "azp": "app",
		"iat": iat, "exp": iat + 900, "auth_time": authTime, "sid": "sid", "acr": "aal1", "amr": []any{"sms"},
		"scope": "openid profile email phone read:shifts", "tier": "manager", "permissions": []any{"shifts:read", "shifts:write"},
	}, claims)
	require.Equal(t, 15*time.Minute, minted.ExpiresIn)
	_, again := decode(t, mint(t, m, alice(t, c)).Access)
	require.NotEqual(t, jti, again["jti"])
}

func TestIDTokenClaims(t *testing.T) {
	m, _, c := newMinter(t)
	minted := mint(t, m, alice(t, c))
	header, claims := decode(t, minted.ID)
	require.Equal(t, "JWT", header["typ"])
	require.Equal(t, "ES256", header["alg"])
	require.NotEmpty(t, claims["at_hash"])
	delete(claims, "at_hash")
	require.Equal(t, map[string]any{
		"iss": issuer, "sub": "subject", "aud": "app", "iat": iat, "exp": iat + 3600, "auth_time": authTime, "sid": "sid",
		"acr": "aal1", "amr": []any{"sms"}, "tier": "manager",
		"name": "Alice", "nickname": "Alice", "updated_at": "2026-01-02T02:04:05Z",
		"email": "alice@example.com", "email_verified": false,
		"phone_number": "+447700900123", "phone_number_verified": true,
	}, claims)
}

// A member as null or "" makes some clients fail (wire contract 4).
func TestNoClaimWithoutAValue(t *testing.T) {
	m, _, c := newMinter(t)
	bare := alice(t, c)
	bare.Audience, bare.Profile = "", token.Profile{}
	bare.Tier = tier.Tier{Name: "anonymous", AccessTokenLifetime: time.Minute, IDTokenLifetime: time.Minute}
	minted := mint(t, m, bare)
	for name, raw := range map[string]string{"access": minted.Access, "id": minted.ID} {
		_, claims := decode(t, raw)
		for claim, value := range claims {
			require.NotNil(t, value, "%s: %s", name, claim)
			require.NotEqual(t, "", value, "%s: %s", name, claim)
			require.NotEqual(t, []any{}, value, "%s: %s", name, claim)
		}
		for _, absent := range []string{"permissions", "name", "nickname", "email", "email_verified", "phone_number",
			"phone_number_verified", "updated_at", "nonce", "org_id", "org_name", "nbf", "picture", "status"} {
			require.NotContains(t, claims, absent, name)
		}
	}
	_, claims := decode(t, minted.Access)
	require.Equal(t, issuer+"userinfo", claims["aud"], "without an audience it is for userinfo")

	bare.Scope, bare.IdentityToken = nil, false
	minted = mint(t, m, bare)
	require.Empty(t, minted.ID, "no ID token that was not asked for")
	_, claims = decode(t, minted.Access)
	require.NotContains(t, claims, "scope")
}

func TestAtHash(t *testing.T) {
	m, _, c := newMinter(t)
	for algorithm, newHash := range map[string]func() hash.Hash{
		keyring.RS256: sha256.New, keyring.ES256: sha256.New, keyring.EdDSA: sha512.New,
	} {
		t.Run(algorithm, func(t *testing.T) {
			s := alice(t, c)
			s.Algorithm = algorithm
			minted := mint(t, m, s)
			for _, raw := range []string{minted.Access, minted.ID} {
				header, _ := decode(t, raw)
				require.Equal(t, algorithm, header["alg"])
			}
			h := newHash()
			h.Write([]byte(minted.Access))
			sum := h.Sum(nil)
			_, claims := decode(t, minted.ID)
			require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]), claims["at_hash"])
		})
	}
}

// Some clients allow no skew at all (wire contract 12), so a started second is not rounded up.
func TestTimesAreNotInTheFuture(t *testing.T) {
	m, _, c := newMinter(t)
	for _, at := range []time.Time{
		time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), time.Date(2026, 3, 4, 5, 6, 7, 999_999_999, time.UTC),
		time.Date(2026, 3, 29, 2, 59, 59, 500_000_000, time.FixedZone("", 2*3600)),
	} {
		c.set(at)
		s := alice(t, c)
		s.AuthTime = c.now()
		minted := mint(t, m, s)
		for _, raw := range []string{minted.Access, minted.ID} {
			_, claims := decode(t, raw)
			for _, name := range []string{"iat", "auth_time"} {
				seconds := claims[name].(float64)
				require.LessOrEqual(t, int64(seconds)*int64(time.Second), at.UnixNano(), name)
				require.Equal(t, float64(at.Unix()), seconds, name)
			}
		}
	}
}

// Access tokens travel to services that have no business with the number (J2).
func TestNoPhoneInTheAccessToken(t *testing.T) {
	m, _, c := newMinter(t)
	s := alice(t, c)
	s.Scope = scope.Set{"openid", "phone", "phone_number", "profile", "email"}
	minted := mint(t, m, s)
	parts := strings.Split(minted.Access, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	for _, personal := range []string{"7700900123", "123", "Alice", "alice@example.com", "phone_number\":"} {
		require.NotContains(t, withoutJTI(t, string(payload)), personal)
	}
}

// withoutJTI takes away the only random member.
func withoutJTI(t *testing.T, payload string) string {
	t.Helper()
	before, rest, ok := strings.Cut(payload, `"jti":"`)
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, `"`)
	require.True(t, ok)
	return before + after
}

func TestProfileClaimsByScope(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := token.Profile{Name: "Alice", Email: "alice@example.com", Phone: number(t, "+447700900123"), UpdatedAt: at}
	yes, no := true, false
	onlyName := token.PersonClaims{Name: "Alice", Nickname: "Alice", UpdatedAt: "2026-01-02T03:04:05Z"}
	onlyPhone := token.PersonClaims{PhoneNumber: "+447700900123", PhoneNumberVerified: &yes}
	for name, tc := range map[string]struct {
		profile token.Profile
		granted string
		want    token.PersonClaims
	}{
		"nothing":              {p, "", token.PersonClaims{}},
		"openid alone":         {p, "openid", token.PersonClaims{}},
		"profile":              {p, "openid profile", onlyName},
		"email":                {p, "email", token.PersonClaims{Email: "alice@example.com", EmailVerified: &no}},
		"phone":                {p, "phone", onlyPhone},
		"legacy phone_number":  {p, "phone_number", onlyPhone},
		"both names of phone":  {p, "phone phone_number", onlyPhone},
		"a scope of a service": {p, "read:shifts profiles emails phones", token.PersonClaims{}},
		"everything": {p, "openid profile email phone", token.PersonClaims{
			Name: "Alice", Nickname: "Alice", UpdatedAt: "2026-01-02T03:04:05Z", Email: "alice@example.com", EmailVerified: &no,
			PhoneNumber: "+447700900123", PhoneNumberVerified: &yes,
		}},
		"nobody known": {token.Profile{Phone: p.Phone}, "openid profile email phone", onlyPhone},
		"no e-mail":    {token.Profile{Name: "Alice", UpdatedAt: at}, "profile email phone", onlyName},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.profile.Claims(scope.Parse(tc.granted)))
		})
	}
	// A claim cannot be said without a number, whatever the scope.
	require.Equal(t, token.PersonClaims{}, token.Profile{Phone: phone.Number{}}.Claims(scope.Parse("phone")))
}

func TestMintFailsWhole(t *testing.T) {
	m, _, c := newMinter(t)
	s := alice(t, c)
	s.Algorithm = "HS256"
	minted, err := m.Mint(t.Context(), s)
	require.ErrorContains(t, err, "access token")
	require.Equal(t, token.Minted{}, minted)

	failing := token.NewMinter(issuer, noIDTokens{}, c.now)
	minted, err = failing.Mint(t.Context(), alice(t, c))
	require.ErrorIs(t, err, errNoIDTokens)
	require.Equal(t, token.Minted{}, minted, "no half of an answer")
}

// noIDTokens signs access tokens only.
type noIDTokens struct{}

var errNoIDTokens = context.DeadlineExceeded

func (noIDTokens) Sign(_ context.Context, _, typ string, _ []byte) (string, error) {
	if typ == "JWT" {
		return "", errNoIDTokens
	}
	return "a.b.c", nil
}

func (noIDTokens) Verify(string, string) ([]byte, error) { return nil, keyring.ErrSignature }
