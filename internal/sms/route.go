package sms

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Route gives destinations an order of providers of their own.
type Route struct {
	// Path is where the route's settings are, for errors.
	Path string
	// Prefixes are the beginnings of E.164 numbers, such as "+44" or "+1787"; Countries are ISO 3166-1
	// alpha-2. A number takes the route of its longest prefix, else that of its country.
	Prefixes  []string
	Countries []string
	// Providers are asked in this order, and no others.
	Providers []string
}

// routes are all orders, checked.
type routes struct {
	byPrefix  map[string][]string
	byCountry map[string][]string
	fallback  []string
}

var prefixShape = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)

// newRoutes returns every mistake at once, each with its place in the settings.
func newRoutes(providers map[string]Sender, all []Route, fallback []string) (*routes, error) {
	r := &routes{byPrefix: map[string][]string{}, byCountry: map[string][]string{}, fallback: slices.Clone(fallback)}
	errs := []error{checkOrder("sms.order", providers, fallback)}
	for _, each := range all {
		at := each.Path
		order := slices.Clone(each.Providers)
		errs = append(errs, checkOrder(at+".providers", providers, order))
		if len(each.Prefixes)+len(each.Countries) == 0 {
			errs = append(errs, fmt.Errorf("%s: leads nowhere: set prefixes or countries", at))
		}
		for _, prefix := range each.Prefixes {
			errs = append(errs, add(r.byPrefix, prefix, order, at+".prefixes",
				prefixShape.MatchString(prefix), `a prefix with + and digits, such as "+44"`))
		}
		for _, country := range each.Countries {
			errs = append(errs, add(r.byCountry, country, order, at+".countries",
				phone.KnownRegion(country), "a country's two capital letters, such as GB"))
		}
	}
	return r, errors.Join(errs...)
}

func add(to map[string][]string, key string, order []string, at string, good bool, want string) error {
	if !good {
		return fmt.Errorf("%s: %q: want %s", at, key, want)
	}
	if _, twice := to[key]; twice {
		return fmt.Errorf("%s: %q has a route already: keep one", at, key)
	}
	to[key] = order
	return nil
}

func checkOrder(at string, providers map[string]Sender, order []string) error {
	if len(order) == 0 {
		return fmt.Errorf("%s: empty: name the providers in the order in which they are asked", at)
	}
	var errs []error
	for i, name := range order {
		switch {
		case providers[name] == nil:
			errs = append(errs, fmt.Errorf("%s: no provider %q: there is %s", at, name,
				cmp.Or(strings.Join(slices.Sorted(maps.Keys(providers)), ", "), "none: set sms.twilio or sms.providers")))
		case slices.Contains(order[:i], name):
			errs = append(errs, fmt.Errorf("%s: %q stands twice: a provider is asked once for a text", at, name))
		}
	}
	return errors.Join(errs...)
}

// order returns the providers for a number.
func (r *routes) order(to phone.Number, country string) []string {
	number := to.E164()
	for n := len(number); n > 1 && len(r.byPrefix) > 0; n-- {
		if order, ok := r.byPrefix[number[:n]]; ok {
			return order
		}
	}
	if order, ok := r.byCountry[country]; ok {
		return order
	}
	return r.fallback
}
