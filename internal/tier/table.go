package tier

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// NewTable checks tiers, in the order in which their rules are tried, and returns them as a
// Table. The error joins every mistake; each says what to do. A lifetime of zero takes the default;
// maxAccess is the longest that access tokens may live.
func NewTable(tiers []Tier, maxAccess time.Duration) (*Table, error) {
	table := &Table{}
	var errs []error
	fail := func(i int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("tiers[%d]: %s", i, fmt.Sprintf(format, args...)))
	}
	seen := map[string]bool{}
	for i, t := range tiers {
		if t.Name == "" {
			fail(i, "name is missing")
			continue
		}
		if seen[t.Name] {
			fail(i, "a second tier named %q: give each tier one name and one rule", t.Name)
		}
		seen[t.Name] = true
		if t.AccessTokenLifetime == 0 {
			t.AccessTokenLifetime = DefaultAccessTokenLifetime
		}
		if t.IDTokenLifetime == 0 {
			t.IDTokenLifetime = DefaultIDTokenLifetime
		}
		if t.AccessTokenLifetime < time.Minute || t.AccessTokenLifetime > maxAccess {
			fail(i, "access_token_lifetime of %s is %s: want 1m to %s", t.Name, t.AccessTokenLifetime, maxAccess)
		}
		if t.IDTokenLifetime < time.Minute || t.IDTokenLifetime > 24*time.Hour {
			fail(i, "id_token_lifetime of %s is %s: want 1m to 24h", t.Name, t.IDTokenLifetime)
		}
		if t.Name == Anonymous {
			if len(t.When) > 0 {
				fail(i, "%q takes no rule: it is the tier of numbers that HR does not know", Anonymous)
			}
			table.anonymous = t
			continue
		}
		for _, attribute := range slices.Sorted(maps.Keys(t.When)) {
			if !slices.Contains(Attributes, attribute) {
				fail(i, "unknown attribute %q in the rule of %q: want one of %s", attribute, t.Name, strings.Join(Attributes, ", "))
			} else if len(t.When[attribute]) == 0 {
				fail(i, "the rule of %q lists no value for %q, so it never matches", t.Name, attribute)
			}
		}
		for _, earlier := range table.rules {
			if earlier.covers(t) {
				fail(i, "the rule of %q is never reached: %q before it matches everybody it would match", t.Name, earlier.Name)
				break
			}
		}
		table.rules = append(table.rules, t)
	}
	if !seen[Anonymous] {
		errs = append(errs, fmt.Errorf("tiers: %q is missing: add it, without a rule", Anonymous))
	}
	switch {
	case !seen[Employee]:
		errs = append(errs, fmt.Errorf("tiers: %q is missing: add it as the last rule, without conditions", Employee))
	case len(table.rules) > 0 && len(table.rules[len(table.rules)-1].When) > 0:
		errs = append(errs, fmt.Errorf("tiers: the last rule must match everybody: end with %q, without conditions", Employee))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return table, nil
}
