package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// issuer: clients build every URL from it and compare it byte for byte (wire contract 1 and 9), so
// only the one spelling that needs no interpretation is taken.
func (v *validator) issuer() {
	at := path{"issuer"}
	const example = "want such as https://login.example.com/"
	if v.Issuer == "" {
		v.fail(at, "required: the address at which clients reach latchkey, such as https://login.example.com/")
		return
	}
	u, err := url.Parse(v.Issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		v.fail(at, "not an absolute https URL: %s", example)
		return
	}
	switch {
	case u.User != nil:
		v.fail(at, "has a user name in it: %s", example)
	case strings.ContainsAny(v.Issuer, "?#"):
		v.fail(at, "has a query or a fragment: %s", example)
	case u.Path == "":
		v.fail(at, "must end with a slash, for clients compare it byte for byte: add / at the end")
	case u.Path != "/":
		v.fail(at, "has a path, but SDKs put theirs right behind the host: give latchkey a host name of its own")
	case !plainHost(u):
		v.fail(at, "want the host in lower case and ASCII (punycode), and no port that goes without saying: %s", example)
	case v.Issuer != u.Scheme+"://"+u.Host+"/":
		v.fail(at, "not in its simplest form: %s", example)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.fail(at, "http is only for localhost, 127.0.0.0/8 and [::1]: want https")
	}
}

var lowerHost = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:[0-9]+)?$`)

// plainHost reports whether the host is spelled as browsers spell it: in lower case, and with a
// port only where it is not the scheme's own.
func plainHost(u *url.URL) bool {
	if !lowerHost.MatchString(u.Host) {
		return false
	}
	switch port := u.Port(); {
	case port == "":
		return true
	case port[0] == '0', u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80":
		return false
	default:
		n, err := strconv.Atoi(port)
		return err == nil && n < 1<<16
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// listeners must not share a port: each has its own network, and /admin must not be public.
func (v *validator) listeners() {
	given := []struct {
		at   path
		addr string
	}{
		{path{"listen"}, v.Listen},
		{path{"admin", "listen"}, v.Admin.Listen},
		{path{"ops", "listen"}, v.Ops.Listen},
	}
	for i, l := range given {
		host, port, err := net.SplitHostPort(l.addr)
		n, notNumber := strconv.ParseUint(port, 10, 16)
		if err != nil || notNumber != nil || !listenHost.MatchString(host) {
			v.fail(l.at, "want host:port or :port, such as 127.0.0.1:8080")
			continue
		}
		for _, earlier := range given[:i] {
			if n != 0 && overlap(earlier.addr, host, port) {
				v.fail(l.at, "the same address as %s: give each listener its own", earlier.at)
			}
		}
	}
}

var listenHost = regexp.MustCompile(`^[A-Za-z0-9.:%_-]*$`)

func overlap(addr, host, port string) bool {
	otherHost, otherPort, err := net.SplitHostPort(addr)
	return err == nil && otherPort == port && (otherHost == host || isEverywhere(otherHost) || isEverywhere(host))
}

func isEverywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// stores: with SQLite, Redis too may be embedded, for an installation of one node.
func (v *validator) stores() {
	at := path{"database"}
	embedded := strings.HasPrefix(v.Database.URL.Reveal(), "sqlite:")
	switch {
	case v.Database.URL.IsZero():
		if v.mode == Serve {
			v.fail(at.key("url"), "required: postgres://USER@HOST/NAME, or sqlite:FILE on a single node")
		}
	case !embedded && !hasScheme(v.Database.URL, "postgres", "postgresql") || v.Database.URL.Reveal() == "sqlite:":
		v.fail(at.key("url"), "want postgres://USER@HOST/NAME, with special characters in the password %%-encoded, or sqlite:FILE")
	}
	between(v, at.key("max_open_conns"), v.Database.MaxOpenConns, 2, 1000) // one for the lock of migrations
	v.oneOf(at.key("pooler"), v.Database.Pooler, "none", "transaction")

	at = path{"redis"}
	switch {
	case v.Redis.URL.IsZero():
		if v.mode == Serve && !embedded {
			v.fail(at.key("url"), "required: redis://HOST:6379/0 (only with a sqlite database can it be left out)")
		}
	case !hasScheme(v.Redis.URL, "redis", "rediss", "redis+cluster", "redis+sentinel"):
		v.fail(at.key("url"), "want redis://, rediss://, redis+cluster:// or redis+sentinel:// and HOST:PORT, with special characters in the password %%-encoded")
	}
	if !keyPrefix.MatchString(v.Redis.KeyPrefix) {
		v.fail(at.key("key_prefix"), "want at most 64 letters, digits, and : . _ - (braces would decide the Cluster slot)")
	}
}

var keyPrefix = regexp.MustCompile(`^[A-Za-z0-9:._-]{0,64}$`)

// hasScheme reports whether s is a URL of one of schemes. The rest is left to the store's parser:
// several hosts with commas between them, for one, are fine there and not a URL to net/url.
func hasScheme(s Secret, schemes ...string) bool {
	scheme, rest, ok := strings.Cut(s.Reveal(), "://")
	return ok && slices.Contains(schemes, scheme) && rest != "" && !strings.ContainsAny(rest, " \t\r\n")
}

func (v *validator) webURL(at path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(text, "?#") {
		v.fail(at, "want such as https://host.example, without a user, a query or a fragment")
	}
}
