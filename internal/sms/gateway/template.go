package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Names of placeholders.
const (
	to           = "to"
	toDigits     = "to_digits"
	body         = "body"
	from         = "from"
	ref          = "ref"
	validSeconds = "valid_seconds"
)

var (
	anywhere    = []string{to, toDigits, from, ref, validSeconds}
	placeholder = regexp.MustCompile(`\{([A-Za-z_]+)\}`)
)

// template is a text in which placeholders are replaced, each value escaped on its way in.
type template struct {
	text   string
	escape func(string) string
}

// newTemplate refuses placeholders that do not exist or may not stand there. Its error does not repeat
// them: what is in braces may be part of a credential.
func newTemplate(text string, escape func(string) string, may ...string) (template, error) {
	t := template{text, escape}
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		switch name := found[1]; {
		case name == body && !slices.Contains(may, body):
			return t, errors.New("{body} stands only in the request's body: servers log URLs and headers, and it holds a code")
		case !slices.Contains(may, name):
			return t, fmt.Errorf("has an unknown placeholder: there are {%s}", strings.Join(may, "}, {"))
		}
	}
	return t, nil
}

func (t template) fill(values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(t.text, func(found string) string {
		return t.escape(values[strings.Trim(found, "{}")])
	})
}

// uses reports whether one of the placeholders is in t.
func (t template) uses(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(t.text, "{"+name+"}") })
}

// inJSON escapes for the inside of a JSON string.
func inJSON(s string) string {
	quoted, _ := json.Marshal(s) // a string cannot fail; what is not UTF-8 is replaced
	return string(quoted[1 : len(quoted)-1])
}

// hostile is filled in to see that every place holds: whatever ends a string, a line or a parameter.
var hostile = map[string]string{
	to: `"+\`, toDigits: `"&\`, body: "\"\\\n\r&=;{}", from: `"' #`, ref: "\"\n%", validSeconds: "180",
}

// newBody checks that the template is a document of its type wherever values end up: outside the quotes
// of a JSON string, a value could become part of the document.
func newBody(contentType, text string) (template, error) {
	all := append([]string{body}, anywhere...)
	var t template
	var err error
	switch contentType {
	case JSON:
		if t, err = newTemplate(text, inJSON, all...); err != nil {
			return t, err
		}
		if !json.Valid([]byte(t.fill(hostile))) {
			return t, errors.New(`want JSON with placeholders within its texts, such as {"to": "{to}", "text": "{body}"}`)
		}
	case Form:
		if t, err = newTemplate(text, url.QueryEscape, all...); err != nil {
			return t, err
		}
		if _, err := url.ParseQuery(t.fill(hostile)); err != nil {
			return t, errors.New("want a form, such as to={to}&text={body}")
		}
	default:
		return t, errContentType
	}
	if !t.uses(body) {
		return t, errors.New("no {body} in it: the text would go out without the code")
	}
	return t, nil
}

var errContentType = errors.New("want " + JSON + " or " + Form)

// newURL refuses placeholders before the query: they could choose another place to send to.
func newURL(text string) (template, error) {
	if before, _, _ := strings.Cut(text, "?"); strings.ContainsAny(before, "{}") {
		return template{}, errors.New("placeholders stand only in its query, after the question mark")
	}
	t, err := newTemplate(text, url.QueryEscape, anywhere...)
	if err != nil {
		return t, err
	}
	return t, checkURL(t.fill(hostile))
}
