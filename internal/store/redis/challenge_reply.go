package redis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// reply reads what a script answered; err is the first value that is not as expected.
type reply struct {
	values []any
	err    error
}

func (r *reply) text(i int) string       { return at[string](r, i) }
func (r *reply) number(i int) int64      { return at[int64](r, i) }
func (r *reply) rule(i int) rule.Name    { return r.name(at[int64](r, i)) }
func (r *reply) rules(i int) []rule.Name { return r.names(at[string](r, i)) }
func (r *reply) milliseconds(i int) time.Duration {
	return time.Duration(r.number(i)) * time.Millisecond
}

// name is the rule at a place in rules; 0 is none.
func (r *reply) name(place int64) rule.Name {
	if place == 0 {
		return ""
	}
	if place < 0 || place > int64(len(rules)) {
		r.fail("no rule is number %d", place)
		return ""
	}
	return rules[place-1]
}

// names reads places with spaces between them.
func (r *reply) names(places string) (names []rule.Name) {
	for _, place := range strings.Fields(places) {
		n, err := strconv.ParseInt(place, 10, 64)
		if err != nil {
			r.fail("%q is no rule", place)
		}
		names = append(names, r.name(n))
	}
	return names
}

func (r *reply) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func at[T any](r *reply, i int) (value T) {
	if i >= len(r.values) {
		r.fail("want more than %d values", len(r.values))
		return value
	}
	value, ok := r.values[i].(T)
	if !ok {
		r.fail("value %d is a %T", i, r.values[i])
	}
	return value
}
