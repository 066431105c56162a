package spend

import (
	"context"
	"time"
)

// TicketLife is how long a text can be given back. No code lives longer, so nobody tries for longer.
const TicketLife = 10 * time.Minute

// Store keeps the counters of all replicas. Each method is one atomic step by one clock. Calls with an
// id may arrive twice and then count once. An error is an outage.Error if the store is away.
type Store interface {
	// Take decides p as Decide does and applies the outcome.
	Take(ctx context.Context, id string, p Plan) (Outcome, error)
	// Return takes back the counts of the Take with that id, in windows that last still. Without
	// such a Take in the last TicketLife, and the second time, it does nothing.
	Return(ctx context.Context, id string, counts []Count) error
	// Raise adds 1 to a counter.
	Raise(ctx context.Context, id string, c Counter) error
	// Pause pauses a country for so long and reports true, unless it is paused already or its
	// JudgeFrom is not from any more. JudgeFrom becomes the end of the pause. What it knows of pauses is
	// forgotten keep after the last of them began.
	Pause(ctx context.Context, id, country string, from time.Time, pause, keep time.Duration) (bool, error)
	// Resume ends a country's pause; JudgeFrom becomes now. Without a pause it does nothing.
	Resume(ctx context.Context, country string) error
	// Read returns all but Blocks.
	Read(ctx context.Context) (State, error)
}

// Pause is what is known of a country that was paused.
type Pause struct {
	// Until is the end of its pause, past or to come.
	Until time.Time
	// JudgeFrom is since when its texts are judged: earlier ones have been.
	JudgeFrom time.Time
}

// State is what a store holds at one time. It implements Counters.
type State struct {
	Now time.Time
	// Ends are the ends of the windows.
	Ends     [Windows]time.Time
	Counters map[Counter]int64
	Pauses   map[string]Pause
}

// Count implements Counters.
func (s State) Count(c Counter) int64 { return s.Counters[c] }

// PausedUntil implements Counters.
func (s State) PausedUntil(country string) time.Time { return s.Pauses[country].Until }
