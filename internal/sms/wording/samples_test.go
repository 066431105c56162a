package wording_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/wording"
)

// Brands and hosts to be expected, and the longest that are realistic: a brand of 20 characters and a
// host of 30.
const (
	usualBrand = "Latchkey"
	usualHost  = "id.example.com"
	longBrand  = "Northwind Deliveries"
	longHost   = "signin.people.northwind-gr.com"
	hash       = "FA+9qCX9VSu"
)

// link is written apart from the package's own check: a scheme, a path, a mail address, a dotted name.
var link = regexp.MustCompile(`(?i)https?:|www\.|[/\\@]|[[:alnum:]]\.[[:alpha:]]{2}`)

// TestEveryTextIsOneSegment is the proof of security requirement M11, each text at its longest: a code
// of eight digits that lives ten minutes. The table that it prints is kept in testdata, so that a
// changed wording is seen by whoever reviews it.
func TestEveryTextIsOneSegment(t *testing.T) {
	t.Parallel()
	require.Len(t, longBrand, 20)
	require.Len(t, longHost, 30)
	for _, tc := range []struct{ file, brand, host string }{
		{"usual", usualBrand, usualHost},
		{"longest", longBrand, longHost},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			texts, err := wording.New(wording.Options{
				Brand: tc.brand, Host: tc.host, AppHashes: map[string]string{"app": hash},
			})
			require.NoError(t, err)
			require.Empty(t, texts.Dropped())
			require.Equal(t, []wording.Language{"ar", "de", "en", "es", "fr", "pl", "pt", "zh"}, texts.Languages())
			samples := texts.Samples()
			require.Len(t, samples, 3*len(texts.Languages()))
			for _, s := range samples {
				checkSample(t, s, tc.host)
			}
			table := tabulate(t, samples)
			t.Logf("brand %q, host %q:\n%s", tc.brand, tc.host, table)
			golden(t, "testdata/"+tc.file+".txt", table)
		})
	}
}

func checkSample(t *testing.T, s wording.Sample, host string) {
	t.Helper()
	n, _ := sms.Segments(s.Body)
	require.Equal(t, 1, n, "%q", s.Body)
	if s.Kind == sms.KindNotice {
		require.NotContains(t, s.Body, "\n")
		require.NotRegexp(t, link, s.Body)
		require.NotRegexp(t, `\d{4}`, s.Body, "a code, or what looks like one")
		return
	}
	const code = "00000000"
	lines := strings.Split(s.Body, "\n")
	want := []string{lines[0], "", "@" + host + " #" + code}
	if s.Hashed {
		want = slices.Insert(want, 2, hash)
		require.LessOrEqual(t, len(s.Body), 140, "SMS Retriever reads no more bytes: %q", s.Body)
	}
	require.Equal(t, want, lines)
	require.Regexp(t, "^"+code+" ", s.Body, "the code comes first")
	require.NotRegexp(t, link, lines[0])
	require.Equal(t, 2, strings.Count(s.Body, code))
}

// tabulate writes a table for people. Units are what the alphabet counts, bytes those of UTF-8.
func tabulate(t *testing.T, samples []wording.Sample) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "language\tkind\thash\tvariant\talphabet\tunits\tbytes\tsegments\ttext")
	for _, s := range samples {
		n, gsm7 := sms.Segments(s.Body)
		used, holds := sms.Units(s.Body)
		fmt.Fprintf(w, "%s\t%s\t%s\t%d of %d\t%s\t%d of %d\t%d\t%d\t%q\n", s.Language, s.Kind, yes(s.Hashed, "yes", "no"),
			s.Variant, s.Variants, yes(gsm7, "GSM-7", "UCS-2"), used, holds, len(s.Body), n, s.Body)
	}
	require.NoError(t, w.Flush())
	return out.Bytes()
}

func yes(is bool, then, otherwise string) string {
	if is {
		return then
	}
	return otherwise
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("LATCHKEY_UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s differs (LATCHKEY_UPDATE=1 rewrites it)", file)
}
