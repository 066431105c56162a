package phone

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// Errors of Parse, from the least to the most understood input. None repeats the input.
var (
	// ErrNotANumber means that the text cannot be read as a telephone number.
	ErrNotANumber = errors.New("phone: not a telephone number")
	// ErrNoRegion means that the text has no country code and the parser no default region.
	ErrNoRegion = errors.New("phone: no country code: write it with + and the country code")
	// ErrImpossible means that the number's country does not assign such a number.
	ErrImpossible = errors.New("phone: no such number in its country")
	// ErrNotMobile means a number that exists but takes no texts: a landline, premium rate,
	// shared cost, toll-free, pager, voicemail or short number, or one with an extension.
	ErrNotMobile = errors.New("phone: not a mobile number")
)

// maxInput bounds what is parsed: the longest number with every separator doubled is shorter.
const maxInput = 64

// Parser reads what people and HR systems write. It is safe for concurrent use.
type Parser struct {
	// Region is the ISO 3166-1 alpha-2 country of numbers that are written without a country
	// code. Empty refuses such numbers with ErrNoRegion.
	Region string
	// AllowFictional accepts the numbers that regulators set aside for films and tests, which
	// ring nobody: +44 7700 900000 to 900999 (Ofcom) and +1 NXX 555 0100 to 0199 (NANPA).
	AllowFictional bool
}

// In returns the parser with another default region, for a source or row that has its own.
func (p Parser) In(region string) Parser {
	p.Region = region
	return p
}

// Parse returns the number that raw spells: with or without country code, spaces, brackets,
// dashes, a leading zero or 00. Errors are ErrNotANumber, ErrNoRegion, ErrImpossible and ErrNotMobile.
func (p Parser) Parse(raw string) (Number, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" || len(raw) > maxInput || !utf8.ValidString(raw) || hasLetter(raw) {
		return Number{}, ErrNotANumber
	}
	if rest, ok := strings.CutPrefix(raw, "00"); ok {
		// 00 is the ITU's international prefix, but not every region's: the library
		// would read it as a national number in some of them.
		raw = "+" + rest
	}
	parsed, err := phonenumbers.Parse(raw, p.Region)
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode) && !strings.HasPrefix(raw, "+") && p.Region == "":
		return Number{}, ErrNoRegion
	case err != nil:
		return Number{}, ErrNotANumber
	case parsed.GetExtension() != "":
		return Number{}, ErrNotMobile
	}
	n := Number{phonenumbers.Format(parsed, phonenumbers.E164)}
	if p.AllowFictional && fictional(n.e164) {
		return n, nil
	}
	switch phonenumbers.GetNumberType(parsed) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return n, nil
	case phonenumbers.UNKNOWN:
		return Number{}, ErrImpossible
	default:
		return Number{}, ErrNotMobile
	}
}

// KnownRegion reports whether region is an ISO 3166-1 alpha-2 code with a numbering plan.
func KnownRegion(region string) bool {
	return phonenumbers.GetCountryCodeForRegion(region) != 0
}

// hasLetter refuses vanity numbers ("1-800-FLOWERS") and spreadsheet notation ("4.1E+09"), which
// the library would quietly turn into digits. Extensions ("x12") are refused for the same reason.
func hasLetter(s string) bool {
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return true
		}
	}
	return false
}

func fictional(e164 string) bool {
	if strings.HasPrefix(e164, "+447700900") {
		return len(e164) == len("+447700900000")
	}
	// +1 NXX 555 01XX, with an area code that can exist.
	return len(e164) == len("+12025550100") && strings.HasPrefix(e164, "+1") &&
		e164[2] >= '2' && strings.HasPrefix(e164[5:], "55501")
}
