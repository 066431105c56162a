package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Algorithms (RFC 7518 §3.1, RFC 8037). Each key is for one of them, for good (RFC 8725 §3.1).
const (
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// Algorithms are those that a key can be for.
var Algorithms = []string{RS256, ES256, EdDSA}

// rsaBits is the size of new RSA keys (J1).
const rsaBits = 2048

// State is where a key is in its life.
type State string

const (
	// Next keys are published and do not sign yet.
	Next State = "next"
	// Current keys sign.
	Current State = "current"
	// Previous keys are published until every token that they signed has expired.
	Previous State = "previous"
	// Retired keys are gone from the JWKS after a full life.
	Retired State = "retired"
	// Revoked keys were withdrawn at once.
	Revoked State = "revoked"
)

// Published reports whether keys in this state are in the JWKS.
func (s State) Published() bool { return s == Next || s == Current || s == Previous }

// Origin says where a key came from.
type Origin string

const (
	// Generated keys were made here and have never been anywhere else.
	Generated Origin = "generated"
	// Imported keys were made elsewhere.
	Imported Origin = "imported"
)

// Key is a signing key as it rests in a store. Times are the record's, and zero for what has not
// happened.
type Key struct {
	// KID is the RFC 7638 thumbprint.
	KID       string
	Algorithm string
	State     State
	Origin    Origin
	// Sealed is the private key, PKCS #8, encrypted by the Wrapper named in WrappedBy (nobody in keys of
	// an earlier version). It is empty once the key is retired or revoked: nobody needs it any more.
	Sealed    []byte
	WrappedBy string
	// Longest is for how long a token that it signed can live at most.
	Longest time.Duration
	// Revision is that of the first key set that had it.
	Revision int64

	CreatedAt   time.Time
	PublishedAt time.Time
	ActivatedAt time.Time
	// StoppedAt is when it ceased to sign, EndedAt when it left the JWKS.
	StoppedAt time.Time
	EndedAt   time.Time
	// Reason is why it was revoked, in an operator's words.
	Reason string
}

// TokensUntil is when the last token that k may have signed expires, as of now; zero if it never signed.
func (k Key) TokensUntil(now time.Time) time.Time {
	switch {
	case k.State == Current:
		return now.Add(k.Longest)
	case k.StoppedAt.IsZero():
		return time.Time{}
	}
	return k.StoppedAt.Add(k.Longest)
}

// generate makes a private key for algorithm.
func generate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("keyring: no such algorithm: %q", algorithm)
}

// fits reports whether a key is for an algorithm (RFC 8725 §3.1, RFC 7518 §3.3 and §3.4).
func fits(private crypto.Signer, algorithm string) bool {
	switch public := private.Public().(type) {
	case *rsa.PublicKey:
		return algorithm == RS256 && public.N.BitLen() >= rsaBits
	case *ecdsa.PublicKey:
		return algorithm == ES256 && public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == EdDSA
	}
	return false
}

// Thumbprint names a key by its public half (RFC 7638).
func Thumbprint(private crypto.Signer) (string, error) {
	public, err := jwk.FromRaw(private.Public())
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(thumbprint), nil
}

// seal returns a private key as it rests in a store, in no state yet.
func seal(ctx context.Context, w Wrapper, algorithm string, private crypto.Signer) (Key, error) {
	kid, err := Thumbprint(private)
	if err != nil {
		return Key{}, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("encode private key: %w", err)
	}
	if !fits(private, algorithm) {
		return Key{}, fmt.Errorf("keyring: a %T is not for %s", private.Public(), algorithm)
	}
	k := Key{KID: kid, Algorithm: algorithm, WrappedBy: w.Name()}
	if k.Sealed, err = w.Wrap(ctx, plain, k.label()); err != nil {
		return Key{}, fmt.Errorf("encrypt the new key: %w", err)
	}
	return k, nil
}

// label binds a sealed private key to its place.
func (k Key) label() string { return "latchkey/signing-key/" + k.Algorithm + "/" + k.KID }

// openPKCS8 reads what seal has encrypted.
func openPKCS8(plain []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errors.New("not a PKCS #8 private key")
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("not a signing key")
	}
	return private, nil
}
