package sms

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text is the wording of the text that carries a code, in English.
type Text struct {
	// Brand is the name that people know the sender by.
	Brand string
	// Host is the host name of the sign-in page, without a port. Phones fill the code in on
	// that site only.
	Host string
}

// Code returns the text for a code that lives for left more, told in whole minutes and never as
// none. The code comes first, where a notification shows it. The last line binds it to the host
// (WICG "Origin-bound one-time codes"); the text ends there, because a newline after it would stop
// phones from reading it.
func (t Text) Code(code string, left time.Duration) string {
	// A fresh code is a little younger than its full life by the time it gets here; a few
	// seconds are not worth a minute to the reader.
	minutes := max(1, int((left+5*time.Second)/time.Minute))
	unit := "minutes"
	if minutes == 1 {
		unit = "minute"
	}
	return fmt.Sprintf("%s is your %s code. It expires in %d %s. Do not share it with anyone.\n\n@%s #%s",
		code, t.Brand, minutes, unit, t.Host, code)
}

var (
	// Phones turn "acme.com" and "a@b" into something to tap, which teaches people to tap
	// what comes with a code (security requirement M11).
	linkLike = regexp.MustCompile(`[\pL\pN]\.\pL{2,}|[/\\@]`)
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

// The longest text that Check measures: eight digits leave room to lengthen codes, and no code
// lives longer than ten minutes (security requirement C2).
const (
	longestCode = "00000000"
	longestLife = 10 * time.Minute
)

// Check reports everything that keeps the text from being sent as one segment that phones can
// read, and what to do about it.
func (t Text) Check() error {
	err := errors.Join(t.checkBrand(), t.checkHost())
	if err != nil {
		return err
	}
	longest := t.Code(longestCode, longestLife)
	n, gsm7 := Segments(longest)
	switch {
	case n == 1:
		return nil
	case gsm7:
		return fmt.Errorf("sms.brand: the longest text has %d characters and one segment holds %d: shorten sms.brand or the issuer's host name",
			units(longest, septets), singleGSM7)
	default:
		at := strings.IndexFunc(longest, outsideGSM7)
		r, _ := utf8.DecodeRuneInString(longest[at:])
		return fmt.Errorf("sms.brand: %q is not in the GSM-7 alphabet, which makes every text %d segments: write sms.brand without it", r, n)
	}
}

func (t Text) checkBrand() error {
	switch {
	case strings.TrimSpace(t.Brand) == "":
		return errors.New("sms.brand: empty: set it to the name that people know you by")
	case !utf8.ValidString(t.Brand), strings.ContainsFunc(t.Brand, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("sms.brand: holds a line break or another character that cannot be seen: write it as plain text on one line")
	case linkLike.MatchString(t.Brand):
		return errors.New("sms.brand: phones would make a link of it: write a name, not an address")
	}
	return nil
}

func (t Text) checkHost() error {
	if !hostName.MatchString(t.Host) {
		return errors.New("issuer: its host cannot stand in a text: use a host name in lower case, international names in their xn-- form")
	}
	return nil
}
