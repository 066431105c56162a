package sms_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/latchkey-id/latchkey/internal/sms"
)

func TestCodeText(t *testing.T) {
	text := sms.Text{Brand: "Latchkey", Host: "id.example.com"}
	for _, tc := range []struct {
		left time.Duration
		life string
	}{
		{5 * time.Minute, "5 minutes"},
		{5*time.Minute - time.Millisecond, "5 minutes"},
		{294 * time.Second, "4 minutes"},
		{2 * time.Minute, "2 minutes"},
		{119 * time.Second, "2 minutes"},
		{100 * time.Second, "1 minute"},
		{30 * time.Second, "1 minute"},
		{-time.Second, "1 minute"},
	} {
		want := "012345 is your Latchkey code. It expires in " + tc.life +
			". Do not share it with anyone.\n\n@id.example.com #012345"
		if got := text.Code("012345", tc.left); got != want {
			t.Errorf("Code(%v) = %q, want %q", tc.left, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	const host = "id.example.com"
	for _, tc := range []struct {
		name, brand, host string
		want              string // part of the error; empty for none
	}{
		{"good", "Latchkey", host, ""},
		{"abbreviation", "Acme Inc.", host, ""},
		{"umlaut in GSM-7", "Müller & Söhne", host, ""},
		{"loopback", "Latchkey", "127.0.0.1", ""},
		{"one word", "Latchkey", "localhost", ""},
		{"longest that fits", strings.Repeat("a", 55), host, ""},

		{"empty", "", host, "sms.brand: empty"},
		{"space", " ", host, "sms.brand: empty"},
		{"newline", "Latch\nkey", host, "line break"},
		{"control", "Latch\x00key", host, "cannot be seen"},
		{"invisible direction mark", "Latch\u202ekey", host, "cannot be seen"},
		{"invalid UTF-8", "Latch\xffkey", host, "cannot be seen"},
		{"address", "https://acme.com", host, "link"},
		{"bare domain", "acme.com", host, "link"},
		{"mail", "a@b", host, "link"},
		{"one too long", strings.Repeat("a", 56), host, "161 characters"},
		{"curly quote", "Joe’s", host, `'’' is not in the GSM-7 alphabet`},
		{"emoji", "Joe 🔑", host, `'🔑' is not`},
		{"no host", "Latchkey", "", "issuer"},
		{"host with port", "Latchkey", "id.example.com:8080", "issuer"},
		{"upper case host", "Latchkey", "ID.example.com", "issuer"},
		{"both wrong", "", "", "issuer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := sms.Text{Brand: tc.brand, Host: tc.host}.Check()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("Check = %v, want nil", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("Check = %v, want %q in it", err, tc.want)
			}
		})
	}
}

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
