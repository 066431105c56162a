package sql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// plantTexts writes a text for each of the crowd, one a second up to now, with its news and every other code
// used; every tenth is a stranger's, of fifty countries, and every other number has been found to get none.
func plantTexts(t *testing.T, store *sql.Store, now time.Time) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO texts (at, phone, country, kind, challenge, client_id, stranger, segments, cost, provider, provider_id, class, code, rule)
SELECT @now - (@n - i)::bigint * 1000000, '+4477009' || LPAD(i::text, 5, '0'), 'C' || i / 10 % 50, 'code', 'challenge' || i, 'app', i % 10 = 0, 1, 40000,
    'twilio', 'SM' || i, '', 0, '' FROM generate_series(1, @n) i`,
		`INSERT INTO deliveries (provider, provider_id, status, rank, code, class, first_at, at)
SELECT 'twilio', 'SM' || i, 'sent', 4, 0, '', @now - (@n - i)::bigint * 1000000, 0 FROM generate_series(1, @n) i`,
		`INSERT INTO redemptions (challenge, at) SELECT 'challenge' || i, @now - (@n - i)::bigint * 1000000 FROM generate_series(2, @n, 2) i`,
		`INSERT INTO undeliverable (phone, class, code, reason, provider, hits, first_at, last_at, until)
SELECT '+4477009' || LPAD(i::text, 5, '0'), 'number_permanent', 0, '', '', 1, @now, @now, @now FROM generate_series(2, @n, 2) i`,
	} {
		execute(t, store, statement, map[string]any{"n": crowd, "now": now.UnixMicro()})
	}
	execute(t, store, "VACUUM ANALYZE texts, deliveries, redemptions, undeliverable, users")
}

// textUsage is what PostgreSQL has counted of all tables that are about texts, and of users.
type textUsage struct {
	SeqScans            int64
	TextScans           int64 // those of texts
	Entries             int64 // of any index
	Updates, HotUpdates int64 // of rows of deliveries
}

func textUsageOf(t *testing.T, store *sql.Store) textUsage {
	t.Helper()
	var u textUsage
	execute(t, store, "SELECT pg_stat_force_next_flush()")
	execute(t, store, "SELECT pg_stat_clear_snapshot()")
	const tables = "relname IN ('texts', 'deliveries', 'redemptions', 'undeliverable', 'users')"
	err := sql.Database(store).Raw(`
SELECT SUM(seq_scan) AS seq_scans, SUM(CASE WHEN relname = 'texts' THEN seq_scan ELSE 0 END) AS text_scans,
    (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE ` + tables + `) AS entries,
    SUM(CASE WHEN relname = 'deliveries' THEN n_tup_upd ELSE 0 END) AS updates,
    SUM(CASE WHEN relname = 'deliveries' THEN n_tup_hot_upd ELSE 0 END) AS hot_updates
FROM pg_stat_user_tables WHERE ` + tables).Scan(&u).Error
	require.NoError(t, err)
	return u
}

// What is asked for each text, and each minute, costs what it is about, however many texts there are.
func TestNobodyReadsAllTexts(t *testing.T) {
	store := onOneConnection(t)
	now := time.Now()
	plantCrowd(t, store)
	plantTexts(t, store, now)
	ctx := t.Context()
	of := func(i int) phone.Number { return number(fmt.Sprintf("+4477009%05d", i)) }
	for _, tc := range []struct {
		name    string
		entries int64 // of indexes, in a call
		call    func(i int) error
	}{
		{"Recipient", 5, func(i int) error { _, err := store.Recipient(ctx, of(i)); return err }},
		{"RecordTexts", 10, func(i int) error {
			return store.RecordTexts(ctx, []sms.Record{textTo(alpha, fmt.Sprint("new", i), now)})
		}},
		{"RecordTexts again", 10, func(i int) error {
			return store.RecordTexts(ctx, []sms.Record{textTo(alpha, fmt.Sprint("SM", i), now)})
		}},
		{"Deliver", 200, func(i int) error {
			var all []sms.Delivery
			for j := range 20 {
				all = append(all, news(fmt.Sprint("SM", i*20+j), sms.Delivered))
			}
			_, err := store.Deliver(ctx, all)
			return err
		}},
		{"Redeemed", 10, func(i int) error { return store.Redeemed(ctx, []string{fmt.Sprint("challenge", i)}, now) }},
		{"NoteUndeliverable", 20, func(i int) error {
			_, err := store.NoteUndeliverable(ctx, of(i), sms.Failure{Class: sms.OptedOut}, now)
			return err
		}},
		{"Deliverable", 20, func(i int) error { return store.Deliverable(ctx, of(i), of(i+1), of(i+2)) }},
		{"UndeliverableNumbers", 200, func(i int) error { _, err := store.UndeliverableNumbers(ctx, 10, of(100*(i-110)), true); return err }},
		{"TextsTo", 10, func(i int) error { _, err := store.TextsTo(ctx, of(i), 10); return err }},
		{"StrangerSends", 200, func(i int) error {
			_, _, err := store.StrangerSends(ctx, fmt.Sprint("C", i%50), now.Add(-24*time.Hour), now, 50)
			return err
		}},
		{"StrangerCountries", 300, func(int) error { _, err := store.StrangerCountries(ctx, now.Add(-time.Hour), now); return err }},
		{"SweepTexts", 400, func(int) error { _, err := store.SweepTexts(ctx, 0, time.Hour, 20); return err }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := textUsageOf(t, store)
			for i := 111; i < 120; i++ { // often enough to plan it for good
				require.NoError(t, tc.call(i))
			}
			after := textUsageOf(t, store)
			require.Zero(t, after.SeqScans-before.SeqScans, "sequential scans")
			require.Less(t, after.Entries-before.Entries, 9*tc.entries, "entries of indexes")
		})
	}
}

// News changes its row in place: no index grows with it.
func TestNewsTouchesNoIndex(t *testing.T) {
	store := onOneConnection(t)
	for i := range 40 {
		deliver(t, store, news(fmt.Sprint("SM", i), sms.Queued))
	}
	before := textUsageOf(t, store)
	for _, status := range []sms.Status{sms.Sent, sms.Delivered} {
		for i := range 40 {
			require.Len(t, deliver(t, store, news(fmt.Sprint("SM", i), status)), 1)
		}
	}
	after := textUsageOf(t, store)
	require.EqualValues(t, 80, after.Updates-before.Updates)
	require.EqualValues(t, 80, after.HotUpdates-before.HotUpdates)
}

// A report of one of a hundred days reads that day.
func TestAReportReadsItsDays(t *testing.T) {
	store := onOneConnection(t)
	now := time.Now().Truncate(time.Second)
	plantTexts(t, store, now)
	for range 7 {
		before := textUsageOf(t, store)
		report, err := store.TextReport(t.Context(), now.Add(-199*time.Second), now.Add(time.Second))
		require.NoError(t, err)
		sent := 0
		for _, row := range report {
			sent += row.Sent
		}
		require.Equal(t, 200, sent)
		after := textUsageOf(t, store)
		require.Zero(t, after.TextScans-before.TextScans)
		require.Less(t, after.Entries-before.Entries, int64(3*200))
	}
}

// Behind PgBouncer no statement is prepared, and all values are text.
func TestTextsBehindATransactionPooler(t *testing.T) {
	store := openWith(t, testservers.Postgres(t), sql.Options{MaxOpenConns: 5, TransactionPooler: true})
	hr(t, store, person("1", alpha))
	now := time.Now().UTC().Truncate(time.Microsecond)
	recordTexts(t, store, textTo(alpha, "SM1", now, stranger), textTo(alpha, "SM2", now.Add(-time.Second), stranger))
	require.Len(t, deliver(t, store, news("SM1", sms.Delivered), news("SM2", sms.Sent)), 2)
	require.NoError(t, store.Redeemed(t.Context(), []string{"challenge SM1"}, now))
	require.Equal(t, sms.Delivered, textsTo(t, store, alpha, 5)[0].Status)
	sent, redeemed, err := store.StrangerSends(t.Context(), "GB", now.Add(-time.Minute), now.Add(time.Minute), 50)
	require.NoError(t, err)
	require.Equal(t, []int{2, 1}, []int{sent, redeemed})
	countries, err := store.StrangerCountries(t.Context(), now.Add(-time.Minute), now.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, []string{"GB"}, countries)
	report, err := store.TextReport(t.Context(), now.Add(-time.Minute), now.Add(time.Minute))
	require.NoError(t, err)
	require.NotEmpty(t, report)
	blocked, err := store.NoteUndeliverable(t.Context(), number(alpha), sms.Failure{Class: sms.OptedOut}, now)
	require.NoError(t, err)
	require.True(t, blocked)
	require.True(t, recipient(t, store, alpha).Known)
	require.NotNil(t, recipient(t, store, alpha).Undeliverable)
	require.Len(t, listed(t, store, true), 1)
	require.NoError(t, store.Deliverable(t.Context(), number(alpha)))
	require.NoError(t, store.RecordMany(t.Context(), []audit.Event{{At: now, Kind: audit.SignInRefused}}))
	total, _, err := store.PeopleByCountry(t.Context(), countryOf)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	_, err = store.DirectoryRevision(t.Context())
	require.NoError(t, err)
	require.Equal(t, 0, sweepTexts(t, store, 10))
}
