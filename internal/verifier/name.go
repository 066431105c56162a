package verifier

const (
	// maxName is how long a name is at most, in bytes.
	maxName = 40
	// unnamed is the verifier without a User-Agent. Like others, it is no name that a User-Agent can give.
	unnamed = "(no name)"
	// others stands for all names from one source but the first few.
	others = "(others)"
)

// Name is what a verifier is called: the product of the first token of its User-Agent (RFC 9110
// §10.1.5) without the version, so that a new version of a service remains the same verifier.
// "orders-api/1.4 jose/6" is orders-api. It is at most 40 bytes long, and of ASCII letters, digits and
// "-._~+" only, with "_" for every other byte: it is shown in terminals and pages and pasted into
// shells, and everybody can send one. Without a first token it is "(no name)".
func Name(userAgent string) string {
	return string(appendName(make([]byte, 0, maxName), userAgent))
}

// appendName appends the name to dst.
func appendName(dst []byte, userAgent string) []byte {
	i := 0
	for i < len(userAgent) && blank(userAgent[i]) {
		i++
	}
	from := len(dst)
	for ; i < len(userAgent) && len(dst)-from < maxName; i++ {
		c := userAgent[i]
		if c == '/' || blank(c) {
			break
		}
		if !plain[c] {
			c = '_'
		}
		dst = append(dst, c)
	}
	if len(dst) == from {
		return append(dst, unnamed...)
	}
	return dst
}

// blank reports whether c parts tokens: a space, or a control character, which no client sends in good faith.
func blank(c byte) bool { return c <= ' ' }

// plain are the bytes that a name is made of.
var plain = func() (is [256]bool) {
	const all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+"
	for i := range len(all) {
		is[all[i]] = true
	}
	return is
}()
