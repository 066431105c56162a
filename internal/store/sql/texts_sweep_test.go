package sql_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

const (
	day       = 24 * time.Hour
	keepTexts = 90 * day
)

func sweepTexts(t *testing.T, store *sql.Store, limit int) int {
	t.Helper()
	n, err := store.SweepTexts(t.Context(), every, keepTexts, limit)
	require.NoError(t, err)
	return n
}

// counts are the rows of texts, deliveries, redemptions and undeliverable.
func counts(t *testing.T, store *sql.Store) [4]int64 {
	t.Helper()
	var n [4]int64
	for i, table := range []string{"texts", "deliveries", "redemptions", "undeliverable"} {
		n[i] = query(t, store, "SELECT COUNT(*) FROM "+table)
	}
	return n
}

func TestOldTextsAreSwept(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		write := func(id string) {
			recordTexts(t, store, textTo(alpha, id, clock.Now()))
			deliver(t, store, news(id, sms.Sent))
			require.NoError(t, store.Redeemed(t.Context(), []string{"challenge " + id}, clock.Now()))
		}
		for i := range 5 {
			write(fmt.Sprint("old", i))
		}
		clock.Advance(time.Second)
		write("younger")
		clock.Advance(keepTexts - time.Second)
		deliver(t, store, news("old4", sms.Delivered)) // late news does not keep it
		require.Zero(t, sweepTexts(t, store, 100), "they are as old as is kept")
		require.Zero(t, sweepTexts(t, store, 100))
		clock.Advance(every - time.Second)
		require.Zero(t, sweepTexts(t, store, 2), "it is not due yet")
		clock.Advance(time.Millisecond)
		require.Zero(t, sweepTexts(t, store, 2))
		clock.Advance(time.Second - time.Millisecond)
		require.Equal(t, 6, sweepTexts(t, store, 2))
		require.Equal(t, [4]int64{4, 4, 4, 0}, counts(t, store))
		clock.Advance(every)
		require.Equal(t, 6, sweepTexts(t, store, 2))
		clock.Advance(every)
		require.Equal(t, 6, sweepTexts(t, store, 2), "the younger is old by now")
		require.Equal(t, [4]int64{}, counts(t, store))
	})
}

func TestTheOldestTextsAreSweptFirst(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		at := clock.Now().Add(-2 * keepTexts)
		recordTexts(t, store, textTo(alpha, "SM2", at.Add(time.Hour)), textTo(alpha, "SM1", at), textTo(alpha, "SM3", clock.Now()))
		require.Equal(t, 1, sweepTexts(t, store, 1))
		left := textsTo(t, store, alpha, 10)
		require.Equal(t, []string{"SM3", "SM2"}, []string{left[0].ProviderID, left[1].ProviderID})
	})
}

func TestNumbersThatFailedLongAgoAreForgotten(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		note(t, store, clock, alpha, sms.Failure{Class: sms.NumberPermanent, Sync: true}) // blocked for a day
		note(t, store, clock, beta, sms.Failure{Class: sms.NumberPermanent})
		clock.Advance(time.Minute)
		note(t, store, clock, gamma, sms.Failure{Class: sms.OptedOut})
		clock.Advance(31*day - time.Minute)
		require.Zero(t, sweepTexts(t, store, 100), "30 days past the end of the block")
		clock.Advance(every)
		require.Equal(t, 2, sweepTexts(t, store, 100))
		require.Equal(t, [4]int64{0, 0, 0, 1}, counts(t, store))
		require.Len(t, events(t, store, audit.NumberUndeliverable), 2, "the audit stays")
		require.Empty(t, events(t, store, audit.NumberDeliverable))
	})
}

func TestOneReplicaSweepsTexts(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		for i := range 30 {
			recordTexts(t, store, textTo(alpha, fmt.Sprint("SM", i), clock.Now().Add(-2*keepTexts)))
		}
		var swept atomic.Int64
		together(t, 10, func(int) error {
			return untilFree(func() error {
				n, err := store.SweepTexts(t.Context(), every, keepTexts, 10)
				swept.Add(int64(n))
				return err
			})
		})
		require.EqualValues(t, 10, swept.Load())
		clock.Advance(-time.Hour) // the clock is set back: it is due all the same
		require.Equal(t, 10, sweepTexts(t, store, 10))
	})
}
