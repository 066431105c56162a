package hrfeed

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxCell is far above any name or title, and keeps a free-text column from passing for one.
const maxCell = 256

// What spreadsheets make of long numbers and broken formulas. IDs such as 20E15 stay possible:
// spreadsheets write the sign.
var (
	scientific  = regexp.MustCompile(`^\+?\d+([.,]\d+)?[eE]\+\d+$`)
	floating    = regexp.MustCompile(`^\+?\d+[.,]0+$`)
	sheetErrors = []string{"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"}
)

// clean returns a cell's text: without invisible marks and outer blanks, inner blanks and line
// breaks made one space, in NFC. Otherwise damage completes the sentence "the cell …", and the
// line is not what HR wrote.
func clean(raw string) (text, damage string) {
	if !utf8.ValidString(raw) || strings.ContainsRune(raw, utf8.RuneError) {
		return "", "holds bytes that are not text: save the file as \"CSV UTF-8\""
	}
	for _, r := range raw {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return "", fmt.Sprintf("holds a control character (U+%04X)", r)
		}
	}
	text = strings.Join(strings.Fields(strings.Map(visible, raw)), " ")
	if utf8.RuneCountInString(text) > maxCell {
		return "", fmt.Sprintf("is longer than %d characters", maxCell)
	}
	// Cloned, for a cell pins the memory of its whole record.
	return strings.Clone(norm.NFC.String(text)), ""
}

// visible drops bidirectional controls, zero-width marks and the soft hyphen: they travel along
// when people copy from web pages, and make two values differ that look the same.
func visible(r rune) rune {
	switch {
	case r == 0x00AD, r == 0x061C, r == 0x180E, r == 0xFEFF,
		r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
		return -1
	}
	return r
}

// plain returns the text of a cell that holds a key or a number and not words: a leading
// apostrophe is a spreadsheet's mark for text.
func plain(raw string) (text, damage string) {
	text, damage = clean(raw)
	return strings.TrimSpace(strings.TrimPrefix(text, "'")), damage
}

// unprefixed drops the same apostrophe from words. Before a lower-case letter it is part of the
// name: 't Hooft.
func unprefixed(text string) string {
	rest, prefixed := strings.CutPrefix(text, "'")
	if first, _ := utf8.DecodeRuneInString(rest); !prefixed || unicode.IsLower(first) {
		return text
	}
	return strings.TrimSpace(rest)
}

// sheetDamage says so if a spreadsheet took a key or a number for a quantity, or made no sense of it.
func sheetDamage(text string) string {
	if slices.Contains(sheetErrors, text) {
		return "holds the spreadsheet error " + text
	}
	if scientific.MatchString(text) || floating.MatchString(text) {
		return "was damaged by a spreadsheet, which took it for a quantity: format the column as text and enter it again"
	}
	return ""
}

// externalID returns the key of a person, or why the cell holds none.
func externalID(raw string) (id, damage string) {
	text, damage := plain(raw)
	switch {
	case damage != "":
		return "", damage
	case text == "":
		return "", "is empty: every person needs one"
	case strings.ContainsAny(raw, "\r\n"):
		return "", "holds a line break: perhaps a quotation mark before it is not closed"
	case sheetDamage(text) != "":
		return "", sheetDamage(text)
	case looksDialled(text):
		return "", "holds a telephone number: are the columns swapped?"
	}
	return text, ""
}

// looksDialled reports whether text is written as only international numbers are. Without the
// plus sign a row of digits may be a cost centre.
func looksDialled(text string) bool {
	return strings.HasPrefix(text, "+") && countDigits(text) >= 7 && !strings.ContainsFunc(text, unicode.IsLetter)
}

func countDigits(text string) int {
	n := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

func isAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

// quote shows a cell in a reason. Columns may be swapped, so what has as many digits as a
// telephone number shows only the last three of them.
func quote(text string) string { return fmt.Sprintf("%q", masked(text)) }

func masked(text string) string {
	const shown = 40
	left := countDigits(text)
	hide := left >= 7
	var out strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > shown {
			out.WriteRune('…')
			break
		}
		if unicode.IsDigit(r) {
			if left--; hide && left >= 3 {
				r = '*'
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}
