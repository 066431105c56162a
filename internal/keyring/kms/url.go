package kms

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// place is what a service's URLs look like.
type place struct {
	scheme string
	// key is for what comes after "://", up to the query.
	key     *regexp.Regexp
	example string
	query   []string // one that ends in * is a prefix
}

var places = []place{
	{
		scheme: "awskms", key: regexp.MustCompile(`^/?[A-Za-z0-9][A-Za-z0-9:/_-]*$`),
		example: "awskms:///arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		query:   []string{"region", "profile", "role", "endpoint", "dualstack", "fips", "context_*"},
	},
	{
		scheme: "gcpkms", key: regexp.MustCompile(`^projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+$`),
		example: "gcpkms://projects/acme/locations/europe-west3/keyRings/latchkey/cryptoKeys/signing",
		query:   []string{"additional_authenticated_data"},
	},
	{
		scheme: "azurekeyvault", key: regexp.MustCompile(`^[A-Za-z0-9-]+\.vault\.[a-z0-9.-]+/keys/[A-Za-z0-9-]+/[A-Za-z0-9]+$`),
		example: "azurekeyvault://acme.vault.azure.net/keys/latchkey/0123456789abcdef0123456789abcdef",
		query:   []string{"algorithm"},
	},
	{
		// As the transit engine has it: no slash, nor a dot at either end.
		scheme: "hashivault", key: regexp.MustCompile(`^\w([\w.-]*\w)?$`),
		example: "hashivault://latchkey",
		query:   []string{"engine"},
	},
}

// allSchemes are those of every service that there is a client for.
func allSchemes() []string {
	var names []string
	for _, p := range places {
		names = append(names, p.scheme)
	}
	return names
}

// parse returns raw if it has the right shape. Its errors repeat nothing of raw but the scheme and the
// names of what is in the query: somebody may have put a password there.
func parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	i := slices.IndexFunc(places, func(p place) bool { return p.scheme == u.Scheme })
	if i < 0 {
		return nil, fmt.Errorf("unknown scheme %q: want one of %s", u.Scheme, strings.Join(allSchemes(), ", "))
	}
	p := places[i]
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case u.User != nil:
		return nil, errors.New("a user name or password does not belong here: the environment has the credentials")
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return nil, errors.New(`"#" has no meaning here`)
	case u.Opaque != "" || !p.key.MatchString(u.Host+u.Path):
		return nil, fmt.Errorf("want a URL like %s", p.example)
	case err != nil:
		return nil, errors.New("what is after \"?\" cannot be read")
	}
	for name, values := range query {
		if !slices.ContainsFunc(p.query, func(known string) bool { return known == name || isPrefix(known, name) }) {
			return nil, fmt.Errorf("unknown parameter %q: %s has %s", name, p.scheme, strings.Join(p.query, ", "))
		}
		if len(values) != 1 {
			return nil, fmt.Errorf("parameter %q is there twice", name)
		}
	}
	return u, nil
}

func isPrefix(known, name string) bool {
	prefix, ok := strings.CutSuffix(known, "*")
	return ok && strings.HasPrefix(name, prefix) && name != prefix
}

// nameOf is the URL without its query.
func nameOf(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }
