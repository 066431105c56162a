package limit_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// listed lists what was noted, and returns the only block.
func (b *bench) listed() limit.Block {
	b.t.Helper()
	require.NoError(b.t, b.List(b.t.Context()))
	blocks, err := b.Blocks(b.t.Context(), 10)
	require.NoError(b.t, err)
	require.Len(b.t, blocks, 1)
	return blocks[0]
}

func TestARefusalIsListedOnceAndCounted(t *testing.T) {
	b := newBench(t, nil)
	for range 30 {
		b.guess(home)
	}
	for range 3 {
		_, err := b.Guess(t.Context(), home)
		refused(t, err, rule.SourceGuesses)
	}
	block := b.listed()
	require.Regexp(t, "^[0-9a-z]{10}$", block.ID)
	require.Equal(t, limit.Block{
		ID: block.ID, Rule: rule.SourceGuesses, Subject: "source:192.0.2.1",
		Since: b.clock.Now(), Until: b.clock.Now().Add(time.Hour), Count: 3,
	}, block)
	b.clock.Advance(time.Minute)
	_, err := b.Guess(t.Context(), home)
	refused(t, err, rule.SourceGuesses)
	block.Count++
	require.Equal(t, block, b.listed())
	require.Len(t, b.blocks, 1, "told once in its life")
}

func TestALiftedBlockIsOverAtOnce(t *testing.T) {
	for _, address := range []string{"192.0.2.1", "2001:db8:1:2::3", "unix"} {
		t.Run(address, func(t *testing.T) {
			addr, _ := netip.ParseAddr(address)
			from := origin.Company(nil).Of(addr)
			b := newBench(t, nil)
			for range 20 {
				b.start(from, "number")
				b.guess(from)
			}
			_, err := b.Start(t.Context(), from, "number")
			refused(t, err, rule.SourceStarts)
			block := b.listed()
			lifted, err := b.Lift(t.Context(), " "+block.ID+"\n")
			require.NoError(t, err)
			require.Equal(t, block, lifted)
			for range 20 {
				b.start(from, "number")
			}
			for range 10 {
				b.guess(from)
			}
			_, err = b.Guess(t.Context(), from)
			refused(t, err, rule.SourceGuesses)
			_, err = b.Lift(t.Context(), block.ID)
			require.ErrorIs(t, err, limit.ErrNoBlock)
		})
	}
}

func TestALiftedNetworkIsFree(t *testing.T) {
	b := newBench(t, nil)
	for i := range 120 {
		b.guess(neighbour(i))
	}
	_, err := b.Guess(t.Context(), home)
	refused(t, err, rule.NetworkGuesses)
	require.NoError(t, b.Refresh(t.Context()))
	require.NoError(t, b.List(t.Context()))
	blocks, err := b.Blocks(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		if block.Rule == rule.NetworkGuesses {
			require.Equal(t, "network:192.0.2.0/24", block.Subject)
			_, err = b.Lift(t.Context(), block.ID)
			require.NoError(t, err)
		}
	}
	for i := range 120 {
		b.guess(neighbour(200 + i))
	}
}

func TestProtectiveModeIsABlockThatCanBeLifted(t *testing.T) {
	b := newBench(t, nil)
	b.level(300)
	refused(t, b.Refuse(b.start(home, "number")), rule.AllGuessesClosed)
	require.NoError(t, b.List(t.Context()))
	require.Len(t, b.blocks, 2)
	b.level(1)
	require.NoError(t, b.List(t.Context()))
	require.Len(t, b.blocks, 2)
	blocks, err := b.Blocks(t.Context(), 10)
	require.NoError(t, err)
	for _, block := range blocks {
		require.Equal(t, "all", block.Subject)
		require.Equal(t, block.Rule == rule.AllGuessesClosed, block.Count == 1)
	}
	_, err = b.Lift(t.Context(), blocks[0].ID)
	require.NoError(t, err)
	require.Equal(t, limit.Calm, b.Level())
	require.NoError(t, b.List(t.Context()))
	blocks, err = b.Blocks(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, blocks, "both hang on the same count")
}

func TestABlockOfANumberIsTheCallersToLift(t *testing.T) {
	b := newBench(t, nil)
	b.NoteBlock(rule.NumberGuesses, limit.NumberSubject("tag", "+44*****123"), b.clock.Now().Add(time.Hour))
	b.NoteBlock(rule.NumberGuesses, limit.NumberSubject("tag", "+44*****123"), b.clock.Now().Add(time.Minute))
	block := b.listed()
	require.Equal(t, 2, block.Count)
	require.Equal(t, b.clock.Now().Add(time.Hour), block.Until)
	tag, shown, ok := block.Number()
	require.True(t, ok)
	require.Equal(t, []string{"tag", "+44*****123"}, []string{tag, shown})
	b.NoteBlock(rule.NumberGuesses, block.Subject, b.clock.Now().Add(time.Hour))
	_, err := b.Lift(t.Context(), block.ID)
	require.NoError(t, err)
	require.NoError(t, b.List(t.Context()))
	blocks, err := b.Blocks(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, blocks, "nor is it listed again by a refusal from before")
	_, _, ok = limit.Block{Subject: "source:192.0.2.1"}.Number()
	require.False(t, ok)
}

func TestALiftThatFailsCanBeTriedAgain(t *testing.T) {
	b := newBench(t, nil)
	for range 30 {
		b.guess(home)
	}
	_, err := b.Guess(t.Context(), home)
	refused(t, err, rule.SourceGuesses)
	block := b.listed()
	b.store.Fail(outage.Wrap("redis", limit.ErrNoBlock))
	_, err = b.Lift(t.Context(), block.ID)
	require.True(t, outage.Is(err))
	b.store.Fail(nil)
	_, err = b.Lift(t.Context(), block.ID)
	require.NoError(t, err)
}
