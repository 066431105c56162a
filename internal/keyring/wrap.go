package keyring

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// aesGCMVersion is the first byte of what AESGCM seals, so that another way can follow it.
const aesGCMVersion = 1

// AESGCM is a Wrapper with a key of ours: AES-256-GCM, a random nonce in front of each ciphertext.
type AESGCM struct{ aead cipher.AEAD }

// NewAESGCM derives the wrapping key from secret, at least 32 random bytes.
func NewAESGCM(secret []byte) (*AESGCM, error) {
	if len(secret) < 32 {
		return nil, errors.New("keyring: the secret is shorter than 32 bytes")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "latchkey/keyring/wrap", 32)
	if err != nil {
		return nil, fmt.Errorf("derive wrapping key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &AESGCM{aead}, nil
}

// Wrap implements Wrapper.
func (w *AESGCM) Wrap(_ context.Context, plain []byte, label string) ([]byte, error) {
	return w.aead.Seal([]byte{aesGCMVersion}, nil, plain, []byte(label)), nil
}

// Unwrap implements Wrapper.
func (w *AESGCM) Unwrap(_ context.Context, sealed []byte, label string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != aesGCMVersion {
		return nil, errors.New("sealed in a way that this version does not know")
	}
	plain, err := w.aead.Open(nil, nil, sealed[1:], []byte(label))
	if err != nil {
		return nil, errors.New("sealed with another secret")
	}
	return plain, nil
}
