package session_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/session"
)

func TestDeviceName(t *testing.T) {
	for name, tc := range map[string]struct{ said, want string }{
		"empty":                     {"", ""},
		"plain":                     {"Zoë's iPhone 15 (東京) 📱", "Zoë's iPhone 15 (東京) 📱"},
		"spaces around":             {"  Pixel 9 \t", "Pixel 9"},
		"only spaces":               {" \t\n ", ""},
		"a forged log line":         {"phone\r\nlevel=INFO msg=fine", "phonelevel=INFO msg=fine"},
		"NUL":                       {"a\x00b", "ab"},
		"an escape to the terminal": {"\x1b[31mred\x1b[0m\x07", "[31mred[0m"},
		"C1 control":                {"a\u009bb", "ab"},
		"text that runs backwards":  {"phone\u202egpj.exe\u2066", "phonegpj.exe"},
		"zero width":                {"ad\u200bm\u200di\ufeffn", "admin"},
		"line separators":           {"a\u2028b\u2029c\u0085d", "abcd"},
		"private use":               {"a\ue000b\U0010ffffc", "abc"},
		"not UTF-8":                 {"a\xff\xfe\xc3(b", "a(b"},
		"half a surrogate":          {"a\xed\xa0\x80b", "ab"},
		"replacement character":     {"a\ufffdb", "ab"},
		"markup stays text":         {`<script>alert("x")</script>`, `<script>alert("x")</script>`},
		"long":                      {strings.Repeat("x", 500), strings.Repeat("x", 120)},
		"long, of many bytes":       {strings.Repeat("東", 500), strings.Repeat("東", 120)},
		"long only with rubbish":    {strings.Repeat("\x00x", 100), strings.Repeat("x", 100)},
		"huge":                      {strings.Repeat("\u200b", 1<<18) + "x", "x"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, session.DeviceName(tc.said)) })
	}
}

func FuzzDeviceName(f *testing.F) {
	for _, seed := range []string{"", "phone", "a\x00\xffb", "\u202e", strings.Repeat(" é", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, said string) {
		name := session.DeviceName(said)
		require.True(t, utf8.ValidString(name))
		require.LessOrEqual(t, utf8.RuneCountInString(name), 120)
		for _, r := range name {
			require.True(t, unicode.IsPrint(r), "%U", r)
		}
	})
}

func TestNewSID(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		sid := session.NewSID()
		require.Regexp(t, `\A[a-z2-7]{26}\z`, sid)
		require.False(t, seen[sid])
		seen[sid] = true
	}
}
