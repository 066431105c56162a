package wording_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/wording"
)

func usual() wording.Options {
	return wording.Options{Brand: usualBrand, Host: usualHost, AppHashes: map[string]string{"app": hash, "web": ""}}
}

func catalog(t *testing.T, change func(*wording.Options)) *wording.Catalog {
	t.Helper()
	o := usual()
	if change != nil {
		change(&o)
	}
	c, err := wording.New(o)
	require.NoError(t, err)
	return c
}

func TestCodeTellsWholeMinutes(t *testing.T) {
	t.Parallel()
	texts := catalog(t, nil)
	for _, tc := range []struct {
		left    time.Duration
		minutes string
	}{
		{10 * time.Minute, "10"},
		{5 * time.Minute, "5"},
		{5*time.Minute - time.Millisecond, "5"},
		{294 * time.Second, "4"},
		{2 * time.Minute, "2"},
		{119 * time.Second, "2"},
		{100 * time.Second, "1"},
		{30 * time.Second, "1"},
		{-time.Second, "1"},
	} {
		want := "012345 is your Latchkey code. It expires in " + tc.minutes +
			" min. Do not share it with anyone.\n\n@id.example.com #012345"
		require.Equal(t, want, texts.Code(wording.English, "web", "012345", tc.left), "%v left", tc.left)
	}
}

func TestCodeHasTheHashOfItsClientOnly(t *testing.T) {
	t.Parallel()
	texts := catalog(t, nil)
	require.True(t, strings.HasSuffix(texts.Code("de", "app", "012345", time.Minute), "\n\nFA+9qCX9VSu\n@id.example.com #012345"))
	for _, client := range []string{"web", "other", ""} {
		require.NotContains(t, texts.Code("de", client, "012345", time.Minute), hash, "client %q", client)
	}
}

// TestSamplesAreWhatIsSent: what was measured is what Code writes, with a hash and without.
func TestSamplesAreWhatIsSent(t *testing.T) {
	t.Parallel()
	texts := catalog(t, func(o *wording.Options) { o.Brand, o.Host = longBrand, longHost })
	for _, s := range texts.Samples() {
		want := texts.Notice(s.Language, time.Unix(0, 0))
		if s.Kind == sms.KindCode {
			client := map[bool]string{true: "app", false: "web"}[s.Hashed]
			want = texts.Code(s.Language, client, "00000000", 10*time.Minute)
		}
		require.Equal(t, want, s.Body)
	}
}

func TestALanguageThatIsNotHeldIsTheDefault(t *testing.T) {
	t.Parallel()
	texts := catalog(t, func(o *wording.Options) { o.DefaultLanguage = "de-AT" })
	for _, l := range []wording.Language{"", "tlh", "de"} {
		require.Contains(t, texts.Code(l, "web", "012345", time.Minute), "012345 ist Ihr Code", "language %q", l)
		require.Contains(t, texts.Notice(l, time.Now()), "Anmeldung", "language %q", l)
	}
}

func TestNoticeTellsTheTimeInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -5*60*60))
	require.Equal(t, "Latchkey: someone signed in with your phone number at 04:30 UTC after several wrong codes. "+
		"If it was not you, tell your IT team at once.", catalog(t, nil).Notice(wording.English, at))
}

// TestABrandIsNoTemplate: what stands in the name is not filled in.
func TestABrandIsNoTemplate(t *testing.T) {
	t.Parallel()
	texts := catalog(t, func(o *wording.Options) { o.Brand = "{code} {minutes}" })
	text := texts.Code(wording.English, "web", "012345", time.Minute)
	require.True(t, strings.HasPrefix(text, "012345 is your {code} {minutes} code."), "%q", text)
}

func TestOperatorsTemplates(t *testing.T) {
	t.Parallel()
	texts := catalog(t, func(o *wording.Options) {
		o.Codes = map[string]string{
			"de":    "{code} ist der Code.",
			"de_ch": "{code} isch de Code.\n", // YAML's block texts end with a line break
			"it":    "{code} è il tuo codice {brand}, valido {minutes} min.",
			"nl":    "{code} is uw code.",
		}
		o.Notices = map[string]string{
			"it": "{brand}: accesso alle {time} dopo vari codici errati. Non sei tu? Chiama il 1234.",
			"en": "Somebody signed in.",
		}
	})
	require.Equal(t, []wording.Language{"ar", "de", "de-CH", "en", "es", "fr", "it", "nl", "pl", "pt", "zh"}, texts.Languages())
	for l, want := range map[wording.Language]string{
		"de":    "012345 ist der Code.",
		"de-CH": "012345 isch de Code.",
		"it":    "012345 è il tuo codice Latchkey, valido 5 min.",
		"fr":    "012345 est votre code Latchkey, valable 5 min. Ne le communiquez à personne.",
	} {
		require.Equal(t, want+"\n\n@id.example.com #012345", texts.Code(l, "web", "012345", 5*time.Minute))
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.Equal(t, "Latchkey: accesso alle 12:00 UTC dopo vari codici errati. Non sei tu? Chiama il 1234.", texts.Notice("it", noon))
	require.Equal(t, texts.Notice("de", noon), texts.Notice("de-CH", noon), "the wider language's")
	require.Equal(t, "Somebody signed in.", texts.Notice("nl", noon), "English, where there is none")
	own := map[wording.Language]bool{}
	for _, s := range texts.Samples() {
		own[s.Language] = own[s.Language] || s.Own && s.Kind == sms.KindCode
	}
	require.True(t, own["it"])
	require.False(t, own["fr"])
}

// TestOursGetShorter: a name in other letters makes each text UCS-2, and what does not fit at all is left
// out, except English.
func TestOursGetShorter(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, brand, host string
		english           string
		dropped           []wording.Language
	}{
		{"usual", usualBrand, usualHost, "012345 is your Latchkey code. It expires in 5 min. Do not share it with anyone.", nil},
		{"a long host", usualBrand, strings.Repeat("a", 70), "012345 is your Latchkey code. Do not share it.", nil},
		{"a longer host", usualBrand, strings.Repeat("a", 105), "012345 is your code. Do not share it.", []wording.Language{"fr", "pl"}},
		{"a short name in other letters", "Жук", "a.example", "012345 is your Жук code. Do not share it.", nil},
		{"a long name in other letters", strings.Repeat("ж", 30), longHost, "012345 is your code. Do not share it.", nil},
		{"both", strings.Repeat("ж", 30), strings.Repeat("a", 50), "012345 is your code. Do not share it.", []wording.Language{"ar", "zh"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			texts, err := wording.New(wording.Options{Brand: tc.brand, Host: tc.host})
			require.NoError(t, err)
			require.Equal(t, tc.english+"\n\n@"+tc.host+" #012345", texts.Code("en", "", "012345", 5*time.Minute))
			var dropped []wording.Language
			for _, d := range texts.Dropped() {
				require.Contains(t, d.Reason, "needs 2 texts")
				dropped = append(dropped, d.Language)
			}
			require.Equal(t, tc.dropped, dropped)
			for _, s := range texts.Samples() {
				checkSample(t, s, tc.host)
			}
		})
	}
}
