package config

import (
	"net/netip"
	"strings"
)

// networks: limits count addresses, so it must be beyond doubt which address a request comes from
// (requirement X4).
func (v *validator) networks() {
	proxies, company := path{"trusted_proxies"}, path{"company_networks"}
	// As wide as the internet, every client could say where it comes from. fc00::/7 are the private addresses.
	v.notWider(proxies, v.TrustedProxies, 8, 7, "whoever is in it can pretend to be any address; list your proxies' own")
	v.apart(proxies, v.TrustedProxies)
	v.notWider(company, v.CompanyNetworks, 8, 32, "whoever is in it has hardly any limit; list your offices' own")
	v.apart(company, v.CompanyNetworks)
	for i, network := range v.CompanyNetworks {
		for j, proxy := range v.TrustedProxies {
			if network.Overlaps(proxy) {
				v.fail(company.index(i), "holds addresses of %s: whatever a proxy passes on without X-Forwarded-For would count as "+
					"the company's; list the networks around the proxy instead", proxies.index(j))
			}
		}
	}
	if v.mode == Serve && len(v.TrustedProxies) == 0 && v.TLS == (TLS{}) && strings.HasPrefix(v.Issuer, "https://") {
		v.fail(proxies, "required: without tls.cert_file a proxy ends TLS, and limits would take everybody for that one address: "+
			"list the proxy's, such as 127.0.0.1, or set tls.cert_file")
	}
}

// notWider reports networks with fewer bits than widest4 (IPv4) or widest6 (IPv6).
func (v *validator) notWider(at path, networks []netip.Prefix, widest4, widest6 int, because string) {
	for i, network := range networks {
		widest := widest4
		if network.Addr().Is6() {
			widest = widest6
		}
		if network.IsValid() && network.Bits() < widest {
			v.fail(at.index(i), "too wide: %s, at most a /%d", because, widest)
		}
	}
}

// apart reports a network that is the same as an earlier one, or within it, or around it.
func (v *validator) apart(at path, networks []netip.Prefix) {
	for i, network := range networks {
		for j, earlier := range networks[:i] {
			switch {
			case network == earlier:
				v.fail(at.index(i), "the same as %s: keep one", at.index(j))
			case network.Overlaps(earlier) && network.Bits() > earlier.Bits():
				v.fail(at.index(i), "lies within %s, of another width: keep the one that you mean", at.index(j))
			case network.Overlaps(earlier):
				v.fail(at.index(i), "holds %s, of another width: keep the one that you mean", at.index(j))
			}
		}
	}
}
