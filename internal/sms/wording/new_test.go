package wording_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms/wording"
)

func TestMistakesInTemplates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"empty", " ", "empty: write the text"},
		{"not UTF-8", "{code} \xff", "is not UTF-8"},
		{"no code", "Hello", "lacks {code}"},
		{"no code but braces", "{CODE}", `"{CODE}" is no placeholder here: there are {code}, {brand}, {minutes}`},
		{"code twice", "{code} {code}", "holds {code} 2 times"},
		{"unknown placeholder", "{code} {name}", `"{name}" is no placeholder`},
		{"the notice's placeholder", "{code} {time}", `"{time}" is no placeholder`},
		{"open brace", "{code} {brand", `"{" is no placeholder`},
		{"closing brace", "{code} }", `"}" is no placeholder`},
		{"doubled braces", "{{code}}", `"{" is no placeholder`},
		{"scheme", "{code} http", `phones would make a link of what is around "http"`},
		{"address", "{code} https://acme.example", "link"},
		{"bare domain", "{code} acme.com", "link"},
		{"domain of other letters", "{code} почта.рф", "link"},
		{"domain with a full-width dot", "{code} acme。com", "link"},
		{"domain made of the brand", "{code} my.{brand}", "link"},
		{"domain made of the code", "{code}.com", "link"},
		{"address of a host", "{code} 10.0.0.1", "link"},
		{"path", "{code} a/b", "link"},
		{"share", `{code} \\host`, "link"},
		{"call", "{code} tel:112", "link"},
		{"mail", "{code} a@b", "holds an @ or a #"},
		{"hash", "{code} #1", "holds an @ or a #"},
		{"another code", "{code} 1234", "number of four digits"},
		{"another code in other digits", "{code} ١٢٣٤", "number of four digits"},
		{"line break", "{code}\nhello", "holds a line break"},
		{"carriage return", "{code}\rhello", "holds a line break"},
		{"line separator", "{code}\u2028hello", "holds a line break"},
		{"right to left", "{code} \u202eolleh", "holds U+202E, which cannot be seen"},
		{"isolate", "{code} \u2066hello", "holds U+2066"},
		{"zero width space", "{code} he\u200bllo", "holds U+200B"},
		{"zero width joiner", "{code} he\u200dllo", "holds U+200D"},
		{"byte order mark", "{code} \ufeffhello", "holds U+FEFF"},
		{"soft hyphen", "{code} he\u00adllo", "holds U+00AD"},
		{"hangul filler", "{code} \u3164", "holds U+3164"},
		{"braille blank", "{code} \u2800", "holds U+2800"},
		{"variation selector", "{code} a\ufe0f", "holds U+FE0F"},
		{"tag character", "{code} \U000e0041", "holds U+E0041"},
		{"hard space", "{code}\u00a0hello", "holds U+00A0"},
		{"control", "{code}\x00hello", "holds U+0000"},
		{"tab", "{code}\thello", "holds U+0009"},
		{"too long", "{code} " + strings.Repeat("a", 125), "needs 2 texts: it has up to 161 units (27 in the lines that are added) and one text holds 160: shorten it"},
		{"UCS-2", "{code} is your code ’" + strings.Repeat("a", 25), `one text holds 70, because '’' is not in the GSM-7 alphabet`},
		{"too long with a hash", "{code} " + strings.Repeat("a", 94), "has up to 142 bytes with an app's hash, 39 of them in the lines that are added, and Android reads 140: shorten it"},
		{"UCS-2, too long with a hash", "{code} is your ’" + strings.Repeat("a", 20), "needs 2 texts"},
		{"several", "hello@acme\n", "holds an @ or a #"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := usual()
			o.Codes = map[string]string{"de-at": tc.text}
			_, err := wording.New(o)
			require.ErrorContains(t, err, tc.want)
			for line := range strings.SplitSeq(err.Error(), "\n") {
				require.True(t, strings.HasPrefix(line, "sms.templates.code.de-AT: "), "%q", line)
			}
		})
	}
}

func TestTemplatesThatArePossible(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{code}",
		"Kod: {code}.",
		"Acme Inc. sends {code}. Keep it.",
		"{code} 是验证码。请勿告诉他人。",
		"{code} 🔑",
		"{code} " + strings.Repeat("a", 86),
		"{code} caf\u0065\u0301", // a mark that is seen, with its letter
	} {
		o := usual()
		o.Codes = map[string]string{"de": text}
		_, err := wording.New(o)
		require.NoError(t, err, "%q", text)
	}
}

func TestMistakesInNotices(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"a code", "{code}", `"{code}" is no placeholder here: there are {brand}, {time}`},
		{"a link", "See acme.com", "link"},
		{"too long", strings.Repeat("a", 161), "needs 2 texts: it has up to 161 units and one text holds 160"},
	} {
		o := usual()
		o.Notices = map[string]string{"pt": tc.text}
		_, err := wording.New(o)
		require.ErrorContains(t, err, "sms.templates.notice.pt: ", tc.name)
		require.ErrorContains(t, err, tc.want, tc.name)
	}
}

func TestMistakesInOtherSettings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*wording.Options)
		want   string
	}{
		{"no brand", func(o *wording.Options) { o.Brand = " " }, "sms.brand: empty"},
		{"brand of two lines", func(o *wording.Options) { o.Brand = "a\nb" }, "sms.brand: holds a line break"},
		{"brand with a hidden mark", func(o *wording.Options) { o.Brand = "a\u202eb" }, "sms.brand: holds U+202E"},
		{"brand not UTF-8", func(o *wording.Options) { o.Brand = "a\xff" }, "sms.brand: is not UTF-8"},
		{"brand with an address", func(o *wording.Options) { o.Brand = "https://acme.com" }, "sms.brand: phones would make a link"},
		{"brand like a domain", func(o *wording.Options) { o.Brand = "acme.com" }, "sms.brand: phones would make a link"},
		{"brand like mail", func(o *wording.Options) { o.Brand = "a@b" }, "sms.brand: phones would make a link"},
		{"brand too long", func(o *wording.Options) { o.Brand = strings.Repeat("ä", 31) }, "sms.brand: has 31 characters: use a name of at most 30"},
		{"no host", func(o *wording.Options) { o.Host = "" }, "issuer: its host cannot stand in a text"},
		{"host with port", func(o *wording.Options) { o.Host = "a.example:8080" }, "issuer: its host cannot"},
		{"host with a line", func(o *wording.Options) { o.Host = "a.example\n" }, "issuer: its host cannot"},
		{"host in upper case", func(o *wording.Options) { o.Host = "A.example" }, "issuer: its host cannot"},
		{"host too long", func(o *wording.Options) { o.Host = strings.Repeat("a", 120) }, "issuer: its host has 120 characters"},
		{"hash too short", func(o *wording.Options) { o.AppHashes["web"] = "FA+9qCX9VS" }, "clients.web.android_app_hash: want the 11"},
		{"hash with a line", func(o *wording.Options) { o.AppHashes["web"] = "FA+9qCX9VS\n" }, "clients.web.android_app_hash: want the 11"},
		{"default not there", func(o *wording.Options) { o.DefaultLanguage = "tlh" },
			`sms.language: there are no texts in "tlh": choose one of ar, de, en, es, fr, pl, pt, zh, or add sms.templates.code.tlh`},
		{"default not a tag", func(o *wording.Options) { o.DefaultLanguage = "deutsch" }, `sms.language: there are no texts in "deutsch"`},
		{"default dropped", func(o *wording.Options) {
			o.DefaultLanguage, o.Brand, o.Host = "zh", strings.Repeat("ж", 30), strings.Repeat("a", 50)
		}, `sms.language: no text in "zh" fits with this brand and host`},
		{"template for no language", func(o *wording.Options) { o.Codes = map[string]string{"deutsch": "{code}"} },
			`sms.templates.code.deutsch: "deutsch" is no language tag`},
		{"template for a variant", func(o *wording.Options) { o.Codes = map[string]string{"de-CH-1996": "{code}"} }, "is no language tag"},
		{"template for und", func(o *wording.Options) { o.Notices = map[string]string{"und": "Hello"} }, "sms.templates.notice.und: "},
		{"template twice", func(o *wording.Options) { o.Codes = map[string]string{"pt-BR": "{code}", "pt_br": "{code}"} },
			"sms.templates.code.pt_br: another template is for the same language, pt-BR: keep one"},
		{"notice without code", func(o *wording.Options) { o.Notices = map[string]string{"it": "Ciao"} },
			"sms.templates.notice.it: no code is sent in this language: add sms.templates.code.it too"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := usual()
			tc.change(&o)
			c, err := wording.New(o)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "\n", "one mistake, one line")
			require.Nil(t, c)
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := wording.New(wording.Options{
		Brand: "", Host: "A", DefaultLanguage: "tlh", AppHashes: map[string]string{"b": "x", "a": "y"},
		Codes:   map[string]string{"fr": "", "de": "{x} @", "deutsch": "{code}"},
		Notices: map[string]string{"it": "\n\n{code}"},
	})
	require.Error(t, err)
	var keys []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, _, _ := strings.Cut(line, ":")
		keys = append(keys, key)
	}
	require.Equal(t, []string{
		"sms.brand", "issuer", "clients.a.android_app_hash", "clients.b.android_app_hash", "sms.templates.code.deutsch",
		"sms.templates.code.de", "sms.templates.code.de", "sms.templates.code.de", "sms.templates.code.fr",
		"sms.templates.notice.it", "sms.templates.notice.it", "sms.language",
	}, keys)
}

// FuzzTemplate: a template that is taken makes one text with our lines at its end, whatever it holds.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"{code}", "{code} {brand}", "{code}\n", "@ {code}", "{code} 是\u200b", "{minutes}{code}{brand}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, template string) {
		o := usual()
		o.Codes = map[string]string{"de": template}
		c, err := wording.New(o)
		if err != nil {
			return
		}
		for _, s := range c.Samples() {
			if s.Language != "de" || s.Kind != "code" {
				continue
			}
			first, rest, _ := strings.Cut(s.Body, "\n")
			want := "\n@id.example.com #00000000"
			if s.Hashed {
				want = "\n" + hash + want
			}
			require.Equal(t, want, rest)
			require.Equal(t, 1, strings.Count(first, "00000000"))
			require.NotRegexp(t, link, first)
		}
	})
}
