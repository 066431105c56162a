package directorytest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/latchkey-id/latchkey/internal/directory"
)

// TestStore holds that the stores which open returns keep the promise of directory.Store. Each
// call of open returns a store without users.
func TestStore(t *testing.T, open func(t *testing.T) directory.Store) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, harness)
	}{
		{"enter keeps every field", testEnter},
		{"enter many at once", testEnterMany},
		{"change", testChange},
		{"two people swap numbers", testSwap},
		{"leave", testLeave},
		{"re-hire keeps the ID", testRehire},
		{"one change set does all kinds", testMixed},
		{"dry run leaves nothing", testDryRun},
		{"an error of plan leaves nothing", testPlanError},
		{"a change set fails whole", testWhole},
		{"plan may stop reading", testStopReading},
		{"sources are apart", testSources},
		{"conflicts", testConflicts},
		{"conflicts between sources", testConflictsAcross},
		{"conflicts of a dry run", testConflictsDryRun},
		{"a cancelled context changes nothing", testCancelled},
		{"one source's calls are serial", testSerial},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, harness{t, open(t)}) })
	}
}

func testEnter(t *testing.T, h harness) {
	full := directory.Person{
		ExternalID:     "E 1/ß",
		Name:           "Siobhán O'Neill 王",
		Phone:          number(t, "+447700900001"),
		Email:          "siobhan@example.com",
		Department:     "R&D; \"Labs\"",
		Title:          "Head, of things",
		EmploymentType: "employee",
		Groups:         []string{"a,b", "managers", "{x}"},
		Active:         true,
	}
	inactive := directory.Person{ExternalID: "E2", Name: "Owen"}
	h.enter(source, full, inactive, person(t, "e2", ""))
	users := h.users(source)
	if len(users) != 3 {
		t.Fatalf("stored %d users, want 3", len(users))
	}
	h.samePerson(users["E 1/ß"], full)
	h.samePerson(users["E2"], inactive)
	ids := map[string]bool{}
	for _, u := range users {
		ids[u.ID] = true
		if !strings.HasPrefix(u.ID, "usr_") || u.Source != source || u.CreatedAt.IsZero() || !u.UpdatedAt.Equal(u.CreatedAt) {
			t.Errorf("user = %+v", u)
		}
	}
	if len(ids) != 3 {
		t.Errorf("IDs are not unique: %v", ids)
	}
}

// testEnterMany is above what one statement can bind, on every engine.
func testEnterMany(t *testing.T, h harness) {
	const many = 7000
	people := make([]directory.Person, many)
	for i := range people {
		people[i] = person(t, fmt.Sprintf("E%d", i), fmt.Sprintf("+447700%06d", i))
	}
	h.enter(source, people...)
	h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		var cs directory.ChangeSet
		for i := range people {
			user := users[people[i].ExternalID]
			if i%2 == 0 {
				cs.Change = append(cs.Change, changed(user, func(p *directory.Person) { p.Title = "T" }))
			} else {
				cs.Leave = append(cs.Leave, leaving(user))
			}
		}
		return cs
	})
	users := h.users(source)
	titled, left := 0, 0
	for _, u := range users {
		if u.Active && u.Title == "T" {
			titled++
		} else if !u.Active && u.Title == "" {
			left++
		}
	}
	if len(users) != many || titled != many/2 || left != many/2 {
		t.Errorf("%d users, %d changed, %d left; want %d, %d, %d", len(users), titled, left, many, many/2, many/2)
	}
}

func testChange(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", "+447700900001"), person(t, "E2", "+447700900002"))
	before := h.users(source)
	next := directory.Person{ExternalID: "E1", Name: "New", Email: "n@example.com", Department: "D", Title: "T",
		EmploymentType: "contractor", Groups: []string{"g"}, Active: true}
	h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{Change: []directory.Change{changed(users["E1"], func(p *directory.Person) { *p = next })}}
	})
	after := h.users(source)
	h.samePerson(after["E1"], next)
	if was, is := before["E1"], after["E1"]; is.ID != was.ID || !is.CreatedAt.Equal(was.CreatedAt) || is.UpdatedAt.Before(was.UpdatedAt) {
		t.Errorf("changed user = %+v, was %+v", is, was)
	}
	h.same(after["E2"], before["E2"])
}

func testSwap(t *testing.T, h harness) {
	one, two := person(t, "E1", "+447700900001"), person(t, "E2", "+447700900002")
	h.enter(source, one, two)
	applied := h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{Change: []directory.Change{
			changed(users["E1"], func(p *directory.Person) { p.Phone = two.Phone }),
			changed(users["E2"], func(p *directory.Person) { p.Phone = one.Phone }),
		}}
	})
	users := h.users(source)
	if users["E1"].Phone != two.Phone || users["E2"].Phone != one.Phone || len(applied.Conflicts) > 0 {
		t.Errorf("after the swap: %+v, conflicts %v", users, applied.Conflicts)
	}
}

func testLeave(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", "+447700900001"), person(t, "E2", ""))
	before := h.users(source)
	h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{Leave: []directory.Leaving{leaving(users["E1"])}}
	})
	after := h.users(source)
	want := before["E1"].Person
	want.Active = false
	h.samePerson(after["E1"], want)
	if after["E1"].ID != before["E1"].ID || !after["E1"].CreatedAt.Equal(before["E1"].CreatedAt) {
		t.Errorf("leaver = %+v, was %+v", after["E1"], before["E1"])
	}
	h.same(after["E2"], before["E2"])
}

func testRehire(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", "+447700900001"))
	hired := h.users(source)["E1"]
	h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{Leave: []directory.Leaving{leaving(users["E1"])}}
	})
	h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		change := changed(users["E1"], func(p *directory.Person) { p.Active, p.Phone = true, number(t, "+447700900009") })
		if !change.Rehired() {
			t.Errorf("the leaver is stored as %+v", users["E1"])
		}
		return directory.ChangeSet{Change: []directory.Change{change}}
	})
	users := h.users(source)
	if u := users["E1"]; len(users) != 1 || u.ID != hired.ID || !u.CreatedAt.Equal(hired.CreatedAt) || !u.Active || u.Phone.E164() != "+447700900009" {
		t.Errorf("re-hired: %+v, want ID %s", users, hired.ID)
	}
}

func testMixed(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", "+447700900001"), person(t, "E2", "+447700900002"), person(t, "E3", "+447700900003"))
	before := h.users(source)
	// E2's number passes from a leaver to a newcomer in the same step.
	h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{
			Enter:  []directory.Person{person(t, "E4", "+447700900002")},
			Change: []directory.Change{changed(users["E1"], func(p *directory.Person) { p.Department = "Sales" })},
			Leave:  []directory.Leaving{leaving(users["E2"])},
		}
	})
	after := h.users(source)
	if len(after) != 4 || after["E1"].Department != "Sales" || after["E2"].Active || !after["E4"].Active {
		t.Errorf("users = %+v", after)
	}
	h.same(after["E3"], before["E3"])
}

func testDryRun(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", "+447700900001"), person(t, "E2", ""))
	before := h.users(source)
	h.run(source, true, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{
			Enter:  []directory.Person{person(t, "E3", "")},
			Change: []directory.Change{changed(users["E1"], func(p *directory.Person) { p.Name = "New" })},
			Leave:  []directory.Leaving{leaving(users["E2"])},
		}
	})
	h.unchanged(before)
}

func testPlanError(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", ""))
	before := h.users(source)
	refused := &directory.GuardError{Leavers: 7}
	_, err := h.store.Apply(t.Context(), source, "test", false, func(current iter.Seq2[directory.User, error]) (directory.ChangeSet, error) {
		users, err := collect(current)
		if err != nil {
			return directory.ChangeSet{}, err
		}
		return directory.ChangeSet{Source: source, Leave: []directory.Leaving{leaving(users["E1"])}}, refused
	})
	if got := (*directory.GuardError)(nil); !errors.As(err, &got) || got.Leavers != 7 {
		t.Errorf("Apply = %v, want plan's error", err)
	}
	h.unchanged(before)
}

// testWhole makes the last of several writes impossible: its user does not exist.
func testWhole(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", ""), person(t, "E2", ""))
	before := h.users(source)
	_, err := h.store.Apply(t.Context(), source, "test", false, func(iter.Seq2[directory.User, error]) (directory.ChangeSet, error) {
		stranger := directory.User{ID: directory.NewUserID(), Source: source, Person: person(t, "E9", "")}
		return directory.ChangeSet{
			Source: source,
			Enter:  []directory.Person{person(t, "E3", "")},
			Change: []directory.Change{changed(before["E1"], func(p *directory.Person) { p.Name = "New" })},
			Leave:  []directory.Leaving{leaving(before["E2"]), leaving(stranger)},
		}, nil
	})
	if err == nil {
		t.Error("Apply made somebody leave who does not exist")
	}
	h.unchanged(before)
}

func testStopReading(t *testing.T, h harness) {
	h.enter(source, person(t, "E1", ""), person(t, "E2", ""), person(t, "E3", ""))
	_, err := h.store.Apply(t.Context(), source, "test", false, func(current iter.Seq2[directory.User, error]) (directory.ChangeSet, error) {
		for _, err := range current {
			if err != nil {
				return directory.ChangeSet{}, err
			}
			break
		}
		return directory.ChangeSet{Source: source, Enter: []directory.Person{person(t, "E4", "")}}, nil
	})
	if users := h.users(source); err != nil || len(users) != 4 {
		t.Errorf("Apply = %v, %d users; want 4", err, len(users))
	}
}

func testSources(t *testing.T, h harness) {
	h.enter("hr", person(t, "E1", "+447700900001"))
	h.enter("agency", person(t, "E1", "+447700900002"), person(t, "E2", ""))
	before := h.users("hr")
	h.apply("agency", func(users map[string]directory.User) directory.ChangeSet {
		if len(users) != 2 {
			t.Errorf("agency has %d users, want 2", len(users))
		}
		return directory.ChangeSet{Leave: []directory.Leaving{leaving(users["E1"]), leaving(users["E2"])}}
	})
	h.unchanged(before)
	if u := h.users("agency")["E1"]; u.Active || u.Source != "agency" || u.ID == before["E1"].ID {
		t.Errorf("agency's E1 = %+v", u)
	}
}

func testCancelled(t *testing.T, h harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.store.Apply(ctx, source, "test", false, func(iter.Seq2[directory.User, error]) (directory.ChangeSet, error) {
		return directory.ChangeSet{Source: source, Enter: []directory.Person{person(t, "E1", "")}}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v, want %v", err, context.Canceled)
	}
	h.unchanged(nil)
}

// testSerial has every call enter somebody whose id is the number of people before: were two to
// overlap, both would choose the same.
func testSerial(t *testing.T, h harness) {
	const calls = 8
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			_, err := h.store.Apply(t.Context(), source, "test", false, func(current iter.Seq2[directory.User, error]) (directory.ChangeSet, error) {
				users, err := collect(current)
				next := directory.Person{ExternalID: fmt.Sprint(len(users)), Name: "N", Active: true}
				return directory.ChangeSet{Source: source, Enter: []directory.Person{next}}, err
			})
			if err != nil {
				t.Errorf("Apply: %v", err)
			}
		})
	}
	wg.Wait()
	if users := h.users(source); len(users) != calls {
		t.Errorf("%d users after %d calls: %+v", len(users), calls, users)
	}
}
