package wording_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms/wording"
)

func TestPick(t *testing.T) {
	t.Parallel()
	texts := catalog(t, nil)
	for _, tc := range []struct {
		requested, client, country string
		want                       wording.Language
	}{
		// what the request asks for
		{"de", "fr", "ES", "de"},
		{"de-CH", "", "", "de"},
		{"de_DE", "", "", "de"},
		{"DE", "", "", "de"},
		{" de ", "", "", "de"},
		{"pt-BR", "", "", "pt"},
		{"zh-Hant", "", "", "zh"},
		{"zh-TW", "", "", "zh"},
		{"zh-Hans-CN", "", "", "zh"},
		{"zh-cmn-Hans", "", "", "zh"},
		{"es-419", "", "", "es"},
		{"arb", "", "", "ar"},
		{"ar-u-nu-latn", "", "", "ar"},
		{"de-DE,de;q=0.9,en;q=0.8", "", "", "de"},
		{"en;q=0.5,fr", "", "", "fr"},
		{"en;q=0.5, fr;q=0.7, de;q=0.6", "", "", "fr"},
		{"tlh,pl;q=0.1", "", "", "pl"},
		{"de;q=0,fr;q=0.1", "", "", "fr"},
		{"de;Q=0.1,fr;q=0.9", "", "", "fr"},
		{"de;q=NaN,fr;q=x", "", "", "de"},
		{",,;q=1,de", "", "", "de"},

		// then the client's
		{"", "fr", "ES", "fr"},
		{"tlh", "fr-CA", "ES", "fr"},
		{"*", "fr", "", "fr"},
		{"und", "fr", "", "fr"},
		{"deutsch", "fr", "", "fr"},
		{"\xff\x00", "fr", "", "fr"},
		{"x-de", "fr", "", "fr"},
		{"de;q=0", "fr", "", "fr"},
		{"uk", "pl", "", "pl"}, // and not Russian or another that is near

		// then the country's
		{"", "", "DE", "de"},
		{"", "", "AT", "de"},
		{"", "", "CH", "de"},
		{"", "", "LI", "de"},
		{"", "", "FR", "fr"},
		{"", "", "SN", "fr"},
		{"", "", "HT", "fr"},
		{"", "", "ES", "es"},
		{"", "", "MX", "es"},
		{"", "", "AR", "es"},
		{"", "", "PY", "es"},
		{"", "", "PT", "pt"},
		{"", "", "BR", "pt"},
		{"", "", "AO", "pt"},
		{"", "", "PL", "pl"},
		{"", "", "AE", "ar"},
		{"", "", "SA", "ar"},
		{"", "", "EG", "ar"},
		{"", "", "CN", "zh"},
		{"", "", "TW", "zh"},
		{"", "", "HK", "zh"},
		{"tlh", "tlh", "PL", "pl"},

		// then the default
		{"", "", "GB", "en"},
		{"", "", "SG", "en"},
		{"", "", "BE", "en"}, // Dutch, of which we have none
		{"", "", "UA", "en"},
		{"", "", "001", "en"},
		{"", "", "ZZ", "en"},
		{"", "", "", "en"},
		{"", "", "not a country", "en"},
	} {
		require.Equal(t, tc.want, texts.Pick(tc.requested, tc.client, tc.country), "%+v", tc)
	}
}

func TestPickFindsTheClosestOfTheOperators(t *testing.T) {
	t.Parallel()
	texts := catalog(t, func(o *wording.Options) {
		o.DefaultLanguage = "pl"
		o.Codes = map[string]string{
			"pt-BR": "{code}", "zh-Hant": "{code}", "zh-HK": "{code}", "nl": "{code}", "sr-Latn": "{code}", "no": "{code}",
		}
	})
	for _, tc := range []struct {
		requested, country string
		want               wording.Language
	}{
		{"pt-BR", "", "pt-BR"},
		{"pt-PT", "", "pt"},
		{"", "BR", "pt-BR"},
		{"", "PT", "pt"},
		{"zh-TW", "", "zh-Hant"},
		{"zh-Hant-TW", "", "zh-Hant"},
		{"zh-HK", "", "zh-HK"},
		{"zh-CN", "", "zh"},
		{"zh", "", "zh"},
		{"", "TW", "zh-Hant"},
		{"sr-Latn-RS", "", "sr-Latn"},
		{"sr-RS", "", "pl"}, // in Cyrillic
		{"", "NL", "nl"},
		{"", "BE", "nl"},
		{"nb-NO", "", "no"},
		{"", "NO", "no"},
		{"", "GB", "en"},
		{"", "UA", "pl"},
	} {
		require.Equal(t, tc.want, texts.Pick(tc.requested, "", tc.country), "%+v", tc)
	}
}

// TestPickReadsNoMoreThanItMust: the header is the caller's, and may be as long as the server takes.
func TestPickReadsNoMoreThanItMust(t *testing.T) {
	texts := catalog(t, nil)
	require.Equal(t, wording.English, texts.Pick(strings.Repeat("tlh,", 64)+"de", "", ""))
	require.Equal(t, wording.Language("de"), texts.Pick(strings.Repeat("tlh,", 63)+"de", "", ""))
	work := func(n int) float64 {
		list := strings.Repeat("a,", n)
		return testing.AllocsPerRun(10, func() { texts.Pick(list, "", "") })
	}
	require.InDelta(t, work(128), work(1<<20), 1)
}

func FuzzPick(f *testing.F) {
	for _, seed := range []string{"", "de", "de-DE,de;q=0.9,*;q=0.1", "zh-Hant-TW-x-a", "i-klingon", "q=;;,", "en-GB-oed", "a-a-a-a", "de-u-co-phonebk"} {
		f.Add(seed, "fr", "DE")
		f.Add("", seed, seed)
	}
	texts, err := wording.New(usual())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, requested, client, country string) {
		l := texts.Pick(requested, client, country)
		if !slices.Contains(texts.Languages(), l) {
			t.Errorf("Pick = %q, which the catalog does not hold", l)
		}
	})
}
