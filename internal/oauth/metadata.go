package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// discoveryCache is how long the document may be held: it changes only with the settings.
const discoveryCache = "public, max-age=3600"

// readable are the methods of what is only read.
var readable = []string{http.MethodGet, http.MethodHead}

// metadata is OpenID Connect Discovery §3 and RFC 8414 §2, of what works and nothing else: there
// are no authorization endpoint and no response types, so both are left out.
type metadata struct {
	Issuer              string   `json:"issuer"`
	TokenEndpoint       string   `json:"token_endpoint"`
	UserInfoEndpoint    string   `json:"userinfo_endpoint"`
	JWKSURI             string   `json:"jwks_uri"`
	RevocationEndpoint  string   `json:"revocation_endpoint"`
	RevocationAuth      []string `json:"revocation_endpoint_auth_methods_supported"`
	Introspection       string   `json:"introspection_endpoint"`
	IntrospectionAuth   []string `json:"introspection_endpoint_auth_methods_supported"`
	ScopesSupported     []string `json:"scopes_supported"`
	GrantTypes          []string `json:"grant_types_supported"`
	SubjectTypes        []string `json:"subject_types_supported"`
	IDTokenAlgorithms   []string `json:"id_token_signing_alg_values_supported"`
	TokenEndpointAuth   []string `json:"token_endpoint_auth_methods_supported"`
	ClaimsSupported     []string `json:"claims_supported"`
	ACRValuesSupported  []string `json:"acr_values_supported"`
	ClaimTypesSupported []string `json:"claim_types_supported"`
}

// authMethods are the ways in which clients prove who they are (RFC 7591 §2).
var authMethods = []string{"none", "client_secret_post", "client_secret_basic"}

// discovery makes the document once; it changes only with the configuration.
func (h *Handler) discovery() (echo.HandlerFunc, error) {
	at := func(path string) string { return h.Issuer + path[1:] }
	body, err := json.Marshal(metadata{
		Issuer: h.Issuer, TokenEndpoint: at(tokenPath), UserInfoEndpoint: at(userInfoPath), JWKSURI: at(jwksPath),
		RevocationEndpoint: at(revokePath), RevocationAuth: authMethods,
		Introspection: at(introspectPath), IntrospectionAuth: authMethods[1:], // not for public clients
		ScopesSupported: scopes, GrantTypes: []string{passwordlessGrant, refreshGrant}, SubjectTypes: []string{"public"},
		IDTokenAlgorithms: h.Keys.Algorithms(),
		TokenEndpointAuth: authMethods,
		ClaimsSupported: []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "at_hash", "sid", "tier",
			"name", "nickname", "updated_at", "email", "email_verified", "phone_number", "phone_number_verified",
		},
		ACRValuesSupported: []string{"aal1"}, ClaimTypesSupported: []string{"normal"},
	})
	if err != nil {
		return nil, fmt.Errorf("encode discovery: %w", err)
	}
	digest := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(digest[:8]) + `"`
	return func(c echo.Context) error { return cached(c, body, echo.MIMEApplicationJSON, etag, discoveryCache) }, nil
}

// jwks serves GET /.well-known/jwks.json (RFC 7517 §5) from memory. Who is told that nothing has
// changed has the keys too; who asks for the head alone, or has anything at all, may not.
func (h *Handler) jwks(c echo.Context) error {
	keys := h.Keys.JWKS()
	if h.Verifiers != nil && c.Request().Method == http.MethodGet && c.Request().Header.Get("If-None-Match") != "*" {
		h.Verifiers.Seen(c.Request().UserAgent(), string(h.origin(c).Source), keys.Revision)
	}
	control := "public, max-age=" + strconv.Itoa(int(keys.MaxAge/time.Second))
	return cached(c, keys.Body, echo.MIMEApplicationJSON, keys.ETag, control)
}

func cached(c echo.Context, body []byte, contentType, etag, control string) error {
	header := c.Response().Header()
	header.Set("Cache-Control", control)
	header.Set("ETag", etag)
	if unchanged(c.Request().Header.Get("If-None-Match"), etag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, contentType, body)
}

// unchanged compares weakly, as RFC 9110 §13.1.2 has it: a proxy that compresses weakens the tag.
func unchanged(ifNoneMatch, etag string) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
