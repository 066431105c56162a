// Package limittest is the contract of limit.Store: a suite that every store passes, and a store in
// memory that keeps it by the decision function of package limit.
package limittest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/origin"
)

// Memory is a limit.Store of one process. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	meters  map[meterKey]map[string]int64
	minutes map[int64]int
	blocks  map[string]limit.Block
	failing error
}

type meterKey struct {
	source  origin.Source // "" for the network's
	network origin.Network
	kind    limit.Kind
}

// NewMemory returns an empty Memory that goes by now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, meters: map[meterKey]map[string]int64{}, minutes: map[int64]int{}, blocks: map[string]limit.Block{}}
}

// Fail makes every method fail with err from now on; nil ends it.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err
}

func keyOf(from origin.Origin, place limit.Place) meterKey {
	key := meterKey{network: from.Network, kind: place.Kind}
	if place.Around == limit.Source {
		key.source = from.Source
	}
	return key
}

// Take implements limit.Counters.
func (m *Memory) Take(_ context.Context, claim limit.Claim) (limit.Taken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return limit.Taken{}, m.failing
	}
	now := m.now().UnixMilli()
	var taken limit.Taken
	for _, meter := range claim.Meters {
		stamps, present := m.read(meter, now)
		taken.Readings = append(taken.Readings, meter.Read(stamps, present, now))
	}
	admitted := limit.Admits(claim.Meters, taken.Readings)
	for i, meter := range claim.Meters {
		if r := taken.Readings[i]; admitted && r.Stamp > 0 {
			key := keyOf(meter.From, meter.Place)
			if m.meters[key] == nil {
				m.meters[key] = map[string]int64{}
			}
			m.meters[key][meter.Member] = r.Stamp
		}
	}
	if claim.All && (admitted || !claim.Careful) {
		taken.Minute, taken.Total = limit.Minute(now), m.all(now).Total()
		m.minutes[taken.Minute]++
	}
	return taken, nil
}

// read forgets what the meter does not keep, and returns the rest.
func (m *Memory) read(meter limit.Meter, now int64) (stamps []int64, present int64) {
	members := m.meters[keyOf(meter.From, meter.Place)]
	for member, stamp := range members {
		if stamp <= now-meter.Keep.Milliseconds() {
			delete(members, member)
			continue
		}
		stamps = append(stamps, stamp)
	}
	slices.Sort(stamps)
	return stamps, members[meter.Member]
}

func (m *Memory) all(now int64) limit.All {
	all := limit.All{Now: now, Minutes: map[int64]int{}}
	for minute, n := range m.minutes {
		if limit.Remembered(minute, limit.Minute(now)) && n > 0 {
			all.Minutes[minute] = n
		}
	}
	return all
}

// All implements limit.Counters.
func (m *Memory) All(context.Context) (limit.All, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all(m.now().UnixMilli()), m.failing
}

// Return implements limit.Counters.
func (m *Memory) Return(_ context.Context, back []limit.Return) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	for _, b := range back {
		for _, c := range b.Members {
			members := m.meters[keyOf(c.From, c.Place)]
			stamp, there := members[c.Member]
			switch {
			case !there || c.Stamp != 0 && c.Stamp != stamp:
			case c.Previous != 0:
				members[c.Member] = c.Previous
			default:
				delete(members, c.Member)
			}
		}
		m.minutes[b.Minute] = max(0, m.minutes[b.Minute]-1)
	}
	return nil
}

// Forget implements limit.Counters.
func (m *Memory) Forget(_ context.Context, from origin.Origin, place limit.Place) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.meters, keyOf(from, place))
	return m.failing
}

// ForgetAll implements limit.Counters.
func (m *Memory) ForgetAll(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minutes = map[int64]int{}
	return m.failing
}
