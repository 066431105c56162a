package sql_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
	"github.com/latchkey-id/latchkey/internal/verifier"
)

func verifiers(t *testing.T, store *sql.Store) []verifier.Verifier {
	t.Helper()
	all, _, err := store.Verifiers(t.Context(), 10_000)
	require.NoError(t, err)
	return all
}

// fetches are n of one verifier, all at one time.
func fetches(name string, at time.Time, n, revision int64) verifier.Fetched {
	return verifier.Fetched{Name: name, Source: "192.0.2.1", First: at, Last: at, Count: n, Revision: revision}
}

func saveFetches(t *testing.T, store *sql.Store, now time.Time, keep int, batch ...verifier.Fetched) {
	t.Helper()
	require.NoError(t, store.SaveFetches(t.Context(), batch, now, keep))
}

// names are those of the known verifiers, in their order.
func names(t *testing.T, store *sql.Store) []string {
	t.Helper()
	all := []string{}
	for _, v := range verifiers(t, store) {
		all = append(all, v.Name)
	}
	return all
}

func TestVerifiersAreSaved(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		none, now, err := store.Verifiers(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, none)
		require.Equal(t, clock.Now().UTC(), now)
		saveFetches(t, store, clock.Now(), 10)
		require.Empty(t, verifiers(t, store))

		at := clock.Now().UTC()
		minute := func(n int) time.Time { return at.Add(time.Duration(n) * time.Minute) }
		fetched := func(name, source string, first, last int, count, revision int64) verifier.Fetched {
			return verifier.Fetched{Name: name, Source: source, First: minute(first), Last: minute(last), Count: count, Revision: revision}
		}
		known := func(name, source string, first, last int, count, revision int64) verifier.Verifier {
			return verifier.Verifier{Name: name, Source: source, FirstAt: minute(first), LastAt: minute(last), Fetches: count, Revision: revision}
		}
		saveFetches(t, store, at, 10, // in no order
			fetched("orders", "192.0.2.2", -1, -1, 1, 4),
			fetched("orders", "192.0.2.1", -5, -3, 20, 4),
			fetched("billing", "192.0.2.1", -3, -3, 1, 3))
		require.Equal(t, []verifier.Verifier{
			known("orders", "192.0.2.2", -1, -1, 1, 4),
			known("billing", "192.0.2.1", -3, -3, 1, 3),
			known("orders", "192.0.2.1", -5, -3, 20, 4),
		}, verifiers(t, store))

		saveFetches(t, store, at, 10,
			fetched("orders", "192.0.2.1", -9, -4, 5, 9),  // earlier, from a replica whose batch comes late
			fetched("orders", "192.0.2.2", 0, 0, 2, 3),    // later, and an older set
			fetched("billing", "192.0.2.1", -3, -3, 1, 5), // at the same time
			fetched("quay", "192.0.2.1", -2, -2, 1, 5))
		want := []verifier.Verifier{
			known("orders", "192.0.2.2", -1, 0, 3, 3),
			known("quay", "192.0.2.1", -2, -2, 1, 5),
			known("billing", "192.0.2.1", -3, -3, 2, 5),
			known("orders", "192.0.2.1", -9, -3, 25, 4),
		}
		require.Equal(t, want, verifiers(t, store))
		for limit := range 5 {
			some, now, err := store.Verifiers(t.Context(), limit)
			require.NoError(t, err)
			require.ElementsMatch(t, want[:limit], some)
			if limit > 0 {
				require.Equal(t, clock.Now().UTC(), now)
			}
		}
	})
}

// Replicas' clocks may differ from the record's; how long ago something was, does not.
func TestVerifiersAreSeenByTheRecordsClock(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		record := clock.Now().UTC()
		for name, wrong := range map[string]time.Duration{"right": 0, "fast": 3 * time.Hour, "slow": -3 * time.Hour} {
			ours := record.Add(wrong)
			saveFetches(t, store, ours, 10, verifier.Fetched{
				Name: name, Source: "192.0.2.1", First: ours.Add(-time.Minute), Last: ours.Add(-5 * time.Second), Count: 2, Revision: 1,
			})
		}
		ahead := record.Add(time.Hour) // our clock was put back since
		saveFetches(t, store, record, 10, fetches("ahead", ahead, 1, 1),
			verifier.Fetched{Name: "backwards", Source: "192.0.2.1", First: record, Last: record.Add(-time.Minute), Count: 2, Revision: 1})
		saveFetches(t, store, record, 10, verifier.Fetched{Name: "zero", Source: "192.0.2.1", Count: 1})
		all := verifiers(t, store)
		require.Equal(t, []string{"ahead", "fast", "right", "slow", "backwards", "zero"}, names(t, store))
		require.Equal(t, record, all[0].FirstAt)
		require.Equal(t, record, all[0].LastAt)
		for _, v := range all[1:4] {
			require.Equal(t, record.Add(-time.Minute), v.FirstAt, v.Name)
			require.Equal(t, record.Add(-5*time.Second), v.LastAt, v.Name)
		}
		require.Equal(t, all[4].LastAt, all[4].FirstAt)
	})
}

// A failover may bring a clock that is behind: what was written before must not win for ever.
func TestTheRecordsClockIsPutBack(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		saveFetches(t, store, clock.Now(), 10, fetches("orders", clock.Now(), 1, 1))
		clock.Advance(-time.Minute) // so much may be another replica's
		saveFetches(t, store, clock.Now(), 10, fetches("orders", clock.Now(), 1, 2))
		require.EqualValues(t, 1, verifiers(t, store)[0].Revision)
		clock.Advance(-time.Millisecond)
		saveFetches(t, store, clock.Now(), 10, fetches("orders", clock.Now(), 1, 3))
		at := clock.Now().UTC()
		require.Equal(t, []verifier.Verifier{
			{Name: "orders", Source: "192.0.2.1", FirstAt: at, LastAt: at, Fetches: 3, Revision: 3},
		}, verifiers(t, store))
	})
}

func TestNoMoreVerifiersAreKept(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		save := func(keep int, batch ...verifier.Fetched) {
			clock.Advance(time.Minute)
			for i := range batch {
				batch[i].First, batch[i].Last = clock.Now(), clock.Now()
			}
			saveFetches(t, store, clock.Now(), keep, batch...)
		}
		of := func(name string, n int64) verifier.Fetched { return fetches(name, time.Time{}, n, 1) }
		save(4, of("once-first", 1))
		save(4, of("regular", 1))
		save(4, of("regular", 1))
		save(4, of("once-second", 1))
		save(4, of("once-third", 1))
		require.Equal(t, []string{"once-third", "once-second", "regular", "once-first"}, names(t, store))

		save(4, of("new", 1))
		require.Equal(t, []string{"new", "once-third", "once-second", "regular"}, names(t, store), "the longest unseen goes")
		save(4, of("once-second", 1), of("newer", 2))
		require.Equal(t, []string{"newer", "once-second", "new", "regular"}, names(t, store), "but not one that is in the same batch")
		save(4, of("a", 1), of("b", 5), of("c", 1))
		require.Equal(t, []string{"b", "newer", "once-second", "regular"}, names(t, store), "the busiest has the one place")
		save(4, of("d", 3), of("regular", 1))
		require.Equal(t, []string{"regular", "b", "newer", "once-second"}, names(t, store), "nobody goes who came twice")
		require.EqualValues(t, 3, verifiers(t, store)[0].Fetches)

		save(6, of("e", 1), of("f", 1), of("g", 1))
		require.Len(t, names(t, store), 6)
		save(4, of("h", 1)) // as many may go at once as are too many
		require.Equal(t, []string{"regular", "b", "newer", "once-second"}, names(t, store))
		for _, keep := range []int{0, -5} {
			save(keep, of("i", 1), of("b", 1))
			require.Len(t, names(t, store), 4, "known ones stay")
		}
		require.EqualValues(t, 7, verifiers(t, store)[0].Fetches)
	})
}

func TestVerifiersAreForgotten(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		const forget = 90 * 24 * time.Hour
		saveFetches(t, store, clock.Now(), 10, fetches("gone", clock.Now(), 9, 1), fetches("back", clock.Now(), 9, 1))
		clock.Advance(time.Millisecond)
		saveFetches(t, store, clock.Now(), 10, fetches("just", clock.Now(), 9, 1))
		clock.Advance(forget)
		saveFetches(t, store, clock.Now(), 10, fetches("back", clock.Now(), 1, 2))
		at := clock.Now().UTC()
		require.Equal(t, []verifier.Verifier{
			{Name: "back", Source: "192.0.2.1", FirstAt: at, LastAt: at, Fetches: 1, Revision: 2},
			{Name: "just", Source: "192.0.2.1", FirstAt: at.Add(-forget), LastAt: at.Add(-forget), Fetches: 9, Revision: 1},
		}, verifiers(t, store), "who comes back after that is new")
	})
}

// More than one statement carries, of known and unknown ones.
func TestManyVerifiersAtOnce(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		const n, keep = 1203, 1100
		var batch []verifier.Fetched
		for i := range n {
			batch = append(batch, verifier.Fetched{
				Name: "orders", Source: fmt.Sprint("source-", i), First: clock.Now(), Last: clock.Now(), Count: 1, Revision: 1,
			})
		}
		saveFetches(t, store, clock.Now(), keep, batch...)
		require.Len(t, verifiers(t, store), keep)
		saveFetches(t, store, clock.Now(), n, batch...)
		require.Len(t, verifiers(t, store), n)
		require.EqualValues(t, n+keep, query(t, store, "SELECT SUM(fetches) FROM verifiers"))
	})
}

// Replicas save at once, the same verifiers in any order, while there is no room for all: nobody
// fails or waits for a deadlock to be found, nothing is counted twice, and the bound holds.
func TestReplicasSaveVerifiersAtOnce(t *testing.T) {
	race := func(t *testing.T, address string) {
		const replicas, rounds, regulars, keep = 6, 25, 40, 60
		stores := make([]*sql.Store, replicas)
		for i := range stores {
			stores[i] = openMigrated(t, address)
		}
		var at []verifier.Fetched
		for i := range regulars {
			at = append(at, fetches(fmt.Sprint("regular-", i), time.Now(), 2, 1))
		}
		saveFetches(t, stores[0], time.Now(), keep, at...)
		begun := time.Now()
		together(t, replicas, func(i int) error {
			for round := range rounds {
				var batch []verifier.Fetched
				for j := range regulars {
					batch = append(batch, fetches(fmt.Sprint("regular-", j), time.Now(), 1, int64(round)))
				}
				for j := range 7 {
					batch = append(batch, fetches(fmt.Sprintf("passing-%d-%d", rand.IntN(9), j), time.Now(), 1, 1))
				}
				rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
				seen := map[string]bool{}
				batch = slices.DeleteFunc(batch, func(f verifier.Fetched) bool { again := seen[f.Name]; seen[f.Name] = true; return again })
				err := untilFree(func() error { return stores[i].SaveFetches(context.Background(), batch, time.Now(), keep) })
				if err != nil {
					return err
				}
			}
			return nil
		})
		t.Log("took", time.Since(begun))
		all := verifiers(t, stores[0])
		require.LessOrEqual(t, len(all), keep)
		found := 0
		for _, v := range all {
			if strings.HasPrefix(v.Name, "regular-") {
				found++
				require.EqualValues(t, 2+replicas*rounds, v.Fetches, v.Name)
			}
		}
		require.Equal(t, regulars, found)
		if strings.HasPrefix(address, "postgres") {
			execute(t, stores[0], "SELECT pg_stat_clear_snapshot()")
			require.Zero(t, query(t, stores[0], "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
		}
	}
	t.Run("sqlite", func(t *testing.T) { race(t, "sqlite:"+filepath.Join(t.TempDir(), "race.db")) })
	t.Run("postgres", func(t *testing.T) { race(t, testservers.Postgres(t)) })
}

// A replica that stops in the middle holds up the others for seconds, and readers not at all.
func TestNobodyWaitsForAVerifierForEver(t *testing.T) {
	store := openMigrated(t, testservers.Postgres(t))
	saveFetches(t, store, time.Now(), 10, fetches("orders", time.Now(), 1, 1))
	held := sql.Database(store).Begin()
	defer held.Rollback()
	require.NoError(t, held.Exec("LOCK TABLE verifiers IN SHARE ROW EXCLUSIVE MODE").Error)
	err := store.SaveFetches(t.Context(), []verifier.Fetched{fetches("orders", time.Now(), 1, 2)}, time.Now(), 10)
	require.True(t, outage.Is(err), "%v", err)
	require.EqualValues(t, 1, verifiers(t, store)[0].Fetches)
	require.NoError(t, held.Rollback().Error)
}

func TestVerifiersThroughAPooler(t *testing.T) {
	store := openWith(t, testservers.Postgres(t), sql.Options{MaxOpenConns: 2, TransactionPooler: true})
	for range 2 {
		saveFetches(t, store, time.Now(), 10, fetches("it's-one?", time.Now(), 1, 1), fetches("@two", time.Now(), 3, 1))
	}
	require.ElementsMatch(t, []string{"it's-one?", "@two"}, names(t, store))
	require.EqualValues(t, 8, query(t, store, "SELECT SUM(fetches) FROM verifiers"))
}

func TestSavingVerifiersIsCutShort(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, store.SaveFetches(ctx, []verifier.Fetched{fetches("orders", time.Now(), 1, 1)}, time.Now(), 10), context.Canceled)
		_, _, err := store.Verifiers(ctx, 10)
		require.ErrorIs(t, err, context.Canceled)
	})
}
