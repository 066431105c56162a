package tier

import (
	"slices"
	"strings"
	"time"
)

// The tiers that every installation has.
const (
	// Anonymous is the tier of a verified number that HR does not know.
	Anonymous = "anonymous"
	// Employee is the tier of an active HR user whom no earlier rule matched.
	Employee = "employee"
)

// Limits of token lifetimes (security requirement J2).
const (
	DefaultAccessTokenLifetime = 15 * time.Minute
	DefaultIDTokenLifetime     = time.Hour
)

// MaxAccessTokenLifetime is the ceiling. Where services can hear of revoked tokens by a status
// list, it is higher.
func MaxAccessTokenLifetime(statusList bool) time.Duration {
	if statusList {
		return 24 * time.Hour
	}
	return time.Hour
}

// Tier is what a person at this level may do.
type Tier struct {
	Name        string
	Permissions []string
	// Scopes that a token of this tier may carry (RFC 6749 §3.3).
	Scopes              []string
	AccessTokenLifetime time.Duration
	IDTokenLifetime     time.Duration
	// When lists, by attribute, the values that qualify: every attribute must have one of its
	// values, compared without case. Empty matches every active user.
	When map[string][]string
}

// Subject is what rules can look at. Attribute returns the values of one of Attributes, or nil.
type Subject interface {
	Attribute(name string) []string
}

// Attributes are the names that a rule may use, all of HR's users.
var Attributes = []string{"department", "email", "email_domain", "employment_type", "groups", "source", "title"}

// Table is an ordered, checked list of tiers. It is immutable and safe for concurrent use.
type Table struct {
	anonymous Tier
	rules     []Tier
}

// Resolve returns the tier of an active user: that of the first rule that matches.
func (t *Table) Resolve(s Subject) Tier {
	for _, rule := range t.rules {
		if rule.matches(s) {
			return rule
		}
	}
	return t.anonymous // unreachable: NewTable demands a last rule that matches everybody
}

// Anonymous returns the tier of a verified number that HR does not know.
func (t *Table) Anonymous() Tier { return t.anonymous }

// Named returns the tier with the name, if there is one.
func (t *Table) Named(name string) (Tier, bool) {
	for _, each := range append([]Tier{t.anonymous}, t.rules...) {
		if each.Name == name {
			return each, true
		}
	}
	return Tier{}, false
}

func (r Tier) matches(s Subject) bool {
	for attribute, wanted := range r.When {
		if !slices.ContainsFunc(s.Attribute(attribute), func(has string) bool { return containsFold(wanted, has) }) {
			return false
		}
	}
	return true
}

// covers reports whether r matches everybody whom other matches, so that other, coming later,
// could never fire.
func (r Tier) covers(other Tier) bool {
	for attribute, wanted := range r.When {
		narrower, constrained := other.When[attribute]
		if !constrained {
			return false
		}
		for _, value := range narrower {
			if !containsFold(wanted, value) {
				return false
			}
		}
	}
	return true
}

func containsFold(values []string, value string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
}
