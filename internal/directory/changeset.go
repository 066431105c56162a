package directory

import (
	"crypto/rand"
	"slices"
	"strings"
)

// ChangeSet is what a feed asks of one source's users. It is applied whole or not at all.
type ChangeSet struct {
	Source string
	Mode   Mode
	// People is how many people the feed holds, rejected lines not counted.
	People int
	// ActiveBefore is how many of the source's users are active before the change.
	ActiveBefore int

	// Enter are the people new to us, in the feed's order. Somebody whom HR lists as inactive
	// enters as an inactive user: a later re-hire is then the same user.
	Enter []Person
	// Change and Leave are in order of name, then of external id.
	Change []Change
	Leave  []Leaving

	// Unchanged is how many users of the source the feed confirms as they are.
	Unchanged int
	// LeaversWithheld is how many active users are missing from the feed, but stay because
	// WithheldLines could not be read and say not whom they are about.
	LeaversWithheld int
	WithheldLines   []int
}

// Change is a user about whom HR now says something else.
type Change struct {
	// User is as stored.
	User User
	// Person is as it will be. Its ExternalID is the user's.
	Person Person
	// Fields are the parts that differ, at least one.
	Fields []Field
}

// Rehired reports whether the user comes back: was inactive and will be active. They keep their
// ID, and the store leaves no session of old times alive.
func (c Change) Rehired() bool { return !c.User.Active && c.Person.Active }

// Leaving is an active user who becomes inactive, and otherwise stays as stored.
type Leaving struct {
	User   User
	Reason Reason
}

// Reason says why somebody leaves.
type Reason string

const (
	// Missing is being absent from a full feed.
	Missing Reason = "missing"
	// MarkedInactive is being listed by HR as inactive.
	MarkedInactive Reason = "marked_inactive"
)

// Empty reports whether nothing would be written.
func (cs ChangeSet) Empty() bool {
	return len(cs.Enter) == 0 && len(cs.Change) == 0 && len(cs.Leave) == 0
}

// Rehired counts the changes that bring somebody back.
func (cs ChangeSet) Rehired() int {
	n := 0
	for _, c := range cs.Change {
		if c.Rehired() {
			n++
		}
	}
	return n
}

// NewUserID returns a new User.ID: "usr_" and at least 128 random bits in lower-case base 32.
func NewUserID() string { return "usr_" + strings.ToLower(rand.Text()) }

// PhoneChanged reports whether the number that proved the user's sessions is no longer theirs.
func (c Change) PhoneChanged() bool { return slices.Contains(c.Fields, FieldPhone) }
