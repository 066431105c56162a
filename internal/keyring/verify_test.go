package keyring_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

const (
	typ    = "at+jwt"
	claims = `{"sub":"mallory","tier":"admin"}`
)

// forge signs claims by key under a header of the attacker's own.
func forge(t *testing.T, algorithm jwa.SignatureAlgorithm, key any, header map[string]any) string {
	t.Helper()
	headers := jws.NewHeaders()
	for name, value := range header {
		require.NoError(t, headers.Set(name, value))
	}
	token, err := jws.Sign([]byte(claims), jws.WithKey(algorithm, key, jws.WithProtectedHeaders(headers)))
	require.NoError(t, err)
	return string(token)
}

func bare(header, payload, signature string) string {
	return b64(header) + "." + b64(payload) + "." + signature
}

func TestVerifyRefusesWhatWeDidNotSign(t *testing.T) {
	store := newMemory()
	ring := open(t, store, all...)
	kid := func(algorithm string) string { return store.kidOf(t, algorithm) }
	rsaKey, ecKey, edKey := store.private(t, keyring.RS256), store.private(t, keyring.ES256), store.private(t, keyring.EdDSA)
	good := sign(t, ring, keyring.RS256, typ, `{"sub":"alice"}`)
	goodES := sign(t, ring, keyring.ES256, typ, `{"sub":"alice"}`)
	signature := func(token string) string { return token[strings.LastIndex(token, ".")+1:] }

	theirs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	theirsEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, theirsEd, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	theirJWK, err := jwk.FromRaw(theirs.Public())
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	require.NoError(t, err)
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	edPublic := []byte(edKey.Public().(ed25519.PublicKey))
	ours := map[string]any{"kid": kid(keyring.RS256), "typ": typ}
	with := func(more map[string]any) map[string]any {
		header := map[string]any{"kid": kid(keyring.RS256), "typ": typ}
		for name, value := range more {
			header[name] = value
		}
		return header
	}

	for name, token := range map[string]string{
		"alg none, no signature":        bare(`{"alg":"none","kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, claims, ""),
		"alg None, our signature":       bare(`{"alg":"None","kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, `{"sub":"alice"}`, signature(good)),
		"alg none, our signature":       bare(`{"alg":"none","kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, `{"sub":"alice"}`, signature(good)),
		"no alg":                        bare(`{"kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, claims, signature(good)),
		"empty alg":                     bare(`{"alg":"","kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, claims, ""),
		"alg of another of our keys":    bare(`{"alg":"ES256","kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, `{"sub":"alice"}`, signature(goodES)),
		"our RSA key, RS512":            forge(t, jwa.RS512, rsaKey, ours),
		"our RSA key, PS256":            forge(t, jwa.PS256, rsaKey, ours),
		"ES256 key's kid, RS256":        forge(t, jwa.RS256, rsaKey, map[string]any{"kid": kid(keyring.ES256), "typ": typ}),
		"HS256 by our public key, PEM":  forge(t, jwa.HS256, asPEM, ours),
		"HS256 by our public key, DER":  forge(t, jwa.HS256, der, ours),
		"HS256 by our modulus":          forge(t, jwa.HS256, rsaKey.Public().(*rsa.PublicKey).N.Bytes(), ours),
		"HS256 by our Ed25519 key":      forge(t, jwa.HS256, edPublic, map[string]any{"kid": kid(keyring.EdDSA), "typ": typ}),
		"HS256 by the JWKS":             forge(t, jwa.HS256, []byte(jwks(ring)), ours),
		"another's RSA key, our kid":    forge(t, jwa.RS256, theirs, ours),
		"another's EC key, our kid":     forge(t, jwa.ES256, theirsEC, map[string]any{"kid": kid(keyring.ES256), "typ": typ}),
		"another's Ed25519 key":         forge(t, jwa.EdDSA, theirsEd, map[string]any{"kid": kid(keyring.EdDSA), "typ": typ}),
		"unknown kid":                   forge(t, jwa.RS256, rsaKey, map[string]any{"kid": "unknown", "typ": typ}),
		"no kid":                        forge(t, jwa.RS256, rsaKey, map[string]any{"typ": typ}),
		"empty kid":                     forge(t, jwa.ES256, ecKey, map[string]any{"kid": "", "typ": typ}),
		"kid of another case":           forge(t, jwa.RS256, rsaKey, map[string]any{"kid": strings.ToUpper(kid(keyring.RS256)), "typ": typ}),
		"kid that is no string":         bare(`{"alg":"RS256","kid":1,"typ":"at+jwt"}`, `{"sub":"alice"}`, signature(good)),
		"jwk of theirs, our kid":        forge(t, jwa.RS256, theirs, with(map[string]any{"jwk": theirJWK})),
		"jwk of theirs, their kid":      forge(t, jwa.RS256, theirs, map[string]any{"jwk": theirJWK, "kid": "theirs", "typ": typ}),
		"jku of theirs":                 forge(t, jwa.RS256, theirs, with(map[string]any{"jku": "https://evil.example/jwks.json"})),
		"x5u of theirs":                 forge(t, jwa.RS256, theirs, with(map[string]any{"x5u": "https://evil.example/cert.pem"})),
		"crit that nobody knows":        forge(t, jwa.RS256, rsaKey, with(map[string]any{"crit": []string{"lk"}, "lk": true})),
		"crit of a name that is known":  forge(t, jwa.RS256, rsaKey, with(map[string]any{"crit": []string{"typ"}})),
		"b64 false, critical":           bare(`{"alg":"RS256","b64":false,"crit":["b64"],"kid":"`+kid(keyring.RS256)+`","typ":"at+jwt"}`, claims, signature(good)),
		"no typ":                        forge(t, jwa.RS256, rsaKey, map[string]any{"kid": kid(keyring.RS256)}),
		"typ of an ID token":            sign(t, ring, keyring.RS256, "JWT", claims),
		"typ in capitals":               sign(t, ring, keyring.RS256, "AT+JWT", claims),
		"typ with a prefix":             sign(t, ring, keyring.RS256, "application/at+jwt", claims),
		"another payload":               respell(t, good, 1, func(string) string { return b64(claims) }),
		"payload one bit off":           respell(t, good, 1, flip),
		"header of another token":       respell(t, good, 0, func(string) string { return strings.Split(goodES, ".")[0] }),
		"signature one bit off":         respell(t, good, 2, flip),
		"signature of another token":    respell(t, good, 2, func(string) string { return signature(goodES) }),
		"no signature":                  respell(t, good, 2, func(string) string { return "" }),
		"half a signature":              respell(t, goodES, 2, func(s string) string { return s[:len(s)/2] }),
		"ES256 signature of zeros":      respell(t, goodES, 2, func(string) string { return b64(string(make([]byte, 64))) }),
		"ES256 signature as ASN.1":      respell(t, goodES, 2, func(s string) string { return asASN1(t, s) }),
		"signature twice":               respell(t, good, 2, func(s string) string { return s + s }),
		"no payload (detached)":         respell(t, good, 1, func(string) string { return "" }),
		"header that is no JSON":        respell(t, good, 0, func(string) string { return b64("alg=RS256") }),
		"header that is a list":         respell(t, good, 0, func(string) string { return b64(`["RS256"]`) }),
		"header that is null":           respell(t, good, 0, func(string) string { return b64("null") }),
		"header that is no base64":      respell(t, good, 0, func(string) string { return "!!!!" }),
		"two segments":                  good[:strings.LastIndex(good, ".")],
		"four segments":                 good + "." + signature(good),
		"four segments, the last empty": good + ".",
		"five segments (JWE)":           good + ".a.b",
		"empty":                         "",
		"two dots":                      "..",
		"a space in front":              " " + good,
		"NUL behind":                    good + "\x00",
		"a scheme in front":             "Bearer " + good,
		"flattened JSON":                flattened(good),
		"general JSON":                  general(good, goodES),
		"1 MiB of letters":              strings.Repeat("A", 1<<20),
		"1 MiB of dots":                 strings.Repeat(".", 1<<20),
		"1 MiB of payload":              respell(t, good, 1, func(string) string { return strings.Repeat("A", 1<<20) }),
		"1 MiB of header":               respell(t, good, 0, func(string) string { return b64(`{"alg":"RS256","x":"` + strings.Repeat("A", 1<<20) + `"}`) }),
		"deep JSON in the header":       respell(t, good, 0, func(string) string { return b64(strings.Repeat(`{"a":`, 1<<16)) }),
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := ring.Verify(token, typ)
			require.ErrorIs(t, err, keyring.ErrSignature)
			require.Nil(t, payload)
		})
	}
	for _, token := range []string{good, goodES} {
		_, err := ring.Verify(token, typ)
		require.NoError(t, err, "what the table is made from is good")
	}
}

// asASN1 writes an ES256 signature as certificates do, and as a JWS must not (RFC 7518 §3.4).
func asASN1(t *testing.T, segment string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(segment)
	require.NoError(t, err)
	encoded, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(encoded)
}

// flip changes the first character of a segment, which has no spare bits.
func flip(segment string) string {
	if segment[0] == 'A' {
		return "B" + segment[1:]
	}
	return "A" + segment[1:]
}

func flattened(token string) string {
	part := strings.Split(token, ".")
	return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, part[0], part[1], part[2])
}

func general(one, two string) string {
	a, b := strings.Split(one, "."), strings.Split(two, ".")
	return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q},{"protected":%q,"signature":%q}]}`,
		a[1], a[0], a[2], b[0], b[2])
}

// A header that we would not write, under a signature of ours: kid alone chose the key.
func TestVerifyIgnoresKeysInTheHeader(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.ES256)
	theirs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	theirJWK, err := jwk.FromRaw(theirs.Public())
	require.NoError(t, err)
	token := forge(t, jwa.ES256, store.private(t, keyring.ES256), map[string]any{
		"kid": store.kidOf(t, keyring.ES256), "typ": typ, "jwk": theirJWK, "jku": "https://evil.example/jwks.json",
	})
	payload, err := ring.Verify(token, typ)
	require.NoError(t, err)
	require.JSONEq(t, claims, string(payload))
}

func FuzzVerify(f *testing.F) {
	options := newMemory().options(f, keyring.EdDSA)
	options.Wrappers.Primary = plain{}
	ring, err := keyring.Open(f.Context(), options)
	require.NoError(f, err)
	good, err := ring.Sign(f.Context(), keyring.EdDSA, typ, []byte(`{"sub":"alice"}`))
	require.NoError(f, err)
	for _, seed := range []string{good, flattened(good), "..", "", bare(`{"alg":"none"}`, "{}", "")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		payload, err := ring.Verify(token, typ)
		if err != nil {
			require.ErrorIs(t, err, keyring.ErrSignature)
			return
		}
		require.JSONEq(t, `{"sub":"alice"}`, string(payload), "the only thing that this key ever signed")
	})
}
