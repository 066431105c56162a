// Package spendtest is the contract of spend.Store: a suite that every store passes, and a store in
// memory that is made of the package's own pure functions.
package spendtest

import (
	"context"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/spend"
)

// Memory is a spend.Store in memory. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	windows [spend.Windows]window
	pauses  map[string]pause
	taken   map[string]taken
}

type window struct {
	number int64
	counts map[string]int64
}

type pause struct {
	spend.Pause
	by string
}

// taken is what a call did, so that the same call again answers alike.
type taken struct {
	outcome spend.Outcome
	windows [spend.Windows]int64
	until   time.Time
}

// NewMemory returns an empty store that goes by now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, pauses: map[string]pause{}, taken: map[string]taken{}}
}

// view is the store at one time.
type view struct {
	*Memory
	now time.Time
}

// Count implements spend.Counters.
func (v view) Count(c spend.Counter) int64 {
	w := v.windows[c.Window]
	if c.Window.At(v.now, w.number) != w.number {
		return 0
	}
	return w.counts[c.Name]
}

// PausedUntil implements spend.Counters.
func (v view) PausedUntil(country string) time.Time { return v.pauses[country].Until }

func (v view) set(c spend.Counter, n int64) {
	w := &v.windows[c.Window]
	if at := c.Window.At(v.now, w.number); at != w.number || w.counts == nil {
		*w = window{at, map[string]int64{}}
	}
	w.counts[c.Name] = n
}

// Take implements spend.Store.
func (m *Memory) Take(_ context.Context, id string, p spend.Plan) (spend.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := view{m, m.now()}
	if t, again := m.taken[id]; again {
		return t.outcome, nil
	}
	out := spend.Decide(p, v.now, v)
	for _, i := range out.Tell {
		v.set(p.Checks[i].Told, p.Checks[i].Level(v))
	}
	if out.Refused >= 0 {
		return out, nil
	}
	for _, c := range p.Counts {
		v.set(c.Counter, v.Count(c.Counter)+c.Add)
	}
	t := taken{outcome: out, until: v.now.Add(spend.TicketLife)}
	for i := range t.windows {
		t.windows[i] = m.windows[i].number
	}
	m.taken[id] = t
	return out, nil
}

// Return implements spend.Store.
func (m *Memory) Return(_ context.Context, id string, counts []spend.Count) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.taken[id]
	delete(m.taken, id)
	if !ok || !m.now().Before(t.until) {
		return nil
	}
	for _, c := range counts {
		if w := m.windows[c.Window]; w.number == t.windows[c.Window] {
			w.counts[c.Name] -= c.Add
		}
	}
	return nil
}

// Raise implements spend.Store.
func (m *Memory) Raise(_ context.Context, id string, c spend.Counter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.taken[id]; again {
		return nil
	}
	v := view{m, m.now()}
	m.taken[id] = taken{}
	v.set(c, v.Count(c)+1)
	return nil
}

// Pause implements spend.Store.
func (m *Memory) Pause(_ context.Context, id, country string, from time.Time, length, _ time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, p := m.now(), m.pauses[country]
	if p.by == id {
		return true, nil
	}
	if now.Before(p.Until) || !p.JudgeFrom.Equal(from) {
		return false, nil
	}
	until := now.Add(length).UTC()
	m.pauses[country] = pause{spend.Pause{Until: until, JudgeFrom: until}, id}
	return true, nil
}

// Resume implements spend.Store.
func (m *Memory) Resume(_ context.Context, country string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, p := m.now(), m.pauses[country]
	if now.Before(p.Until) {
		m.pauses[country] = pause{spend.Pause{Until: now.UTC(), JudgeFrom: now.UTC()}, ""}
	}
	return nil
}

// Read implements spend.Store.
func (m *Memory) Read(context.Context) (spend.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	s := spend.State{Now: now.UTC(), Counters: map[spend.Counter]int64{}, Pauses: map[string]spend.Pause{}}
	for i, w := range m.windows {
		kind := spend.Window(i)
		at := kind.At(now, w.number)
		s.Ends[i] = kind.End(at)
		if at != w.number || kind == spend.Blocks {
			continue
		}
		for name, n := range w.counts {
			s.Counters[spend.Counter{Window: kind, Name: name}] = n
		}
	}
	for country, p := range m.pauses {
		s.Pauses[country] = p.Pause
	}
	return s, nil
}
