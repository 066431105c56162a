package config

import (
	"net/netip"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var networks []netip.Prefix
	for _, text := range texts {
		networks = append(networks, netip.MustParsePrefix(text))
	}
	return networks
}

func TestNetworks(t *testing.T) {
	const proxies, company = "LATCHKEY_TRUSTED_PROXIES=", "LATCHKEY_COMPANY_NETWORKS="
	for name, tc := range map[string]struct {
		environ []string
		want    []string
	}{
		"proxies":      {[]string{proxies + "10.0.0.0/8,192.0.2.1,2001:db8::/32,fc00::/7"}, nil},
		"the internet": {[]string{proxies + "0.0.0.0/0"}, []string{"trusted_proxies[0]: too wide"}},
		"half of it": {[]string{proxies + "10.0.0.1,128.0.0.0/1"}, []string{
			"trusted_proxies[1]: too wide: whoever is in it can pretend to be any address; list your proxies' own, at most a /8",
		}},
		"the internet of IPv6":     {[]string{proxies + "::/0"}, []string{"trusted_proxies[0]: too wide"}},
		"an eighth of it":          {[]string{proxies + "2000::/3"}, []string{"trusted_proxies[0]: too wide"}},
		"a proxy twice":            {[]string{proxies + "192.0.2.1,10.0.0.1,192.0.2.1/32"}, []string{"trusted_proxies[2]: the same as trusted_proxies[0]"}},
		"a proxy in its network":   {[]string{proxies + "10.0.0.0/8,10.1.2.3"}, []string{"trusted_proxies[1]: lies within trusted_proxies[0], of another width"}},
		"a network around a proxy": {[]string{proxies + "10.1.2.3,10.0.0.0/8"}, []string{"trusted_proxies[1]: holds trusted_proxies[0], of another width"}},
		"neighbours":               {[]string{proxies + "10.0.0.0/9,10.128.0.0/9"}, nil},
		"companies":                {[]string{company + "10.0.0.0/8,198.51.100.7,2001:db8::/32"}, nil},
		"a company as a continent": {[]string{company + "10.0.0.0/7,2001:db8::/31"}, []string{"company_networks[0]: too wide", "company_networks[1]: too wide"}},
		"a company's private IPv6": {[]string{company + "fc00::/7"}, []string{
			"company_networks[0]: too wide: whoever is in it has hardly any limit; list your offices' own, at most a /32",
		}},
		"a company twice": {[]string{company + "10.0.0.0/8,10.2.0.0/16"}, []string{"company_networks[1]: lies within company_networks[0]"}},
		"a proxy in the company": {[]string{proxies + "192.0.2.1,10.0.0.5", company + "198.51.100.0/24,10.0.0.0/8"}, []string{
			"company_networks[1]: holds addresses of trusted_proxies[1]",
		}},
		"the company in a proxy": {[]string{proxies + "10.0.0.0/8", company + "10.1.0.0/16"}, []string{"company_networks[0]: holds addresses of trusted_proxies[0]"}},
		"a proxy beside it":      {[]string{proxies + "10.1.0.5", company + "10.2.0.0/16"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(disk{"main.yaml": minimal}, tc.environ...)
			wantProblems(t, err, tc.want...)
		})
	}
}

// Without a certificate of its own behind an https issuer, a server is behind a proxy.
func TestAProxyThatEndsTLSIsNamed(t *testing.T) {
	const missing = "trusted_proxies: required: without tls.cert_file a proxy ends TLS"
	behindProxy := func(c *Config) { c.TLS = TLS{} }
	checkRules(t, []oneChange{
		{"not named", behindProxy, []string{missing}},
		{"not named, on this machine", func(c *Config) { behindProxy(c); c.Listen = "127.0.0.1:8080" }, []string{missing}},
		{"named", func(c *Config) { behindProxy(c); c.TrustedProxies = prefixes("127.0.0.1/32") }, nil},
		{"half of a certificate", func(c *Config) { c.TLS.KeyFile = "" }, []string{"tls: want both"}},
		{"no TLS at all", func(c *Config) { behindProxy(c); c.Issuer = "http://localhost:8080/" }, nil},
	})
	c := valid(t)
	c.TLS = TLS{}
	wantProblems(t, c.Validate(Dev, today))
}
