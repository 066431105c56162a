package origin_test

import (
	"net/netip"
	"testing"

	"github.com/latchkey-id/latchkey/internal/origin"
)

func TestOf(t *testing.T) {
	company := origin.Company{netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("2001:db8:1::/48")}
	for addr, want := range map[string]origin.Origin{
		"203.0.113.7":          {Source: "203.0.113.7", Network: "203.0.113.0/24", Listed: true},
		"::ffff:203.0.113.7":   {Source: "203.0.113.7", Network: "203.0.113.0/24", Listed: true},
		"203.0.113.17":         {Source: "203.0.113.17", Network: "203.0.113.0/24"},
		"2001:db8:1:2:3:4:5:6": {Source: "2001:db8:1:2::/64", Network: "2001:db8:1::/48", Listed: true},
		"2001:db8:2:2::9":      {Source: "2001:db8:2:2::/64", Network: "2001:db8:2::/48"},
		"fe80::1%eth0":         {Source: "fe80::/64", Network: "fe80::/48"},
	} {
		if got := company.Of(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Of(%s) = %+v, want %+v", addr, got, want)
		}
	}
	if got := company.Of(netip.Addr{}); got.Source != origin.Unknown || got.Listed {
		t.Errorf("Of(no address) = %+v", got)
	}
}
