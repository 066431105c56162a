package phone

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Number is a telephone number in E.164 form that can receive texts. The zero Number is no
// number. Numbers are comparable; two spellings of one number are equal.
type Number struct {
	e164 string
}

// E164 returns the whole number, "+" and digits. It is for stores, the SMS provider and the
// person it belongs to: never for a log, an error or a metric.
func (n Number) E164() string { return n.e164 }

// IsZero reports whether n is no number.
func (n Number) IsZero() bool { return n.e164 == "" }

// Masked returns the number with all but its last three digits hidden, "***123".
func (n Number) Masked() string {
	if n.e164 == "" {
		return ""
	}
	return "***" + n.e164[max(0, len(n.e164)-3):]
}

// String is Masked, so that a number printed by accident stays private.
func (n Number) String() string { return n.Masked() }

// Format masks the number for every fmt verb, %#v and %x included.
func (n Number) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.Masked()) }

// LogValue masks the number in structured logs.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// Stored returns the Number for text that a store has kept. It refuses what is not E.164, but
// does not ask again whether the number can exist: numbering plans change, and a person's number
// that was good when HR sent it must stay comparable.
func Stored(e164 string) (Number, error) {
	digits, ok := strings.CutPrefix(e164, "+")
	if !ok || len(digits) < 5 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return Number{}, ErrNotANumber
	}
	return Number{e164}, nil
}
