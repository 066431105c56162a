package limit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/limit/limittest"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/rule"
)

var (
	home   = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}
	office = origin.Origin{Source: "203.0.113.7", Network: "203.0.113.0/24", Listed: true}
)

// nth is a source of its own in a network of its own.
func nth(i int) origin.Origin {
	block := fmt.Sprintf("10.%d.%d.", i/200, i%200)
	return origin.Origin{Source: origin.Source(block + "1"), Network: origin.Network(block + "0/24")}
}

// neighbour is a source in home's network.
func neighbour(i int) origin.Origin {
	return origin.Origin{Source: origin.Source(fmt.Sprintf("192.0.2.%d", i)), Network: home.Network}
}

// bench is a Service with what it hangs on.
type bench struct {
	*limit.Service
	t      *testing.T
	clock  *limittest.Clock
	store  *counting
	people int
	blocks []limit.Block
}

// counting is a store that counts round trips.
type counting struct {
	*limittest.Memory
	takes, careful atomic.Int32
	lost           error // answers get lost with it
}

func (c *counting) Take(ctx context.Context, claim limit.Claim) (limit.Taken, error) {
	c.takes.Add(1)
	if claim.Careful {
		c.careful.Add(1)
	}
	if ctx.Err() != nil {
		return limit.Taken{}, ctx.Err()
	}
	taken, err := c.Memory.Take(ctx, claim)
	if c.lost != nil {
		return limit.Taken{}, c.lost
	}
	return taken, err
}

func newBench(t *testing.T, change func(*limit.Rules)) *bench {
	rules := limittest.Rules
	if change != nil {
		change(&rules)
	}
	b := &bench{t: t, clock: limittest.NewClock()}
	b.store = &counting{Memory: limittest.NewMemory(b.clock.Now)}
	b.Service = limit.NewService(b.store, rules, func() int { return b.people }, limit.Options{
		Now: b.clock.Now, Blocked: func(blocks []limit.Block) { b.blocks = append(b.blocks, blocks...) },
	})
	return b
}

func (b *bench) guess(from origin.Origin) limit.Pass {
	b.t.Helper()
	p, err := b.Guess(b.t.Context(), from)
	require.NoError(b.t, err)
	return p
}

func (b *bench) start(from origin.Origin, number string) limit.Pass {
	b.t.Helper()
	p, err := b.Start(b.t.Context(), from, number)
	require.NoError(b.t, err)
	return p
}

// level has so many wrong guesses made by people all over the world.
func (b *bench) level(guesses int) {
	b.t.Helper()
	for i := range guesses {
		b.guess(nth(i))
	}
	require.NoError(b.t, b.Refresh(b.t.Context()))
}

// Guess and Start are those of somebody who has never signed in from there.
func (b *bench) Guess(ctx context.Context, from origin.Origin) (limit.Pass, error) {
	return outsider(b.Service)(b.Service.Guess(ctx, from))
}

func (b *bench) Start(ctx context.Context, from origin.Origin, number string) (limit.Pass, error) {
	return outsider(b.Service)(b.Service.Start(ctx, from, number))
}

func outsider(s *limit.Service) func(limit.Pass, error) (limit.Pass, error) {
	return func(p limit.Pass, err error) (limit.Pass, error) {
		if err == nil && p.KnownOnly {
			return p, s.Refuse(p)
		}
		return p, err
	}
}

// refused requires that err is a refusal by name.
func refused(t *testing.T, err error, name rule.Name) *limit.Error {
	t.Helper()
	var e *limit.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, name, e.Rule)
	require.Positive(t, e.RetryAfter)
	require.NotContains(t, err.Error(), "192.0.2")
	return e
}

func TestRulesOfOneOrigin(t *testing.T) {
	number := func(i int) string { return fmt.Sprint("number", i) }
	guess := func(from func(i int) origin.Origin) func(b *bench, i int) error {
		return func(b *bench, i int) error { _, err := b.Guess(b.t.Context(), from(i)); return err }
	}
	start := func(from func(i int) origin.Origin, number func(i int) string) func(b *bench, i int) error {
		return func(b *bench, i int) error { _, err := b.Start(b.t.Context(), from(i), number(i)); return err }
	}
	always := func(o origin.Origin) func(int) origin.Origin { return func(int) origin.Origin { return o } }
	same := func(int) string { return "same" }
	slowly := func(do func(b *bench, i int) error) func(b *bench, i int) error {
		return func(b *bench, i int) error { b.clock.Advance(40 * time.Second); return do(b, i) }
	}
	for name, tc := range map[string]struct {
		do   func(b *bench, i int) error
		most int
		by   rule.Name
		wait time.Duration
	}{
		"guesses of a source":        {guess(always(home)), 30, rule.SourceGuesses, time.Hour},
		"guesses of a network":       {guess(neighbour), 120, rule.NetworkGuesses, time.Hour},
		"guesses of a listed source": {guess(always(office)), 300, rule.SourceGuesses, time.Hour},
		"starts of a source":         {start(always(home), same), 20, rule.SourceStarts, 10 * time.Minute},
		"starts of a network":        {start(neighbour, same), 80, rule.NetworkStarts, 10 * time.Minute},
		"numbers of a source":        {start(always(home), number), 15, rule.SourceNumbers, time.Hour},
		"numbers of a network":       {start(neighbour, number), 60, rule.NetworkNumbers, time.Hour},
		"starts in an hour":          {slowly(start(always(home), same)), 60, rule.SourceStartsHour, time.Hour - 60*40*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(r *limit.Rules) { r.AllPerHour = 1000 })
			for i := range tc.most {
				require.NoError(t, tc.do(b, i), i)
			}
			e := refused(t, tc.do(b, tc.most), tc.by)
			require.Equal(t, tc.wait, e.RetryAfter)
			b.clock.Advance(e.RetryAfter - time.Minute)
			refused(t, tc.do(b, tc.most), tc.by)
			b.clock.Advance(time.Minute)
			require.NoError(t, tc.do(b, tc.most), "it says when it can succeed, and asking did not prolong it")
		})
	}
}

func TestALiftedRuleRefusesNothing(t *testing.T) {
	b := newBench(t, func(r *limit.Rules) { *r = limit.Rules{} })
	for i := range 400 {
		b.guess(home)
		b.start(home, fmt.Sprint(i))
	}
	require.Zero(t, b.store.takes.Load())
	require.NoError(t, b.Refresh(t.Context()))
	require.Equal(t, limit.Calm, b.Level())
}

func TestARecordedRuleIsNoted(t *testing.T) {
	b := newBench(t, func(r *limit.Rules) {
		r.GuessesPerHour, r.NetworkFactor = 2, 2
		r.RecordOnly = rule.RecordOnly{rule.SourceGuesses: true}
	})
	for range 2 {
		require.Empty(t, b.guess(home).Noted)
	}
	require.Equal(t, []rule.Name{rule.SourceGuesses}, b.guess(home).Noted)
	require.Equal(t, []rule.Name{rule.SourceGuesses}, b.guess(home).Noted)
	p, err := b.Guess(t.Context(), home)
	refused(t, err, rule.NetworkGuesses)
	require.Equal(t, []rule.Name{rule.SourceGuesses}, p.Noted, "with a refusal too")
}

func TestAListedNetworkStartsWithoutARoundTrip(t *testing.T) {
	b := newBench(t, nil)
	b.level(300)
	before := b.store.takes.Load()
	for i := range 500 {
		require.Equal(t, limit.Pass{}, b.start(office, fmt.Sprint(i)))
	}
	require.Equal(t, before, b.store.takes.Load())
	for range 300 {
		p := b.guess(office)
		require.False(t, p.Strict)
		require.Nil(t, p.Refusal)
	}
}

func TestAGuessIsOneRoundTrip(t *testing.T) {
	b := newBench(t, nil)
	for range 30 {
		b.guess(home)
	}
	require.EqualValues(t, 30, b.store.takes.Load())
	require.Zero(t, b.store.careful.Load())
}

func TestWhatIsUndoneNeverWas(t *testing.T) {
	b := newBench(t, nil)
	b.guess(nth(1))
	for i := range 100 {
		g, s := b.guess(home), b.start(home, fmt.Sprint(i))
		b.Undo(g)
		b.Undo(g)
		b.Undo(s)
		require.NoError(t, b.Flush(t.Context()))
	}
	for range 30 {
		b.guess(home)
	}
	b.start(home, "mine")
	again := b.start(home, "mine")
	b.Undo(again)
	require.NoError(t, b.Flush(t.Context()))
	for i := range 14 {
		b.start(home, fmt.Sprint(i))
	}
	_, err := b.Start(t.Context(), home, "sixteenth")
	refused(t, err, rule.SourceNumbers)
	all, err := b.store.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, 31, all.Total(), "undone twice is undone once")
	b.Undo(limit.Pass{})
}

func TestTheLevelFollowsTheGuessesOfAll(t *testing.T) {
	b := newBench(t, nil)
	b.level(99)
	require.Equal(t, limit.Calm, b.Level())
	require.False(t, b.guess(home).Strict, "the hundredth")
	require.True(t, b.guess(home).Strict, "it is told in its own answer")
	require.Equal(t, limit.Protective, b.Level())

	b.people = 1_000_000
	require.False(t, b.guess(home).Strict)
	require.NoError(t, b.Refresh(t.Context()))
	require.Equal(t, limit.Calm, b.Level())
	b.people = 0
	require.NoError(t, b.Refresh(t.Context()))
	require.Equal(t, limit.Protective, b.Level())

	b.level(197)
	require.Equal(t, limit.Protective, b.Level())
	b.level(1)
	require.Equal(t, limit.Closed, b.Level())
	b.clock.Advance(time.Hour)
	require.NoError(t, b.Refresh(t.Context()))
	require.Equal(t, limit.Closed, b.Level(), "any hour")
	b.clock.Advance(time.Minute)
	require.NoError(t, b.Refresh(t.Context()))
	require.Equal(t, limit.Calm, b.Level())
}

func TestUntrustedOriginsHaveAThirdInProtectiveMode(t *testing.T) {
	b := newBench(t, nil)
	b.level(100)
	for range 10 {
		p := b.guess(home)
		require.True(t, p.Strict)
		require.Nil(t, p.Refusal)
	}
	p := b.guess(home)
	require.Equal(t, &limit.Error{Rule: rule.SourceGuesses, RetryAfter: time.Hour, Subject: "source:192.0.2.1"}, p.Refusal)
	refused(t, b.Refuse(p), rule.SourceGuesses)
	require.NoError(t, b.Flush(t.Context()))
	for range 20 {
		require.NotNil(t, b.guess(home).Refusal, "trusted ones go on to the whole limit")
	}
	_, err := b.Guess(t.Context(), home)
	refused(t, err, rule.SourceGuesses)

	for i := range 5 {
		require.Nil(t, b.start(home, fmt.Sprint(i)).Refusal)
	}
	require.Nil(t, b.start(home, "0").Refusal, "it is one of the five")
	require.Equal(t, rule.SourceStarts, b.start(home, "0").Refusal.Rule, "six in ten minutes")
	require.Equal(t, rule.SourceNumbers, b.start(home, "sixth").Refusal.Rule, "it takes longest")
}

func TestClosedStopsStartsOfUntrustedOrigins(t *testing.T) {
	b := newBench(t, nil)
	b.level(250)
	b.clock.Advance(10 * time.Minute)
	b.level(100)
	require.Equal(t, limit.Closed, b.Level())
	p := b.start(home, "number")
	require.True(t, p.Strict)
	require.Equal(t, &limit.Error{Rule: rule.AllGuessesClosed, RetryAfter: 51 * time.Minute, Subject: "all"}, p.Refusal)
	require.Nil(t, b.guess(home).Refusal, "guesses go on")
	b.clock.Advance(51 * time.Minute)
	require.NoError(t, b.Refresh(t.Context()))
	require.Equal(t, limit.Protective, b.Level())
	require.Nil(t, b.start(home, "number").Refusal)
}

func TestLevelsThatAreOnlyRecorded(t *testing.T) {
	b := newBench(t, func(r *limit.Rules) {
		r.RecordOnly = rule.RecordOnly{rule.AllGuesses: true, rule.AllGuessesClosed: true}
	})
	b.level(300)
	p := b.start(home, "number")
	require.Equal(t, limit.Pass{Noted: []rule.Name{rule.AllGuessesClosed}}, limit.Pass{Strict: p.Strict, Refusal: p.Refusal, Noted: p.Noted})
	for range 10 {
		require.Empty(t, b.guess(home).Noted)
	}
	p = b.guess(home)
	require.False(t, p.Strict)
	require.Equal(t, []rule.Name{rule.AllGuesses}, p.Noted)
	require.NoError(t, b.List(t.Context()))
	require.Empty(t, b.blocks)
}

// Somebody who is refused must not drive all others into protective mode by going on.
func TestRefusedGuessesDoNotCountAtAll(t *testing.T) {
	b := newBench(t, nil)
	for range 30 {
		b.guess(home)
	}
	for range 500 {
		_, err := b.Guess(t.Context(), home)
		refused(t, err, rule.SourceGuesses)
	}
	all, err := b.store.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, 31, all.Total(), "the first of them, until the next flush")
	require.NoError(t, b.Flush(t.Context()))
	all, err = b.store.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, 30, all.Total())
}

// Hanging up must not undo a guess, nor count it at all together only.
func TestAGuessIsCountedAlthoughTheCallerHangsUp(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 30 {
		_, err := b.Guess(ctx, home)
		require.NoError(t, err)
	}
	_, err := b.Guess(ctx, home)
	refused(t, err, rule.SourceGuesses)
}

func TestAStoreThatIsAwayIsAnOutage(t *testing.T) {
	b := newBench(t, nil)
	away := outage.Wrap("redis", errors.New("away"))
	kept := b.guess(home)
	b.store.Fail(away)
	for range 100 {
		_, err := b.Guess(t.Context(), home)
		require.True(t, outage.Is(err))
		_, err = b.Start(t.Context(), home, "number")
		require.True(t, outage.Is(err))
	}
	b.Undo(kept)
	b.NoteBlock(rule.NumberGuesses, limit.NumberSubject("tag", "+44*****123"), b.clock.Now().Add(time.Hour))
	require.True(t, outage.Is(b.Flush(t.Context())))
	require.True(t, outage.Is(b.List(t.Context())))
	require.True(t, outage.Is(b.Refresh(t.Context())))
	b.store.Fail(nil)
	require.NoError(t, b.Flush(t.Context()))
	require.NoError(t, b.List(t.Context()))
	require.Len(t, b.blocks, 1, "what could not be listed is listed later")
	for range 30 {
		b.guess(home)
	}
}

// A guess that was counted, but not answered, was never compared: it is given back.
func TestALostAnswerCountsNothing(t *testing.T) {
	b := newBench(t, nil)
	b.store.lost = outage.Wrap("redis", errors.New("timeout"))
	for range 30 {
		_, err := b.Guess(t.Context(), home)
		require.True(t, outage.Is(err))
	}
	b.store.lost = nil
	_, err := b.Guess(t.Context(), home)
	refused(t, err, rule.SourceGuesses)
	require.NoError(t, b.Flush(t.Context()))
	b.guess(home)
}

func TestRunFlushesWhenItEnds(t *testing.T) {
	b := newBench(t, nil)
	p := b.guess(home)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Undo(p)
	b.NoteBlock(rule.NumberGuesses, "number:tag", b.clock.Now().Add(time.Hour))
	b.Run(ctx)
	all, err := b.store.All(t.Context())
	require.NoError(t, err)
	require.Zero(t, all.Total())
	require.Len(t, b.blocks, 1)
}

func TestErrorsDoNotSayWho(t *testing.T) {
	err := (&limit.Error{Rule: rule.SourceGuesses, RetryAfter: time.Minute, Subject: "source:192.0.2.1"}).Error()
	require.False(t, strings.Contains(err, "192"), err)
	require.Contains(t, err, "source_guesses")
}
