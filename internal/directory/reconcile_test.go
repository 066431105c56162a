package directory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/devpage/sample"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/directorytest"
	"github.com/latchkey-id/latchkey/internal/directory/hrfeed"
	"github.com/latchkey-id/latchkey/internal/phone"
)

var usual = directory.Options{Guard: directory.Guard{MaxLeaversPercent: 10, Floor: 5}, Actor: "test"}

func parse(t *testing.T, csv string) directory.Feed {
	t.Helper()
	feed, err := hrfeed.Read(strings.NewReader(csv), hrfeed.Options{
		Source: "hr", Mode: directory.Full, Phone: phone.Parser{Region: "GB", AllowFictional: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// staff returns a store that knows the sample staff.
func staff(t *testing.T) *directorytest.Memory {
	t.Helper()
	store := directorytest.NewMemory(time.Now)
	if _, err := directory.Reconcile(t.Context(), store, parse(t, string(sample.Staff())), usual); err != nil {
		t.Fatal(err)
	}
	return store
}

func edited(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(string(sample.Staff()))
}

func without(ids ...string) string {
	var kept []string
	for line := range strings.Lines(string(sample.Staff())) {
		if id, _, _ := strings.Cut(line, ","); !strings.Contains(strings.Join(ids, " "), id) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func fingerprint(store *directorytest.Memory) string { return fmt.Sprintf("%+v", store.Users("hr")) }

func TestReconcileTwiceDoesNothingMore(t *testing.T) {
	store := staff(t)
	before := fingerprint(store)
	report, err := directory.Reconcile(t.Context(), store, parse(t, string(sample.Staff())), usual)
	if err != nil || !report.Changes.Empty() || report.Counts().Unchanged != 25 || !report.Applied {
		t.Errorf("Reconcile = %+v, %v", report.Counts(), err)
	}
	if fingerprint(store) != before {
		t.Error("an unchanged feed changed somebody")
	}
}

func TestReconcileSwapsNumbers(t *testing.T) {
	store := staff(t)
	report, err := directory.Reconcile(t.Context(), store, parse(t, edited("+447700900001", "+447700900002", "+447700900002", "+447700900001")), usual)
	if err != nil || report.Counts().Changed != 2 || report.Counts().Conflicts != 1 {
		t.Fatalf("Reconcile = %+v, %v", report.Counts(), err)
	}
	if u := store.Users("hr")[0]; u.Phone.E164() != "+447700900002" {
		t.Errorf("Amara has %s", u.Phone.E164())
	}
}

func TestReconcileRefuses(t *testing.T) {
	many := without("E1001", "E1002", "E1003", "E1004", "E1006")
	bad := edited("+447700900001", "12")
	for _, tc := range []struct {
		name, csv string
		edit      func(*directory.Options)
		want      any // the type of error, nil if the feed is taken
		written   bool
	}{
		{"too many leavers", many, func(*directory.Options) {}, new(*directory.GuardError), false},
		{"too many leavers, confirmed", many, func(o *directory.Options) { o.Confirmed = true }, nil, true},
		{"too many leavers in a dry run", many, func(o *directory.Options) { o.DryRun = true }, nil, false},
		{"four leavers", without("E1001", "E1002", "E1003", "E1004"), func(*directory.Options) {}, nil, true},
		{"empty", "id,name,phone\n", func(*directory.Options) {}, new(*directory.GuardError), false},
		{"empty, confirmed", "id,name,phone\n", func(o *directory.Options) { o.Confirmed = true }, nil, true},
		{"a problem", bad, func(*directory.Options) {}, nil, true},
		{"a problem, strict", bad, func(o *directory.Options) { o.Strict = true }, new(*directory.StrictError), false},
		{"a problem, strict and confirmed", bad, func(o *directory.Options) { o.Strict, o.Confirmed = true, true }, new(*directory.StrictError), false},
		{"a problem, strict, in a dry run", bad, func(o *directory.Options) { o.Strict, o.DryRun = true, true }, new(*directory.StrictError), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := staff(t)
			before := fingerprint(store)
			opts := usual
			tc.edit(&opts)
			report, err := directory.Reconcile(t.Context(), store, parse(t, tc.csv), opts)
			if tc.want == nil && err != nil || tc.want != nil && (!errors.As(err, tc.want) || report.Refused == nil) {
				t.Errorf("Reconcile = %v, refused %v; want a %T", err, report.Refused, tc.want)
			}
			if written := fingerprint(store) != before; written != tc.written || report.Applied != tc.written {
				t.Errorf("written: %v, reported %v; want %v", written, report.Applied, tc.written)
			}
		})
	}
}

func TestReconcileDryRunSaysWhatTheGuardWouldDo(t *testing.T) {
	opts := usual
	opts.DryRun = true
	report, err := directory.Reconcile(t.Context(), staff(t), parse(t, "id,name,phone\nE1001,Amara,+447700900022\nE1022,S,+447700900022\n"), opts)
	if err != nil {
		t.Fatal(err)
	}
	var refused *directory.GuardError
	if !errors.As(report.Refused, &refused) || report.Counts().Left != 22 || report.Counts().Conflicts != 1 {
		t.Errorf("refused = %v, counts = %+v", report.Refused, report.Counts())
	}
}

func TestReconcileKeepsUnreadablePeople(t *testing.T) {
	store := staff(t)
	feed := parse(t, edited("Rhys Llewellyn", "Rhys \x00")+"E1001,again,,,,,,,,\n")
	report, err := directory.Reconcile(t.Context(), store, feed, usual)
	if err != nil || !report.Changes.Empty() || report.Counts().RejectedLines != 3 {
		t.Errorf("Reconcile = %+v, %v", report.Counts(), err)
	}
}

// TestReportText compares the whole text: what HR reads is worth looking at when it changes.
// LATCHKEY_UPDATE=1 rewrites the files.
func TestReportText(t *testing.T) {
	changes := edited(
		"E1001,Amara Okafor,+447700900001", "E1001,Amara Okafor-Reid,+447700900031",
		"E1002,Rhys Llewellyn,+447700900002,,rhys.llewellyn@example.com,Engineering", "E1002,Rhys Llewellyn,4.4770E+11,,rhys.llewellyn@example.com,Sales",
		"Account Executive,,employee,terminated", "Account Executive,managers,employee,active",
		"Priya Raman", "Priya\x07Raman",
		"Logistics Planner,,employee,on leave", "Logistics Planner,,employee,leaver",
		"E1004,Zofia Wiśniewska", "E1026,Noor Baptiste",
	)
	unclosed := edited("Omar Haddad", "\"Omar Haddad")
	opts := func(edit func(*directory.Options)) directory.Options {
		o := usual
		edit(&o)
		return o
	}
	for _, tc := range []struct {
		name, csv string
		opts      directory.Options
	}{
		{"changes", changes, usual},
		{"dry_run", changes, opts(func(o *directory.Options) { o.DryRun = true })},
		{"refused", "id,name,phone,cost centre\nE1001,Amara Okafor,07700900001,7\n", usual},
		{"dry_run_refused", without("E1001", "E1002", "E1003", "E1004", "E1006"), opts(func(o *directory.Options) { o.DryRun = true })},
		{"empty", "id,name,phone\n", usual},
		{"strict", changes, opts(func(o *directory.Options) { o.Strict = true })},
		{"unclosed", unclosed, usual},
		{"nothing", string(sample.Staff()), usual},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report, _ := directory.Reconcile(t.Context(), staff(t), parse(t, tc.csv), tc.opts)
			var text bytes.Buffer
			if err := report.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+tc.name+".txt", text.Bytes())
		})
	}
	t.Run("first import", func(t *testing.T) {
		report, err := directory.Reconcile(t.Context(), directorytest.NewMemory(time.Now), parse(t, string(sample.Staff())), usual)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := report.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/first_import.txt", text.Bytes())
	})
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("LATCHKEY_UPDATE") != "" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (LATCHKEY_UPDATE=1 rewrites it):\n%s", file, got)
	}
}

func TestReportJSON(t *testing.T) {
	feed := parse(t, edited("E1001,Amara Okafor,+447700900001", "E1001,Amara Okafor,+447700900031", "E1004,", "E1026,", "E1003,Mei-Ling Chen,07700 900003", "E1003,Mei-Ling Chen,1")+"E1,\n")
	feed.Ignored = []string{"note"}
	report, err := directory.Reconcile(t.Context(), staff(t), feed, usual)
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"entered", "changed", "left", "problems", "conflicts", "withheld_lines", "ignored_columns"} {
		if _, ok := got[list].([]any); !ok {
			t.Errorf("%s is no list: %v", list, got[list])
		}
	}
	for _, want := range []string{
		`"fields":[{"field":"phone","before":"***001","after":"***031"}]`, `"fields":[{"field":"phone","before":"***003","after":""}]`,
		`"entered":1,"changed":2`, `"rejected_lines":1,"problems":2`, `"dry_run":false,"applied":true`, `"ignored_columns":["note"]`,
		`{"phone":"***020","users":[{"user_id":"usr_`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	if strings.Contains(string(out), "7700900") {
		t.Errorf("a number is not masked: %s", out)
	}
	empty, err := json.Marshal(directory.Report{})
	if err != nil || strings.Contains(string(empty), "null") {
		t.Errorf("empty report = %s, %v", empty, err)
	}
}

func TestWriteTextReturnsTheWritersError(t *testing.T) {
	if err := (directory.Report{}).WriteText(failing{}); !errors.Is(err, errFull) {
		t.Errorf("WriteText = %v, want %v", err, errFull)
	}
}

var errFull = errors.New("disk full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
