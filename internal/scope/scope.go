// Package scope reads and narrows OAuth scopes (RFC 6749 §3.3). It never decides who may have one.
package scope

import (
	"slices"
	"strings"
)

// The scopes of OpenID Connect Core §5.4 and §11, and PhoneNumber, which clients of the legacy
// endpoint use for Phone (wire contract 5).
const (
	OpenID        = "openid"
	Profile       = "profile"
	Email         = "email"
	Phone         = "phone"
	PhoneNumber   = "phone_number"
	OfflineAccess = "offline_access"
)

// Default is what a sign-in without a scope asks for (wire contract 4).
var Default = Set{OpenID, Profile, Email}

// maxNames bounds a scope parameter: nobody has so many, and looking for repeats among thousands
// would cost more than a signature.
const maxNames = 50

// Set is scopes in the order in which they were asked for, without repeats.
type Set []string

// Parse splits a scope parameter. Names that RFC 6749 §3.3 does not allow are left out: nobody
// can be granted them, and so are those beyond the fiftieth. The result is never nil, which would mean that nothing was asked.
func Parse(s string) Set {
	set := Set{}
	for name := range strings.FieldsSeq(s) {
		if len(set) == maxNames {
			break
		}
		if Valid(name) && !set.Has(name) {
			set = append(set, name)
		}
	}
	return set
}

// Valid reports whether name is a scope-token of RFC 6749 §3.3.
func Valid(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return name != ""
}

// Has reports whether the set holds name.
func (s Set) Has(name string) bool { return slices.Contains(s, name) }

// Within returns the part of s that allowed holds too.
func (s Set) Within(allowed []string) Set {
	var both Set
	for _, name := range s {
		if slices.Contains(allowed, name) {
			both = append(both, name)
		}
	}
	return both
}

// Without returns s less name.
func (s Set) Without(name string) Set {
	return slices.DeleteFunc(slices.Clone(s), func(has string) bool { return has == name })
}

// String is the scope parameter.
func (s Set) String() string { return strings.Join(s, " ") }
