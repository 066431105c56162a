package main

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

func TestParseStat(t *testing.T) {
	const stat = "4711 (a (b) c) S 1 4711 4711 0 -1 4194304 99 0 0 0 120 34 7 8 20 0 9 0 329232 3133440 383"
	got, err := parseStat(stat)
	if err != nil || got != 1540*time.Millisecond {
		t.Errorf("parseStat = %v, %v, want 1.54s", got, err)
	}
	if _, err := parseStat("4711 (short) S"); err == nil {
		t.Error("half a line was taken for a time")
	}
}

func TestSpreadOf(t *testing.T) {
	if got, want := spreadOf([]float64{3, 1, 2}), (spread{Median: 2, Min: 1, Max: 3}); got != want {
		t.Errorf("spreadOf = %v, want %v", got, want)
	}
	if got := spreadOf([]float64{5}).Median; got != 5 {
		t.Errorf("the median of 5 alone = %v", got)
	}
}

// A mistake in these numbers would text people, were the stand-in ever left out: Ofcom and NANPA
// keep these for fiction.
func TestStaffIsFictional(t *testing.T) {
	fictional := regexp.MustCompile(`^(\+447700900\d{3}|\+1[2-9]\d\d55501\d\d)$`)
	parser := phone.Parser{AllowFictional: true}
	all := staff()
	for _, number := range all {
		if parsed, err := parser.Parse(number); err != nil || parsed.E164() != number || !fictional.MatchString(number) {
			t.Errorf("%s: %v", number, err)
		}
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(all))); len(all) != people || len(distinct) != people {
		t.Errorf("%d numbers, %d of them different, want %d", len(all), len(distinct), people)
	}
}
