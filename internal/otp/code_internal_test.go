package otp

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// fixedSecret makes what follows the same in every run.
var fixedSecret = bytes.Repeat([]byte("latchkey"), 4)

func fixedKey(t *testing.T) Key {
	t.Helper()
	number, err := phone.Stored("+447700900123")
	require.NoError(t, err)
	return Key{Client: "app", Connection: "sms", Number: number}
}

// chiSquare is the distance of counts from the same number in each.
func chiSquare(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	expected := float64(total) / float64(len(counts))
	sum := 0.0
	for _, n := range counts {
		sum += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return sum
}

// The bounds are those that one fair generator in ten thousand exceeds; secret and nonces are
// fixed, so the outcome is too.
func TestCodesAreUniform(t *testing.T) {
	const derivations = 200_000
	derived, err := deriveKeys(fixedSecret)
	require.NoError(t, err)
	key := fixedKey(t)
	var digits [codeDigits][]int
	for i := range digits {
		digits[i] = make([]int, 10)
	}
	front, back := make([]int, 1000), make([]int, 1000)
	for i := range derivations {
		code := string(derived.deriveCode(key, fmt.Sprint("nonce", i)))
		require.Len(t, code, codeDigits)
		n := 0
		for at := range codeDigits {
			digit := code[at] - '0'
			require.LessOrEqual(t, digit, byte(9), code)
			digits[at][digit]++
			n = n*10 + int(digit)
		}
		front[n/1000]++
		back[n%1000]++
	}
	for at, counts := range digits {
		require.Less(t, chiSquare(counts), 33.7, "digit %d: %v", at, counts) // 9 degrees of freedom
	}
	require.Less(t, chiSquare(front), 1174.0, "first three digits") // 999 degrees of freedom
	require.Less(t, chiSquare(back), 1174.0, "last three digits")
	require.Greater(t, digits[0][0], derivations/11, "leading zeros are kept")
}

// independent derives a code from the description alone, and says which draw it is from. Replicas
// of two versions share living codes during an upgrade, so the derivation must not change.
func independent(t *testing.T, secret []byte, client, connection, number, nonce string) (code string, draw int) {
	t.Helper()
	codeKey, err := hkdf.Key(sha256.New, secret, nil, "latchkey/otp/code", 32)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, codeKey)
	mac.Write([]byte{0})
	for _, part := range []string{client, connection, number, nonce} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) //nolint:gosec // short
		mac.Write([]byte(part))
	}
	block := mac.Sum(nil)
	for draw = range len(block) / 4 {
		// 4294 whole millions fit into 32 bits; what is above would favour small codes.
		if n := binary.BigEndian.Uint32(block[4*draw:]); n < 4_294_000_000 {
			return fmt.Sprintf("%06d", n%1_000_000), draw
		}
	}
	t.Fatal("no fair draw in a whole block")
	return "", 0
}

// Without throwing unfair draws away small codes would be likelier by one in 4295: too little for
// any count of derivations that a test can afford, so the draws themselves are looked at.
func TestUnfairDrawsAreThrownAway(t *testing.T) {
	derived, err := deriveKeys(fixedSecret)
	require.NoError(t, err)
	key := fixedKey(t)
	thrownAway := 0
	for i := range 30_000 {
		nonce := fmt.Sprint("nonce", i)
		want, draw := independent(t, fixedSecret, "app", "sms", "+447700900123", nonce)
		if draw > 0 {
			thrownAway++
		}
		require.Equal(t, want, string(derived.deriveCode(key, nonce)), nonce)
	}
	require.Positive(t, thrownAway, "no nonce of these shows the rule at work")
}

func TestCodesHangOnEverything(t *testing.T) {
	other, err := phone.Stored("+447700900124")
	require.NoError(t, err)
	base := fixedKey(t)
	secret2 := bytes.Repeat([]byte("Latchkey"), 4)
	for name, tc := range map[string]struct {
		secret []byte
		change func(k *Key, nonce *string)
	}{
		"client":     {fixedSecret, func(k *Key, _ *string) { k.Client = "web" }},
		"connection": {fixedSecret, func(k *Key, _ *string) { k.Connection = "email" }},
		"number":     {fixedSecret, func(k *Key, _ *string) { k.Number = other }},
		"nonce":      {fixedSecret, func(_ *Key, nonce *string) { *nonce += "'" }},
		"secret":     {secret2, func(*Key, *string) {}},
		"where client and connection meet": {fixedSecret, func(k *Key, _ *string) {
			k.Client, k.Connection = "apps", "ms"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := deriveKeys(fixedSecret)
			require.NoError(t, err)
			after, err := deriveKeys(tc.secret)
			require.NoError(t, err)
			key, same := base, 0
			const n = 2000
			for i := range n {
				nonce := fmt.Sprint("nonce", i)
				changedKey, changedNonce := key, nonce
				tc.change(&changedKey, &changedNonce)
				if before.deriveCode(key, nonce) == after.deriveCode(changedKey, changedNonce) {
					same++
				}
			}
			require.LessOrEqual(t, same, 1, "of %d codes; one in a million meets by chance", n)
		})
	}
}

func TestDigestsHangOnEverythingButTheNonce(t *testing.T) {
	other, err := phone.Stored("+447700900124")
	require.NoError(t, err)
	derived, err := deriveKeys(fixedSecret)
	require.NoError(t, err)
	another, err := deriveKeys(bytes.Repeat([]byte("Latchkey"), 4))
	require.NoError(t, err)
	key := fixedKey(t)
	digest := derived.deriveDigest(key, "123456")
	require.Equal(t, digest, derived.deriveDigest(key, "123456"))
	for name, changed := range map[string]string{
		"code":       derived.deriveDigest(key, "123457"),
		"client":     derived.deriveDigest(Key{"web", "sms", key.Number}, "123456"),
		"connection": derived.deriveDigest(Key{"app", "email", key.Number}, "123456"),
		"number":     derived.deriveDigest(Key{"app", "sms", other}, "123456"),
		"secret":     another.deriveDigest(key, "123456"),
		"border":     derived.deriveDigest(Key{"apps", "ms", key.Number}, "123456"),
	} {
		require.NotEqual(t, digest, changed, name)
	}
}

func TestSlotsTellNoNumber(t *testing.T) {
	derived, err := deriveKeys(fixedSecret)
	require.NoError(t, err)
	slot := derived.deriveSlot(fixedKey(t))
	require.NotContains(t, slot.Number, "7700900123")
	require.Equal(t, derived.deriveSlot(Key{Number: fixedKey(t).Number}).Number, slot.Number,
		"everything of a number has one Number, whatever the client")
	bare := sha256.Sum256([]byte("+447700900123"))
	require.NotEqual(t, encode(bare[:16]), slot.Number, "a bare hash of a number is the number")
}
