package directory

import "fmt"

// Guard holds back a feed that would make too many people leavers: more likely the file is short
// than the staff has gone. Its zero value lets nobody leave unconfirmed.
type Guard struct {
	// MaxLeaversPercent of a source's active people may leave in one run; exactly that many
	// still may.
	MaxLeaversPercent int
	// Floor is the number of leavers below which the percentage does not count.
	Floor int
}

// Check returns a *GuardError if cs needs a person's confirmation. A full feed without a single
// person is refused while anybody is active, whatever the settings.
func (g Guard) Check(cs ChangeSet) error {
	leavers := len(cs.Leave)
	empty := cs.Mode == Full && cs.People == 0 && cs.ActiveBefore > 0
	many := leavers > 0 && leavers >= g.Floor && leavers*100 > g.MaxLeaversPercent*cs.ActiveBefore
	if !empty && !many {
		return nil
	}
	return &GuardError{Leavers: leavers, Active: cs.ActiveBefore, MaxPercent: g.MaxLeaversPercent, Empty: empty}
}

// GuardError says that a feed was refused, and by how much.
type GuardError struct {
	// Leavers of Active people would leave; MaxPercent of them may.
	Leavers, Active, MaxPercent int
	// Empty means that the feed is a full one and holds nobody.
	Empty bool
}

// Error says what would have happened.
func (e *GuardError) Error() string {
	if e.Empty {
		return fmt.Sprintf("nobody could be read from the file, and %d people are active", e.Active)
	}
	return fmt.Sprintf("%d of %d active people would leave, more than %d %%", e.Leavers, e.Active, e.MaxPercent)
}
