package keyring

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Wrapper encrypts private keys at rest. label is authenticated with them, so that a sealed key
// cannot be passed off as another.
type Wrapper interface {
	// Name says which wrapper it is, for good and without a secret. It is kept beside what it sealed.
	Name() string
	Wrap(ctx context.Context, plain []byte, label string) ([]byte, error)
	Unwrap(ctx context.Context, sealed []byte, label string) ([]byte, error)
}

// Wrappers are the one that seals keys, and those whose keys can be read besides.
type Wrappers struct {
	Primary Wrapper
	Former  []Wrapper
}

// all returns them, the primary first.
func (w Wrappers) all() []Wrapper { return append([]Wrapper{w.Primary}, w.Former...) }

// open decrypts the private key of k.
func (w Wrappers) open(ctx context.Context, k Key) (crypto.Signer, error) {
	plain, err := w.unwrap(ctx, k)
	if err != nil {
		return nil, err
	}
	return openPKCS8(plain)
}

func (w Wrappers) unwrap(ctx context.Context, k Key) ([]byte, error) {
	err := fmt.Errorf("sealed by %s, which the settings do not name", k.WrappedBy)
	for _, each := range w.all() {
		if k.WrappedBy != "" && k.WrappedBy != each.Name() {
			continue
		}
		var plain []byte
		if plain, err = each.Unwrap(ctx, k.Sealed, k.label()); err == nil {
			return plain, nil
		}
	}
	return nil, err
}

// UnreadableError says that stored keys cannot be decrypted. Making new ones instead would make
// every token out there invalid, so nothing is made.
type UnreadableError struct {
	KIDs  []string
	Cause error
}

func (e *UnreadableError) Error() string {
	advice := "start with the secret_key and the keys.wrapping that they were encrypted with, or name those in keys.former_wrapping"
	if errors.Is(e.Cause, ErrUnavailable) {
		advice = "try again when it answers"
	}
	return fmt.Sprintf("cannot read the signing keys %s (%v): %s. Nothing was changed, and no new key was made in their place",
		strings.Join(e.KIDs, ", "), e.Cause, advice)
}

func (e *UnreadableError) Unwrap() error { return e.Cause }

// aesGCMVersion is the first byte of what AESGCM seals, so that another way can follow it.
const aesGCMVersion = 1

// AESGCM is a Wrapper with a key of ours: AES-256-GCM, a random nonce in front of each ciphertext.
type AESGCM struct {
	aead cipher.AEAD
	name string
}

// NewAESGCM derives the wrapping key from secret, at least 32 random bytes.
func NewAESGCM(secret []byte) (*AESGCM, error) {
	if len(secret) < 32 {
		return nil, errors.New("keyring: the secret is shorter than 32 bytes")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "latchkey/keyring/wrap", 32)
	if err != nil {
		return nil, fmt.Errorf("derive wrapping key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, secret, nil, "latchkey/keyring/wrap/id", 4)
	if err != nil {
		return nil, fmt.Errorf("derive the wrapping key's name: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &AESGCM{aead, "local:" + hex.EncodeToString(id)}, nil
}

// Name implements Wrapper: a few derived bytes tell secrets apart and say nothing of them.
func (w *AESGCM) Name() string { return w.name }

// Wrap implements Wrapper.
func (w *AESGCM) Wrap(_ context.Context, plain []byte, label string) ([]byte, error) {
	return w.aead.Seal([]byte{aesGCMVersion}, nil, plain, []byte(label)), nil
}

// Unwrap implements Wrapper.
func (w *AESGCM) Unwrap(_ context.Context, sealed []byte, label string) ([]byte, error) {
	switch {
	case len(sealed) > 0 && sealed[0] == envelopeVersion:
		return nil, errors.New("sealed by a key-management service")
	case len(sealed) == 0 || sealed[0] != aesGCMVersion:
		return nil, errors.New("sealed in a way that this version does not know")
	}
	plain, err := w.aead.Open(nil, nil, sealed[1:], []byte(label))
	if err != nil {
		return nil, errors.New("sealed with another secret")
	}
	return plain, nil
}
