package directory

import (
	"fmt"
	"strings"
)

// Guard holds back a feed that would make too many people leavers, or change too many numbers:
// more likely the file is short, or a column damaged, than so much has happened. Its zero value
// lets neither happen unconfirmed.
type Guard struct {
	// MaxLeaversPercent of a source's active people may leave, and as many may change or lose
	// their number, in one run; exactly that many still may.
	MaxLeaversPercent int
	// Floor is the number of people below which the percentage does not count.
	Floor int
}

// Check returns a *GuardError if cs needs a person's confirmation. A full feed without a single
// person is refused while anybody is active, whatever the settings.
func (g Guard) Check(cs ChangeSet) error {
	e := GuardError{
		Leavers: len(cs.Leave), Numbers: cs.numbersLost(), Active: cs.ActiveBefore, MaxPercent: g.MaxLeaversPercent,
		Empty: cs.Mode == Full && cs.People == 0 && cs.ActiveBefore > 0,
	}
	if !e.Empty && !g.tooMany(e.Leavers, e.Active) && !g.tooMany(e.Numbers, e.Active) {
		return nil
	}
	return &e
}

func (g Guard) tooMany(n, active int) bool {
	return n > 0 && n >= g.Floor && n*100 > g.MaxLeaversPercent*active
}

// numbersLost counts the active people whose number will be another one, or none.
func (cs ChangeSet) numbersLost() int {
	n := 0
	for _, c := range cs.Change {
		if c.User.Active && c.PhoneChanged() && !c.User.Phone.IsZero() {
			n++
		}
	}
	return n
}

// GuardError says that a feed was refused, and by how much.
type GuardError struct {
	// Leavers of Active people would leave, and Numbers of them would change or lose their
	// number; MaxPercent of them may.
	Leavers, Numbers, Active, MaxPercent int
	// Empty means that the feed is a full one and holds nobody.
	Empty bool
}

// Error says what would have happened.
func (e *GuardError) Error() string {
	if e.Empty {
		return fmt.Sprintf("nobody could be read from the file, and %d people are active", e.Active)
	}
	var what []string
	if e.Leavers > 0 {
		what = append(what, fmt.Sprintf("%d of %d active people would leave", e.Leavers, e.Active))
	}
	if e.Numbers > 0 {
		what = append(what, fmt.Sprintf("%d of %d active people would change or lose their number", e.Numbers, e.Active))
	}
	return fmt.Sprintf("%s; more than %d %% needs a confirmation", strings.Join(what, ", "), e.MaxPercent)
}
