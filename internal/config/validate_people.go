package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/tier"
)

// The grants that a client can have.
const (
	GrantPasswordless = "passwordless"
	// GrantLegacyRO is /oauth/ro, off unless a client asks for it (requirement O1).
	GrantLegacyRO = "legacy_ro"
)

// maxTiers bounds the comparison of each rule with all before it.
const maxTiers = 100

func (v *validator) tiers() {
	at := path{"tiers"}
	if len(v.Tiers) > maxTiers {
		v.fail(at, "want at most %d", maxTiers)
		return
	}
	table := make([]tier.Tier, len(v.Tiers))
	for i, t := range v.Tiers {
		table[i] = tier.Tier{
			Name: t.Name, Permissions: t.Permissions, Scopes: t.Scopes, When: t.When,
			AccessTokenLifetime: t.AccessTokenLifetime, IDTokenLifetime: t.IDTokenLifetime,
		}
		v.scopeTokens(at.index(i).key("scopes"), t.Scopes)
		v.scopeTokens(at.index(i).key("permissions"), t.Permissions)
		if t.Name != "" && !scopeToken.MatchString(t.Name) {
			v.fail(at.index(i).key("name"), "want one word without spaces, quotes or backslashes")
		}
	}
	if _, err := tier.NewTable(table, tier.MaxAccessTokenLifetime(v.StatusList.Enabled)); err != nil {
		v.tierMistakes(err)
	}
}

// tierMistakes reports what tier.NewTable found, each mistake as "tiers[1]: …" or "tiers: …".
func (v *validator) tierMistakes(err error) {
	mistakes := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		mistakes = joined.Unwrap()
	}
	for _, mistake := range mistakes {
		where, what, _ := strings.Cut(mistake.Error(), ": ")
		at := path{"tiers"}
		if item := strings.TrimPrefix(where, "tiers"); item != "" {
			at = at.key(item)
		}
		v.fail(at, "%s", what)
	}
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

func (v *validator) clients() {
	at := path{"clients"}
	if len(v.Clients) == 0 {
		v.fail(at, "none: want at least one application that may sign people in, by its id")
	}
	for _, id := range slices.Sorted(maps.Keys(v.Clients)) {
		if !clientID.MatchString(id) {
			v.fail(at.key(id), "want an id of 1 to 64 letters, digits, and . _ ~ -")
		}
		v.client(at.key(id), v.Clients[id])
	}
}

// minClientSecret is short enough for what other providers hand out, and too long to guess.
const minClientSecret = 16

func (v *validator) client(at path, c Client) {
	if c.Name != "" {
		v.label(at.key("name"), c.Name, 100)
	}
	if !c.Secret.IsZero() && utf8.RuneCountInString(c.Secret.Reveal()) < minClientSecret {
		v.fail(at.key("secret"), "want at least %d characters: make it with `openssl rand -base64 32`", minClientSecret)
	}
	if len(c.Grants) == 0 {
		v.fail(at.key("grants"), "want at least one of %s, %s", GrantPasswordless, GrantLegacyRO)
	}
	v.known(at.key("grants"), c.Grants, GrantPasswordless, GrantLegacyRO)
	v.oneOf(at.key("algorithm"), c.Algorithm, "RS256", "ES256", "EdDSA")
	v.scopeTokens(at.key("scopes"), c.Scopes)
	var tiers []string
	for _, t := range v.Tiers {
		tiers = append(tiers, t.Name)
	}
	v.known(at.key("tiers"), c.Tiers, tiers...)
	for i, audience := range c.Audiences {
		v.audience(at.key("audiences").index(i), audience)
	}
	v.noRepeats(at.key("audiences"), c.Audiences)
	for i, origin := range c.Origins {
		v.origin(at.key("origins").index(i), origin)
	}
	v.noRepeats(at.key("origins"), c.Origins)
	v.texts(at, c)
}

// androidAppHash is what the SMS Retriever API looks for in a text: 11 characters of base64.
var androidAppHash = regexp.MustCompile(`^[A-Za-z0-9+/]{11}$`)

// texts checks what a client says of its people's texts, and for whom it asks for them.
func (v *validator) texts(at path, c Client) {
	if c.Language != "" {
		v.language(at.key("language"), c.Language)
	}
	if c.AndroidAppHash != "" && !androidAppHash.MatchString(c.AndroidAppHash) {
		v.fail(at.key("android_app_hash"), "want the 11 letters, digits, + and / that Google's SMS Retriever API gives for the app")
	}
	if c.TrustForwardedFor && c.Secret.IsZero() { // O15
		v.fail(at.key("trust_forwarded_for"), "only for a confidential client, "+
			"for anybody could use the id of another to get around limits: give it a secret")
	}
}

// known checks that every item is one of names, and there once.
func (v *validator) known(at path, items []string, names ...string) {
	for i, item := range items {
		v.oneOf(at.index(i), item, names...)
	}
	v.noRepeats(at, items)
}

var simpleAudience = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// audience: what is in aud decides whom a token is for. A client's id there marks an ID token, and
// the issuer's own names mark tokens for us; no resource server may answer to either.
func (v *validator) audience(at path, audience string) {
	u, err := url.Parse(audience)
	absolute := err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "" || len(u.Path) > 1) && u.User == nil
	switch _, isClient := v.Clients[audience]; {
	case strings.Contains(audience, "*"):
		v.fail(at, "wildcards are not supported: list each audience")
	case isClient:
		v.fail(at, "this is a client's id, and an ID token must not pass as an access token: give the API a name of its own")
	case v.Issuer != "" && (audience == v.Issuer || audience == v.Issuer+"userinfo"):
		v.fail(at, "this is latchkey itself: give the API a name of its own")
	case !simpleAudience.MatchString(audience) && (!absolute || strings.ContainsAny(audience, " #")):
		v.fail(at, "want an API's name or absolute URI, such as https://api.example.com")
	}
}

// notOrigins are schemes whose pages have no origin of their own, or are not pages.
var notOrigins = []string{"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"}

// origin is compared byte for byte with what a browser sends in the header Origin.
func (v *validator) origin(at path, origin string) {
	u, err := url.Parse(origin)
	switch {
	case strings.Contains(origin, "*"):
		v.fail(at, "wildcards are not supported: list each origin")
	case err != nil || u.Host == "" || slices.Contains(notOrigins, u.Scheme):
		v.fail(at, "want scheme://host or scheme://host:port, such as https://app.example.com")
	case origin != u.Scheme+"://"+u.Host:
		v.fail(at, "want scheme://host[:port] in lower case and nothing behind it, not even a slash")
	case !plainHost(u):
		v.fail(at, "want the host in lower case and ASCII (punycode), and no port that goes without saying")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.fail(at, "http is only for localhost, 127.0.0.0/8 and [::1]: want https")
	}
}
