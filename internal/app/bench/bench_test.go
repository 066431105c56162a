package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
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
	kept := regexp.MustCompile(`^(\+447700900\d{3}|\+1[2-9]\d\d55501\d\d)$`)
	parser := phone.Parser{AllowFictional: true}
	all := append(staff(), fictional(maxFictional)[people/2:]...)
	for i, number := range all {
		if !kept.MatchString(number) {
			t.Errorf("%s is not kept for fiction", number)
		}
		if i%100 > 0 { // the hundred of an area code are alike to the parser
			continue
		}
		if parsed, err := parser.Parse(number); err != nil || parsed.E164() != number {
			t.Errorf("%s: %v", number, err)
		}
	}
	const want = people/2 + maxFictional
	if distinct := slices.Compact(slices.Sorted(slices.Values(all))); len(all) != want || len(distinct) != want {
		t.Errorf("%d numbers, %d of them different, want %d", len(all), len(distinct), want)
	}
	if len(staff()) != people {
		t.Errorf("%d people on the staff, want %d", len(staff()), people)
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		args []string
		only string
		want string // in the error; empty for none
	}{
		{nil, "signin,starts,refresh,introspect,lists,signatures", ""},
		{[]string{"-only", "lists,signin"}, "lists,signin", ""},
		{[]string{"-only", "refreshes"}, "", `no part "refreshes"`},
		{[]string{"-only", ""}, "", `no part ""`},
		{[]string{"-only", "signin,"}, "", `no part ""`},
		{[]string{"-rounds", "0"}, "", "-rounds"},
		{[]string{"-rush", "0s"}, "", "-rush"},
		{[]string{"-sessions", "9999"}, "", "-sessions"},
		{[]string{"-sessions", "1048577"}, "", "-sessions"},
		{[]string{"-output", "xml"}, "", "-output"},
		{[]string{"lists"}, "", `unexpected argument "lists"`},
	} {
		o, err := parse(tc.args)
		switch {
		case tc.want == "" && (err != nil || strings.Join(o.only, ",") != tc.only):
			t.Errorf("parse(%q) = %v, %v", tc.args, o.only, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("parse(%q): %v, want %s", tc.args, err, tc.want)
		}
	}
	if o := (options{only: []string{refreshPart}}); !o.measures(signInPart, refreshPart) || o.measures(listsPart) {
		t.Error("refresh alone is not what is measured")
	}
}

// listToken is a list as a Status List Token, in the way of the draft's §4.2 and §5.1.
func listToken(t *testing.T, bits int, list []byte) []byte {
	t.Helper()
	var compressed bytes.Buffer
	z := zlib.NewWriter(&compressed)
	if _, err := z.Write(list); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	payload, err := json.Marshal(map[string]any{"status_list": map[string]any{"bits": bits, "lst": b64.EncodeToString(compressed.Bytes())}})
	if err != nil {
		t.Fatal(err)
	}
	return []byte("e30." + b64.EncodeToString(payload) + ".AAAA")
}

// The draft's own example of one bit (§4.1): b9 a3, the lowest bit first.
func TestDecodeList(t *testing.T) {
	list, err := decodeList(listToken(t, 1, []byte{0xb9, 0xa3}))
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for i := range 16 {
		if revoked(list, i) {
			got = append(got, i)
		}
	}
	if want := []int{0, 3, 4, 5, 7, 8, 9, 13, 15}; !slices.Equal(got, want) {
		t.Errorf("revoked: %v, want %v", got, want)
	}
	if revoked(list, 16) {
		t.Error("a place outside the list is revoked")
	}
	for name, wrong := range map[string][]byte{
		"two bits": listToken(t, 2, []byte{1}), "no JWT": []byte("e30.e30"), "no JSON": []byte("e30.AAAA.AAAA"), "no list": []byte("e30.e30.AAAA"),
	} {
		if _, err := decodeList(wrong); err == nil {
			t.Errorf("%s was taken for a list", name)
		}
	}
}

// Sessions that are measured in one way must not be revoked in another before.
func TestLayoutKeepsSessionsApart(t *testing.T) {
	for _, sessions := range []int{minSessions, 123_457, 1 << 20} {
		l := layout{sessions}
		if l.few() > l.many() {
			t.Errorf("of %d: %d revoked first, %d in all", sessions, l.few(), l.many())
		}
		last := l.many()
		for _, next := range []numbers{l.retired(), l.single(), l.staying(people)} {
			if next.from <= last || next.to < next.from || next.to > sessions {
				t.Errorf("of %d: %v after %d", sessions, next, last)
			}
			last = next.to
		}
		if got := l.staying(1).from % l.accounts(); got != 0 {
			t.Errorf("of %d: the first who stays is number %d of the people, want 0, of the staff", sessions, got)
		}
	}
}

func TestLoad(t *testing.T) {
	var did [3]atomic.Int64
	done, err := load(t.Context(), 3, times(30), func(_ context.Context, worker int) (timing, error) {
		did[worker].Add(1)
		return timing{}, nil
	})
	if sum := did[0].Load() + did[1].Load() + did[2].Load(); err != nil || len(done) != 30 || sum != 30 {
		t.Errorf("load did %d, told of %d, %v; want 30", sum, len(done), err)
	}
	broken := errors.New("broken")
	if _, err := load(t.Context(), 3, until(time.Minute), func(context.Context, int) (timing, error) { return timing{}, broken }); !errors.Is(err, broken) {
		t.Errorf("load = %v, want the job's error", err)
	}
	if _, err := load(t.Context(), 3, times(0), nil); err == nil {
		t.Error("nothing done is no error")
	}
}

// TestReportOfParts prints reports that lack parts.
func TestReportOfParts(t *testing.T) {
	one := figuresOf([]measurement{{timings: []timing{{token: time.Millisecond}}, took: time.Second, cpu: 10 * time.Millisecond}})
	compared := []comparison{{Algorithm: "RS256", Latchkey: one, Bare: one, CPURatio: spread{1.6, 1.6, 1.6}}}
	starts := &startFigures{Cost: spread{0.2, 0.1, 0.3}, Settings: []settingFigures{{Name: "limited", figures: one, Scripts: 3.004}, {Name: "lifted", figures: one, Scripts: 2}}}
	rush := &rushFigures{People: 5000, Seconds: 60, Texts: 4999, Answers: map[int]int{200: 4999, 503: 1}}
	lists := &listFigures{States: []listState{{}, {Sessions: 1_000_000, Revoked: 1000}}, Single: singleFigures{Other: spread{Max: 1900}}}
	for name, tc := range map[string]struct {
		report report
		want   []string
	}{
		"sign-ins":       {report{SignIns: compared, StartUps: &startTimes{}, JWKS: &jwksFigures{19_000, 462}}, []string{"SIGN-INS/S", "JWKS", "462 bytes", "start of dev"}},
		"starts":         {report{Starts: starts}, []string{"STARTS/S", "limited - lifted", "0.200", "CPU that limits add", "missed"}},
		"rush":           {report{Rush: rush}, []string{"answers 503", "texts of the rush that did not go out", "1.00", "missed"}},
		"refreshes":      {report{Refreshes: compared}, []string{"REFRESHES/S", "CPU of a refresh, RS256", "missed"}},
		"introspections": {report{Introspections: &one}, []string{"INTROSPECTIONS/S"}},
		"signatures":     {report{Signatures: []signatureComparison{{Algorithm: "ES256", Ratio: spread{1.6, 1.6, 1.6}}}}, []string{"SIGNATURES/S", "an access token, ES256", "missed"}},
		"lists":          {report{Lists: lists}, []string{"1,000,000 sessions, 0.1 % revoked", "1.90 s", "met"}},
	} {
		var table, encoded strings.Builder
		if err := errors.Join(tc.report.print(&table, "table"), tc.report.print(&encoded, "json")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tc.want {
			if !strings.Contains(table.String(), want) {
				t.Errorf("%s: the table lacks %q:\n%s", name, want, table.String())
			}
		}
		if !json.Valid([]byte(encoded.String())) {
			t.Errorf("%s: not JSON: %s", name, encoded.String())
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_048_576: "1,048,576"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %s", n, got)
		}
	}
}
