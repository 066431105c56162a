package oauth_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var documents = map[string]string{
	jwksPath: "public, max-age=300", discoveryPath: "public, max-age=3600", metadataPath: "public, max-age=3600",
}

func TestDiscovery(t *testing.T) {
	s := serve(t)
	a := s.do(t, request{method: "GET", path: discoveryPath})
	require.Equal(t, 200, a.status)
	requireJSON(t, a)
	require.Contains(t, a.body, `"issuer":"`+issuer+`"`) // these bytes, the slash included
	var found map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &found))
	for name, want := range map[string]any{
		"issuer":                                issuer,
		"token_endpoint":                        issuer + "oauth/token",
		"userinfo_endpoint":                     issuer + "userinfo",
		"jwks_uri":                              issuer + ".well-known/jwks.json",
		"revocation_endpoint":                   issuer + "oauth/revoke",
		"introspection_endpoint":                issuer + "oauth/introspect",
		"grant_types_supported":                 []any{"http://auth0.com/oauth/grant-type/passwordless/otp", "refresh_token"},
		"subject_types_supported":               []any{"public"},
		"id_token_signing_alg_values_supported": []any{"ES256", "RS256"},
		"token_endpoint_auth_methods_supported": []any{"none", "client_secret_post", "client_secret_basic"},
		"scopes_supported":                      []any{"openid", "profile", "email", "phone", "phone_number", "offline_access"},

		"revocation_endpoint_auth_methods_supported":    []any{"none", "client_secret_post", "client_secret_basic"},
		"introspection_endpoint_auth_methods_supported": []any{"client_secret_post", "client_secret_basic"},
	} {
		require.Equal(t, want, found[name], name)
	}
	require.Subset(t, found["claims_supported"], []any{"iss", "sub", "aud", "exp", "iat", "auth_time", "at_hash", "email", "phone_number"})
	for name, value := range found {
		require.NotEmpty(t, value, name)
		require.NotContains(t, value, nil, name)
	}
	// RFC 8414 gives the same facts.
	require.Equal(t, a.body, s.do(t, request{method: "GET", path: metadataPath}).body)
}

// What is listed is there, and what is not there is not listed (O12).
func TestDiscoveryListsOnlyWhatWorks(t *testing.T) {
	s := serve(t)
	a := s.do(t, request{method: "GET", path: discoveryPath})
	var found map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &found))
	for name, value := range found {
		where, is := value.(string)
		if !is || name == "issuer" {
			continue
		}
		path, ours := strings.CutPrefix(where, strings.TrimSuffix(issuer, "/"))
		require.True(t, ours, where)
		require.NotEqual(t, 404, s.do(t, request{method: "GET", path: path}).status, where)
	}
	for name, path := range map[string]string{
		"authorization_endpoint": "/authorize", "revocation_endpoint": "/oauth/revoke", "introspection_endpoint": "/oauth/introspect",
		"end_session_endpoint": "/oidc/logout", "device_authorization_endpoint": "/oauth/device/code", "registration_endpoint": "/oidc/register",
	} {
		status := s.do(t, request{method: "GET", path: path}).status
		require.Equal(t, found[name] != nil, status != 404, name)
	}
	require.NotContains(t, found["id_token_signing_alg_values_supported"], "none")
}

// Every grant that is listed is taken, and every way to authenticate at the endpoint it is listed for.
func TestWhatDiscoveryListsIsTaken(t *testing.T) {
	s := serve(t)
	var found struct {
		Grants     []string `json:"grant_types_supported"`
		Token      []string `json:"token_endpoint_auth_methods_supported"`
		Revoke     []string `json:"revocation_endpoint_auth_methods_supported"`
		Introspect []string `json:"introspection_endpoint_auth_methods_supported"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.do(t, request{method: "GET", path: discoveryPath}).body), &found))
	requests := map[string]members{}
	for _, r := range []members{tokenRequest, refreshRequest} {
		requests[r["grant_type"].(string)] = r
	}
	require.Len(t, found.Grants, len(requests))
	for _, grant := range found.Grants {
		a := s.post(t, tokenPath, formType, requests[grant].form())
		require.Equal(t, 200, a.status, "%s: %s", grant, a.body)
	}
	for path, of := range map[string]struct {
		good   members
		listed []string
	}{
		tokenPath:      {refreshRequest, found.Token},
		revokePath:     {revokeRequest, found.Revoke},
		introspectPath: {introspectRequest, found.Introspect},
	} {
		bare := of.good.with("client_id", left, "client_secret", left)
		for method, answered := range map[string]answer{
			"none":                s.post(t, path, formType, bare.with("client_id", "app").form()),
			"client_secret_post":  s.post(t, path, formType, bare.with("client_id", "web", "client_secret", webSecret).form()),
			"client_secret_basic": s.post(t, path, formType, bare.form(), "Authorization", basic("web", webSecret)),
		} {
			require.Equal(t, slices.Contains(of.listed, method), answered.status == 200, "%s %s: %s", path, method, answered.body)
		}
		require.Subset(t, []string{"none", "client_secret_post", "client_secret_basic"}, of.listed)
	}
}

func TestDocumentsDoNotBelieveHeaders(t *testing.T) {
	s := serve(t)
	for path := range documents {
		want := s.do(t, request{method: "GET", path: path})
		for _, headers := range [][]string{
			{"Host", "evil.example.net"},
			{"X-Forwarded-Host", "evil.example.net", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81", "X-Forwarded-Prefix", "/p"},
			{"Forwarded", "host=evil.example.net;proto=http"},
			{"X-Original-URL", "/nope", "X-Rewrite-URL", "/nope", "X-HTTP-Method-Override", "DELETE"},
		} {
			a := s.do(t, request{method: "GET", path: path, headers: headers})
			require.Equal(t, 200, a.status)
			require.Equal(t, want.body, a.body)
			require.Equal(t, want.header.Get("ETag"), a.header.Get("ETag"))
		}
	}
}

func TestJWKS(t *testing.T) {
	s := serve(t)
	a := s.do(t, request{method: "GET", path: jwksPath, headers: []string{"Content-Type", jsonType, "Accept", "application/jwk-set+json"}})
	require.Equal(t, 200, a.status)
	requireJSON(t, a)
	require.Equal(t, jwksBody, a.body)
	require.Equal(t, `"jwks-1"`, a.header.Get("ETag"))
}

func TestDocumentsAreCached(t *testing.T) {
	s := serve(t)
	for path, control := range documents {
		t.Run(path, func(t *testing.T) {
			a := s.do(t, request{method: "GET", path: path})
			tag := a.header.Get("ETag")
			require.Regexp(t, `^"[^"]+"$`, tag)
			for _, tc := range []struct {
				name, method, match string
				status              int
			}{
				{"plain", "GET", "", 200},
				{"head", "HEAD", "", 200},
				{"another tag", "GET", `"x"`, 200},
				{"no quotes", "GET", strings.Trim(tag, `"`), 200},
				{"same tag", "GET", tag, 304},
				{"same tag, head", "HEAD", tag, 304},
				// RFC 9110 §13.1.2: the comparison is weak, and a list or * may be sent. A proxy
				// that compresses makes the tag weak.
				{"weak tag", "GET", "W/" + tag, 304},
				{"list", "GET", `"x", ` + tag, 304},
				{"any", "GET", "*", 304},
			} {
				t.Run(tc.name, func(t *testing.T) {
					var headers []string
					if tc.match != "" {
						headers = []string{"If-None-Match", tc.match}
					}
					b := s.do(t, request{method: tc.method, path: path, headers: headers})
					require.Equal(t, tc.status, b.status)
					require.Equal(t, tag, b.header.Get("ETag"))
					require.Equal(t, control, b.header.Get("Cache-Control"))
					require.Equal(t, "*", b.header.Get("Access-Control-Allow-Origin"))
					if tc.status == 304 || tc.method == "HEAD" {
						require.Empty(t, b.body)
					} else {
						require.Equal(t, a.body, b.body)
					}
				})
			}
		})
	}
	tags := map[string]bool{}
	for _, path := range []string{jwksPath, discoveryPath} {
		tags[s.do(t, request{method: "GET", path: path}).header.Get("ETag")] = true
	}
	require.Len(t, tags, 2)
}
