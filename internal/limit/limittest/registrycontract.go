package limittest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/rule"
)

func testRegistry(run func(name string, f func(s suite))) {
	run("a block is new once, and merged from then on", blocksMerge)
	run("blocks are listed while they last, the longest first", blocksEnd)
	run("a block that is removed is new again", blocksRemoved)
	run("of too many blocks those that end soonest go", blocksBounded)
	run("of many replicas one lists a new block", raceNote)
}

func (s suite) block(id string, left time.Duration, count int) limit.Block {
	now := s.clock.Now()
	return limit.Block{
		ID: id, Rule: rule.NumberGuesses, Subject: "number:" + id + " +44*****123", Since: now, Until: now.Add(left), Count: count,
	}
}

func (s suite) note(blocks ...limit.Block) []string {
	s.Helper()
	fresh, err := s.Note(context.Background(), blocks)
	require.NoError(s.T, err)
	return ids(fresh)
}

func ids(blocks []limit.Block) []string {
	var of []string
	for _, b := range blocks {
		of = append(of, b.ID)
	}
	return of
}

func (s suite) noted(most int) []limit.Block {
	s.Helper()
	blocks, err := s.Noted(context.Background(), most)
	require.NoError(s.T, err)
	return blocks
}

func blocksMerge(s suite) {
	first := s.block("a", time.Hour, 2)
	require.Equal(s.T, []string{"a"}, s.note(first))
	s.clock.Advance(time.Minute)
	require.Equal(s.T, []string{"b"}, s.note(s.block("a", time.Minute, 3), s.block("b", time.Minute, 1)))
	first.Count = 5
	got, err := s.Block(context.Background(), "a")
	require.NoError(s.T, err)
	require.Equal(s.T, first, got, "as long as the longest, since the first")
	later := s.block("a", 2*time.Hour, 1)
	require.Empty(s.T, s.note(later))
	got, err = s.Block(context.Background(), "a")
	require.NoError(s.T, err)
	require.Equal(s.T, later.Until, got.Until)
	require.Equal(s.T, 6, got.Count)
}

func blocksEnd(s suite) {
	require.Empty(s.T, s.noted(10))
	require.Equal(s.T, []string{"short", "long", "middle"},
		s.note(s.block("short", time.Second, 1), s.block("long", time.Hour, 1), s.block("middle", time.Minute, 1), s.block("over", 0, 1)))
	require.Equal(s.T, []string{"long", "middle", "short"}, ids(s.noted(10)))
	require.Equal(s.T, []string{"long", "middle"}, ids(s.noted(2)))
	s.clock.Advance(time.Second)
	require.Equal(s.T, []string{"long", "middle"}, ids(s.noted(10)))
	_, err := s.Block(context.Background(), "short")
	require.ErrorIs(s.T, err, limit.ErrNoBlock)
	require.Equal(s.T, []string{"short"}, s.note(s.block("short", time.Hour, 7)))
	got, err := s.Block(context.Background(), "short")
	require.NoError(s.T, err)
	require.Equal(s.T, 7, got.Count, "a life of its own")
}

func blocksRemoved(s suite) {
	s.note(s.block("a", time.Hour, 2), s.block("b", time.Hour, 2))
	require.NoError(s.T, s.Remove(context.Background(), "a", "never"))
	require.Equal(s.T, []string{"b"}, ids(s.noted(10)))
	for _, id := range []string{"a", "never", ""} {
		_, err := s.Block(context.Background(), id)
		require.ErrorIs(s.T, err, limit.ErrNoBlock)
	}
	require.Equal(s.T, []string{"a"}, s.note(s.block("a", time.Hour, 1)))
	both := s.noted(10) // which end together, and stand in any order
	require.Equal(s.T, 1+2, both[0].Count+both[1].Count, "nothing is left of its first life")
}

func blocksBounded(s suite) {
	const beyond = 20
	var blocks []limit.Block
	for i := range limit.MaxBlocks + beyond {
		blocks = append(blocks, s.block(fmt.Sprintf("%05d", i), time.Hour+time.Duration(i)*time.Second, 1))
	}
	for len(blocks) > 0 {
		n := min(1000, len(blocks))
		s.note(blocks[:n]...)
		blocks = blocks[n:]
	}
	_, err := s.Block(context.Background(), fmt.Sprintf("%05d", beyond-1))
	require.ErrorIs(s.T, err, limit.ErrNoBlock)
	_, err = s.Block(context.Background(), fmt.Sprintf("%05d", beyond))
	require.NoError(s.T, err)
	if !testing.Short() {
		require.Len(s.T, s.noted(2*limit.MaxBlocks), limit.MaxBlocks)
	}
}

func raceNote(s suite) {
	told := Race(50, func(int) error {
		fresh, err := s.Note(context.Background(), []limit.Block{s.block("a", time.Hour, 1)})
		if err == nil && len(fresh) == 0 {
			return limit.ErrNoBlock
		}
		return err
	})
	require.Equal(s.T, 1, told)
	require.Equal(s.T, 50, s.noted(1)[0].Count)
}
