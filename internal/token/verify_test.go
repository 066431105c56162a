package token_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/pkg/accesstoken"
)

func TestAccessTakesOurTokens(t *testing.T) {
	m, _, c := newMinter(t)
	for _, algorithm := range []string{keyring.RS256, keyring.ES256, keyring.EdDSA} {
		for _, audience := range []string{"", "https://api.example"} {
			s := alice(t, c)
			s.Algorithm, s.Audience = algorithm, audience
			claims, err := m.Access(mint(t, m, s).Access)
			require.NoError(t, err)
			require.NotEmpty(t, claims.ID)
			claims.ID = ""
			if audience == "" {
				audience = m.UserInfoAudience()
			}
			require.Equal(t, accesstoken.Claims{
				Issuer: issuer, Subject: "subject", Audience: audience, ClientID: "app", AuthorizedParty: "app",
				IssuedAt: iat, Expiry: iat + 900, AuthTime: authTime, SessionID: "sid", ACR: token.ACR, AMR: []string{"sms"},
				Scope: "openid profile email phone read:shifts", Tier: "manager", Permissions: []string{"shifts:read", "shifts:write"},
			}, claims)
		}
	}
}

func TestAccessRefuses(t *testing.T) {
	m, ring, c := newMinter(t)
	good := mint(t, m, alice(t, c))
	signed := func(typ, payload string) string {
		raw, err := ring.Sign(t.Context(), keyring.ES256, typ, []byte(payload))
		require.NoError(t, err)
		return raw
	}
	claims := func(change func(*accesstoken.Claims)) string {
		said := accesstoken.Claims{Issuer: issuer, Subject: "subject", Expiry: iat + 900, IssuedAt: iat}
		change(&said)
		payload, err := json.Marshal(said)
		require.NoError(t, err)
		return string(payload)
	}
	same := func(*accesstoken.Claims) {}
	another := token.NewMinter("https://evil.example/", ring, c.now)
	stranger, _, _ := newMinter(t)
	for name, raw := range map[string]string{
		"an ID token":                  good.ID,
		"another issuer":               mint(t, another, alice(t, c)).Access,
		"the issuer less its slash":    signed("at+jwt", claims(func(s *accesstoken.Claims) { s.Issuer = strings.TrimSuffix(issuer, "/") })),
		"the issuer in capitals":       signed("at+jwt", claims(func(s *accesstoken.Claims) { s.Issuer = strings.ToUpper(issuer) })),
		"no issuer":                    signed("at+jwt", claims(func(s *accesstoken.Claims) { s.Issuer = "" })),
		"keys of another installation": mint(t, stranger, alice(t, c)).Access,
		"expired":                      signed("at+jwt", claims(func(s *accesstoken.Claims) { s.Expiry = iat })),
		"no exp":                       signed("at+jwt", `{"iss":"`+issuer+`","sub":"subject"}`),
		"negative exp":                 signed("at+jwt", claims(func(s *accesstoken.Claims) { s.Expiry = -1 })),
		"exp as text":                  signed("at+jwt", `{"iss":"`+issuer+`","exp":"9999999999"}`),
		"exp beyond all numbers":       signed("at+jwt", `{"iss":"`+issuer+`","exp":1e400}`),
		"a list of audiences":          signed("at+jwt", `{"iss":"`+issuer+`","exp":9999999999,"aud":["a","b"]}`),
		"typ of an ID token":           signed("JWT", claims(same)),
		"typ of a status list":         signed("statuslist+jwt", claims(same)),
		"no typ":                       signed("", claims(same)),
		"no JSON":                      signed("at+jwt", `sub=subject`),
		"JSON that is a list":          signed("at+jwt", `[]`),
		"JSON null":                    signed("at+jwt", `null`),
		"empty":                        "",
		"rubbish":                      "a.b.c",
		"the payload of another":       swapPayload(good.Access, good.ID),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := m.Access(raw)
			require.ErrorIs(t, err, token.ErrInvalid)
			require.Equal(t, accesstoken.Claims{}, got)
		})
	}
	_, err := m.Access(signed("at+jwt", claims(same)))
	require.NoError(t, err, "what the table is made from is good")
}

func swapPayload(into, from string) string {
	a, b := strings.Split(into, "."), strings.Split(from, ".")
	return a[0] + "." + b[1] + "." + a[2]
}

func TestAccessEndsToTheSecond(t *testing.T) {
	m, _, c := newMinter(t)
	raw := mint(t, m, alice(t, c)).Access
	c.set(time.Unix(iat+900, 0).Add(-time.Nanosecond))
	_, err := m.Access(raw)
	require.NoError(t, err)
	c.add(time.Nanosecond)
	_, err = m.Access(raw)
	require.ErrorIs(t, err, token.ErrInvalid)
}
