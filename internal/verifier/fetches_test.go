package verifier_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/verifier"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newFetches(limit int) (*verifier.Fetches, *clock) {
	c := &clock{at: start}
	return verifier.NewFetches(c.now, limit), c
}

func TestFetchesAreGathered(t *testing.T) {
	f, c := newFetches(100)
	require.Equal(t, verifier.Batch{}, f.Drain())
	f.Seen("orders/1.0", "192.0.2.1", 4)
	c.at = start.Add(time.Second)
	f.Seen("orders/1.1 jose/6", "192.0.2.1", 5)
	f.Seen("billing/1.0", "192.0.2.1", 5)
	c.at = start.Add(2 * time.Second)
	f.Seen("orders/1.0", "192.0.2.2", 5)
	f.Seen("orders/1.0", "192.0.2.1", 4) // a replica that is behind answered it
	f.Seen("", "2001:db8::/64", 5)
	want := verifier.Batch{Fetched: []verifier.Fetched{
		{Name: "(no name)", Source: "2001:db8::/64", First: c.at, Last: c.at, Count: 1, Revision: 5},
		{Name: "billing", Source: "192.0.2.1", First: start.Add(time.Second), Last: start.Add(time.Second), Count: 1, Revision: 5},
		{Name: "orders", Source: "192.0.2.1", First: start, Last: c.at, Count: 3, Revision: 4},
		{Name: "orders", Source: "192.0.2.2", First: c.at, Last: c.at, Count: 1, Revision: 5},
	}}
	require.Equal(t, want, f.Drain())
	require.Equal(t, verifier.Batch{}, f.Drain(), "it is forgotten")
	f.Seen("orders/1.0", "192.0.2.1", 6)
	require.EqualValues(t, 1, f.Drain().Fetched[0].Count)
}

func TestAClockThatGoesBack(t *testing.T) {
	f, c := newFetches(100)
	for i, ago := range []time.Duration{0, time.Hour, time.Minute} {
		c.at = start.Add(-ago)
		f.Seen("orders", "192.0.2.1", int64(i))
	}
	require.Equal(t, []verifier.Fetched{{
		Name: "orders", Source: "192.0.2.1", First: start.Add(-time.Hour), Last: start, Count: 3, Revision: 2,
	}}, f.Drain().Fetched)
}

func TestWhatIsRestoredMerges(t *testing.T) {
	later := start.Add(time.Minute)
	one := verifier.Fetched{Name: "orders", Source: "192.0.2.1", First: start, Last: start, Count: 2, Revision: 4}
	for name, tc := range map[string]struct {
		at, restored time.Time // of the newer, and of the older fetches
		want         verifier.Fetched
	}{
		"the newer counts":          {later, start, verifier.Fetched{First: start, Last: later, Count: 3, Revision: 5}},
		"at the same time":          {start, start, verifier.Fetched{First: start, Last: start, Count: 3, Revision: 5}},
		"what was restored is news": {start, later, verifier.Fetched{First: start, Last: later, Count: 3, Revision: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newFetches(100)
			c.at = tc.at
			f.Seen("orders", "192.0.2.1", 5)
			old := one
			old.First, old.Last = tc.restored, tc.restored
			f.Restore(verifier.Batch{Fetched: []verifier.Fetched{old}, Dropped: 7})
			tc.want.Name, tc.want.Source = "orders", "192.0.2.1"
			require.Equal(t, verifier.Batch{Fetched: []verifier.Fetched{tc.want}, Dropped: 7}, f.Drain())
		})
	}
	t.Run("into nothing", func(t *testing.T) {
		f, _ := newFetches(100)
		f.Restore(verifier.Batch{})
		f.Restore(verifier.Batch{Fetched: []verifier.Fetched{one}})
		f.Seen("orders", "192.0.2.1", 4)
		one.Count = 3
		require.Equal(t, verifier.Batch{Fetched: []verifier.Fetched{one}}, f.Drain())
	})
}

func TestNamesOfASourceAreBounded(t *testing.T) {
	f, _ := newFetches(1000)
	for range 3 {
		for i := range 25 {
			f.Seen(fmt.Sprintf("made-up-%02d", i), "192.0.2.1", int64(i))
		}
	}
	f.Seen("orders", "192.0.2.2", 1)
	check := func(times int64) verifier.Batch {
		batch := f.Drain()
		require.Zero(t, batch.Dropped)
		require.Len(t, batch.Fetched, 12)
		require.Equal(t, "(others)", batch.Fetched[0].Name)
		require.EqualValues(t, 45*times, batch.Fetched[0].Count)
		require.EqualValues(t, 24, batch.Fetched[0].Revision)
		for i, v := range batch.Fetched[1:11] {
			require.Equal(t, fmt.Sprintf("made-up-%02d", i), v.Name)
			require.EqualValues(t, 3*times, v.Count)
		}
		require.Equal(t, "192.0.2.2", batch.Fetched[11].Source)
		return batch
	}
	batch := check(1)
	f.Restore(batch)
	batch = check(1)
	f.Restore(batch)
	f.Restore(batch)
	check(2)

	for i := range 10 { // as many as may be, and what is restored finds no name free
		f.Seen(fmt.Sprint("new-", i), "192.0.2.1", 1)
	}
	f.Restore(verifier.Batch{Fetched: []verifier.Fetched{{Name: "old", Source: "192.0.2.1", First: start, Last: start, Count: 4, Revision: 1}}})
	fetched := f.Drain().Fetched
	require.Len(t, fetched, 11)
	require.Equal(t, verifier.Fetched{Name: "(others)", Source: "192.0.2.1", First: start, Last: start, Count: 4, Revision: 1}, fetched[0])
}

func TestVerifiersAreBounded(t *testing.T) {
	f, _ := newFetches(20)
	f.Seen("orders", "192.0.2.1", 1)
	for i := range 1000 {
		f.Seen("made-up", fmt.Sprintf("2001:db8:0:%x::/64", i), 1)
	}
	f.Seen("orders", "192.0.2.1", 2)
	batch := f.Drain()
	require.Len(t, batch.Fetched, 20)
	require.EqualValues(t, 981, batch.Dropped)
	require.Equal(t, verifier.Fetched{Name: "orders", Source: "192.0.2.1", First: start, Last: start, Count: 2, Revision: 2}, batch.Fetched[19])

	f.Seen("newer", "192.0.2.9", 2)
	f.Restore(batch)
	again := f.Drain()
	require.Len(t, again.Fetched, 20)
	require.EqualValues(t, 981+2, again.Dropped, "who has come since has the room, and two fetches are one verifier's")
	require.Equal(t, "newer", again.Fetched[19].Name)

	none, _ := newFetches(0)
	none.Seen("orders", "192.0.2.1", 1)
	require.Equal(t, verifier.Batch{Dropped: 1}, none.Drain())
}

// No fetch is lost or counted twice, whoever drains and restores in between.
func TestManyAtOnce(t *testing.T) {
	const callers, each = 16, 5000
	f := verifier.NewFetches(time.Now, 40)
	var stop atomic.Bool
	var seeing, draining sync.WaitGroup
	var total atomic.Int64
	count := func(batch verifier.Batch) {
		n := batch.Dropped
		for _, v := range batch.Fetched {
			n += v.Count
		}
		total.Add(n)
	}
	for range 3 {
		draining.Go(func() {
			for !stop.Load() {
				if batch := f.Drain(); rand.IntN(2) == 0 {
					f.Restore(batch)
				} else {
					count(batch)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for i := range callers {
		seeing.Go(func() {
			for j := range each {
				f.Seen(fmt.Sprint("service-", j%13), fmt.Sprint("192.0.2.", (i+j)%5), 1)
			}
		})
	}
	seeing.Wait()
	stop.Store(true)
	draining.Wait()
	count(f.Drain())
	require.EqualValues(t, callers*each, total.Load())
}

func TestAKnownVerifierCostsNoAllocation(t *testing.T) {
	for name, userAgent := range map[string]string{"plain": "orders-api/1.4 jose/6", "odd": "<größe>/1", "none": ""} {
		t.Run(name, func(t *testing.T) {
			f := verifier.NewFetches(time.Now, 10)
			require.Zero(t, testing.AllocsPerRun(100, func() { f.Seen(userAgent, "192.0.2.1", 1) }))
		})
	}
}

func BenchmarkSeen(b *testing.B) {
	for name, userAgent := range map[string]string{
		"known": "orders-api/1.4 jose/6", "browser": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "long": "<größe>-and-more-than-forty-bytes-of-it-in-one-token/1",
	} {
		b.Run(name, func(b *testing.B) {
			f := verifier.NewFetches(time.Now, 4096)
			b.ReportAllocs()
			for b.Loop() {
				f.Seen(userAgent, "192.0.2.1", 1)
			}
		})
	}
	b.Run("known, all processors", func(b *testing.B) {
		f := verifier.NewFetches(time.Now, 4096)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				f.Seen("orders-api/1.4 jose/6", "192.0.2.1", 1)
			}
		})
	})
	flood := make([]string, 20_000)
	for i := range flood {
		flood[i] = fmt.Sprintf("2001:db8:0:%x::/64", i)
	}
	b.Run("flood of sources", func(b *testing.B) {
		f := verifier.NewFetches(time.Now, 4096)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.Seen("orders-api/1.4 jose/6", flood[i%len(flood)], 1)
		}
	})
}
