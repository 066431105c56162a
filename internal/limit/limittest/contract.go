package limittest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Rules are the product's own numbers.
var Rules = limit.Rules{
	GuessesPerHour: 30, NumbersPerHour: 15, StartsPerTenMinutes: 20, StartsPerHour: 60,
	NetworkFactor: 4, ListedGuessesPerHour: 300,
	AllPerHour: 100, AllPercent: 0.5, ClosedFactor: 3, ProtectiveDivisor: 3,
}

// Clock is a time that a test moves.
type Clock struct{ at atomic.Int64 }

// NewClock starts at a whole minute.
func NewClock() *Clock {
	c := &Clock{}
	c.at.Store(time.Now().Truncate(time.Minute).UnixMilli())
	return c
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.at.Load()) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

// TestStore runs the contract. open returns an empty store that goes by now.
func TestStore(t *testing.T, open func(t *testing.T, now func() time.Time) limit.Store) {
	run := func(name string, f func(s suite)) {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			f(suite{T: t, Store: open(t, clock.Now), clock: clock})
		})
	}
	run("a window has room for so many, and tells when it has again", windowFills)
	run("what is refused by one meter is counted by none", refusedHasNoEffect)
	run("a member that is counted takes no more room", numbersAreDifferent)
	run("a call that is sent again is counted once", repeatedCall)
	run("a recorded rule refuses nothing and its meter is bounded", recordedOnly)
	run("what is taken back is as if it had never been", takenBack)
	run("a number that another start has renewed stays", renewedStays)
	run("networks and sources are apart", apart)
	run("all together are counted by the minute for an hour", allTogether)
	run("a careful claim that is refused does not count at all together", careful)
	run("what is forgotten is forgotten", forgotten)
	run("any store decides as Memory does", likeMemory)
	run("never more guesses pass than the limit", raceGuesses)
	run("never more starts and numbers pass than the limit", raceStarts)
	testRegistry(run)
}

type suite struct {
	*testing.T
	limit.Store
	clock *Clock
}

var (
	home  = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}
	next  = origin.Origin{Source: "192.0.2.2", Network: "192.0.2.0/24"}
	other = origin.Origin{Source: "2001:db8:1:2::/64", Network: "2001:db8:1::/48"}
)

func meter(from origin.Origin, kind limit.Kind, most int, member string) limit.Meter {
	return limit.Meter{
		From: from, Place: limit.Place{Around: limit.Source, Kind: kind}, Member: member, Renew: kind == limit.Numbers,
		Keep: time.Hour, Room: most,
		Windows: []limit.Window{{Rule: rule.SourceGuesses, Length: time.Hour, Limit: most, Third: most / 3, Enforced: true}},
	}
}

func (s suite) take(claim limit.Claim) (taken limit.Taken, admitted bool) {
	s.Helper()
	taken, err := s.Take(context.Background(), claim)
	require.NoError(s.T, err)
	require.Len(s.T, taken.Readings, len(claim.Meters))
	return taken, limit.Admits(claim.Meters, taken.Readings)
}

// one takes a single meter's.
func (s suite) one(m limit.Meter) (limit.Reading, bool) {
	s.Helper()
	taken, admitted := s.take(limit.Claim{Network: m.From.Network, Meters: []limit.Meter{m}})
	return taken.Readings[0], admitted
}

func (s suite) takeBack(m limit.Meter, r limit.Reading) {
	s.Helper()
	require.NoError(s.T, s.Return(context.Background(), []limit.Return{{
		Network: m.From.Network, Members: []limit.Counted{{
			From: m.From, Place: m.Place, Member: m.Member, Stamp: r.Stamp, Previous: r.Previous,
		}},
	}}))
}

func windowFills(s suite) {
	for i := range 6 {
		r, admitted := s.one(meter(home, limit.Guesses, 6, fmt.Sprint(i)))
		require.True(s.T, admitted)
		require.Equal(s.T, s.clock.Now().UnixMilli(), r.Stamp)
		require.Zero(s.T, r.Waits[0].Full)
		if i < 2 {
			require.Zero(s.T, r.Waits[0].Third)
		} else { // the second newest must leave: that of a minute ago
			require.Equal(s.T, 58*time.Minute, r.Waits[0].Third)
		}
		s.clock.Advance(time.Minute)
	}
	r, admitted := s.one(meter(home, limit.Guesses, 6, "seventh"))
	require.False(s.T, admitted)
	require.Equal(s.T, limit.Wait{Full: 54 * time.Minute, Third: 58 * time.Minute}, r.Waits[0])
	s.clock.Advance(54*time.Minute - time.Millisecond)
	r, admitted = s.one(meter(home, limit.Guesses, 6, "seventh"))
	require.False(s.T, admitted, "in any hour")
	require.Equal(s.T, time.Millisecond, r.Waits[0].Full)
	s.clock.Advance(time.Millisecond)
	_, admitted = s.one(meter(home, limit.Guesses, 6, "seventh"))
	require.True(s.T, admitted)
	r, admitted = s.one(meter(home, limit.Guesses, 6, "eighth"))
	require.False(s.T, admitted, "the next leaves a minute later")
	require.Equal(s.T, time.Minute, r.Waits[0].Full)
}

func refusedHasNoEffect(s suite) {
	full, roomy := meter(home, limit.Starts, 1, "a"), meter(home, limit.Guesses, 3, "a")
	_, admitted := s.one(full)
	require.True(s.T, admitted)
	for i := range 5 {
		full.Member, roomy.Member = fmt.Sprint("start", i), fmt.Sprint("guess", i)
		_, admitted = s.take(limit.Claim{Network: home.Network, Meters: []limit.Meter{roomy, full}})
		require.False(s.T, admitted)
	}
	for i := range 3 {
		_, admitted = s.one(meter(home, limit.Guesses, 3, fmt.Sprint(i)))
		require.True(s.T, admitted)
	}
}

func numbersAreDifferent(s suite) {
	for i := range 3 {
		_, admitted := s.one(meter(home, limit.Numbers, 3, fmt.Sprint(i)))
		require.True(s.T, admitted)
	}
	_, admitted := s.one(meter(home, limit.Numbers, 3, "another"))
	require.False(s.T, admitted)
	s.clock.Advance(30 * time.Minute)
	r, admitted := s.one(meter(home, limit.Numbers, 3, "0"))
	require.True(s.T, admitted, "it is one of the three")
	require.Equal(s.T, s.clock.Now().UnixMilli(), r.Stamp)
	require.Equal(s.T, s.clock.Now().Add(-30*time.Minute).UnixMilli(), r.Previous)
	require.Equal(s.T, []limit.Wait{{}}, r.Waits)
	s.clock.Advance(30 * time.Minute)
	for i := range 2 {
		_, admitted = s.one(meter(home, limit.Numbers, 3, fmt.Sprint("later", i)))
		require.True(s.T, admitted, "two of the three are an hour old")
	}
	r, admitted = s.one(meter(home, limit.Numbers, 3, "another"))
	require.False(s.T, admitted, "the first was seen half an hour ago")
	require.Equal(s.T, 30*time.Minute, r.Waits[0].Full)
}

// A Cluster's client sends a script again when the answer is lost.
func repeatedCall(s suite) {
	first, _ := s.one(meter(home, limit.Guesses, 2, "a"))
	s.clock.Advance(time.Second)
	again, admitted := s.one(meter(home, limit.Guesses, 2, "a"))
	require.True(s.T, admitted)
	require.Equal(s.T, first, again)
	_, admitted = s.one(meter(home, limit.Guesses, 2, "b"))
	require.True(s.T, admitted)
	_, admitted = s.one(meter(home, limit.Guesses, 2, "b"))
	require.True(s.T, admitted, "also where it was the last one")
	_, admitted = s.one(meter(home, limit.Guesses, 2, "c"))
	require.False(s.T, admitted)
}

func recordedOnly(s suite) {
	m := meter(home, limit.Guesses, 2, "")
	m.Windows[0].Enforced = false
	for i := range 5 {
		m.Member = fmt.Sprint(i)
		r, admitted := s.one(m)
		require.True(s.T, admitted)
		require.Equal(s.T, i >= 2, r.Waits[0].Full > 0)
		require.Equal(s.T, i < 2, r.Stamp > 0, "not more than it has room for")
	}
}

func takenBack(s suite) {
	guess := meter(home, limit.Guesses, 1, "a")
	r, _ := s.one(guess)
	s.takeBack(guess, r)
	s.takeBack(guess, r)
	guess.Member = "b"
	r, admitted := s.one(guess)
	require.True(s.T, admitted)
	r.Stamp = 0 // as after a call without an answer
	s.takeBack(guess, r)
	guess.Member = "c"
	_, admitted = s.one(guess)
	require.True(s.T, admitted)

	number := meter(home, limit.Numbers, 1, "n")
	first, _ := s.one(number)
	s.clock.Advance(40 * time.Minute)
	second, _ := s.one(number)
	s.takeBack(number, second)
	s.clock.Advance(20 * time.Minute)
	number.Member = "another"
	_, admitted = s.one(number)
	require.True(s.T, admitted, "the number is as old as its first start")
	s.takeBack(number, first)
	number.Member = "third"
	_, admitted = s.one(number)
	require.False(s.T, admitted, "who is gone already takes nothing along")
}

func renewedStays(s suite) {
	number := meter(home, limit.Numbers, 1, "n")
	first, _ := s.one(number)
	second, _ := s.one(number)
	require.Greater(s.T, second.Stamp, first.Stamp, "although it is the same time")
	s.takeBack(number, first)
	number.Member = "another"
	_, admitted := s.one(number)
	require.False(s.T, admitted)
}

func apart(s suite) {
	network := meter(home, limit.Guesses, 1, "a")
	network.Place.Around = limit.Network
	for name, m := range map[string]limit.Meter{
		"a source": meter(home, limit.Guesses, 1, "a"), "its neighbour": meter(next, limit.Guesses, 1, "a"),
		"another network": meter(other, limit.Guesses, 1, "a"), "the network": network,
		"starts": meter(home, limit.Starts, 1, "a"),
	} {
		_, admitted := s.one(m)
		require.True(s.T, admitted, name)
		m.Member = "b"
		_, admitted = s.one(m)
		require.False(s.T, admitted, name)
	}
}

func (s suite) total() int {
	s.Helper()
	all, err := s.All(context.Background())
	require.NoError(s.T, err)
	require.Equal(s.T, s.clock.Now().UnixMilli(), all.Now)
	return all.Total()
}

func allTogether(s suite) {
	require.Zero(s.T, s.total())
	var minutes []int64
	for i := range 5 {
		taken, _ := s.take(limit.Claim{Network: home.Network, All: true})
		require.Equal(s.T, i, taken.Total)
		require.Equal(s.T, limit.Minute(s.clock.Now().UnixMilli()), taken.Minute)
		minutes = append(minutes, taken.Minute)
		s.clock.Advance(time.Minute)
	}
	require.Equal(s.T, 5, s.total())
	back := limit.Return{Minute: minutes[3]}
	require.NoError(s.T, s.Return(context.Background(), []limit.Return{back, back, {Minute: minutes[4]}, {Minute: 1}}))
	require.Equal(s.T, 3, s.total(), "a minute gives back no more than it has")
	s.clock.Advance(56*time.Minute - time.Millisecond)
	require.Equal(s.T, 3, s.total(), "never less than an hour")
	s.clock.Advance(time.Millisecond)
	require.Equal(s.T, 2, s.total())
	taken, _ := s.take(limit.Claim{Network: home.Network, All: true})
	require.Equal(s.T, 2, taken.Total)
	s.clock.Advance(2 * time.Hour)
	taken, _ = s.take(limit.Claim{Network: home.Network, All: true})
	require.Zero(s.T, taken.Total)
	require.Equal(s.T, 1, s.total())
}

func careful(s suite) {
	m := meter(home, limit.Guesses, 1, "a")
	claim := limit.Claim{Network: home.Network, Meters: []limit.Meter{m}, All: true, Careful: true}
	taken, admitted := s.take(claim)
	require.True(s.T, admitted)
	require.NotZero(s.T, taken.Minute)
	claim.Meters[0].Member = "b"
	taken, admitted = s.take(claim)
	require.False(s.T, admitted)
	require.Zero(s.T, taken.Minute)
	require.Equal(s.T, 1, s.total())
	claim.Careful = false
	taken, admitted = s.take(claim)
	require.False(s.T, admitted)
	require.NotZero(s.T, taken.Minute, "so that it can be given back")
	require.Equal(s.T, 2, s.total())
}

func forgotten(s suite) {
	m := meter(home, limit.Guesses, 1, "a")
	s.take(limit.Claim{Network: home.Network, Meters: []limit.Meter{m}, All: true})
	require.NoError(s.T, s.Forget(context.Background(), origin.Origin{Source: next.Source, Network: next.Network}, m.Place))
	m.Member = "b"
	_, admitted := s.one(m)
	require.False(s.T, admitted)
	require.NoError(s.T, s.Forget(context.Background(), home, m.Place))
	_, admitted = s.one(m)
	require.True(s.T, admitted)
	require.Equal(s.T, 1, s.total())
	require.NoError(s.T, s.ForgetAll(context.Background()))
	require.Zero(s.T, s.total())
	taken, _ := s.take(limit.Claim{Network: home.Network, All: true})
	require.Zero(s.T, taken.Total)
}

// A seeded walk: the same calls to the store and to Memory have the same answers.
func likeMemory(s suite) {
	const seed, steps = 5, 1200
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // the same walk every time is the point
	w := walk{suite: s, random: random, memory: NewMemory(s.clock.Now)}
	for step := range steps {
		w.step(step)
		if s.Failed() {
			s.Fatalf("at step %d of the walk", step)
		}
	}
}

type walk struct {
	suite
	random *rand.Rand
	memory *Memory
	back   []limit.Return
}

func (w *walk) step(step int) {
	ctx := context.Background()
	from := []origin.Origin{home, next, other}[w.random.IntN(3)]
	switch w.random.IntN(10) {
	case 0:
		w.clock.Advance(time.Duration(w.random.IntN(20*60_000)) * time.Millisecond)
	case 1, 2:
		if len(w.back) > 0 {
			i := w.random.IntN(len(w.back))
			back := []limit.Return{w.back[i]}
			w.back = slices.Delete(w.back, i, i+1)
			require.NoError(w.T, w.memory.Return(ctx, back))
			require.NoError(w.T, w.Return(ctx, back))
		}
	case 3:
		want, _ := w.memory.All(ctx)
		got, err := w.All(ctx)
		require.NoError(w.T, err)
		require.Equal(w.T, want.Total(), got.Total())
		require.Equal(w.T, want.Until(3), got.Until(3))
	default:
		claim := w.claim(from, step)
		want, _ := w.memory.Take(ctx, claim)
		got, err := w.Take(ctx, claim)
		require.NoError(w.T, err)
		require.Equal(w.T, want, got)
		if limit.Admits(claim.Meters, got.Readings) {
			w.back = append(w.back, returnOf(claim, got))
		}
	}
}

func (w *walk) claim(from origin.Origin, step int) limit.Claim {
	claim := limit.Claim{Network: from.Network, All: w.random.IntN(2) == 0, Careful: w.random.IntN(2) == 0}
	for _, around := range []limit.Around{limit.Source, limit.Network} {
		starts := meter(from, limit.Starts, 4, fmt.Sprint(step))
		numbers := meter(from, limit.Numbers, 3, fmt.Sprint(w.random.IntN(6)))
		starts.Windows = append(starts.Windows, limit.Window{Rule: rule.SourceStarts, Length: 10 * time.Minute, Limit: 2, Enforced: true})
		starts.Windows[0].Enforced = w.random.IntN(5) > 0
		starts.Place.Around, numbers.Place.Around = around, around
		claim.Meters = append(claim.Meters, starts, numbers)
	}
	return claim
}

func returnOf(claim limit.Claim, taken limit.Taken) limit.Return {
	back := limit.Return{Network: claim.Network, Minute: taken.Minute}
	for i, m := range claim.Meters {
		if r := taken.Readings[i]; r.Stamp > 0 {
			back.Members = append(back.Members, limit.Counted{
				From: m.From, Place: m.Place, Member: m.Member, Stamp: r.Stamp, Previous: r.Previous,
			})
		}
	}
	return back
}

// outsider is the outcome for somebody who has never signed in from there.
func outsider(p limit.Pass, err error) error {
	if err == nil && p.KnownOnly {
		return p.Refusal
	}
	return err
}

// replicas are two Services over the store.
func (s suite) replicas() [2]*limit.Service {
	people := func() int { return 0 }
	opts := limit.Options{Now: s.clock.Now}
	return [2]*limit.Service{limit.NewService(s.Store, Rules, people, opts), limit.NewService(s.Store, Rules, people, opts)}
}

func raceGuesses(s suite) {
	r := s.replicas()
	passed := Race(300, func(i int) error {
		return outsider(r[i%2].Guess(context.Background(), home))
	})
	require.Equal(s.T, Rules.GuessesPerHour, passed)
	passed = Race(300, func(i int) error {
		from := origin.Origin{Source: origin.Source(fmt.Sprintf("192.0.2.%d", 10+i%20)), Network: home.Network}
		return outsider(r[i%2].Guess(context.Background(), from))
	})
	require.Equal(s.T, Rules.GuessesPerHour*(Rules.NetworkFactor-1), passed, "what is left to the network")
	require.NoError(s.T, r[0].Flush(context.Background()))
	require.NoError(s.T, r[1].Flush(context.Background()))
	require.Equal(s.T, Rules.GuessesPerHour*Rules.NetworkFactor, s.total(), "those that passed, and no others")
}

func raceStarts(s suite) {
	r := s.replicas()
	passed := Race(300, func(i int) error {
		return outsider(r[i%2].Start(context.Background(), home, "the same"))
	})
	require.Equal(s.T, Rules.StartsPerTenMinutes, passed)
	passed = Race(300, func(i int) error {
		return outsider(r[i%2].Start(context.Background(), next, fmt.Sprint(i)))
	})
	require.Equal(s.T, Rules.NumbersPerHour, passed)
}

// Race calls f n times at once and returns how many calls had no error.
func Race(n int, f func(i int) error) int {
	var passed atomic.Int32
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			if f(i) == nil {
				passed.Add(1)
			}
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	return int(passed.Load())
}
