package limittest

import (
	"context"
	"slices"

	"github.com/latchkey-id/latchkey/internal/limit"
)

// Note implements limit.Registry.
func (m *Memory) Note(_ context.Context, blocks []limit.Block) ([]limit.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return nil, m.failing
	}
	var fresh []limit.Block
	for _, b := range blocks {
		if !b.Until.After(m.now()) {
			continue
		}
		known, listed := m.blocks[b.ID]
		if !listed || !known.Until.After(m.now()) {
			fresh = append(fresh, b)
			m.blocks[b.ID] = b
			continue
		}
		known.Count += b.Count
		if b.Until.After(known.Until) {
			known.Until = b.Until
		}
		m.blocks[b.ID] = known
	}
	for _, b := range m.listed()[min(limit.MaxBlocks, len(m.listed())):] {
		delete(m.blocks, b.ID)
	}
	return fresh, nil
}

func (m *Memory) listed() []limit.Block {
	var blocks []limit.Block
	for _, b := range m.blocks {
		if b.Until.After(m.now()) {
			blocks = append(blocks, b)
		}
	}
	slices.SortFunc(blocks, func(a, b limit.Block) int { return b.Until.Compare(a.Until) })
	return blocks
}

// Noted implements limit.Registry.
func (m *Memory) Noted(_ context.Context, most int) ([]limit.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	blocks := m.listed()
	return blocks[:min(most, len(blocks))], m.failing
}

// Block implements limit.Registry.
func (m *Memory) Block(_ context.Context, id string) (limit.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blocks[id]
	switch {
	case m.failing != nil:
		return limit.Block{}, m.failing
	case !ok || !b.Until.After(m.now()):
		return limit.Block{}, limit.ErrNoBlock
	}
	return b, nil
}

// Remove implements limit.Registry.
func (m *Memory) Remove(_ context.Context, ids ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.blocks, id)
	}
	return m.failing
}
