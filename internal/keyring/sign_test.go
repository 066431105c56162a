package keyring_test

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

func pkcs8(t *testing.T, private crypto.Signer) []byte {
	t.Helper()
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return plain
}

// Our signer is our own; the library's verifier, with nothing but the JWKS, is the judge.
func TestTheLibraryAcceptsWhatWeSign(t *testing.T) {
	store := newMemory()
	ring := open(t, store, all...)
	set, err := jwk.Parse([]byte(jwks(ring)))
	require.NoError(t, err)
	seeded := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // payloads, not secrets
	for _, algorithm := range all {
		t.Run(algorithm, func(t *testing.T) {
			for i := range 200 {
				claims, err := json.Marshal(map[string]any{
					"iss": "https://id.example/", "n": i, "random": fmt.Sprintf("%x", seeded.Uint64()),
					"pad": string(make([]byte, seeded.IntN(300))), "text": "Zoë <&> \u2028",
				})
				require.NoError(t, err)
				token := sign(t, ring, algorithm, "at+jwt", string(claims))

				payload, err := jws.Verify([]byte(token), jws.WithKeySet(set), jws.WithCompact())
				require.NoError(t, err)
				require.Equal(t, string(claims), string(payload))
				parsed, err := jwt.ParseString(token, jwt.WithKeySet(set), jwt.WithIssuer("https://id.example/"))
				require.NoError(t, err)
				require.Equal(t, "https://id.example/", parsed.Issuer())
				ours, err := ring.Verify(token, "at+jwt")
				require.NoError(t, err)
				require.Equal(t, string(claims), string(ours))
			}
		})
	}
}

// Wire contract 10: every JWT header carries alg, kid and typ; nothing else has a use for anybody.
func TestHeader(t *testing.T) {
	store := newMemory()
	ring := open(t, store, all...)
	for _, algorithm := range all {
		message, err := jws.ParseString(sign(t, ring, algorithm, "at+jwt", `{"a":1}`))
		require.NoError(t, err)
		require.Len(t, message.Signatures(), 1)
		header, err := message.Signatures()[0].ProtectedHeaders().AsMap(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]any{
			"alg": jwa.SignatureAlgorithm(algorithm), "kid": store.kidOf(t, algorithm), "typ": "at+jwt",
		}, header)
	}
}

func TestPayloadsOfAnySize(t *testing.T) {
	ring := open(t, newMemory(), keyring.ES256)
	for _, payload := range []string{"{}", `"` + string(make([]byte, 1<<20)) + `"`} {
		got, err := ring.Verify(sign(t, ring, keyring.ES256, "JWT", payload), "JWT")
		require.NoError(t, err)
		require.Equal(t, len(payload), len(got))
	}
}

func TestSignNeedsACurrentKey(t *testing.T) {
	ring := open(t, newMemory(), keyring.ES256)
	for _, algorithm := range []string{keyring.RS256, "none", "", "HS256", "es256"} {
		_, err := ring.Sign(t.Context(), algorithm, "JWT", []byte("{}"))
		require.ErrorContains(t, err, "no current key", algorithm)
	}
}
