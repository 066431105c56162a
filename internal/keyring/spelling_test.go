package keyring_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// RFC 7515 §2: base64url without padding, line breaks or other characters. One token is one text.
func TestATokenHasOneSpelling(t *testing.T) {
	ring := open(t, newMemory(), all...)
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, algorithm := range all {
		good := sign(t, ring, algorithm, typ, `{"sub":"alice","pad":"?>?>?>"}`)
		last := good[len(good)-1]
		for name, token := range map[string]string{
			"spare bits of the signature": good[:len(good)-1] + string(digits[strings.IndexByte(digits, last)+1]),
			"padding":                     good + "==",
			"a line break behind":         good + "\n",
			"a line break inside":         respell(t, good, 2, func(s string) string { return s[:9] + "\r\n" + s[9:] }),
			"a line break in the header":  respell(t, good, 0, func(s string) string { return s[:4] + "\n" + s[4:] }),
			"a line break in the payload": respell(t, good, 1, func(s string) string { return s[:4] + "\n" + s[4:] }),
			"plain base64":                respell(t, good, 2, strings.NewReplacer("-", "+", "_", "/").Replace),
		} {
			if token == good {
				continue // this signature has neither of the two characters
			}
			_, err := ring.Verify(token, typ)
			require.ErrorIs(t, err, keyring.ErrSignature, "%s: %s", algorithm, name)
		}
	}
}
