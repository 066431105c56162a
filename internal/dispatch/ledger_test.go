package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
)

// memory is a record that can be away, slow, or choke on one text: faults that no real one has on demand.
type memory struct {
	mu       sync.Mutex
	texts    []sms.Record
	batches  []int
	redeemed map[string]time.Time
	moved    map[string]bool
	// err is what each write ends with, chokes the provider's name for a text that ends it so.
	err    error
	chokes string
	panics bool
	// last is how many texts are written before the record goes away; 0 for no end.
	last int
	// slow is waited for where numbers are noted.
	slow  chan struct{}
	noted int
}

func (m *memory) Recipient(context.Context, phone.Number) (sms.Recipient, error) {
	return sms.Recipient{}, nil
}

func (m *memory) TextsTo(context.Context, phone.Number, int) ([]sms.Tracked, error) { return nil, nil }

func (m *memory) RecordTexts(_ context.Context, texts []sms.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return m.err
	case m.panics && len(texts) > 0 && texts[0].ProviderID == m.chokes:
		panic("canary")
	case slices.ContainsFunc(texts, func(r sms.Record) bool { return m.chokes != "" && r.ProviderID == m.chokes }):
		return errors.New("invalid byte sequence")
	}
	m.texts = append(m.texts, texts...)
	m.batches = append(m.batches, len(texts))
	if m.last > 0 && len(m.texts) >= m.last {
		m.err = errAway
	}
	return nil
}

func (m *memory) Redeemed(_ context.Context, challenges []string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	for _, each := range challenges {
		m.redeemed[each] = at
	}
	return nil
}

func (m *memory) Deliver(_ context.Context, news []sms.Delivery) ([]sms.Moved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	if slices.ContainsFunc(news, func(d sms.Delivery) bool { return m.chokes != "" && d.ProviderID == m.chokes }) {
		return nil, errors.New("invalid byte sequence")
	}
	var moved []sms.Moved
	for _, d := range news {
		if !m.moved[d.ProviderID] {
			m.moved[d.ProviderID] = true
			moved = append(moved, sms.Moved{Delivery: d, Text: &sms.Record{Country: "GB"}})
		}
	}
	return moved, nil
}

func (m *memory) NoteUndeliverable(ctx context.Context, _ phone.Number, _ sms.Failure, _ time.Time) (bool, error) {
	select {
	case <-m.slow:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted++
	return true, nil
}

func (m *memory) Deliverable(context.Context, ...phone.Number) error { return nil }

func (m *memory) away(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// sizes are those of the batches.
func (m *memory) sizes() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.batches)
}

func (m *memory) ids() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for _, each := range m.texts {
		ids = append(ids, each.ProviderID)
	}
	return ids
}

// books is a Service of which only the record is of interest.
type books struct {
	*dispatch.Service
	record *memory
	log    *lockedLog
	stop   func()
}

// openBooks runs one in a bubble of synctest.
func openBooks(t *testing.T) *books {
	b := &books{record: &memory{redeemed: map[string]time.Time{}, moved: map[string]bool{}, slow: make(chan struct{})}, log: &lockedLog{}}
	b.Service = dispatch.New(dispatch.Options{
		Store: b.record, Observer: &observed{}, Prices: spend.Prices{Default: price}, Now: time.Now, Log: slog.New(slog.NewJSONHandler(b.log, nil)),
	})
	b.stop = runs(t, b.Service)
	return b
}

// accepted tells that a provider took texts, named by these numbers.
func (b *books) accepted(t *testing.T, from, to int) (ids []string) {
	for i := from; i < to; i++ {
		id := fmt.Sprint("text-", i)
		b.Outcome(t.Context(), sms.Message{To: number(t, alice), Body: body}, sms.Receipt{Provider: "first", ID: id}, nil)
		ids = append(ids, id)
	}
	return ids
}

// later lets time go by until everything that was due has been done.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTextsAreWrittenInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		ids := b.accepted(t, 0, 1200)
		synctest.Wait()
		require.Empty(t, b.record.sizes())
		later(100 * time.Millisecond)
		require.Equal(t, []int{500, 500, 200}, b.record.sizes())
		require.Equal(t, ids, b.record.ids())
		later(time.Hour)
		require.Len(t, b.record.sizes(), 3, "nothing is written for nothing")
	})
}

// While the record is away all is kept, in order, and it is asked once a second.
func TestTheRecordIsAwayAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.record.away(errAway)
		ids := b.accepted(t, 0, 700)
		b.Redeemed("challenge-1")
		later(10 * time.Second)
		b.Redeemed("challenge-2")
		ids = append(ids, b.accepted(t, 700, 1000)...)
		later(time.Second)
		require.Empty(t, b.record.ids())
		require.LessOrEqual(t, strings.Count(b.log.String(), "not on record yet"), 12, "once a second")
		b.record.away(nil)
		later(time.Second)
		require.Equal(t, ids, b.record.ids())
		require.Equal(t, 10*time.Second, b.record.redeemed["challenge-2"].Sub(b.record.redeemed["challenge-1"]), "each when it was used")
	})
}

// What is kept meanwhile is bounded: it must not take the memory that sign-ins need.
func TestWhatIsKeptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.record.away(errAway)
		for i := range 30_000 {
			b.Redeemed(fmt.Sprint(i))
			if i == 15_000 || i == 25_000 {
				later(2 * time.Second) // tried, and kept
			}
		}
		b.record.away(nil)
		later(time.Second)
		require.Len(t, b.record.redeemed, 20_000)
		require.Contains(t, b.record.redeemed, "0", "the oldest stay")
		require.Contains(t, b.log.String(), `"lost":"used codes","number":5001`)
		require.Contains(t, b.log.String(), `"lost":"used codes","number":4999`)
	})
}

// A text that the record does not take must not keep all others from it.
func TestATextThatTheRecordRefuses(t *testing.T) {
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := openBooks(t)
			b.record.chokes, b.record.panics = "text-3", panics
			ids := b.accepted(t, 0, 600)
			later(time.Second)
			require.ElementsMatch(t, slices.Delete(ids, 3, 4), b.record.ids())
			require.Contains(t, b.log.String(), `"lost":"texts","number":1`)
			require.NotContains(t, b.log.String(), "canary")
			b.accepted(t, 600, 601)
			later(time.Second)
			require.Contains(t, b.record.ids(), "text-600")
		})
	}
}

// What is written while such a text is looked for is written once, though an outage comes in between: a text
// that was kept back has no name by which the record would know it again.
func TestAnOutageWhileARefusedTextIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.record.chokes, b.record.last = "text-300", 1
		ids := b.accepted(t, 0, 500)
		later(time.Second)
		require.Equal(t, []int{250}, b.record.sizes())
		b.record.last = 0
		b.record.away(nil)
		later(2 * time.Second)
		require.Equal(t, slices.Delete(ids, 300, 301), b.record.ids())
	})
}

// Whoever tells when nobody writes any more is told so, and does not wait.
func TestNewsAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.stop()
		require.Error(t, b.Deliver(t.Context(), news("a", "")))
	})
}

// What is left at the end is written, or counted.
func TestTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.accepted(t, 0, 3)
		b.Redeemed("challenge")
		b.stop()
		require.Len(t, b.record.ids(), 3)
		require.Len(t, b.record.redeemed, 1)
	})
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.record.away(errAway)
		b.accepted(t, 0, 3)
		b.stop()
		require.Contains(t, b.log.String(), `"texts":3,"codes":0`)
	})
}

// Whoever tells in an outage hears of it, and may tell again.
func TestNewsInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.record.away(errAway)
		require.ErrorIs(t, b.Deliver(t.Context(), news("a", "")), errAway)
		b.record.away(nil)
		require.NoError(t, b.Deliver(t.Context(), news("a", "")))
	})
}

// Of many that tell at once, one whose news is refused is told so; the others are heard.
func TestNewsThatTheRecordRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		b.record.chokes = "3"
		errs := make([]error, 100)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = b.Deliver(t.Context(), news(fmt.Sprint(i), "")) })
		}
		all.Wait()
		for i, err := range errs {
			require.Equal(t, i == 3, err != nil, i)
		}
		require.Len(t, b.record.moved, 99)
	})
}

// However long it takes to do what news calls for: telling does not wait for it, nor does the record of texts,
// nor the end for ever.
func TestWhatNewsCallsForIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBooks(t)
		begun := time.Now()
		for i := range 30_000 {
			require.NoError(t, b.Deliver(t.Context(), news(fmt.Sprint(i), sms.OptedOut)))
		}
		b.accepted(t, 0, 1)
		require.Zero(t, time.Since(begun), "nobody has waited")
		later(100 * time.Millisecond)
		require.Len(t, b.record.ids(), 1)
		close(b.record.slow)
		later(10 * time.Second)
		require.Equal(t, 20_000, b.record.noted, "what waits is bounded")
		require.Contains(t, b.log.String(), `"lost":10000`)

		b.record.slow = make(chan struct{})
		for i := range 100 {
			require.NoError(t, b.Deliver(t.Context(), news(fmt.Sprint("again-", i), sms.OptedOut)))
		}
		begun = time.Now()
		b.stop()
		require.LessOrEqual(t, time.Since(begun), 20*time.Second)
		require.Contains(t, b.log.String(), "nothing was done about the last news of texts")
	})
}
