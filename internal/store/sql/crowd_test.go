package sql_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// A change by HR costs what the sessions of those whom it is about cost, however many others there are.
func TestAChangeByHRReadsNobodyElsesSessions(t *testing.T) {
	store := onOneConnection(t)
	plantCrowd(t, store)
	for name, change := range map[string]func(*directory.Person){
		"a number moves":  func(p *directory.Person) { p.Phone = number("+447700" + "8" + p.ExternalID[1:]) },
		"a person leaves": func(p *directory.Person) { p.Active = false },
	} {
		t.Run(name, func(t *testing.T) {
			before := usageOf(t, store)
			for i := 11111; i < 11117; i++ { // five plans of its own, then one for good
				p := person("E"+strconv.Itoa(i), "+4477009"+strconv.Itoa(i))
				change(&p)
				_, err := directory.Reconcile(t.Context(), store,
					directory.Feed{Source: "hr", Mode: directory.Delta, People: []directory.Person{p}}, directory.Options{Confirmed: true})
				require.NoError(t, err)
			}
			after := usageOf(t, store)
			require.Zero(t, after.SeqScans-before.SeqScans)
			require.Less(t, after.Entries-before.Entries, int64(6*100))
		})
	}
}

// Callers take a batch that is not full for the last one: it must not be short because a session was over
// between the look at it and the write.
func TestOnlyTheLastBatchIsShort(t *testing.T) {
	store := openWith(t, testservers.Postgres(t), sql.Options{MaxOpenConns: 5})
	now := time.Now()
	many := make([]session.Session, 20_000)
	for i := range many {
		many[i] = newSession("many", now)
		if i%2 == 0 { // a busy site's, which have no refresh tokens
			many[i].ExpiresAt = now.Add(time.Duration(i) * time.Millisecond)
		}
	}
	plant(t, store, many...)
	for {
		ended, err := store.EndSessions(t.Context(), session.Filter{All: true}, session.Ending{Reason: session.Operator}, 500)
		require.NoError(t, err)
		if len(ended) < 500 {
			require.Empty(t, liveSIDs(t, store, session.Filter{}), "after a batch of %d", len(ended))
			return
		}
	}
}
