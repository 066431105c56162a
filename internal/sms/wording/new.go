package wording

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// The settings that mistakes are reported under.
const (
	keyBrand     = "sms.brand"
	keyHost      = "issuer"
	keyLanguage  = "sms.language"
	keyTemplates = "sms.templates."
)

// variant is the template that was chosen of those that there are.
type variant struct {
	template   string
	own        bool
	number, of int
}

// New checks everything and chooses of our templates the best that fit. The error joins all mistakes,
// each with its setting in front.
func New(o Options) (*Catalog, error) {
	c := &Catalog{
		brand: o.Brand, host: o.Host, languages: make(map[Language]choice),
		hashes: maps.Clone(o.AppHashes), fallback: English,
	}
	maps.DeleteFunc(c.hashes, func(_, hash string) bool { return hash == "" })
	codes, codeErr := tagged(keyTemplates+"code.", o.Codes)
	notices, noticeErr := tagged(keyTemplates+"notice.", o.Notices)
	placeErr := errors.Join(checkBrand(o.Brand), checkHost(o.Host), checkHashes(c.hashes))
	err := errors.Join(placeErr, codeErr, noticeErr,
		c.checkOwn(codes, sms.KindCode, placeErr == nil), c.checkOwn(notices, sms.KindNotice, placeErr == nil),
		noCode(notices, codes), checkDefault(o.DefaultLanguage, codes))
	if err != nil {
		return nil, err
	}
	c.fill(codes, notices)
	if err := errors.Join(c.checkEnglish(), c.chooseDefault(o.DefaultLanguage)); err != nil {
		return nil, err
	}
	return c, nil
}

// known are the languages that there are templates for, whether or not they fit.
func known(codes map[Language]string) map[Language]choice {
	all := make(map[Language]choice)
	for l := range codes {
		all[l] = choice{}
	}
	for l := range ours {
		all[l] = choice{}
	}
	return all
}

// fill chooses the templates of every language. The operator's own are known to fit.
func (c *Catalog) fill(codes, notices map[Language]string) {
	for l := range known(codes) {
		chosen, err := c.chooseCode(l, codes)
		if err != nil {
			c.dropped = append(c.dropped, Dropped{l, err.Error()})
			continue
		}
		chosen.notice = c.chooseNotice(l, notices)
		c.languages[l] = chosen
	}
	slices.SortFunc(c.dropped, func(a, b Dropped) int { return cmp.Compare(a.Language, b.Language) })
}

// chooseCode returns l's templates for codes. The error is that none fits.
func (c *Catalog) chooseCode(l Language, own map[Language]string) (choice, error) {
	code, err := choose(own[l], ours[l].code, func(template string) error { return c.fitsCode(template, "") })
	if err != nil || len(c.hashes) == 0 {
		return choice{code: code, hashed: code}, err
	}
	hashed, err := choose(own[l], ours[l].code, func(template string) error { return c.fitsCode(template, c.anyHash()) })
	return choice{code: code, hashed: hashed}, err
}

// chooseNotice returns l's template for notices, that of a wider language or the English one: a language
// that an operator added may have none of its own.
func (c *Catalog) chooseNotice(l Language, own map[Language]string) variant {
	for _, l := range append(wider(parse(string(l))), English) {
		if chosen, err := choose(own[l], ours[l].notice, c.fitsNotice); err == nil {
			return chosen
		}
	}
	return variant{} // never: the last of ours holds no brand, and so fits always
}

// errNone means that there is no template to choose from.
var errNone = errors.New("there is no template")

// choose returns own if there is one, and else the first of ours that fits, or the error of the last.
func choose(own string, ours []string, fits func(string) error) (variant, error) {
	if own != "" {
		return variant{template: own, own: true}, nil
	}
	err := errNone
	for i, template := range ours {
		if err = fits(template); err == nil {
			return variant{template: template, number: i + 1, of: len(ours)}, nil
		}
	}
	return variant{}, err
}

// checkEnglish reports a host that leaves no room even for the shortest English text.
func (c *Catalog) checkEnglish() error {
	if _, ok := c.languages[English]; ok {
		return nil
	}
	return fmt.Errorf("%s: its host has %d characters and stands in every text, where it leaves no room: use a shorter host name",
		keyHost, utf8.RuneCountInString(c.host))
}

// checkDefault wants templates in the default language.
func checkDefault(tag string, codes map[Language]string) error {
	all := known(codes)
	if _, ok := find(parse(tag), all); ok || tag == "" {
		return nil
	}
	return fmt.Errorf("%s: there are no texts in %q: choose one of %s, or add %scode.%[2]s",
		keyLanguage, tag, listed(all), keyTemplates)
}

// chooseDefault sets the language of those of whom nothing is known. The error is that it was dropped.
func (c *Catalog) chooseDefault(tag string) error {
	if tag == "" {
		return nil
	}
	l, ok := find(parse(tag), c.languages)
	if !ok {
		return fmt.Errorf("%s: no text in %q fits with this brand and host: choose one of %s, or shorten %s",
			keyLanguage, tag, listed(c.languages), keyBrand)
	}
	c.fallback = l
	return nil
}

// tagged reads the languages of the operator's templates, and takes the space around a template off:
// YAML's block texts end with a line break.
func tagged(key string, texts map[string]string) (map[Language]string, error) {
	var all error
	read := make(map[Language]string, len(texts))
	for _, tag := range slices.Sorted(maps.Keys(texts)) {
		if err := checkTag(key+tag, tag); err != nil {
			all = errors.Join(all, err)
			continue
		}
		l := canonical(tag)
		if _, twice := read[l]; twice {
			all = errors.Join(all, fmt.Errorf("%s%s: another template is for the same language, %s: keep one", key, tag, l))
			continue
		}
		read[l] = strings.TrimSpace(texts[tag])
	}
	return read, all
}

// canonical is the one name of a language, without what no person is told apart by.
func canonical(tag string) Language {
	base, script, region := parse(tag).Raw()
	return join(base, script, region)
}

// checkTag takes tags that Pick can find: a language, with script and region if need be.
func checkTag(key, tag string) error {
	parsed := parse(tag)
	if l := wider(parsed); l == nil || parsed.String() != string(canonical(tag)) {
		return fmt.Errorf("%s: %q is no language tag that texts can be chosen by: write it as in de, pt-BR or zh-Hant", key, tag)
	}
	return nil
}

// noCode reports notices in languages that nobody is written to in.
func noCode(notices, codes map[Language]string) error {
	var all error
	for _, l := range slices.Sorted(maps.Keys(notices)) {
		_, builtIn := ours[l]
		if _, own := codes[l]; !own && !builtIn {
			all = errors.Join(all, fmt.Errorf("%snotice.%s: no code is sent in this language: add %[1]scode.%[2]s too", keyTemplates, l))
		}
	}
	return all
}

// appHash is what Android's SMS Retriever looks for: the first 11 characters of a digest in base64.
var appHash = regexp.MustCompile(`^[A-Za-z0-9+/]{11}$`)

func checkHashes(hashes map[string]string) error {
	var all error
	for _, client := range slices.Sorted(maps.Keys(hashes)) {
		if !appHash.MatchString(hashes[client]) {
			all = errors.Join(all, fmt.Errorf("clients.%s.android_app_hash: want the 11 letters, digits, + or / that "+
				"Android's AppSignatureHelper prints for the app's package and signing certificate", client))
		}
	}
	return all
}

func listed(languages map[Language]choice) string {
	var names []string
	for _, l := range slices.Sorted(maps.Keys(languages)) {
		names = append(names, string(l))
	}
	return strings.Join(names, ", ")
}
