package verifier_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/verifier"
)

func TestName(t *testing.T) {
	forty := strings.Repeat("abcdefghij", 4)
	for name, tc := range map[string]struct{ userAgent, want string }{
		"a product and a version":     {"orders-api/1.4 jose/6", "orders-api"},
		"another version":             {"orders-api/2.0-rc.1+build.5", "orders-api"},
		"a browser":                   {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "Mozilla"},
		"no version":                  {"node", "node"},
		"a comment next":              {"Apache-HttpClient (Java/21)", "Apache-HttpClient"},
		"all that is plain":           {"aZ09-._~+", "aZ09-._~+"},
		"empty":                       {"", "(no name)"},
		"blanks":                      {" \t\r\n\x00", "(no name)"},
		"only a version":              {"/1.0", "(no name)"},
		"blanks in front":             {"  orders/1", "orders"},
		"a tab behind":                {"orders\tapi", "orders"},
		"a line break":                {"orders\r\nX-Evil: 1", "orders"},
		"NUL":                         {"orders\x00api", "orders"},
		"an escape sequence":          {"\x1b[31mred", "_31mred"},
		"DEL":                         {"a\x7fb", "a_b"},
		"markup":                      {"<script>alert(1)</script>", "_script_alert_1__"},
		"an entity":                   {"&lt;b'\"", "_lt_b__"},
		"a shell's":                   {"$(reboot)`;|&!*?", "__reboot________"},
		"a scoped package":            {"@acme/orders/1.0", "_acme"},
		"other letters":               {"größe/1", "gr____e"},
		"a text that runs backwards":  {"\u202eevil", "___evil"},
		"not UTF-8":                   {"a\xff\xfe", "a__"},
		"as long as may be":           {forty + "/1.0", forty},
		"longer":                      {forty + "k/1.0", forty},
		"huge":                        {strings.Repeat("x", 1<<20), strings.Repeat("x", 40)},
		"huge, cut inside a rune":     {strings.Repeat("x", 39) + "é", strings.Repeat("x", 39) + "_"},
		"what only we call a source":  {"(others)", "_others_"},
		"what only we call nobody":    {"(no name)", "_no"},
		"a comment only":              {"(compatible)", "_compatible_"},
		"a slash at once after blank": {" / ", "(no name)"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, verifier.Name(tc.userAgent))
		})
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"orders-api/1.4 jose/6", "", " /", "(others)", "\x1b[2J", "größe", strings.Repeat("a", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, userAgent string) {
		name := verifier.Name(userAgent)
		if name == "(no name)" {
			return
		}
		require.Regexp(t, `\A[A-Za-z0-9._~+-]{1,40}\z`, name)
		require.Equal(t, name, verifier.Name(name), "a name is its own name")
		require.Equal(t, name, verifier.Name(name+"/9.9 other/1"))
	})
}
