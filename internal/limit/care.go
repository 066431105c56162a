package limit

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
)

// care knows which networks may have no guess left. Guesses from there count at all together only after
// their own meters have let them in: somebody who is refused a thousand times a second must not drive all others into
// protective mode, not even until it is taken back. Networks that share a cell share the care, which costs
// them a round trip and nothing else.
type care struct {
	seed  maphash.Seed
	cells [4096]struct {
		inFlight atomic.Int32
		until    atomic.Int64 // Unix ms
	}
}

// careFor is how long care is taken of a network after a refusal.
const careFor = time.Hour

func (c *care) init() { c.seed = maphash.MakeSeed() }

func (c *care) cell(n origin.Network) int {
	return int(maphash.String(c.seed, string(n)) % uint64(len(c.cells)))
}

// begin reports whether to be careful with a guess from n; end is to be called when it is counted.
func (c *care) begin(n origin.Network, now time.Time) (end func(), careful bool) {
	cell := &c.cells[c.cell(n)]
	others := cell.inFlight.Add(1) > 1
	return func() { cell.inFlight.Add(-1) }, others || now.UnixMilli() < cell.until.Load()
}

func (c *care) refused(n origin.Network, now time.Time) {
	c.cells[c.cell(n)].until.Store(now.Add(careFor).UnixMilli())
}
