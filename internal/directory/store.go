package directory

import (
	"context"
	"iter"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Store keeps the users. It is safe for concurrent use.
type Store interface {
	// Apply runs plan inside one transaction that holds the source's lock, hands it every User
	// of the source, active or not and in no order, and applies the change set that plan
	// returns: whole, or not at all. An error of plan comes back as it is, and nothing is
	// written. Two calls for one source run one after the other. Plan may run again when the
	// transaction has to; only its last change set is applied.
	//
	// Whoever enters gets a NewUserID. Whoever changes or leaves keeps ID and CreatedAt, and
	// gets a new UpdatedAt; nobody else is written. To change or remove one who is not the
	// source's user is an error. In the same transaction end the sessions of leavers and
	// re-hired people, and those that a number proved which is no longer its user's.
	//
	// With dryRun it does all this, reads the conflicts, and rolls back. The actor is who asked,
	// for the audit log.
	Apply(ctx context.Context, source, actor string, dryRun bool, plan Plan) (Applied, error)
}

// Plan decides what to change from what is stored. The sequence can be walked once, inside the
// call; it ends after yielding an error.
type Plan func(current iter.Seq2[User, error]) (ChangeSet, error)

// Applied is what came of a change set.
type Applied struct {
	// Conflicts are all numbers that two or more active users now share, at least one of them
	// the source's; in order of number.
	Conflicts []Conflict
	// SessionsEnded counts the sessions that the change set ended.
	SessionsEnded int
}

// Conflict is one number of several active users, of any source. It signs in none of them: who
// reads the text cannot be told.
type Conflict struct {
	Phone phone.Number
	// Users are in order of source, then of external id.
	Users []User
}
