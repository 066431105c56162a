package session

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
)

// refreshPrefix is the version of how refresh tokens are made.
const refreshPrefix = "v1."

const (
	generationLength = 4
	sidLength        = 26
	macLength        = sha256.Size
)

// RefreshToken is what a client gets; string(t) is the token. It hides itself wherever it is printed.
type RefreshToken string

const hidden = "[refresh token]"

// LogValue hides the token in structured logs.
func (RefreshToken) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format hides the token from every fmt verb.
func (RefreshToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText hides the token inside what is logged or answered as JSON.
func (RefreshToken) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// RefreshTokens makes and reads refresh tokens: 256 bits that only the holder of the key can make
// (O8), so that one which we did not make costs no look at the record. It is safe for
// concurrent use.
type RefreshTokens struct{ key []byte }

// NewRefreshTokens derives the key from secret, at least 32 random bytes.
func NewRefreshTokens(secret []byte) (*RefreshTokens, error) {
	if len(secret) < 32 {
		return nil, errors.New("session: the secret is shorter than 32 bytes")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "latchkey/session/refresh", 32)
	if err != nil {
		return nil, fmt.Errorf("derive refresh key: %w", err)
	}
	return &RefreshTokens{key}, nil
}

// Token returns the token of a session's generation: always the same one.
func (t *RefreshTokens) Token(sid string, generation int64) RefreshToken {
	body := make([]byte, 0, generationLength+len(sid)+macLength)
	body = binary.BigEndian.AppendUint32(body, uint32(min(max(generation, 0), math.MaxUint32))) // #nosec G115 -- bounded
	body = append(body, sid...)
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(refreshPrefix))
	mac.Write(body)
	return RefreshToken(refreshPrefix + base64.RawURLEncoding.EncodeToString(mac.Sum(body)))
}

// Read returns the session and the generation that a token is of, and whether we made it, letter for
// letter.
func (t *RefreshTokens) Read(raw string) (sid string, generation int64, ok bool) {
	encoded, found := strings.CutPrefix(raw, refreshPrefix)
	if !found || len(encoded) != base64.RawURLEncoding.EncodedLen(generationLength+sidLength+macLength) {
		return "", 0, false
	}
	body, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(body) != generationLength+sidLength+macLength {
		return "", 0, false
	}
	generation = int64(binary.BigEndian.Uint32(body))
	sid = string(body[generationLength : generationLength+sidLength])
	if subtle.ConstantTimeCompare([]byte(t.Token(sid, generation)), []byte(raw)) != 1 {
		return "", 0, false
	}
	return sid, generation, true
}
