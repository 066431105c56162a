package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// path leads to a setting: the names of keys, and "[3]" for the fourth item of a list.
type path []string

func (p path) key(name string) path { return append(slices.Clip(p), name) }

func (p path) index(i int) path { return p.key(fmt.Sprintf("[%d]", i)) }

var (
	plainName  = regexp.MustCompile(`^[A-Za-z0-9_~-]{1,64}$`)
	quotedName = regexp.MustCompile(`^[A-Za-z0-9_~ @.-]{1,64}$`)
	itemName   = regexp.MustCompile(`^\[\d+\]$`)
)

// String renders p as "clients.web.origins[0]". A name that holds a dot is quoted. One that cannot
// be a name is "?": with a space forgotten behind its colon, "key:value" is a name to YAML, and
// the value may be a secret.
func (p path) String() string {
	var b strings.Builder
	for i, name := range p {
		if i > 0 && !itemName.MatchString(name) {
			b.WriteByte('.')
		}
		switch {
		case plainName.MatchString(name), itemName.MatchString(name):
			b.WriteString(name)
		case quotedName.MatchString(name):
			b.WriteString(strconv.Quote(name))
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// variable is the name of the environment variable that sets p.
func (p path) variable() string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, strings.Join(p, "_"))
	return variablePrefix + name
}

// related reports whether p and q are the same, or one lies within the other.
func (p path) related(q path) bool {
	n := min(len(p), len(q))
	return slices.Equal(p[:n], q[:n])
}

// order compares p and q by where their settings stand in t; unknown keys come last.
func order(t reflect.Type, p, q path) int {
	for i := range min(len(p), len(q)) {
		switch a, b := p[i], q[i]; {
		case isSection(t):
			if c := cmp.Compare(position(t, a), position(t, b)); c != 0 {
				return c
			}
			if a != b {
				return strings.Compare(a, b)
			}
			f, ok := fieldNamed(t, a)
			if !ok {
				return cmp.Compare(len(p), len(q))
			}
			t = f.Type
		case a != b && t.Kind() == reflect.Slice:
			return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // [9] before [10]
		case a != b:
			return strings.Compare(a, b)
		case t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
			t = t.Elem()
		}
	}
	return cmp.Compare(len(p), len(q))
}
