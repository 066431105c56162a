package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The types of a gateway's body: how values are escaped in it hangs on that.
const (
	contentJSON = "application/json"
	contentForm = "application/x-www-form-urlencoded"
)

// placeholders of a gateway's URL; its body can hold {body}, too.
var placeholders = []string{"{to}", "{to_digits}", "{ref}", "{valid_seconds}", "{from}"}

const bodyPlaceholder = "{body}"

var (
	placeholder = regexp.MustCompile(`\{[A-Za-z_]+\}`)
	// headerName is a token (RFC 9110 §5.6.2).
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
	jsonPointer = regexp.MustCompile(`^(/([^~/]|~[01])*)+$`)
)

func (v *validator) gateway(at path, g Gateway) {
	v.gatewayURL(at.key("url"), g.URL)
	v.oneOf(at.key("method"), g.Method, "POST", "PUT") // a GET would carry the code in its URL, which servers log (C10)
	between(v, at.key("timeout"), g.Timeout, time.Second, 10*time.Second)
	v.oneOf(at.key("content_type"), g.ContentType, contentJSON, contentForm)
	v.placeholders(at, g)
	v.headers(at.key("headers"), g.Headers)
	v.success(at, g)
}

// gatewayURL: placeholders stand in the query only, so that a text can never choose who is asked.
func (v *validator) gatewayURL(at path, text string) {
	address, _, _ := strings.Cut(text, "?")
	u, err := url.Parse(address)
	switch {
	case text == "":
		v.fail(at, "required: the address that takes texts")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Contains(text, "#"):
		v.fail(at, "want such as https://sms.example.com/send, without a user or a fragment")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.fail(at, "http is only for localhost, 127.0.0.0/8 and [::1]: want https")
	case strings.ContainsAny(address, "{}"):
		v.fail(at, "has a placeholder before its query: want them behind the ? or in body")
	}
}

// placeholders: the text and the number must be sent, and what is in braces must be known. The text holds a
// code, and URLs end up in logs: it stands in the body only.
func (v *validator) placeholders(at path, g Gateway) {
	_, query, _ := strings.Cut(g.URL, "?")
	inURL, inBody := placeholder.FindAllString(query, -1), placeholder.FindAllString(g.Body, -1)
	for _, name := range inURL {
		switch {
		case name == bodyPlaceholder:
			v.fail(at.key("url"), "{body} holds a code, and URLs end up in logs: want it in body")
		case !slices.Contains(placeholders, name):
			v.fail(at.key("url"), "unknown placeholder: want some of %s", strings.Join(placeholders, " "))
		}
	}
	for _, name := range inBody {
		if name != bodyPlaceholder && !slices.Contains(placeholders, name) {
			v.fail(at.key("body"), "unknown placeholder: want some of %s %s", bodyPlaceholder, strings.Join(placeholders, " "))
		}
	}
	used := append(inURL, inBody...)
	if !slices.Contains(inBody, bodyPlaceholder) {
		v.fail(at.key("body"), "want {body} in it, which is the text")
	}
	if !slices.Contains(used, "{to}") && !slices.Contains(used, "{to_digits}") {
		v.fail(at.key("body"), "want {to} or {to_digits} in it, or in the query of the url")
	}
	if slices.Contains(used, "{from}") && g.From == "" {
		v.fail(at.key("from"), "required: {from} stands for it")
	}
}

// ownHeaders are those that follow from the request itself.
var ownHeaders = []string{
	"connection", "content-length", "content-type", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade",
}

func (v *validator) headers(at path, headers map[string]Secret) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := strings.ToLower(name)
		switch {
		case !headerName.MatchString(name):
			v.fail(at.key(name), "want the name of a header, such as Authorization")
		case slices.Contains(ownHeaders, lower):
			v.fail(at.key(name), "follows from the url, the body and content_type: leave it out")
		case seen[lower] != "":
			v.fail(at.key(name), "the same header as %s: keep one", at.key(seen[lower]))
		case strings.ContainsAny(headers[name].Reveal(), "\r\n\x00"):
			v.fail(at.key(name), "want a value on one line")
		}
		seen[lower] = name
	}
}

func (v *validator) success(at path, g Gateway) {
	for i, status := range g.SuccessStatus {
		between(v, at.key("success_status").index(i), status, 200, 299)
	}
	if g.SuccessField != "" && !jsonPointer.MatchString(g.SuccessField) {
		v.fail(at.key("success_field"), "want a JSON pointer (RFC 6901), such as /messages/0/status")
	}
	if g.IDField != "" && !jsonPointer.MatchString(g.IDField) {
		v.fail(at.key("id_field"), "want a JSON pointer (RFC 6901), such as /messages/0/id")
	}
	if g.FailureField != "" && !jsonPointer.MatchString(g.FailureField) {
		v.fail(at.key("failure_field"), "want a JSON pointer (RFC 6901), such as /messages/0/status")
	}
	if (g.FailureField == "") != (len(g.FailureValues) == 0) {
		v.fail(at.key("failure_values"), "want both failure_field and failure_values, or neither")
	}
	if (g.SuccessField == "") != (len(g.SuccessValues) == 0) {
		v.fail(at.key("success_values"), "want both success_field and success_values, or neither")
	}
	v.noRepeats(at.key("success_values"), g.SuccessValues)
}
