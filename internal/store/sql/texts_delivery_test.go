package sql_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func statusesOf(moved []sms.Moved) []sms.Status {
	var all []sms.Status
	for _, m := range moved {
		all = append(all, m.Status)
	}
	return all
}

func TestNewsMovesATextForwardOnly(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		type batch []sms.Status
		for i, tc := range []struct {
			name  string
			comes []batch
			moves []batch
		}{
			{"in order", []batch{{sms.Queued}, {sms.Sent}, {sms.Delivered}}, []batch{{sms.Queued}, {sms.Sent}, {sms.Delivered}}},
			{"shuffled", []batch{{sms.Delivered}, {sms.Queued}, {sms.Sent}}, []batch{{sms.Delivered}, nil, nil}},
			{"repeated", []batch{{sms.Sent}, {sms.Sent}, {sms.Sent}}, []batch{{sms.Sent}, nil, nil}},
			{"in one batch", []batch{{sms.Sent, sms.Delivered, sms.Delivered, sms.Queued}}, []batch{{sms.Delivered}}},
			{"failed, then undelivered", []batch{{sms.Failed}, {sms.Undelivered}}, []batch{{sms.Failed}, nil}},
			{"both in one batch", []batch{{sms.Failed, sms.Undelivered}}, []batch{{sms.Failed}}},
			{"delivered after all", []batch{{sms.Undelivered}, {sms.Delivered}, {sms.Failed}}, []batch{{sms.Undelivered}, {sms.Delivered}, nil}},
			{"an unknown status", []batch{{"read"}, {sms.Sent, "read"}, {"read"}}, []batch{nil, {sms.Sent}, nil}},
		} {
			id := fmt.Sprint("SM", i)
			for j, statuses := range tc.comes {
				var all []sms.Delivery
				for _, status := range statuses {
					all = append(all, news(id, status))
				}
				require.Equal(t, tc.moves[j], batch(statusesOf(deliver(t, store, all...))), "%s, batch %d", tc.name, j)
			}
		}
		require.Empty(t, deliver(t, store))
		require.Empty(t, deliver(t, store, news("", sms.Sent)), "of no text")
	})
}

// What is told of a bad end goes when the text arrives after all, and the last news is when it came.
func TestNewsIsKeptAsItWasTold(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		sent := textTo(alpha, "SM1", clock.Now())
		bad := sms.Delivery{
			Provider: "twilio", ProviderID: "SM1", Status: sms.Undelivered, Code: 30005, Class: sms.NumberPermanent, Account: true, To: number(alpha),
		}
		require.Equal(t, []sms.Moved{{Delivery: bad}}, deliver(t, store, bad), "the text is not there yet")
		clock.Advance(time.Minute)
		recordTexts(t, store, sent)
		require.Empty(t, deliver(t, store, bad))
		read := textsTo(t, store, alpha, 1)[0]
		require.Equal(t, sms.Tracked{
			Record: sent, Status: sms.Undelivered, StatusCode: 30005, StatusClass: sms.NumberPermanent, StatusAt: clock.Now().UTC().Add(-time.Minute),
		}, read)
		good := news("SM1", sms.Delivered)
		require.Equal(t, []sms.Moved{{Delivery: good, Text: &sent}}, deliver(t, store, good))
		require.Equal(t, sms.Tracked{Record: sent, Status: sms.Delivered, StatusAt: clock.Now().UTC()}, textsTo(t, store, alpha, 1)[0])
	})
}

// However webhooks come in, and to whatever replica, a text ends at its furthest status, and each step that it
// took was told to one.
func TestFiftyReplicasGetShuffledNews(t *testing.T) {
	const writers, texts = 50, 40
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		steps := []sms.Status{sms.Queued, sms.Sending, sms.Sent, sms.Undelivered, sms.Delivered}
		var all []sms.Delivery
		furthest := map[string]sms.Status{}
		for i := range texts {
			id := fmt.Sprint("SM", i)
			upTo := 1 + i%len(steps)
			for _, status := range steps[:upTo] {
				all = append(all, news(id, status))
			}
			furthest[id] = steps[upTo-1]
		}
		var mu sync.Mutex
		told := map[sms.Delivery]int{}
		together(t, writers, func(int) error {
			mine := append(append([]sms.Delivery{}, all...), all[:texts]...)
			rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			for len(mine) > 0 {
				n := min(len(mine), 1+rand.IntN(60))
				some := mine[:n]
				mine = mine[n:]
				err := untilFree(func() error {
					moved, err := store.Deliver(t.Context(), some)
					mu.Lock()
					defer mu.Unlock()
					for _, m := range moved {
						told[m.Delivery]++
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		for d, times := range told {
			require.Equal(t, 1, times, "%s %s", d.ProviderID, d.Status)
		}
		for id, status := range furthest {
			require.Equal(t, 1, told[news(id, status)], "%s was told to have come to its end", id)
			require.EqualValues(t, 1, query(t, store, "SELECT COUNT(*) FROM deliveries WHERE provider_id = ? AND status = ? AND rank = ?", id, status, status.Rank()))
		}
		require.EqualValues(t, texts, query(t, store, "SELECT COUNT(*) FROM deliveries"))
	})
}
