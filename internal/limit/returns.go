package limit

import "sync"

// maxReturns is how many returns wait at most, should the store be away: those beyond stay counted until
// their window has passed.
const maxReturns = 100_000

// returns wait to be taken back in one batch.
type returns struct {
	mu      sync.Mutex
	waiting []Return
}

func (r *returns) add(back ...Return) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range back {
		if (b.Minute > 0 || len(b.Members) > 0) && len(r.waiting) < maxReturns {
			r.waiting = append(r.waiting, b)
		}
	}
}

func (r *returns) drain() []Return {
	r.mu.Lock()
	defer r.mu.Unlock()
	back := r.waiting
	r.waiting = nil
	return back
}

// counted is all that a claim has counted.
func counted(claim Claim, taken Taken) Return {
	back := Return{Network: claim.Network, Minute: taken.Minute}
	for i, m := range claim.Meters {
		if r := taken.Readings[i]; r.Stamp > 0 {
			back.Members = append(back.Members, Counted{
				From: m.From, Place: m.Place, Member: m.Member, Stamp: r.Stamp, Previous: r.Previous,
			})
		}
	}
	return back
}

// unanswered is what a claim may have counted although it failed. What is not known to be its own stays
// until it is forgotten: a number may have been there before, and of all together nothing has a name.
func unanswered(claim Claim) Return {
	back := Return{Network: claim.Network}
	for _, m := range claim.Meters {
		if !m.Renew {
			back.Members = append(back.Members, Counted{From: m.From, Place: m.Place, Member: m.Member})
		}
	}
	return back
}
