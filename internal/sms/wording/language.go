package wording

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// Language is one that a Catalog has texts in, as a BCP 47 tag: "de", "zh-Hant".
type Language string

// English is the language that every catalog holds.
const English Language = "en"

// canon gives "cmn", "zh-cmn" and "zh", or "iw" and "he", one name each.
const canon = language.All

// maxRequested is how much of a request's wish for languages is read, in bytes. It is a header of the
// caller's, and the first few languages are all that counts.
const maxRequested = 256

// Pick returns the language to write to somebody in: the first of these that the catalog holds.
//
//   - what the request asks for: one tag (X-Request-Language) or a list with weights, as in
//     Accept-Language (RFC 9110 §12.5.4). What cannot be read in it is passed over.
//   - the client's default
//   - the main language of the number's country (ISO 3166-1 alpha-2)
//   - the catalog's default
//
// A tag that is not held is shortened until one is (RFC 4647 §3.4): pt-BR is pt, zh-Hant-TW is zh.
func (c *Catalog) Pick(requested, clientDefault, country string) Language {
	for _, tag := range append(wishes(requested), parse(clientDefault)) {
		if l, ok := find(tag, c.languages); ok {
			return l
		}
	}
	for _, tag := range spokenIn(country) {
		if l, ok := find(tag, c.languages); ok {
			return l
		}
	}
	return c.fallback
}

// find returns the closest of the languages to tag.
func find(tag language.Tag, languages map[Language]choice) (Language, bool) {
	for _, l := range wider(tag) {
		if _, ok := languages[l]; ok {
			return l, true
		}
	}
	return "", false
}

// wider returns tag and those that it can be shortened to, closest first. A script that is not told
// is taken from the region, so that zh-TW finds zh-Hant.
func wider(tag language.Tag) []Language {
	base, told, region := tag.Raw()
	if base == (language.Base{}) {
		return nil
	}
	script, _ := tag.Script()
	byScript, byRegion := join(base, script, language.Region{}), join(base, language.Script{}, region)
	all := []Language{join(base, script, region), byScript, byRegion}
	if told == (language.Script{}) {
		all[1], all[2] = byRegion, byScript
	}
	return append(all, Language(base.String()))
}

// join builds a tag from its parts, of which zero values are left out.
func join(base language.Base, script language.Script, region language.Region) Language {
	tag := base.String()
	if script != (language.Script{}) {
		tag += "-" + script.String()
	}
	if region != (language.Region{}) {
		tag += "-" + region.String()
	}
	return Language(tag)
}

// parse reads one tag. What cannot be read is the undetermined tag, which finds nothing.
func parse(s string) language.Tag {
	tag, err := canon.Parse(strings.TrimSpace(s))
	if err != nil {
		return language.Und
	}
	return tag
}

// wishes reads a list of languages, most wanted first. It looks at maxRequested bytes only.
func wishes(list string) []language.Tag {
	type wish struct {
		tag    language.Tag
		weight float64
	}
	var all []wish
	for item := range strings.SplitSeq(list[:min(len(list), maxRequested)], ",") {
		tag, parameter, _ := strings.Cut(item, ";")
		if w := weight(parameter); w > 0 {
			all = append(all, wish{parse(tag), w})
		}
	}
	slices.SortStableFunc(all, func(a, b wish) int { return cmp.Compare(b.weight, a.weight) })
	tags := make([]language.Tag, 0, len(all)+1)
	for _, w := range all {
		tags = append(tags, w.tag)
	}
	return tags
}

// weight reads "q=0.8" (RFC 9110 §12.4.2). 0 means "not this one", and what cannot be read means 1.
func weight(parameter string) float64 {
	value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q=")
	if !ok {
		return 1
	}
	w, err := strconv.ParseFloat(value, 64)
	if err != nil || !(w >= 0 && w <= 1) {
		return 1
	}
	return w
}

// alsoSpoken are languages of ours for countries whose main one we do not ship, but most people there
// who have a phone read them.
var alsoSpoken = map[string]string{
	"AD": "es", "PY": "es",
	"BI": "fr", "DJ": "fr", "HT": "fr", "MG": "fr", "ML": "fr",
}

// spokenIn returns the languages to try for a country's numbers. The main one is Unicode's choice (CLDR,
// likely subtags), which knows all countries and so those of operators' own languages too.
func spokenIn(country string) []language.Tag {
	region, err := language.ParseRegion(country)
	if err != nil || !region.IsCountry() {
		return nil
	}
	place, err := language.Compose(region)
	if err != nil {
		return nil
	}
	base, _ := place.Base()
	main, err := canon.Compose(base, region)
	if err != nil {
		return nil
	}
	return []language.Tag{main, parse(alsoSpoken[region.String()])}
}
