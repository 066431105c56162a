package directory_test

import (
	"errors"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/phone"
)

func number(t *testing.T, e164 string) phone.Number {
	t.Helper()
	n, err := phone.Stored(e164)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func person(id string) directory.Person {
	return directory.Person{ExternalID: id, Name: "Name of " + id, Active: true}
}

func inactive(id string) directory.Person {
	p := person(id)
	p.Active = false
	return p
}

func user(p directory.Person) directory.User {
	return directory.User{ID: "usr_" + p.ExternalID, Source: "hr", Person: p}
}

func users(all ...directory.Person) iter.Seq2[directory.User, error] {
	return func(yield func(directory.User, error) bool) {
		for _, p := range all {
			if !yield(user(p), nil) {
				return
			}
		}
	}
}

func rejected(line int, id string) directory.Problem {
	return directory.Problem{Line: line, Reason: "unreadable", ExternalID: id, Rejected: true}
}

// outline renders a change set as "+entered ~changed ^re-hired -left(reason)".
func outline(cs directory.ChangeSet) string {
	var parts []string
	for _, p := range cs.Enter {
		parts = append(parts, "+"+p.ExternalID)
	}
	for _, c := range cs.Change {
		mark := "~"
		if c.Rehired() {
			mark = "^"
		}
		parts = append(parts, mark+c.User.ExternalID)
	}
	for _, l := range cs.Leave {
		parts = append(parts, "-"+l.User.ExternalID+"("+string(l.Reason)+")")
	}
	return strings.Join(parts, " ")
}

func TestDiff(t *testing.T) {
	renamed := person("E1")
	renamed.Name = "Somebody Else"
	renamedInactive := renamed
	renamedInactive.Active = false
	for _, tc := range []struct {
		name      string
		stored    []directory.Person
		mode      directory.Mode
		feed      []directory.Person
		problems  []directory.Problem
		want      string
		unchanged int
		withheld  int
	}{
		{name: "first import", feed: []directory.Person{person("E2"), person("E1"), inactive("E3")}, want: "+E2 +E1 +E3"},
		{name: "the same again", stored: []directory.Person{person("E1"), inactive("E2")}, feed: []directory.Person{inactive("E2"), person("E1")}, unchanged: 2},
		{name: "change", stored: []directory.Person{person("E1"), person("E2")}, feed: []directory.Person{renamed, person("E2")}, want: "~E1", unchanged: 1},
		{name: "missing", stored: []directory.Person{person("E2"), person("E1"), person("E3")}, feed: []directory.Person{person("E3")}, want: "-E1(missing) -E2(missing)", unchanged: 1},
		{name: "missing from a delta", mode: directory.Delta, stored: []directory.Person{person("E1"), person("E2")}, feed: []directory.Person{person("E3")}, want: "+E3"},
		{name: "marked inactive", stored: []directory.Person{person("E1")}, feed: []directory.Person{inactive("E1")}, want: "-E1(marked_inactive)"},
		{name: "marked inactive in a delta", mode: directory.Delta, stored: []directory.Person{person("E1")}, feed: []directory.Person{renamedInactive}, want: "-E1(marked_inactive)"},
		{name: "a leaver changes no more", stored: []directory.Person{inactive("E1")}, feed: []directory.Person{renamedInactive}, unchanged: 1},
		{name: "a leaver who is missing", stored: []directory.Person{inactive("E1")}},
		{name: "re-hire", stored: []directory.Person{inactive("E1")}, feed: []directory.Person{renamed}, want: "^E1"},

		{name: "a rejected line protects its person", stored: []directory.Person{person("E1"), person("E2")}, problems: []directory.Problem{rejected(2, "E1")}, want: "-E2(missing)"},
		{name: "a rejected line never changes its person", stored: []directory.Person{person("E1")}, feed: []directory.Person{renamedInactive}, problems: []directory.Problem{rejected(2, "E1")}},
		{name: "a rejected line enters nobody", feed: []directory.Person{person("E1")}, problems: []directory.Problem{rejected(2, "E1")}},
		{name: "a line that may be anybody's", stored: []directory.Person{person("E1"), person("E2"), person("E3"), inactive("E4")},
			feed: []directory.Person{inactive("E3"), person("E5")}, problems: []directory.Problem{rejected(2, ""), rejected(9, "E1")},
			want: "+E5 -E3(marked_inactive)", withheld: 1},
		{name: "a line read in part does not protect", stored: []directory.Person{person("E1")}, problems: []directory.Problem{{Line: 2, Reason: "bad number", ExternalID: "E1"}}, want: "-E1(missing)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.mode == "" {
				tc.mode = directory.Full
			}
			cs, err := directory.Diff(users(tc.stored...), directory.Feed{Source: "hr", Mode: tc.mode, People: tc.feed, Problems: tc.problems})
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(cs); got != tc.want || cs.Unchanged != tc.unchanged || cs.LeaversWithheld != tc.withheld {
				t.Errorf("Diff = %q, %d unchanged, %d withheld; want %q, %d, %d", got, cs.Unchanged, cs.LeaversWithheld, tc.want, tc.unchanged, tc.withheld)
			}
			active := 0
			for _, p := range tc.stored {
				if p.Active {
					active++
				}
			}
			if cs.ActiveBefore != active || cs.People != len(tc.feed) || cs.Source != "hr" || cs.Mode != tc.mode || cs.Empty() != (tc.want == "") {
				t.Errorf("change set = %+v, want %d active before", cs, active)
			}
		})
	}
}

func TestDiffNamesChangedFields(t *testing.T) {
	stored := directory.Person{ExternalID: "E1", Name: "A", Groups: []string{}}
	next := directory.Person{ExternalID: "E1", Name: "B", Phone: number(t, "+447700900001"), Email: "e", Department: "d", Title: "t",
		EmploymentType: "c", Groups: []string{"g"}, Active: true}
	cs, err := directory.Diff(users(stored), directory.Feed{Source: "hr", Mode: directory.Full, People: []directory.Person{next}})
	if err != nil {
		t.Fatal(err)
	}
	want := []directory.Field{directory.FieldName, directory.FieldPhone, directory.FieldEmail, directory.FieldDepartment, directory.FieldTitle,
		directory.FieldEmploymentType, directory.FieldGroups, directory.FieldActive}
	if c := cs.Change[0]; !slices.Equal(c.Fields, want) || !reflect.DeepEqual(c.Person, next) || !reflect.DeepEqual(c.User, user(stored)) || !c.PhoneChanged() {
		t.Errorf("change = %+v", c)
	}
	stored.Groups, next = nil, stored
	if cs, err = directory.Diff(users(stored), directory.Feed{Source: "hr", Mode: directory.Full, People: []directory.Person{next}}); err != nil || !cs.Empty() {
		t.Errorf("no groups and an empty list differ: %+v, %v", cs, err)
	}
}

func TestDiffKeepsWhatTheFeedIsSilentAbout(t *testing.T) {
	stored := directory.Person{ExternalID: "E1", Name: "A", Phone: number(t, "+447700900001"), Email: "e", Department: "d", Title: "t",
		EmploymentType: "c", Groups: []string{"g"}}
	next := directory.Person{ExternalID: "E1", Name: "B", Active: true}
	feed := directory.Feed{Source: "hr", Mode: directory.Full, People: []directory.Person{next}, Silent: []directory.Field{
		directory.FieldPhone, directory.FieldEmail, directory.FieldDepartment, directory.FieldTitle, directory.FieldEmploymentType, directory.FieldGroups,
	}}
	cs, err := directory.Diff(users(stored), feed)
	if err != nil {
		t.Fatal(err)
	}
	want := stored
	want.Name, want.Active = "B", true
	if c := cs.Change[0]; !reflect.DeepEqual(c.Person, want) || !slices.Equal(c.Fields, []directory.Field{directory.FieldName, directory.FieldActive}) {
		t.Errorf("change = %+v", c)
	}
	feed.Silent = append(feed.Silent, directory.FieldName, directory.FieldActive)
	if cs, err = directory.Diff(users(stored), feed); err != nil || !cs.Empty() {
		t.Errorf("a feed that is silent about everything changes %+v, %v", cs, err)
	}
}

func TestDiffRefusesWhatNoReaderBuilds(t *testing.T) {
	good := directory.Feed{Source: "hr", Mode: directory.Full}
	broken := errors.New("broken")
	for _, tc := range []struct {
		name    string
		current iter.Seq2[directory.User, error]
		edit    func(*directory.Feed)
		says    string
	}{
		{"no source", users(), func(f *directory.Feed) { f.Source = "" }, "no source"},
		{"no mode", users(), func(f *directory.Feed) { f.Mode = "" }, `want "full" or "delta"`},
		{"no external id", users(), func(f *directory.Feed) { f.People = []directory.Person{{Name: "A"}} }, "person 1 has no external id"},
		{"twice", users(), func(f *directory.Feed) { f.People = []directory.Person{person("E1"), person("E1")} }, `"E1" twice`},
		{"another source's user", users(person("E1")), func(f *directory.Feed) { f.Source = "agency" }, `of source "hr"`},
		{"the store's error", func(yield func(directory.User, error) bool) { yield(directory.User{}, broken) }, func(*directory.Feed) {}, "broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			feed := good
			tc.edit(&feed)
			if cs, err := directory.Diff(tc.current, feed); err == nil || !strings.Contains(err.Error(), tc.says) || !cs.Empty() {
				t.Errorf("Diff = %+v, %v; want an error with %q", cs, err, tc.says)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	usual := directory.Guard{MaxLeaversPercent: 10, Floor: 5}
	for _, tc := range []struct {
		name            string
		guard           directory.Guard
		mode            directory.Mode
		leavers, active int
		people          int
		refused         bool
	}{
		{"nobody", usual, directory.Full, 0, 100, 100, false},
		{"exactly 10 %", usual, directory.Full, 5, 50, 45, false},
		{"just over 10 %", usual, directory.Full, 5, 49, 44, true},
		{"one more", usual, directory.Full, 6, 50, 44, true},
		{"four of ten", usual, directory.Full, 4, 10, 6, false},
		{"five of ten", usual, directory.Full, 5, 10, 5, true},
		{"10 % of many", usual, directory.Full, 100_000, 1_000_000, 900_000, false},
		{"a person over 10 % of many", usual, directory.Full, 100_001, 1_000_000, 899_999, true},
		{"marked inactive in a delta", usual, directory.Delta, 6, 50, 6, true},
		{"nobody in the file", usual, directory.Full, 3, 3, 0, true},
		{"nobody in the file, leavers withheld", usual, directory.Full, 0, 3, 0, true},
		{"nobody in the file, nobody here", usual, directory.Full, 0, 0, 0, false},
		{"nobody in a delta", usual, directory.Delta, 0, 3, 0, false},
		{"zero guard", directory.Guard{}, directory.Full, 1, 1000, 999, true},
		{"zero guard, nobody", directory.Guard{}, directory.Full, 0, 1000, 1000, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.guard.Check(directory.ChangeSet{Mode: tc.mode, People: tc.people, ActiveBefore: tc.active, Leave: make([]directory.Leaving, tc.leavers)})
			var refused *directory.GuardError
			if errors.As(err, &refused) != tc.refused {
				t.Fatalf("Check = %v, want refused: %v", err, tc.refused)
			}
			if tc.refused && (refused.Leavers != tc.leavers || refused.Active != tc.active || refused.Empty != (tc.people == 0)) {
				t.Errorf("Check = %+v", refused)
			}
		})
	}
}

func TestGuardCountsNumbers(t *testing.T) {
	change := func(before, after string) directory.Change {
		was, will := person("x"), person("x")
		if before != "" {
			was.Phone = number(t, before)
		}
		if after != "" {
			will.Phone = number(t, after)
		}
		return directory.Change{User: user(was), Person: will, Fields: was.Changed(will)}
	}
	const one, two = "+447700900001", "+447700900002"
	for _, tc := range []struct {
		name    string
		change  directory.Change
		times   int
		refused bool
	}{
		{"five lose theirs", change(one, ""), 5, true},
		{"five change theirs", change(one, two), 5, true},
		{"four lose theirs", change(one, ""), 4, false},
		{"five get their first", change("", one), 5, false},
		{"five change nothing of it", change(one, one), 5, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cs := directory.ChangeSet{Mode: directory.Full, People: 40, ActiveBefore: 40}
			for range tc.times {
				cs.Change = append(cs.Change, tc.change)
			}
			err := directory.Guard{MaxLeaversPercent: 10, Floor: 5}.Check(cs)
			var refused *directory.GuardError
			if errors.As(err, &refused) != tc.refused {
				t.Fatalf("Check = %v, want refused: %v", err, tc.refused)
			}
			if tc.refused && refused.Numbers != 5 {
				t.Errorf("Check = %+v", refused)
			}
		})
	}
}
