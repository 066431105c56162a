package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/spend/spendtest"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// newPostgresWorld is one over a real database.
func newPostgresWorld(t *testing.T, rules spend.Rules) *world {
	t.Helper()
	clock := spendtest.NewClock("2026-03-04T12:00:00Z")
	store, err := sql.Open(testservers.Postgres(t), sql.Options{MaxOpenConns: 10, Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return newWorldOver(t, store, clock, rules)
}

// Ten thousand callbacks at once, each twice and to either of two replicas: each moves its text once.
func TestTenThousandCallbacksAtOnce(t *testing.T) {
	w := newPostgresWorld(t, spend.Rules{})
	const texts = 5000
	var records []sms.Record
	for i := range texts {
		records = append(records, sms.Record{
			At: w.clock.Now(), To: number(t, alice), Country: "GB", Kind: sms.KindCode, Provider: "first", ProviderID: fmt.Sprint("id-", i),
		})
	}
	require.NoError(t, w.store.RecordTexts(t.Context(), records))
	replicas := []*dispatch.Service{w.Service, dispatch.New(w.parts)}
	overs := []func(){runs(t, replicas[0]), runs(t, replicas[1])}

	errs := make([]error, 2*texts)
	begun := time.Now()
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = replicas[i%2].Deliver(t.Context(), news(fmt.Sprint("id-", i/2), "")) })
	}
	all.Wait()
	took := time.Since(begun)
	for _, err := range errs {
		require.NoError(t, err)
	}
	for _, over := range overs {
		over()
	}
	t.Logf("%d callbacks to two replicas took %s", len(errs), took)
	require.Len(t, w.observed.news, texts, "each once, over both replicas")
	for _, each := range w.observed.news {
		require.Equal(t, "GB delivered", each)
	}
}

// Bad news of many texts to one number, to two replicas at once: the number is blocked, and told once.
func TestBadNewsAtOnce(t *testing.T) {
	w := newPostgresWorld(t, spend.Rules{})
	replicas := []*dispatch.Service{w.Service, dispatch.New(w.parts)}
	overs := []func(){runs(t, replicas[0]), runs(t, replicas[1])}
	var all sync.WaitGroup
	for range 50 {
		id := w.sent(t, alice)
		w.clock.Advance(time.Millisecond)
		for _, each := range replicas {
			all.Go(func() { _ = each.Deliver(context.WithoutCancel(t.Context()), news(id, sms.NumberPermanent)) })
		}
	}
	all.Wait()
	for _, over := range overs {
		over()
	}
	numbers, err := w.store.UndeliverableNumbers(t.Context(), 10, phone.Number{}, false)
	require.NoError(t, err)
	require.Len(t, numbers, 1)
	require.Equal(t, 50, numbers[0].Hits, "each piece of news counts once")
}

// At the end, what the queue still held is sent, and all of it is on record.
func TestNothingIsLostAtTheEnd(t *testing.T) {
	w := newPostgresWorld(t, spend.Rules{StrangersHour: 400, BudgetDay: 1e12})
	queue := sms.NewQueue(w.Service, sms.QueueOptions{Now: w.clock.Now, Workers: 8, OnResult: w.Outcome})
	over := runs(t, w.Service)
	const texts = 500
	for i := range texts {
		to := number(t, fmt.Sprintf("+4477009%05d", i))
		require.NoError(t, queue.Enqueue(sms.Message{
			To: to, Body: body, Kind: sms.KindCode, ClientID: "app", ValidUntil: w.clock.Now().Add(5 * time.Minute), Ref: fmt.Sprint(i),
		}))
	}
	require.NoError(t, queue.Drain(t.Context()))
	over()
	report, err := w.store.TextReport(t.Context(), w.clock.Now().Add(-time.Hour), w.clock.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, report, 1)
	require.Equal(t, 402, report[0].Sent, "400 to strangers, and to the two of HR's who are among them")
	require.Equal(t, 98, report[0].Withheld["strangers_hour"])
	require.EqualValues(t, 402*price, report[0].Cost)
	require.EqualValues(t, report[0].Cost, w.spent(t), "what the report says is what was spent")
}
