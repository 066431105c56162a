package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/latchkey-id/latchkey/internal/outage"
)

// ErrSignature means a token that none of our published keys signed as it stands.
var ErrSignature = errors.New("keyring: not signed by us")

// Sign returns payload as a JWS in compact serialization (RFC 7515 §7.1), with typ in its header,
// by the current key for algorithm. It waits for a free core until ctx ends. Without word from the
// record for too long it is ErrBehind, as an outage.
//
// The few lines here stand for the JOSE library's signer, which costs as much again as an ES256
// signature; that library checks what they make in the tests.
func (r *Ring) Sign(ctx context.Context, algorithm, typ string, payload []byte) (string, error) {
	key, ok := r.set.Load().signing[algorithm]
	if !ok {
		return "", outage.Wrap("signing keys", fmt.Errorf("no current key for %s", algorithm))
	}
	if err := r.current(); err != nil {
		return "", outage.Wrap("signing keys", err)
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	header := `{"alg":"` + algorithm + `","kid":"` + key.kid + `","typ":"` + typ + `"}`
	b64 := base64.RawURLEncoding
	token := make([]byte, 0, b64.EncodedLen(len(header))+b64.EncodedLen(len(payload))+b64.EncodedLen(rsaBits/8)+2)
	token = b64.AppendEncode(token, []byte(header))
	token = append(token, '.')
	token = b64.AppendEncode(token, payload)
	signature, err := sign(key.private, token)
	if err != nil {
		return "", fmt.Errorf("keyring: sign with %s: %w", algorithm, err)
	}
	token = append(token, '.')
	return string(b64.AppendEncode(token, signature)), nil
}

// sign follows RFC 7518 §3.3 (RS256), §3.4 (ES256: r and s, 32 bytes each) and RFC 8037 §3.1.
func sign(private crypto.Signer, input []byte) ([]byte, error) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		digest := sha256.Sum256(input)
		return rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	default: // Ed25519, which hashes by itself
		return private.Sign(rand.Reader, input, crypto.Hash(0))
	}
}

// Verify returns the payload of a token that one of our published keys signed, with that key's
// own algorithm (RFC 8725 §3.1), and whose header has exactly this typ (§3.11). Everything else
// is ErrSignature. Nothing in the header but kid chooses the key (§3.10).
func (r *Ring) Verify(token, typ string) ([]byte, error) {
	if !canonical(token) {
		return nil, ErrSignature
	}
	parsed, err := jws.ParseString(token)
	if err != nil || len(parsed.Signatures()) != 1 {
		return nil, ErrSignature
	}
	header := parsed.Signatures()[0].ProtectedHeaders()
	key, ok := r.set.Load().public[header.KeyID()]
	if !ok || header.Type() != typ || header.Algorithm().String() != key.Algorithm().String() || len(header.Critical()) > 0 {
		return nil, ErrSignature
	}
	payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(key.Algorithm().String()), key), jws.WithCompact())
	if err != nil {
		return nil, ErrSignature
	}
	return payload, nil
}

// canonical reports whether each segment is base64url as RFC 7515 §2 has it, spelled the one way:
// the library also reads padding, line breaks and spare bits, so that one token had many forms.
func canonical(token string) bool {
	for segment := range strings.SplitSeq(token, ".") {
		raw, err := base64.RawURLEncoding.DecodeString(segment)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != segment {
			return false
		}
	}
	return true
}
