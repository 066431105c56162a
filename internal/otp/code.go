package otp

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrMalformedCode means text that can be no code of ours; it costs no guess (C8).
var ErrMalformedCode = errors.New("otp: a code is six digits")

const codeDigits = 6

// Code is the digits of a challenge. It hides itself from logs and fmt.
type Code string

// ParseCode reads what a person typed: six ASCII digits, spaces around them ignored.
func ParseCode(s string) (Code, error) {
	s = strings.TrimSpace(s)
	if len(s) != codeDigits || strings.Trim(s, "0123456789") != "" {
		return "", ErrMalformedCode
	}
	return Code(s), nil
}

// LogValue hides the code in structured logs.
func (c Code) LogValue() slog.Value { return slog.StringValue("******") }

// Format hides the code from every fmt verb; string(c) is the code.
func (c Code) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "******") }

// MarshalText hides the code inside what is logged or answered as JSON.
func (c Code) MarshalText() ([]byte, error) { return []byte("******"), nil }

// keys are independent uses of one secret (RFC 5869), so that no output of one is of use in another.
type keys struct{ code, digest, slot, id []byte }

func deriveKeys(secret []byte) (keys, error) {
	var k keys
	for label, key := range map[string]*[]byte{"code": &k.code, "digest": &k.digest, "slot": &k.slot, "id": &k.id} {
		derived, err := hkdf.Key(sha256.New, secret, nil, "latchkey/otp/"+label, sha256.Size)
		if err != nil {
			return keys{}, fmt.Errorf("derive %s key: %w", label, err)
		}
		*key = derived
	}
	return k, nil
}

// deriveCode gives the digits of the challenge that nonce stands for. They are uniform: a draw that
// would favour small codes is thrown away, and the next is taken (C1).
func (k keys) deriveCode(key Key, nonce string) Code {
	const draws = 1 << 32
	const fair = draws - draws%1_000_000
	for round := byte(0); ; round++ {
		block := mac(k.code, []byte{round}, key.Client, key.Connection, key.Number.E164(), nonce)
		for ; len(block) >= 4; block = block[4:] {
			if n := binary.BigEndian.Uint32(block); uint64(n) < fair {
				return Code(fmt.Sprintf("%0*d", codeDigits, n%1_000_000))
			}
		}
	}
}

// deriveDigest gives what a store compares: without the key it says nothing of the code, so comparing it
// byte by byte gives no timing that helps a guesser.
func (k keys) deriveDigest(key Key, code Code) string {
	return encode(mac(k.digest, nil, key.Client, key.Connection, key.Number.E164(), string(code)))
}

func (k keys) deriveSlot(key Key) Slot {
	return Slot{
		Number:     encode(mac(k.slot, nil, key.Number.E164())[:16]),
		Client:     key.Client,
		Connection: key.Connection,
	}
}

// deriveID names a challenge towards clients; it is no secret and leads nowhere.
func (k keys) deriveID(nonce string) string {
	return fmt.Sprintf("%x", mac(k.id, nil, nonce)[:12])
}

// mac joins parts with their lengths, so that no two lists of parts give the same input.
func mac(key, prefix []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(prefix)
	for _, part := range parts {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part))) //nolint:gosec // parts are bounded by the request body
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
