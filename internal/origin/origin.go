// Package origin says where a request comes from, as limits see it: whoever has one address of an
// IPv6 /64 has them all, and whoever rents one address can often have its neighbours.
package origin

import (
	"net/netip"
	"slices"
)

// Source is an IPv4 address or an IPv6 /64.
type Source string

// Unknown is the source of requests without an address, as on a Unix socket: they all are one.
const Unknown Source = "unknown"

// Network is the /24 around an IPv4 source, or the /48 around an IPv6 one.
type Network string

// Origin is where one request comes from.
type Origin struct {
	Source  Source
	Network Network
	// Listed says that the source is in one of the company's own networks.
	Listed bool
}

// The widths of sources and networks (security requirements, "Words").
const (
	sourceBits6            = 64
	networkBits4, network6 = 24, 48
)

// Company are the company's own networks.
type Company []netip.Prefix

// Of returns the origin of addr; of the zero Addr it is Unknown and not listed.
func (c Company) Of(addr netip.Addr) Origin {
	if !addr.IsValid() {
		return Origin{Source: Unknown, Network: Network(Unknown)}
	}
	addr = addr.Unmap().WithZone("")
	listed := slices.ContainsFunc(c, func(p netip.Prefix) bool { return p.Contains(addr) })
	if addr.Is6() {
		return Origin{Source: Source(prefix(addr, sourceBits6)), Network: Network(prefix(addr, network6)), Listed: listed}
	}
	return Origin{Source: Source(addr.String()), Network: Network(prefix(addr, networkBits4)), Listed: listed}
}

func prefix(addr netip.Addr, bits int) string {
	p, _ := addr.Prefix(bits) // bits fit the address
	return p.Masked().String()
}
