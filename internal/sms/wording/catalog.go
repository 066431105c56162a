package wording

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what texts are made of. A mistake is reported under the name of its setting.
type Options struct {
	// Brand is the name that people know the sender by, at most 30 characters.
	Brand string
	// Host is the host name of the sign-in page, without a port. Phones fill the code in on that
	// site only.
	Host string
	// Codes are the operator's own templates for codes by language (BCP 47), Notices those for
	// notices. They replace ours or add a language.
	Codes   map[string]string
	Notices map[string]string
	// AppHashes are the 11 characters by which Android's SMS Retriever knows an app, by client.
	// An empty one counts as none.
	AppHashes map[string]string
	// DefaultLanguage is for people of whom nothing better is known. Empty means English.
	DefaultLanguage string
}

// Catalog holds the templates, checked. It does not change and is safe for concurrent use.
type Catalog struct {
	brand, host string
	hashes      map[string]string
	languages   map[Language]choice
	fallback    Language
	dropped     []Dropped
}

// choice is what one language says.
type choice struct {
	code   variant // of texts without an app's hash
	hashed variant // of texts with one, which leaves less room
	notice variant
}

// Dropped is a language of ours in which no text fits with this brand and host, and why. Its people are
// written to in another.
type Dropped struct {
	Language Language
	Reason   string
}

// Dropped returns what was left out, in order of languages. It is no mistake but deserves a warning.
func (c *Catalog) Dropped() []Dropped { return slices.Clone(c.dropped) }

// Languages returns those that texts are written in, in order.
func (c *Catalog) Languages() []Language { return slices.Sorted(maps.Keys(c.languages)) }

// Code returns the text for a code that lives for left more, told in whole minutes and never as
// none. client is the one that asked: its app's hash is added if it has one. A language that the
// catalog does not hold is the default one.
func (c *Catalog) Code(l Language, client, code string, left time.Duration) string {
	chosen, hash := c.of(l), c.hashes[client]
	template := chosen.code.template
	if hash != "" {
		template = chosen.hashed.template
	}
	return c.codeText(template, hash, code, left)
}

// Notice returns the text that tells a person that somebody signed in with their number at the time
// at, after many wrong codes (security requirement T9), and what to do about it. The time is told
// in UTC: where the person is, a number does not tell.
func (c *Catalog) Notice(l Language, at time.Time) string {
	return c.noticeText(c.of(l).notice.template, at)
}

func (c *Catalog) of(l Language) choice {
	if chosen, ok := c.languages[l]; ok {
		return chosen
	}
	return c.languages[c.fallback]
}

// codeText adds our lines to template. It ends with the code: a newline after it would stop phones
// from reading it.
func (c *Catalog) codeText(template, hash, code string, left time.Duration) string {
	// A fresh code is a little younger than its full life by the time it gets here; a few
	// seconds are not worth a minute to the reader.
	minutes := max(1, int((left+5*time.Second)/time.Minute))
	// One pass: braces in a brand are the brand's.
	body := strings.NewReplacer(placeCode, code, placeBrand, c.brand, placeMinutes, strconv.Itoa(minutes)).Replace(template)
	if hash != "" {
		hash += "\n"
	}
	return body + "\n\n" + hash + "@" + c.host + " #" + code
}

func (c *Catalog) noticeText(template string, at time.Time) string {
	return strings.NewReplacer(placeBrand, c.brand, placeTime, at.UTC().Format("15:04 UTC")).Replace(template)
}

// anyHash is one of the apps' hashes; all are of one length. It is empty if there is none.
func (c *Catalog) anyHash() string {
	ids := slices.Sorted(maps.Keys(c.hashes))
	if len(ids) == 0 {
		return ""
	}
	return c.hashes[ids[0]]
}
