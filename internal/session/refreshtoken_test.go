package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/session"
)

const sid = "abcdefghijklmnopqrstuvwx27"

func newRefreshTokens(t testing.TB, secret byte) *session.RefreshTokens {
	t.Helper()
	tokens, err := session.NewRefreshTokens(bytes.Repeat([]byte{secret}, 32))
	require.NoError(t, err)
	return tokens
}

func TestRefreshTokensNeedASecret(t *testing.T) {
	for _, length := range []int{0, 1, 31} {
		_, err := session.NewRefreshTokens(make([]byte, length))
		require.ErrorContains(t, err, "shorter than 32 bytes")
	}
	_, err := session.NewRefreshTokens(make([]byte, 33))
	require.NoError(t, err)
}

func TestRefreshTokenRoundTrip(t *testing.T) {
	tokens := newRefreshTokens(t, 1)
	seen := map[session.RefreshToken]bool{}
	for _, of := range []string{sid, session.NewSID(), session.NewSID()} {
		for _, generation := range []int64{0, 1, 2, 255, 256, 65536, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32} {
			made := tokens.Token(of, generation)
			require.Regexp(t, `\Av1\.[A-Za-z0-9_-]{83}\z`, string(made))
			gotSID, gotGeneration, ok := tokens.Read(string(made))
			require.True(t, ok)
			require.Equal(t, of, gotSID)
			require.Equal(t, generation, gotGeneration)
			require.True(t, made == tokens.Token(of, generation), "the same every time")
			require.True(t, made == newRefreshTokens(t, 1).Token(of, generation), "on every replica")
			require.False(t, made == newRefreshTokens(t, 2).Token(of, generation), "only for who has the secret")
			require.False(t, seen[made], "and no other session or generation has it")
			seen[made] = true
		}
	}
}

func TestReadRefuses(t *testing.T) {
	tokens := newRefreshTokens(t, 1)
	right := string(tokens.Token(sid, 5))
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(right, "v1."))
	require.NoError(t, err)
	changed := func(i int) string {
		other := bytes.Clone(body)
		other[i]++
		return "v1." + base64.RawURLEncoding.EncodeToString(other)
	}
	for name, raw := range map[string]string{
		"nothing":                     "",
		"the prefix":                  "v1.",
		"no prefix":                   right[3:],
		"another prefix":              "v2." + right[3:],
		"the prefix in capitals":      "V1." + right[3:],
		"the prefix twice":            "v1." + right,
		"spaces in front":             " " + right,
		"the token twice":             right + right,
		"of another secret":           string(newRefreshTokens(t, 2).Token(sid, 5)),
		"another generation":          changed(3),
		"another session":             changed(4),
		"another MAC":                 changed(len(body) - 1),
		"a short sid":                 string(tokens.Token(sid[1:], 5)),
		"a long sid":                  string(tokens.Token(sid+"a", 5)),
		"no sid":                      string(tokens.Token("", 5)),
		"an access token":             "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
		"the letters of another base": "v1." + base64.RawStdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, len(body))),
		"MAC of zeros":                "v1." + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(body[:30]), make([]byte, 32)...)),
		"huge":                        "v1." + strings.Repeat("A", 1<<20),
	} {
		requireRefused(t, tokens, raw, name)
	}
	gotSID, generation, ok := tokens.Read(right)
	require.True(t, ok)
	require.Equal(t, sid, gotSID)
	require.Equal(t, int64(5), generation)
}

// A token is taken letter for letter: a second spelling would be a second token. base64 has many:
// two bits of its last letter mean nothing here, and Go's decoder skips line breaks.
func TestReadTakesOneSpelling(t *testing.T) {
	tokens := newRefreshTokens(t, 1)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \t\r\n\x00\xff"
	for range 3 {
		right := string(tokens.Token(session.NewSID(), 1))
		for i := range len(right) {
			for _, letter := range []byte(letters) {
				if letter != right[i] {
					requireRefused(t, tokens, right[:i]+string([]byte{letter})+right[i+1:], "a letter is another")
				}
			}
			requireRefused(t, tokens, right[:i], "cut short")
			requireRefused(t, tokens, right[i+1:], "cut in front")
			requireRefused(t, tokens, right[:i]+right[i+1:], "a letter is missing")
		}
		for i := range len(right) + 1 {
			for _, extra := range []string{"\n", "\r", "\r\n", " ", "\t", "\x00", "=", "==", "A", "%0A", "\u200b"} {
				requireRefused(t, tokens, right[:i]+extra+right[i:], "something is added")
			}
		}
	}
}

func requireRefused(t *testing.T, tokens *session.RefreshTokens, raw, why string) {
	t.Helper()
	gotSID, generation, ok := tokens.Read(raw)
	if ok || gotSID != "" || generation != 0 {
		t.Fatalf("Read(%q) = %q, %d, %t: %s", raw[:min(len(raw), 100)], gotSID, generation, ok, why)
	}
}

func FuzzReadRefreshToken(f *testing.F) {
	tokens := newRefreshTokens(f, 1)
	for _, generation := range []int64{0, 1, math.MaxUint32} {
		right := string(tokens.Token(sid, generation))
		f.Add(right)
		f.Add(right + "\n")
		f.Add(right[:len(right)-1])
	}
	f.Add("")
	f.Add("v1.")
	f.Add("v1." + strings.Repeat("A", 83))
	f.Add("v1." + strings.Repeat("\n", 83))
	f.Fuzz(func(t *testing.T, raw string) {
		gotSID, generation, ok := tokens.Read(raw)
		if !ok {
			require.Empty(t, gotSID)
			require.Zero(t, generation)
			return
		}
		require.Len(t, gotSID, 26)
		require.True(t, string(tokens.Token(gotSID, generation)) == raw, "one token, one spelling")
	})
}

// answer is a struct as answers and logs have them.
type answer struct {
	Refresh session.RefreshToken
	All     []session.RefreshToken
	By      map[string]*session.RefreshToken
}

func TestARefreshTokenHidesItself(t *testing.T) {
	token := newRefreshTokens(t, 1).Token(sid, 1)
	shown := map[string]string{}
	values := map[string]any{
		"value": token, "pointer": &token, "list": []session.RefreshToken{token}, "any": []any{token},
		"struct": answer{token, []session.RefreshToken{token}, map[string]*session.RefreshToken{"token": &token}},
	}
	for kind, value := range values {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "200", ".3", "+#0200.90"} {
			// Not %w and %p: fmt asks no type how it wants to be shown with them, and vet refuses both.
			for _, verb := range "abcdefghijklmnoqrstuvxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!" {
				format := "%" + flags + string(verb)
				shown[kind+" "+format] = fmt.Sprintf(format, value)
			}
		}
		shown[kind+" Sprint"] = fmt.Sprint(value)
		shown[kind+" Errorf"] = fmt.Errorf("refresh with %v", value).Error()

		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		shown[kind+" JSON"] = string(encoded)
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			logger := slog.New(handler)
			logger.Info("refreshed", "token", value)
			logger.With("token", value).WithGroup("g").Info("refreshed", slog.Group("h", "token", value))
		}
		shown[kind+" slog"] = log.String()
	}
	secret := string(token)
	for how, text := range shown {
		for _, part := range []string{secret, secret[3:20], secret[60:], fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			require.NotContains(t, text, part, how)
		}
	}
	require.Equal(t, "[refresh token]", shown["value %s"])
	require.Equal(t, `"[refresh token]"`, shown["value JSON"])
	require.Contains(t, shown["value slog"], `token="[refresh token]"`)
	require.Contains(t, shown["value slog"], `"token":"[refresh token]"`)
}
