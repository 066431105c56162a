package token_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/pkg/accesstoken"
)

// J9, and draft-ietf-oauth-status-list §6.1.
func TestStatusClaim(t *testing.T) {
	m, _, c := newMinter(t)
	for _, tc := range []struct {
		name, list string
		index      int
		want       any
	}{
		{"no list", "", 0, nil},
		{"no list, whatever the index", "", 7, nil},
		{"the first place", "list-a", 0, map[string]any{"status_list": map[string]any{"idx": 0.0, "uri": issuer + "status-lists/list-a"}}},
		{"another place", "list-b", 1_048_575, map[string]any{"status_list": map[string]any{"idx": 1_048_575.0, "uri": issuer + "status-lists/list-b"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := alice(t, c)
			s.StatusList, s.StatusIndex = tc.list, tc.index
			minted := mint(t, m, s)
			_, claims := decode(t, minted.Access)
			if tc.want == nil {
				require.NotContains(t, claims, "status")
			} else {
				require.Equal(t, tc.want, claims["status"])
			}
			_, id := decode(t, minted.ID)
			require.NotContains(t, id, "status", "an ID token tells of the sign-in, which nobody can revoke")

			read, err := m.Access(minted.Access)
			require.NoError(t, err)
			if tc.want == nil {
				require.Nil(t, read.Status)
			} else {
				require.Equal(t, &accesstoken.Status{StatusList: accesstoken.StatusList{
					Index: tc.index, URI: m.StatusListURI(tc.list),
				}}, read.Status)
			}
		})
	}
	require.Equal(t, issuer+"status-lists/x", m.StatusListURI("x"))
	require.Equal(t, issuer, m.Issuer())
}

// A single-page app that narrows the scope of a refresh still gets its ID token (wire contract 4),
// with no more in it than it asked for.
func TestIdentityTokenWhateverTheScope(t *testing.T) {
	m, _, c := newMinter(t)
	for _, tc := range []struct {
		name, granted string
		asked         bool
		says          []string
	}{
		{"openid", "openid profile", true, []string{"name", "nickname", "updated_at"}},
		{"openid was not asked for again", "phone", true, []string{"phone_number", "phone_number_verified"}},
		{"nothing was asked for again", "", true, nil},
		{"openid alone", "openid", true, nil},
		{"openid was never granted", "profile email", false, nil},
		{"the caller decides", "openid profile", false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := alice(t, c)
			s.Scope, s.IdentityToken = scope.Parse(tc.granted), tc.asked
			minted := mint(t, m, s)
			_, access := decode(t, minted.Access)
			if tc.granted == "" {
				require.NotContains(t, access, "scope")
			} else {
				require.Equal(t, tc.granted, access["scope"])
			}
			if !tc.asked {
				require.Empty(t, minted.ID)
				return
			}
			_, id := decode(t, minted.ID)
			for _, name := range []string{"name", "nickname", "updated_at", "email", "email_verified", "phone_number", "phone_number_verified"} {
				_, said := id[name]
				require.Equal(t, slices.Contains(tc.says, name), said, name)
			}
			require.Equal(t, "subject", id["sub"])
			require.Equal(t, authTime, id["auth_time"])
			require.NotContains(t, id, "nonce")
			require.NotContains(t, id, "scope")
		})
	}
}

// The time of issue is the caller's, of the clock that the session's end is counted by, unless ours is
// behind: a token dated ahead of either is refused by services that allow no skew. The time of the
// sign-in stays what it was.
func TestIssuedAtIsOfTheClockThatIsBehind(t *testing.T) {
	m, _, c := newMinter(t)
	ours := c.now()
	for name, tc := range map[string]struct{ at, want time.Time }{
		"our own time":     {ours, ours},
		"a minute behind":  {ours.Add(-time.Minute), ours.Add(-time.Minute)},
		"a minute ahead":   {ours.Add(time.Minute), ours},
		"in another place": {ours.In(time.FixedZone("", -5*3600)), ours},
	} {
		for _, algorithm := range []string{keyring.RS256, keyring.EdDSA} {
			t.Run(name+" "+algorithm, func(t *testing.T) {
				s := alice(t, c)
				s.Algorithm, s.IssuedAt = algorithm, tc.at
				minted := mint(t, m, s)
				require.Equal(t, 15*time.Minute, minted.ExpiresIn)
				for raw, lifetime := range map[string]float64{minted.Access: 900, minted.ID: 3600} {
					_, claims := decode(t, raw)
					require.Equal(t, float64(tc.want.Unix()), claims["iat"])
					require.Equal(t, float64(tc.want.Unix())+lifetime, claims["exp"])
					require.Equal(t, authTime, claims["auth_time"])
				}
			})
		}
	}
}
