package sms

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The GSM-7 alphabet (3GPP TS 23.038 §6.2.1). Each character of the extension table is sent as an
// escape and a character, so it counts two.
const (
	gsm7Basic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsm7Extension = "\f^{}\\[~]|€"
)

// What one text holds, and what one part of a split text holds: six octets of a part go to the
// header that joins them.
const (
	singleGSM7, partGSM7 = 160, 153
	singleUCS2, partUCS2 = 70, 67
)

// Segments returns how many texts the network sends, and the provider bills, for body, and whether
// body fits the GSM-7 alphabet. One character outside it makes the whole of body UCS-2. An empty
// body is no text.
func Segments(body string) (n int, gsm7 bool) {
	if strings.ContainsFunc(body, outsideGSM7) {
		return parts(body, utf16.RuneLen, singleUCS2, partUCS2), false
	}
	return parts(body, septets, singleGSM7, partGSM7), true
}

// Units returns how many units body takes of its alphabet, GSM-7 where that suffices and UCS-2
// otherwise, and how many one text holds.
func Units(body string) (used, holds int) {
	if strings.ContainsFunc(body, outsideGSM7) {
		return units(body, utf16.RuneLen), singleUCS2
	}
	return units(body, septets), singleGSM7
}

// OutsideGSM7 returns the first character of body that makes it UCS-2, if there is one.
func OutsideGSM7(body string) (r rune, found bool) {
	at := strings.IndexFunc(body, outsideGSM7)
	if at < 0 {
		return 0, false
	}
	r, _ = utf8.DecodeRuneInString(body[at:])
	return r, true
}

// parts counts greedily, because an escape pair or a surrogate pair is not cut in two: a split
// text can need more parts than its length alone says.
func parts(body string, size func(rune) int, single, part int) int {
	if units(body, size) <= single {
		return min(1, len(body))
	}
	n, used := 1, 0
	for _, r := range body {
		if used+size(r) > part {
			n, used = n+1, 0
		}
		used += size(r)
	}
	return n
}

func units(body string, size func(rune) int) int {
	total := 0
	for _, r := range body {
		total += size(r)
	}
	return total
}

func septets(r rune) int {
	if strings.ContainsRune(gsm7Extension, r) {
		return 2
	}
	return 1
}

func outsideGSM7(r rune) bool {
	return !strings.ContainsRune(gsm7Basic, r) && !strings.ContainsRune(gsm7Extension, r)
}
