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

// Key is a signing key as it rests in a store.
type Key struct {
	// KID is the RFC 7638 thumbprint.
	KID       string
	Algorithm string
	State     State
	// Sealed is the private key, PKCS #8, encrypted by a Wrapper.
	Sealed      []byte
	CreatedAt   time.Time
	PublishedAt time.Time
	ActivatedAt time.Time
}

// Wrapper encrypts private keys at rest. label is authenticated with them, so that a sealed key
// cannot be passed off as another.
type Wrapper interface {
	Wrap(ctx context.Context, plain []byte, label string) ([]byte, error)
	Unwrap(ctx context.Context, sealed []byte, label string) ([]byte, error)
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

// newKey makes a key that signs from now on. Only a first key of its algorithm may skip being Next.
func newKey(ctx context.Context, w Wrapper, algorithm string, now time.Time) (Key, error) {
	private, err := generate(algorithm)
	if err != nil {
		return Key{}, err
	}
	public, err := jwk.FromRaw(private.Public())
	if err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, fmt.Errorf("thumbprint: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("encode private key: %w", err)
	}
	k := Key{
		KID: base64.RawURLEncoding.EncodeToString(thumbprint), Algorithm: algorithm, State: Current,
		CreatedAt: now, PublishedAt: now, ActivatedAt: now,
	}
	k.Sealed, err = w.Wrap(ctx, plain, k.label())
	return k, err
}

// label binds a sealed private key to its place.
func (k Key) label() string { return "latchkey/signing-key/" + k.Algorithm + "/" + k.KID }

// open decrypts the private key.
func (k Key) open(ctx context.Context, w Wrapper) (crypto.Signer, error) {
	plain, err := w.Unwrap(ctx, k.Sealed, k.label())
	if err != nil {
		return nil, err
	}
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
