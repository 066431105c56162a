package client_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
)

func registry(allowLoopback bool) *client.Registry {
	return client.NewRegistry([]client.Client{
		{ID: "app", Algorithm: "RS256", Grants: []client.Grant{client.Passwordless},
			Origins: []string{"https://app.example", "https://Portal.Example:8443"}},
		{ID: "server", Secret: "correct horse", Algorithm: "ES256", Tiers: []string{"employee"},
			Grants: []client.Grant{client.LegacyRO}},
		{ID: "other", Secret: "battery staple", Algorithm: "ES256"},
	}, allowLoopback)
}

func find(t *testing.T, id string) *client.Client {
	t.Helper()
	c, err := registry(false).Find(id)
	require.NoError(t, err)
	return c
}

func TestAuthenticate(t *testing.T) {
	for name, tc := range map[string]struct {
		id, secret string
		want       error
	}{
		"public, none":               {"app", "", nil},
		"public, with one":           {"app", "anything", client.ErrNoSecret},
		"confidential, right":        {"server", "correct horse", nil},
		"confidential, none":         {"server", "", client.ErrSecret},
		"confidential, wrong":        {"server", "correct hors", client.ErrSecret},
		"confidential, longer":       {"server", "correct horse ", client.ErrSecret},
		"confidential, case":         {"server", "Correct Horse", client.ErrSecret},
		"confidential, NUL behind":   {"server", "correct horse\x00", client.ErrSecret},
		"confidential, of another":   {"server", "battery staple", client.ErrSecret},
		"confidential, huge":         {"server", strings.Repeat("x", 1<<20), client.ErrSecret},
		"confidential, all zeros":    {"server", string(make([]byte, 32)), client.ErrSecret},
		"confidential, its own name": {"server", "server", client.ErrSecret},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, find(t, tc.id).Authenticate(tc.secret), tc.want)
		})
	}
	require.True(t, find(t, "server").Confidential())
	require.False(t, find(t, "app").Confidential())
}

func TestTheRegistryForgetsSecrets(t *testing.T) {
	c := find(t, "server")
	require.Empty(t, c.Secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, *c), "correct horse")
	}
}

func TestFind(t *testing.T) {
	for _, id := range []string{"", "App", "app ", "app\x00", "nobody"} {
		c, err := registry(false).Find(id)
		require.ErrorIs(t, err, client.ErrUnknown, id)
		require.Nil(t, c)
	}
	require.Equal(t, "app", find(t, "app").ID)
	require.Equal(t, []string{"ES256", "RS256"}, registry(false).Algorithms())
	require.Empty(t, client.NewRegistry(nil, true).Algorithms())
}

func TestMayAndAdmits(t *testing.T) {
	app, server := find(t, "app"), find(t, "server")
	require.True(t, app.May(client.Passwordless))
	require.False(t, app.May(client.LegacyRO))
	require.False(t, server.May(client.Passwordless))
	require.False(t, find(t, "other").May(client.Passwordless), "no grant is given unasked")
	require.True(t, app.Admits("anonymous"), "no list of tiers admits all")
	require.True(t, server.Admits("employee"))
	require.False(t, server.Admits("anonymous"))
	require.False(t, server.Admits("Employee"))
	require.False(t, server.Admits(""))
}

func TestAllowsOrigin(t *testing.T) {
	for origin, want := range map[string]struct{ registered, loopback bool }{
		"https://app.example":                  {true, false},
		"https://portal.example:8443":          {true, false}, // registered in capitals; browsers send none
		"https://portal.example":               {false, false},
		"http://app.example":                   {false, false},
		"https://app.example:443":              {false, false}, // browsers leave the scheme's own port out
		"https://app.example/":                 {false, false},
		"https://app.example.evil.com":         {false, false},
		"https://evil.com#https://app.example": {false, false},
		"https://sub.app.example":              {false, false},
		"https://app.example@evil.com":         {false, false},
		"null":                                 {false, false},
		"*":                                    {false, false},
		"":                                     {false, false},
		"https://":                             {false, false},
		"file://":                              {false, false},
		"chrome-extension://abcdef":            {false, false},

		"http://localhost":                  {false, true},
		"http://localhost:3000":             {false, true},
		"https://localhost:3000":            {false, true},
		"http://127.0.0.1:8080":             {false, true},
		"http://[::1]:5173":                 {false, true},
		"http://localhost.evil.com":         {false, false},
		"http://localhost:3000.evil.com":    {false, false},
		"http://localhost:80@evil.com":      {false, false},
		"http://localhost@evil.com":         {false, false},
		"http://evil.com/localhost":         {false, false},
		"http://evil.com#localhost":         {false, false},
		"http://evil.com?localhost":         {false, false},
		"http://evil.com\\@localhost":       {false, false},
		"http://notlocalhost":               {false, false},
		"http://127.0.0.1.evil.com":         {false, false},
		"http://127.0.0.1.nip.io":           {false, false},
		"http://127.0.0.2":                  {false, false},
		"http://127.1":                      {false, false},
		"http://0.0.0.0":                    {false, false},
		"http://[::]":                       {false, false},
		"http://[::1].evil.com":             {false, false},
		"http://192.168.1.1":                {false, false},
		"localhost:3000":                    {false, false},
		"//localhost":                       {false, false},
		"ftp://localhost":                   {false, false},
		"file://localhost":                  {false, false},
		"javascript://localhost":            {false, false},
		"http://localhost\r\nX-Evil: 1":     {false, false},
		"http://localhost http://evil.com":  {false, false},
		"http://localhost, http://evil.com": {false, false},
		"http://localhost%00.evil.com":      {false, false},
		"http://localhost。evil.com":         {false, false},
	} {
		t.Run(origin, func(t *testing.T) {
			require.Equal(t, want.registered, registry(false).AllowsOrigin(origin), "without loopback")
			require.Equal(t, want.registered || want.loopback, registry(true).AllowsOrigin(origin), "with loopback")
		})
	}
}
