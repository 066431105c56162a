package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Condition is something that an answer says.
type Condition struct {
	// Field is a JSON pointer (RFC 6901) to a text, number or boolean of the answer, such as
	// "/messages/0/status"; empty for the answer as a whole.
	Field string
	// Values are what the field may be, letter by letter; or Match is a regular expression (RE2) for
	// something in it. One of the two is set.
	Values []string
	Match  string
}

// condition is a Condition that has been checked.
type condition struct {
	field   string
	values  []string
	pattern *regexp.Regexp
}

func newCondition(c Condition) (condition, error) {
	switch {
	case (len(c.Values) > 0) == (c.Match != ""):
		return condition{}, errors.New("set either values or match")
	case c.Field == "" && c.Match == "":
		return condition{}, errors.New("values need a field: set it to a JSON pointer such as /status")
	case badPointer(c.Field):
		return condition{}, errPointer
	case c.Match == "":
		return condition{field: c.Field, values: c.Values}, nil
	}
	pattern, err := regexp.Compile(c.Match)
	if err != nil {
		return condition{}, fmt.Errorf("match is no regular expression: %w", err)
	}
	return condition{field: c.Field, pattern: pattern}, nil
}

var errPointer = errors.New("want a JSON pointer such as /status or /messages/0/id")

func badPointer(p string) bool { return p != "" && !strings.HasPrefix(p, "/") }

// holds reports whether the answer's body says so. What is not there, or no JSON, says nothing.
func (c condition) holds(answer []byte) bool {
	text := string(answer)
	if c.field != "" {
		found, ok := at(answer, c.field)
		if !ok {
			return false
		}
		text = found
	}
	if c.pattern != nil {
		return c.pattern.MatchString(text)
	}
	return slices.Contains(c.values, text)
}

// at returns the text, number or boolean that the pointer leads to, as text.
func at(document []byte, pointer string) (string, bool) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber() // a long id would lose digits
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return "", false
	}
	for _, step := range strings.Split(pointer, "/")[1:] {
		// ~1 before ~0, so that ~01 is ~1 (RFC 6901 §4).
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch inner := value.(type) {
		case map[string]any:
			value = inner[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(inner) {
				return "", false
			}
			value = inner[i]
		default:
			return "", false
		}
	}
	switch found := value.(type) {
	case string:
		return found, true
	case json.Number:
		return found.String(), true
	case bool:
		return strconv.FormatBool(found), true
	}
	return "", false
}
