package config

import (
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setText sets the single value into to what text says. The error says what was wanted.
func setText(into reflect.Value, text string) error {
	var value any
	err := errors.New(want(into.Type()))
	switch into.Interface().(type) {
	case Secret:
		value = NewSecret(text)
	case string:
		value = text
	case bool:
		if !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
			return err
		}
		value = strings.EqualFold(text, "true")
	case int:
		n, bad := strconv.Atoi(text)
		if bad != nil {
			return err
		}
		value = n
	case time.Duration:
		period, bad := time.ParseDuration(text)
		if bad != nil {
			return err
		}
		value = period
	case Decimal:
		number, bad := parseDecimal(text)
		if bad != nil {
			return bad
		}
		value = number
	case netip.Prefix:
		network, bad := parseNetwork(text)
		if bad != nil {
			return bad
		}
		value = network
	default:
		return err
	}
	into.Set(reflect.ValueOf(value))
	return nil
}

// parseNetwork reads a network, or an address as the network of itself alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil || network.Addr().Is4In6():
		return netip.Prefix{}, errors.New(want(reflect.TypeFor[netip.Prefix]()))
	case network != network.Masked():
		return netip.Prefix{}, errors.New("the address has bits beyond the length of its network: write " + network.Masked().String())
	}
	return network, nil
}
