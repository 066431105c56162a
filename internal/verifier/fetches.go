package verifier

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxNames is how many names from one source are told apart between two drains. A host runs a few
// services; who comes with more makes them up, and shall not push everybody else out.
const maxNames = 10

// Fetched is what one verifier fetched between two drains.
type Fetched struct {
	Name, Source string
	First, Last  time.Time // by our clock
	Count        int64
	Revision     int64 // of the key set that the last fetch got
}

// Batch is what was gathered between two drains: each verifier once, in the order of name and source.
type Batch struct {
	Fetched []Fetched
	// Dropped is how many fetches came from verifiers beyond the limit.
	Dropped int64
}

// Fetches gathers fetches in memory until they are drained. It is safe for concurrent use.
type Fetches struct {
	now   func() time.Time
	limit int

	mu       sync.Mutex
	gathered gathered
}

// gathered is what has come in since the last drain.
type gathered struct {
	verifiers map[key]*Fetched
	names     map[string]int // of a source, without others
	dropped   int64
}

type key struct{ name, source string }

func newGathered() gathered {
	return gathered{verifiers: map[key]*Fetched{}, names: map[string]int{}}
}

// NewFetches returns Fetches that remember at most limit verifiers between two drains.
func NewFetches(now func() time.Time, limit int) *Fetches {
	return &Fetches{now: now, limit: limit, gathered: newGathered()}
}

// Seen remembers one fetch of the key set as it was at a revision. The source is an IPv4 address or an IPv6
// /64, of which the caller has made sure. It is cheap enough to be called for each of many thousand
// requests a second, and for a verifier that has come since the last drain it allocates nothing.
func (f *Fetches) Seen(userAgent, source string, revision int64) {
	var space [maxName]byte
	name := appendName(space[:0], userAgent)
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.find(name, source)
	if v == nil {
		f.gathered.dropped++
		return
	}
	// The clock is read in here, so that of two fetches the later one is the last.
	at := f.now()
	if v.Count == 0 || at.Before(v.First) {
		v.First = at
	}
	if v.Count == 0 || at.After(v.Last) {
		v.Last = at
	}
	v.Count++
	v.Revision = revision
}

// find returns where a verifier's fetches go, or nil if there is no room. The caller has locked f.
func (f *Fetches) find(name []byte, source string) *Fetched {
	g := &f.gathered
	if v := g.verifiers[key{string(name), source}]; v != nil {
		return v
	}
	other := g.names[source] >= maxNames || string(name) == others
	if other {
		if v := g.verifiers[key{others, source}]; v != nil {
			return v
		}
	}
	if len(g.verifiers) >= f.limit {
		return nil
	}
	// What is kept is copied: the source may be a part of a whole request.
	k := key{name: others, source: strings.Clone(source)}
	if !other {
		k.name = string(name)
		g.names[k.source]++
	}
	v := &Fetched{Name: k.name, Source: k.source}
	g.verifiers[k] = v
	return v
}

// Drain returns what was gathered since the last Drain, and forgets it.
func (f *Fetches) Drain() Batch {
	fresh := newGathered()
	f.mu.Lock()
	taken := f.gathered
	f.gathered = fresh
	f.mu.Unlock()
	batch := Batch{Dropped: taken.dropped}
	for _, v := range taken.verifiers {
		batch.Fetched = append(batch.Fetched, *v)
	}
	slices.SortFunc(batch.Fetched, func(a, b Fetched) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source))
	})
	return batch
}

// Restore gives back a batch that could not be written; it comes again with the next Drain. The
// bounds hold all the same, and what has come in since has the room first.
func (f *Fetches) Restore(batch Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gathered.dropped += batch.Dropped
	for _, old := range batch.Fetched {
		v := f.find([]byte(old.Name), old.Source)
		if v == nil {
			f.gathered.dropped += old.Count
			continue
		}
		v.merge(old)
	}
}

// merge adds older fetches of the same verifier.
func (f *Fetched) merge(old Fetched) {
	if f.Count == 0 || old.First.Before(f.First) {
		f.First = old.First
	}
	if f.Count == 0 || old.Last.After(f.Last) {
		f.Last, f.Revision = old.Last, old.Revision
	}
	f.Count += old.Count
}
