package oauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
)

const forwardedHeader = "auth0-forwarded-for"

// here is where a test's requests come from.
var here = origin.Origin{Source: "127.0.0.1", Network: "127.0.0.0/24"}

// of is a request of a client, whose secret may be missing.
func (m members) of(id, secret string) members {
	if secret == "" {
		return m.with("client_id", id)
	}
	return m.with("client_id", id, "client_secret", secret)
}

// A backend that the settings allow to says for whom it asks; nobody else does (O15).
func TestForwardedFor(t *testing.T) {
	s := serve(t)
	there := origin.Origin{Source: "198.51.100.7", Network: "198.51.100.0/24"}
	for _, tc := range []struct {
		name, client, secret string
		said                 []string
		want                 origin.Origin
	}{
		{"IPv4", "backend", webSecret, []string{"198.51.100.7"}, there},
		{"spaces around", "backend", webSecret, []string{"  198.51.100.7\t"}, there},
		{"IPv4 written as IPv6", "backend", webSecret, []string{"::ffff:198.51.100.7"}, there},
		{"IPv6", "backend", webSecret, []string{"2001:db8:2:3::9"}, origin.Origin{Source: "2001:db8:2:3::/64", Network: "2001:db8:2::/48"}},
		{"a company's network", "backend", webSecret, []string{"203.0.113.9"},
			origin.Origin{Source: "203.0.113.9", Network: "203.0.113.0/24", Listed: true}},
		{"a company's network, IPv6", "backend", webSecret, []string{"2001:db8:1:2::9"},
			origin.Origin{Source: "2001:db8:1:2::/64", Network: "2001:db8:1::/48", Listed: true}},
		{"beside the company's network", "backend", webSecret, []string{"203.0.113.16"},
			origin.Origin{Source: "203.0.113.16", Network: "203.0.113.0/24"}},

		{"nothing said", "backend", webSecret, nil, here},
		{"empty", "backend", webSecret, []string{""}, here},
		{"a name", "backend", webSecret, []string{"localhost"}, here},
		{"with a port", "backend", webSecret, []string{"198.51.100.7:443"}, here},
		{"in brackets", "backend", webSecret, []string{"[2001:db8::9]"}, here},
		{"a network", "backend", webSecret, []string{"198.51.100.0/24"}, here},
		{"a list", "backend", webSecret, []string{"198.51.100.7, 203.0.113.9"}, here},
		{"several headers", "backend", webSecret, []string{"203.0.113.9", "198.51.100.7"}, here},
		{"the same twice", "backend", webSecret, []string{"198.51.100.7", "198.51.100.7"}, here},
		{"garbage", "backend", webSecret, []string{"\xff0x7f.1' OR 1"}, here},

		{"a client without the setting", "web", webSecret, []string{"203.0.113.9"}, here},
		{"a public client", "app", "", []string{"203.0.113.9"}, here},
		{"a public client with the setting", "boaster", "", []string{"203.0.113.9"}, here},
	} {
		for path, good := range map[string]members{startPath: startRequest, tokenPath: tokenRequest} {
			t.Run(tc.name+path, func(t *testing.T) {
				s.forget()
				var headers []string
				for _, said := range tc.said {
					headers = append(headers, forwardedHeader, said)
				}
				a := s.post(t, path, formType, good.of(tc.client, tc.secret).form(), headers...)
				require.Equal(t, 200, a.status, a.body)
				if path == startPath {
					require.Equal(t, tc.want, s.starts[0].Origin)
					return
				}
				require.Equal(t, tc.want, s.signIns[0].Origin)
				require.Equal(t, "127.0.0.1", s.signIns[0].Address, "what a person sees in their list is no client's to say")
			})
		}
	}
}

// The legacy door takes the header too; a client that fails to authenticate reaches nothing with it.
func TestForwardedForAtOtherDoors(t *testing.T) {
	s := serve(t)
	a := s.post(t, legacyPath, formType, legacyRequest.of("backend", webSecret).form(), forwardedHeader, "203.0.113.9")
	require.Equal(t, 200, a.status, a.body)
	require.True(t, s.signIns[0].Origin.Listed)

	s.forget()
	for path, good := range map[string]members{startPath: startRequest, tokenPath: tokenRequest, legacyPath: legacyRequest} {
		a := s.post(t, path, formType, good.of("backend", "wrong").form(), forwardedHeader, "203.0.113.9")
		requireError(t, a, 401, "invalid_client", "")
	}
	require.Zero(t, s.calls())

	s.forget()
	refreshed := s.post(t, tokenPath, formType, refreshRequest.of("backend", webSecret).form(), forwardedHeader, "203.0.113.9")
	require.Equal(t, 200, refreshed.status, refreshed.body)
	require.Equal(t, "127.0.0.1", s.refreshes[0].Address)
	s.logsNone(t, "203.0.113.9")
}
