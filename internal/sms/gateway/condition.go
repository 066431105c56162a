package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Condition is something that an answer says: a field of it is one of some values.
type Condition struct {
	// Field is a JSON pointer (RFC 6901) to a text, number or boolean of the answer, such as
	// "/messages/0/status".
	Field string
	// Values are what the field may be, letter by letter.
	Values []string
}

// check tells fail each mistake, with the end of the setting's key: field or values.
func (c *Condition) check(fail func(key string, err error)) {
	switch {
	case c == nil:
		return
	case c.Field == "":
		fail("field", errors.New("missing: the values need a field, as a JSON pointer such as /status"))
	case !pointer.MatchString(c.Field):
		fail("field", errPointer)
	}
	if len(c.Values) == 0 {
		fail("values", errors.New("missing: set what the field may be"))
	}
}

// pointer is RFC 6901's but for the empty one, which leads to the whole document.
var pointer = regexp.MustCompile(`^(/([^~/]|~[01])*)+$`)

var errPointer = errors.New("want a JSON pointer (RFC 6901) such as /status or /messages/0/id")

// holds reports whether the answer's body says so. What is not there, or no JSON, says nothing.
func (c *Condition) holds(answer []byte) bool {
	if c == nil {
		return false
	}
	found, ok := at(answer, c.Field)
	return ok && slices.Contains(c.Values, found)
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
