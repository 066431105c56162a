package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// MasterKey returns the 32 bytes of the secret key. After Load there is no error.
func (c Config) MasterKey() ([]byte, error) { return c.SecretKey.Bytes() }

// Bytes returns the 32 bytes of a secret that is a key. After Load there is no error.
func (s Secret) Bytes() ([]byte, error) {
	const keySize = 32
	text := strings.TrimRight(s.Reveal(), "=")
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString,
		base64.RawStdEncoding.DecodeString,
		base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) == keySize {
			return key, nil
		}
	}
	return nil, errors.New("want 32 random bytes in base64 or hex: make them with `openssl rand -base64 32`")
}

// minDistinct catches "aaaa…" and zeros: 32 random bytes have 30 different ones or so.
const minDistinct = 8

func (v *validator) secretKey() {
	at := path{"secret_key"}
	if v.SecretKey.IsZero() {
		v.fail(at, "required: 32 random bytes in base64 or hex, here or in secret_key_file: make them with `openssl rand -base64 32`")
		return
	}
	v.keyMaterial(at, v.SecretKey)
}

// keyMaterial checks a secret that is a key.
func (v *validator) keyMaterial(at path, secret Secret) {
	key, err := secret.Bytes()
	if err != nil {
		v.fail(at, "%s", err)
		return
	}
	distinct := map[byte]bool{}
	for _, b := range key {
		distinct[b] = true
	}
	if len(distinct) < minDistinct {
		v.fail(at, "not random: make it with `openssl rand -base64 32`")
	}
}
