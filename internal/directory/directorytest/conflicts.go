package directorytest

import (
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/phone"
)

func testConflicts(t *testing.T, h harness) {
	const shared, alsoShared = "+447700900020", "+447700900010"
	gone := person(t, "E6", shared)
	gone.Active = false
	applied := h.enter(source, person(t, "E2", shared), person(t, "E1", shared), person(t, "E3", "+447700900003"),
		person(t, "E4", alsoShared), person(t, "E5", alsoShared), gone, person(t, "E7", ""), person(t, "E8", ""))
	want := []string{alsoShared + " hr/E4 hr/E5", shared + " hr/E1 hr/E2"}
	wantConflicts(t, applied, want...)
	// Old conflicts are listed until they are solved.
	applied = h.apply(source, func(map[string]directory.User) directory.ChangeSet { return directory.ChangeSet{} })
	wantConflicts(t, applied, want...)
	applied = h.apply(source, func(users map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{
			Change: []directory.Change{changed(users["E4"], func(p *directory.Person) { p.Phone = phone.Number{} })},
			Leave:  []directory.Leaving{leaving(users["E1"])},
		}
	})
	wantConflicts(t, applied)
}

func testConflictsAcross(t *testing.T, h harness) {
	const shared = "+447700900020"
	wantConflicts(t, h.enter("hr", person(t, "E1", shared)))
	wantConflicts(t, h.enter("agency", person(t, "A1", shared)), shared+" agency/A1 hr/E1")
	wantConflicts(t, h.enter("hr", person(t, "E2", "")), shared+" agency/A1 hr/E1")
	wantConflicts(t, h.enter("third", person(t, "T1", ""))) // not its people's
}

func testConflictsDryRun(t *testing.T, h harness) {
	const shared = "+447700900020"
	h.enter(source, person(t, "E1", shared))
	applied := h.run(source, true, func(map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{Enter: []directory.Person{person(t, "E2", shared)}}
	})
	wantConflicts(t, applied, shared+" hr/E1 hr/E2")
}

func wantConflicts(t *testing.T, applied directory.Applied, want ...string) {
	t.Helper()
	var got []string
	for _, c := range applied.Conflicts {
		text := c.Phone.E164()
		for _, u := range c.Users {
			text += " " + u.Source + "/" + u.ExternalID
			if u.Phone != c.Phone || !u.Active || u.ID == "" {
				t.Errorf("conflict of %s lists %+v", c.Phone, u)
			}
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("conflicts = %q, want %q", got, want)
	}
}
