package sql_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// onOneConnection opens a store as in production, but with one connection: what it does shows in
// PostgreSQL's statistics as soon as its own connection asks for that.
func onOneConnection(t *testing.T) *sql.Store {
	address := testservers.Postgres(t)
	migrating := openMigrated(t, address) // which takes two
	for range 2 {                         // what they have counted must not arrive in the middle of a test
		execute(t, migrating, "SELECT pg_stat_force_next_flush()")
	}
	require.NoError(t, migrating.Close())
	store, err := sql.Open(address, sql.Options{MaxOpenConns: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// usage is what PostgreSQL has counted.
type usage struct {
	Updates, HotUpdates int64 // of rows of sessions
	SeqScans            int64 // of sessions
	Revoked             int64 // entries read of the index sessions_revoked
	Entries             int64 // entries read of any index of sessions
}

func usageOf(t *testing.T, store *sql.Store) usage {
	t.Helper()
	var u usage
	execute(t, store, "SELECT pg_stat_force_next_flush()")
	execute(t, store, "SELECT pg_stat_clear_snapshot()")
	err := sql.Database(store).Raw(`
SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot_updates, seq_scan AS seq_scans,
    (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE indexrelname = 'sessions_revoked') AS revoked,
    (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'sessions') AS entries
FROM pg_stat_user_tables WHERE relname = 'sessions'`).Scan(&u).Error
	require.NoError(t, err)
	return u
}

// A refresh rewrites its row in place: no index grows with it.
func TestARefreshTouchesNoIndex(t *testing.T) {
	store := onOneConnection(t)
	var sessions []session.Session
	for i := range 40 {
		s := newSession("somebody", time.Now())
		s.Place = session.Place{List: "list", Index: i}
		sessions = append(sessions, s)
	}
	plant(t, store, sessions...)
	before := usageOf(t, store)
	for i := range 100 {
		s := &sessions[i*7%len(sessions)]
		next := rotated(*s)
		next.Tier, next.LastAddress = "employee", "192.0.2.1"
		next.LastUsedAt, next.ExpiresAt = s.LastUsedAt.Add(time.Minute), s.ExpiresAt.Add(time.Minute)
		var events []audit.Event
		if i%10 == 0 {
			events = []audit.Event{{At: time.Now(), Kind: audit.RefreshRepeated}}
		}
		advanced, err := store.Advance(t.Context(), *s, next, events)
		require.NoError(t, err)
		require.True(t, advanced)
		*s = next
	}
	after := usageOf(t, store)
	require.EqualValues(t, 100, after.Updates-before.Updates)
	require.EqualValues(t, 100, after.HotUpdates-before.HotUpdates)
}

// crowd is how many sessions there are where plans matter: a thousandth of them may be looked at.
const crowd = 20_000

// plantCrowd opens a session each for as many people, all of HR's; every tenth is revoked.
func plantCrowd(t *testing.T, store *sql.Store) {
	t.Helper()
	hr(t, store)
	for _, statement := range []string{
		`INSERT INTO users (id, source, external_id, name, phone, email, department, title, employment_type, groups, active, created_at, updated_at)
SELECT 'usr' || i, 'hr', 'E' || i, 'Person', '+4477009' || LPAD(i::text, 5, '0'), i || '@example.com', '', '', '', '[]', TRUE, 0, 0
FROM generate_series(1, @n) i`,
		"INSERT INTO accounts (subject, user_id, created_at) SELECT 'sub' || i, 'usr' || i, 0 FROM generate_series(1, @n) i",
		`INSERT INTO identities (method, identifier, subject, attached_at)
SELECT 'sms', '+4477009' || LPAD(i::text, 5, '0'), 'sub' || i, 0 FROM generate_series(1, @n) i`,
		`INSERT INTO sessions (sid, subject, client_id, code_use, method, identifier, scope, tier, device, address, auth_time, expires_at,
    status_list, status_index, revoked_at, revoked_tick)
SELECT 'sid' || i, 'sub' || i, 'app', 'use' || i, 'sms', '+4477009' || LPAD(i::text, 5, '0'), '', '', '', '', i, @end, 'list', i,
    CASE WHEN i % 10 = 0 THEN 1 END, CASE WHEN i % 10 = 0 THEN i / 10 ELSE 0 END FROM generate_series(1, @n) i`,
		"UPDATE revocation_clock SET tick = @n",
	} {
		execute(t, store, statement, map[string]any{"n": crowd, "end": time.Now().Add(time.Hour).UnixMicro()})
	}
	execute(t, store, "ANALYZE")
}

// Nothing that one person does, or has done to them, reads all sessions, however many there are. The plans are
// those that PostgreSQL really takes, also once it has seen a statement often enough to plan it for good.
func TestNobodyReadsAllSessions(t *testing.T) {
	store := onOneConnection(t)
	plantCrowd(t, store)
	ctx, how := t.Context(), session.Ending{Reason: session.Operator}
	end := func(filter session.Filter) error {
		_, err := store.EndSessions(ctx, filter, how, session.EndBatch)
		return err
	}
	list := func(filter session.Filter) error {
		_, _, err := store.Sessions(ctx, filter, 20)
		return err
	}
	for _, tc := range []struct {
		name string
		call func(i string) error
	}{
		{"Standing", func(i string) error { _, err := store.Standing(ctx, "sid"+i); return err }},
		{"Live", func(i string) error { _, err := store.Live(ctx, "sid"+i); return err }},
		{"Person", func(i string) error { _, err := store.Person(ctx, "sid"+i); return err }},
		{"Advance", func(i string) error {
			s := session.Session{SID: "sid" + i}
			_, err := store.Advance(ctx, s, s, nil)
			return err
		}},
		{"SignIn, and too many sessions", func(i string) error {
			_, err := opening(ctx, store, "+447700900"+i, 1, nil)
			return err
		}},
		{"Sessions of a session", func(i string) error { return list(session.Filter{SID: "sid" + i, Ended: true}) }},
		{"Sessions of a person", func(i string) error { return list(session.Filter{Subject: "sub" + i}) }},
		{"Sessions of a number", func(i string) error { return list(session.Filter{Phone: "+447700900" + i}) }},
		{"EndSessions of a session", func(i string) error { return end(session.Filter{SID: "sid" + i}) }},
		{"EndSessions of a person", func(i string) error { return end(session.Filter{Subject: "sub2" + i}) }},
		{"EndSessions of a number", func(i string) error { return end(session.Filter{Phone: "+447700903" + i}) }},
		{"EndSessions of an external id", func(i string) error { return end(session.Filter{ExternalID: "E4" + i}) }},
		{"Sweep", func(string) error { _, err := store.Sweep(ctx, 0, time.Hour, 10); return err }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := usageOf(t, store)
			for i := 111; i < 120; i++ { // revoked ones are between
				require.NoError(t, tc.call(strconv.Itoa(i)))
			}
			after := usageOf(t, store)
			require.Zero(t, after.SeqScans-before.SeqScans, "sequential scans of sessions")
			require.Less(t, after.Entries-before.Entries, int64(9*100), "entries of indexes of sessions")
		})
	}
}

// A page of revocations costs what is on it, wherever it begins.
func TestRevocationsReadTheirPageOnly(t *testing.T) {
	store := onOneConnection(t)
	plantCrowd(t, store)
	before := usageOf(t, store)
	var cursor statuslist.Cursor
	seen := 0
	for {
		page, err := store.Revocations(t.Context(), cursor, 50)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		seen += len(page)
		cursor = page[len(page)-1]
	}
	require.Equal(t, crowd/10, seen)
	after := usageOf(t, store)
	require.Zero(t, after.SeqScans-before.SeqScans)
	require.Less(t, after.Revoked-before.Revoked, int64(2*seen))
}

func TestReplicasGoByTheClockOfPostgreSQL(t *testing.T) {
	store := onOneConnection(t)
	opened := open(t, store, alpha, nil)
	theirs := func() time.Time {
		return time.UnixMicro(query(t, store, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"))
	}
	for name, ask := range map[string]func() (time.Time, error){
		"Clock": func() (time.Time, error) { return store.Clock(t.Context()) },
		"a sign-in": func() (now time.Time, err error) {
			err = store.SignIn(t.Context(), account.Identity{Method: account.SMS, Identifier: alpha}, func(found login.Found) (login.Entry, error) {
				now = found.Now
				return login.Entry{}, errNotMine
			})
			require.ErrorIs(t, err, errNotMine)
			return now, nil
		},
		"Standing": func() (time.Time, error) {
			st, err := store.Standing(t.Context(), opened.SID)
			return st.Now, err
		},
		"Lists": func() (time.Time, error) {
			_, now, err := store.Lists(t.Context())
			return now, err
		},
		"a revocation": func() (time.Time, error) {
			s := open(t, store, alpha, nil)
			_, err := store.EndSessions(t.Context(), session.Filter{SID: s.SID}, session.Ending{Reason: session.Operator}, 1)
			return standing(t, store, s.SID).Session.RevokedAt, err
		},
		"a status list": func() (time.Time, error) {
			err := store.OpenList(t.Context(), "list", 1)
			return time.UnixMicro(query(t, store, "SELECT opened_at FROM status_lists")), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := theirs()
			now, err := ask()
			require.NoError(t, err)
			require.False(t, now.Before(before), "%v is before %v", now, before)
			require.False(t, now.After(theirs()))
		})
	}
}

// Behind PgBouncer no statement is prepared, and all values are text.
func TestSessionsBehindATransactionPooler(t *testing.T) {
	store := openWith(t, testservers.Postgres(t), sql.Options{MaxOpenConns: 5, TransactionPooler: true})
	hr(t, store, person("1", alpha))
	place := session.Place{List: "list", Index: 3}
	s := open(t, store, alpha, func(s *session.Session) { s.Place = place })
	require.Equal(t, s, standing(t, store, s.SID).Session)
	for _, events := range [][]audit.Event{nil, {{At: time.Now(), Kind: audit.RefreshRepeated}}} {
		advanced, err := store.Advance(t.Context(), s, rotated(s), events)
		require.NoError(t, err)
		require.True(t, advanced)
		s = rotated(s)
	}
	_, err := opening(t.Context(), store, alpha, 1, nil)
	require.NoError(t, err)
	require.Equal(t, session.TooMany, standing(t, store, s.SID).Session.RevokedReason)
	revocations, err := store.Revocations(t.Context(), statuslist.Cursor{Tick: 0, Place: statuslist.Place{List: "a", Index: 9}}, 10)
	require.NoError(t, err)
	require.Len(t, revocations, 1)
	all := session.Filter{Phone: alpha, Email: "x", ExternalID: "1", AfterSID: "0", OpenedUntil: time.Now()}
	_, err = store.EndSessions(t.Context(), all, session.Ending{Reason: session.Operator}, 10)
	require.NoError(t, err)
	_, _, err = store.Sessions(t.Context(), all, 10)
	require.NoError(t, err)
	require.NoError(t, store.OpenList(t.Context(), "list", 1))
	lease, err := store.Lease(t.Context(), 256)
	require.NoError(t, err)
	require.Equal(t, statuslist.Lease{List: "list", From: 0, To: 256}, lease)
	require.Equal(t, []statuslist.List{{ID: "list", Leased: 256}}, lists(t, store))
	_, err = store.Sweep(t.Context(), time.Minute, time.Hour, 10)
	require.NoError(t, err)
	require.Equal(t, 1, hr(t, store, person("2", beta)).SessionsEnded)
	_, err = store.Clock(t.Context())
	require.NoError(t, err)
}
