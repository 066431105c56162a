package limit

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/origin"
)

// Store keeps the counts of all replicas, and the list of blocks. All times are by its one clock. Its
// errors are outages where it cannot be reached: it never answers for want of an answer.
type Store interface {
	Counters
	Registry
}

// Counters count.
type Counters interface {
	// Take counts the members of all meters of a claim or, if an enforced window of one makes it wait,
	// of none, in one atomic step. Asked to, it counts at all together as well.
	Take(ctx context.Context, claim Claim) (Taken, error)
	// All returns the count of all together.
	All(ctx context.Context) (All, error)
	// Return takes back what was counted. What is there no more is none of its business.
	Return(ctx context.Context, back []Return) error
	// Forget sets a meter to nothing.
	Forget(ctx context.Context, from origin.Origin, place Place) error
	// ForgetAll sets the count of all together to nothing.
	ForgetAll(ctx context.Context) error
}

// Registry lists who is refused just now, at most MaxBlocks; of more those that end soonest are forgotten.
type Registry interface {
	// Note adds blocks, by their ID: to one that is listed already their Count, and their Until if it
	// is later. It returns those that were not. What is over is not listed.
	Note(ctx context.Context, blocks []Block) ([]Block, error)
	// Noted returns at most limit blocks, those that last longest first.
	Noted(ctx context.Context, limit int) ([]Block, error)
	// Block returns the block id, or ErrNoBlock.
	Block(ctx context.Context, id string) (Block, error)
	// Remove takes the blocks off the list, if they are on it.
	Remove(ctx context.Context, ids ...string) error
}

// MaxBlocks is how many blocks are listed at most.
const MaxBlocks = 10_000

// Claim is what one request counts.
type Claim struct {
	// Network is where all Meters lie, which a store that shards keeps together.
	Network origin.Network
	Meters  []Meter
	// All says to count a guess of all together. It lies elsewhere: it is counted at the same time and
	// whatever Meters say or, if Careful, after they have admitted the claim.
	All, Careful bool
}

// Taken is the answer to a Claim.
type Taken struct {
	// Readings are those of its Meters. If they do not admit it (Admits), nothing was counted there.
	Readings []Reading
	// Minute is the one in which all together were counted, 0 if they were not; Total how many they
	// were before.
	Minute int64
	Total  int
}

// Return is what is taken back of a Claim.
type Return struct {
	Network origin.Network
	Members []Counted
	// Minute is that of Taken, or 0.
	Minute int64
}

// Counted is one member that is taken back. One with a Stamp is left alone if it has another one by
// now; else it gets Previous, if there is one. Without a Stamp it goes in any case.
type Counted struct {
	From            origin.Origin
	Place           Place
	Member          string
	Stamp, Previous int64
}
