package wording

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// What templates hold in place of what is known only when a text is written.
const (
	placeCode    = "{code}"
	placeBrand   = "{brand}"
	placeMinutes = "{minutes}"
	placeTime    = "{time}"
)

// places are the placeholders that each kind of text can fill.
var places = map[sms.Kind][]string{
	sms.KindCode:   {placeCode, placeBrand, placeMinutes},
	sms.KindNotice: {placeBrand, placeTime},
}

// placeholder matches one, and every brace that is not of one.
var placeholder = regexp.MustCompile(`\{[^{}]*\}|[{}]`)

// checkOwn checks the operator's templates. Whether they fit, or make a link with the brand, is only
// looked at where brand and host are good.
func (c *Catalog) checkOwn(own map[Language]string, kind sms.Kind, filled bool) error {
	var all error
	for _, l := range slices.Sorted(maps.Keys(own)) {
		template := own[l]
		err := checkTemplate(template, kind)
		if err == nil && filled {
			err = c.checkFilled(template, kind)
		}
		if err != nil {
			all = errors.Join(all, under(fmt.Sprintf("%s%s.%s", keyTemplates, kind, l), err))
		}
	}
	return all
}

// under puts the setting's name in front of each of the joined mistakes.
func under(key string, err error) error {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return fmt.Errorf("%s: %w", key, err)
	}
	var all error
	for _, one := range several.Unwrap() {
		all = errors.Join(all, under(key, one))
	}
	return all
}

// checkTemplate checks what can be seen of a template before it is filled.
func checkTemplate(template string, kind sms.Kind) error {
	switch {
	case !utf8.ValidString(template):
		return errors.New("is not UTF-8: save the settings as UTF-8")
	case template == "":
		return errors.New("empty: write the text, or take the line out to have ours")
	}
	err := errors.Join(checkVisible(template), checkPlaces(template, kind))
	if strings.ContainsAny(template, "@#") {
		err = errors.Join(err, errors.New("holds an @ or a #, by which phones find the last line, which is added by itself: write it without"))
	}
	if kind == sms.KindCode && longNumber.MatchString(template) {
		err = errors.Join(err, errors.New("holds a number of four digits or more, which phones may take for the code: write it without"))
	}
	return err
}

// longNumber is what Android's User Consent reader takes for a code, which it looks for anywhere.
var longNumber = regexp.MustCompile(`\p{Nd}{4}`)

// checkPlaces wants each placeholder known and a code's text to hold it once: our last line has it
// again, and more would only be copied wrongly.
func checkPlaces(template string, kind sms.Kind) error {
	var all error
	for _, found := range placeholder.FindAllString(template, -1) {
		if !slices.Contains(places[kind], found) {
			all = errors.Join(all, fmt.Errorf("%q is no placeholder here: there are %s", found, strings.Join(places[kind], ", ")))
		}
	}
	if kind != sms.KindCode {
		return all
	}
	switch n := strings.Count(template, placeCode); {
	case n == 0:
		all = errors.Join(all, errors.New("lacks {code}: put it once, best in front, where a notification shows it"))
	case n > 1:
		all = errors.Join(all, fmt.Errorf("holds {code} %d times: put it once, the last line is added by itself", n))
	}
	return all
}

// checkFilled checks a template with the longest that can stand in it.
func (c *Catalog) checkFilled(template string, kind sms.Kind) error {
	if kind == sms.KindNotice {
		return errors.Join(checkLink(c.noticeText(template, anyTime)), c.fitsNotice(template))
	}
	text, _, _ := strings.Cut(c.codeText(template, "", longestCode, longestLife), "\n")
	err := errors.Join(checkLink(text), c.fitsCode(template, ""))
	if err == nil && len(c.hashes) > 0 {
		err = c.fitsCode(template, c.anyHash())
	}
	return err
}

// Phones turn "acme.com", "a@b" and "10.0.0.1" into something to tap, which teaches people to tap
// what comes with a code (security requirement M11). Some take full-width dots for dots: between other
// than Latin letters those are Chinese full stops.
var linkLike = regexp.MustCompile(`[\pL\pN]\.\pL{2,}|[\pL\pN][。．｡][A-Za-z]{2,}|\pN\.\pN+\.\pN|[/\\@]` +
	`|(?i:https?\b|\b(?:mailto|tel|sms):)`)

func checkLink(text string) error {
	if link := linkLike.FindString(text); link != "" {
		return fmt.Errorf("phones would make a link of what is around %q: write it without, with a space after each full stop", link)
	}
	return nil
}

// checkVisible refuses what readers do not see: line breaks, which would push the last line about, and
// characters that hide or turn round what stands beside them.
func checkVisible(text string) error {
	for _, r := range text {
		switch {
		case strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r):
			return errors.New("holds a line break: write it on one line, the other lines are added by themselves")
		case invisible(r):
			return fmt.Errorf("holds %U, which cannot be seen: write it again by hand", r)
		}
	}
	return nil
}

// invisible reports characters without a shape of their own: controls, marks of direction, spaces other
// than the usual one, and the letters and marks that Unicode says to show nothing for.
func invisible(r rune) bool {
	const brailleBlank = '\u2800'
	return !unicode.IsPrint(r) || r == brailleBlank ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// maxBrand is in characters. It leaves room for what a text has to say besides.
const maxBrand = 30

func checkBrand(brand string) error {
	switch n := utf8.RuneCountInString(brand); {
	case !utf8.ValidString(brand):
		return errors.New(keyBrand + ": is not UTF-8: save the settings as UTF-8")
	case strings.TrimSpace(brand) == "":
		return errors.New(keyBrand + ": empty: set it to the name that people know you by")
	case n > maxBrand:
		return fmt.Errorf("%s: has %d characters: use a name of at most %d", keyBrand, n, maxBrand)
	case linkLike.MatchString(brand):
		return errors.New(keyBrand + ": phones would make a link of it: write a name, not an address")
	}
	if err := checkVisible(brand); err != nil {
		return fmt.Errorf("%s: %w", keyBrand, err)
	}
	return nil
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

func checkHost(host string) error {
	if !hostName.MatchString(host) {
		return errors.New(keyHost + ": its host cannot stand in a text: use a host name in lower case, international names in their xn-- form")
	}
	return nil
}
