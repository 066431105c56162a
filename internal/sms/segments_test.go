package sms_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
)

func TestSegments(t *testing.T) {
	const tail = "\n\n@id.example.com #123456"
	for _, tc := range []struct {
		name, body string
		n          int
		gsm7       bool
	}{
		{"empty", "", 0, true},
		{"160 of GSM-7", strings.Repeat("a", 160), 1, true},
		{"161 of GSM-7", strings.Repeat("a", 161), 2, true},
		{"two full parts", strings.Repeat("a", 306), 2, true},
		{"one more", strings.Repeat("a", 307), 3, true},
		{"80 of the extension", strings.Repeat("€", 80), 1, true},
		{"81 of the extension", strings.Repeat("€", 81), 2, true},
		{"escape pairs are not cut", strings.Repeat("€", 153), 3, true},
		{"70 of UCS-2", strings.Repeat("ж", 70), 1, false},
		{"71 of UCS-2", strings.Repeat("ж", 71), 2, false},
		{"35 surrogate pairs", strings.Repeat("🔑", 35), 1, false},
		{"surrogate pairs are not cut", strings.Repeat("🔑", 67), 3, false},
		{"English", "123456 is your Latchkey code. It expires in 5 minutes. Do not share it with anyone." + tail, 1, true},
		{"curly quote", "123456 is your Latchkey code. It expires in 5 minutes. Don’t share it with anyone." + tail, 2, false},
		{"German", "123456 ist Ihr Latchkey-Code. Gültig für 5 Minuten. Geben Sie ihn nicht weiter." + tail, 1, true},
		{"small c cedilla is not in GSM-7", "ç", 1, false},
		{"capital C cedilla is", "Ç", 1, true},
		{"escape is not a character", "\x1b", 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if n, gsm7 := sms.Segments(tc.body); n != tc.n || gsm7 != tc.gsm7 {
				t.Errorf("Segments = %d, %t; want %d, %t", n, gsm7, tc.n, tc.gsm7)
			}
		})
	}
}

// FuzzSegments holds Segments between the bounds that lengths alone give.
func FuzzSegments(f *testing.F) {
	for _, seed := range []string{"", "abc", "€[]", "ж", "🔑", "\xff", strings.Repeat("€", 153), strings.Repeat("🔑a", 60)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		n, gsm7 := sms.Segments(body)
		if body == "" {
			return
		}
		units, single, part := len(utf16.Encode([]rune(body))), 70, 67
		if gsm7 {
			units, single, part = units+strings.Count(body, "€"), 160, 153
			for _, c := range "\f^{}\\[~]|" {
				units += strings.Count(body, string(c))
			}
		}
		if (n == 1) != (units <= single) {
			t.Errorf("%d units in %d segments", units, n)
		}
		// No part wastes more than the one unit that half a pair would have taken.
		if least, most := (units+part-1)/part, (units+part-2)/(part-1); n > 1 && (n < least || n > most) {
			t.Errorf("%d units in %d segments, want %d to %d", units, n, least, most)
		}
		if more, _ := sms.Segments(body + "a"); more < n {
			t.Errorf("one character more takes %d segments, not %d", more, n)
		}
	})
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		body        string
		used, holds int
		outside     rune // 0 for none
	}{
		{"", 0, 160, 0},
		{"abc", 3, 160, 0},
		{"a€{", 5, 160, 0},
		{"aç€", 3, 70, 'ç'},
		{"a🔑", 3, 70, '🔑'},
	} {
		used, holds := sms.Units(tc.body)
		outside, found := sms.OutsideGSM7(tc.body)
		require.Equal(t, tc.used, used, "%q", tc.body)
		require.Equal(t, tc.holds, holds, "%q", tc.body)
		require.Equal(t, tc.outside, outside, "%q", tc.body)
		require.Equal(t, tc.outside != 0, found, "%q", tc.body)
	}
}
