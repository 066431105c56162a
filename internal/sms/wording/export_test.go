package wording

import "github.com/latchkey-id/latchkey/internal/sms"

// Sample is a text at its longest.
type Sample struct {
	Language Language
	Kind     sms.Kind
	// Hashed says that an app's hash is in it.
	Hashed bool
	// Own says that the template is the operator's. Otherwise it is the Variant-th of Variants of
	// ours, which get shorter.
	Own               bool
	Variant, Variants int
	Body              string
}

// Samples returns each text of each language at its longest, for an operator to read: by language,
// first the code, then the code with an app's hash if any client has one, then the notice.
func (c *Catalog) Samples() []Sample {
	var all []Sample
	add := func(l Language, kind sms.Kind, v variant, hashed bool, body string) {
		all = append(all, Sample{
			Language: l, Kind: kind, Hashed: hashed, Own: v.own, Variant: v.number, Variants: v.of, Body: body,
		})
	}
	for _, l := range c.Languages() {
		chosen := c.languages[l]
		add(l, sms.KindCode, chosen.code, false, c.codeText(chosen.code.template, "", longestCode, longestLife))
		if len(c.hashes) > 0 {
			add(l, sms.KindCode, chosen.hashed, true, c.codeText(chosen.hashed.template, c.anyHash(), longestCode, longestLife))
		}
		add(l, sms.KindNotice, chosen.notice, false, c.noticeText(chosen.notice.template, anyTime))
	}
	return all
}
