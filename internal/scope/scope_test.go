package scope_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/scope"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		given string
		want  scope.Set
	}{
		"empty":                     {"", scope.Set{}},
		"only spaces":               {"   ", scope.Set{}},
		"one":                       {"openid", scope.Set{"openid"}},
		"in the order asked for":    {"profile openid", scope.Set{"profile", "openid"}},
		"repeats":                   {"openid email openid", scope.Set{"openid", "email"}},
		"many spaces":               {"  openid   email ", scope.Set{"openid", "email"}},
		"case matters":              {"openid OpenID", scope.Set{"openid", "OpenID"}},
		"punctuation":               {"read:shifts https://api.example/.all", scope.Set{"read:shifts", "https://api.example/.all"}},
		"a quote is left out":       {`openid em"ail`, scope.Set{"openid"}},
		"a backslash is left out":   {`openid em\ail`, scope.Set{"openid"}},
		"not ASCII is left out":     {"openid émail", scope.Set{"openid"}},
		"a control is left out":     {"openid e\x00mail \x7f", scope.Set{"openid"}},
		"not UTF-8 is left out":     {"openid \xff", scope.Set{"openid"}},
		"nothing valid":             {`" \`, scope.Set{}},
		"commas do not part scopes": {"openid,email", scope.Set{"openid,email"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, scope.Parse(tc.given)) })
	}
}

// RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
func TestValid(t *testing.T) {
	require.False(t, scope.Valid(""))
	for c := range 256 {
		allowed := c == 0x21 || c >= 0x23 && c <= 0x5b || c >= 0x5d && c <= 0x7e
		require.Equal(t, allowed, scope.Valid("a"+string([]byte{byte(c)})), "%#x", c)
		require.Equal(t, allowed, scope.Valid(string([]byte{byte(c)})+"a"), "%#x", c)
	}
}

func TestNarrowing(t *testing.T) {
	asked := scope.Parse("openid profile email offline_access")
	kept := slices.Clone(asked)
	for name, tc := range map[string]struct {
		got  scope.Set
		want string
	}{
		"within":                     {asked.Within([]string{"email", "openid", "phone"}), "openid email"},
		"within all":                 {asked.Within(asked), asked.String()},
		"within nothing":             {asked.Within(nil), ""},
		"nothing within":             {scope.Set(nil).Within([]string{"openid"}), ""},
		"within is of the same case": {asked.Within([]string{"OPENID"}), ""},
		"without":                    {asked.Without("offline_access"), "openid profile email"},
		"without what is not there":  {asked.Without("phone"), asked.String()},
		"nothing without":            {scope.Set(nil).Without("openid"), ""},
		"without its first":          {asked.Without("openid"), "profile email offline_access"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, tc.got.String()) })
	}
	require.Equal(t, kept, asked, "narrowing makes a new set")
	require.True(t, asked.Has("email"))
	require.False(t, asked.Has("Email"))
	require.False(t, scope.Set(nil).Has(""))
	require.Equal(t, "openid profile email", scope.Default.String(), "wire contract 4")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "openid profile", "a\"b c\\d", "\x00 \xff é", "a\u00a0b\u2028c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		set := scope.Parse(given)
		for i, name := range set {
			require.True(t, scope.Valid(name), "%q", name)
			require.Contains(t, given, name)
			require.NotContains(t, set[:i], name)
		}
		require.Equal(t, set, scope.Parse(set.String()), "what is granted reads as itself")
		allowed := []string{"openid", "a", strings.TrimSpace(given)}
		for _, name := range set.Within(allowed) {
			require.True(t, set.Has(name))
			require.Contains(t, allowed, name)
		}
		require.False(t, set.Without("openid").Has("openid"))
	})
}
