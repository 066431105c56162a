package sql_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// The statements of the version before key revisions.
const (
	keysInVersion2 = `SELECT signing_keys.kid, signing_keys.algorithm, signing_keys.state, signing_keys.sealed, signing_keys.created_at,
    signing_keys.published_at, signing_keys.activated_at
FROM signing_keys WHERE state IN ('next', 'current', 'previous') ORDER BY published_at, kid`
	addCurrentInVersion2 = `INSERT INTO signing_keys (kid, algorithm, state, sealed, created_at, published_at, activated_at)
VALUES (?, ?, 'current', ?, ?, ?, ?) ON CONFLICT DO NOTHING`
)

// turns sends each call to another of several stores over one database.
type turns struct {
	stores []*sql.Store
	n      atomic.Int64
}

func (s *turns) store() *sql.Store { return s.stores[int(s.n.Add(1))%len(s.stores)] }

func (s *turns) KeySet(ctx context.Context) (keyring.Snapshot, error) { return s.store().KeySet(ctx) }
func (s *turns) KeyRevision(ctx context.Context) (int64, error)       { return s.store().KeyRevision(ctx) }
func (s *turns) Leave(ctx context.Context, id string) error           { return s.store().Leave(ctx, id) }
func (s *turns) ReleaseKeys(ctx context.Context) error                { return s.store().ReleaseKeys(ctx) }

func (s *turns) ChangeKeys(ctx context.Context, c keyring.Change) error {
	return s.store().ChangeKeys(ctx, c)
}

func (s *turns) Attend(ctx context.Context, r keyring.Replica) error {
	return s.store().Attend(ctx, r)
}

func (s *turns) ClaimKeys(ctx context.Context, length time.Duration) (bool, error) {
	return s.store().ClaimKeys(ctx, length)
}

func TestKeyContract(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		keyringtest.TestStore(t, func(t *testing.T, now func() time.Time) keyring.Record {
			return openWith(t, "sqlite:"+filepath.Join(t.TempDir(), "keys.db"), sql.Options{MaxOpenConns: 10, Now: now})
		})
	})
	t.Run("postgres", func(t *testing.T) {
		keyringtest.TestStore(t, func(t *testing.T, now func() time.Time) keyring.Record {
			return openWith(t, testservers.Postgres(t), sql.Options{MaxOpenConns: 10, Now: now})
		})
	})
	t.Run("postgres, several replicas", func(t *testing.T) {
		keyringtest.TestStore(t, func(t *testing.T, now func() time.Time) keyring.Record {
			address := testservers.Postgres(t)
			all := &turns{}
			for range 4 {
				all.stores = append(all.stores, openWith(t, address, sql.Options{MaxOpenConns: 2, Now: now}))
			}
			return all
		})
	})
	t.Run("postgres, behind a transaction pooler", func(t *testing.T) {
		keyringtest.TestStore(t, func(t *testing.T, now func() time.Time) keyring.Record {
			return openWith(t, testservers.Postgres(t), sql.Options{MaxOpenConns: 5, Now: now, TransactionPooler: true})
		})
	})
}

func newKey(kid, algorithm string, state keyring.State) keyring.Key {
	now := time.Now()
	return keyring.Key{KID: kid, Algorithm: algorithm, State: state, Sealed: []byte("sealed"), CreatedAt: now, PublishedAt: now}
}

func keySet(t *testing.T, store *sql.Store) keyring.Snapshot {
	t.Helper()
	snapshot, err := store.KeySet(t.Context())
	require.NoError(t, err)
	return snapshot
}

// addAsBefore adds a current key as the version before key revisions did, and returns whether it was kept.
func addAsBefore(t *testing.T, store *sql.Store, kid, algorithm string, at time.Time) bool {
	t.Helper()
	added := sql.Database(store).Exec(addCurrentInVersion2, kid, algorithm, []byte("sealed"), at.UnixMicro(), at.UnixMicro(), at.UnixMicro())
	require.NoError(t, added.Error)
	return added.RowsAffected > 0
}

func TestKeyEventsStandAndFallWithTheChange(t *testing.T) {
	changes := 0
	onEachEngineWith(t, func() sql.Options {
		changes = 0
		return sql.Options{MaxOpenConns: 10, Now: time.Now, Changed: func() { changes++ }}
	}, func(t *testing.T, store *sql.Store) {
		at := time.Now()
		e := audit.Event{At: at, Kind: audit.KeyCreated, Actor: audit.System, Reason: "first", Detail: map[string]any{"kid": "a"}}
		c := keyring.Change{From: keySet(t, store).Revision, Added: []keyring.Key{newKey("a", keyring.ES256, keyring.Current)}, Events: []audit.Event{e}}
		require.NoError(t, store.ChangeKeys(t.Context(), c))
		require.Equal(t, 1, changes)
		written := events(t, store, audit.KeyCreated)
		require.Len(t, written, 1)
		require.Equal(t, "first", written[0].Reason)
		require.JSONEq(t, `{"kid":"a"}`, written[0].Detail)
		require.Equal(t, at.UnixMicro(), written[0].At)

		require.ErrorIs(t, store.ChangeKeys(t.Context(), c), keyring.ErrChanged)
		c.From++
		require.ErrorIs(t, store.ChangeKeys(t.Context(), c), keyring.ErrKnown)
		c.Added = []keyring.Key{newKey("b", keyring.ES256, keyring.Current)}
		require.ErrorIs(t, store.ChangeKeys(t.Context(), c), keyring.ErrChanged)
		require.Len(t, events(t, store, audit.KeyCreated), 1)

		c.Added, c.Events = []keyring.Key{newKey("b", keyring.EdDSA, keyring.Current)}, []audit.Event{{Kind: audit.KeyCreated, Detail: map[string]any{"kid": func() {}}}}
		require.Error(t, store.ChangeKeys(t.Context(), c), "an event that cannot be written")
		require.Len(t, keySet(t, store).Keys, 1, "no change without its events")
		require.Equal(t, c.From, keySet(t, store).Revision)
		require.Equal(t, 1, changes, "nobody is woken for nothing")
	})
}

func TestKeysOfTheVersionBefore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		at := time.Now().UTC().Truncate(time.Microsecond)
		planned := keySet(t, store)
		require.True(t, addAsBefore(t, store, "old", keyring.ES256, at))
		require.Equal(t, planned.Revision, keySet(t, store).Revision, "it knows of none")
		require.Equal(t, []keyring.Key{{
			KID: "old", Algorithm: keyring.ES256, State: keyring.Current, Origin: keyring.Generated, Sealed: []byte("sealed"), Longest: 24 * time.Hour,
			CreatedAt: at, PublishedAt: at, ActivatedAt: at,
		}}, keySet(t, store).Keys)
		c := keyring.Change{From: planned.Revision, Added: []keyring.Key{newKey("ours", keyring.ES256, keyring.Current)}}
		require.ErrorIs(t, store.ChangeKeys(t.Context(), c), keyring.ErrChanged)

		stopped := keySet(t, store).Keys[0]
		stopped.State, stopped.StoppedAt = keyring.Previous, at
		c.Changed, c.Added = []keyring.Key{stopped}, append(c.Added, newKey("next", keyring.ES256, keyring.Next), newKey("gone", keyring.ES256, keyring.Retired))
		require.NoError(t, store.ChangeKeys(t.Context(), c))
		require.False(t, addAsBefore(t, store, "late", keyring.ES256, at), "ours signs")

		var read []struct {
			KID    string `gorm:"column:kid"`
			State  keyring.State
			Sealed []byte
		}
		require.NoError(t, sql.Database(store).Raw(keysInVersion2).Scan(&read).Error)
		states := map[string]keyring.State{}
		for _, row := range read {
			states[row.KID] = row.State
			require.Equal(t, "sealed", string(row.Sealed))
		}
		require.Equal(t, map[string]keyring.State{"old": keyring.Previous, "ours": keyring.Current, "next": keyring.Next}, states)
	})
}

func TestKeysSurviveMigration3(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	test := func(t *testing.T, address string) {
		store, err := sql.Open(address, sql.Options{MaxOpenConns: 5, Now: time.Now})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		require.NoError(t, sql.MigrateTo(t.Context(), store, 2))
		require.True(t, addAsBefore(t, store, "old", keyring.ES256, at))
		for range 2 {
			_, err = store.Migrate(t.Context())
			require.NoError(t, err)
			snapshot := keySet(t, store)
			require.Len(t, snapshot.Keys, 1)
			require.Equal(t, 24*time.Hour, snapshot.Keys[0].Longest)
			require.Equal(t, at, snapshot.Keys[0].ActivatedAt)
			require.True(t, snapshot.Keys[0].StoppedAt.IsZero())
			mine, err := store.ClaimKeys(t.Context(), time.Hour)
			require.NoError(t, err)
			require.True(t, mine)
			require.NoError(t, sql.MigrateTo(t.Context(), store, 2), "down again")
			require.False(t, addAsBefore(t, store, "another", keyring.ES256, at), "the key is still there")
		}
	}
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "keys.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, testservers.Postgres(t)) })
}

func TestKeyHistory(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		gone := newKey("gone", keyring.ES256, keyring.Retired)
		gone.PublishedAt = gone.PublishedAt.Add(-365 * 24 * time.Hour)
		gone.EndedAt = gone.PublishedAt
		here := newKey("here", keyring.ES256, keyring.Current)
		c := keyring.Change{From: keySet(t, store).Revision, Added: []keyring.Key{gone, here}}
		require.NoError(t, store.ChangeKeys(t.Context(), c))
		require.Len(t, keySet(t, store).Keys, 1)
		history, err := store.KeyHistory(t.Context())
		require.NoError(t, err)
		require.Len(t, history, 2)
		require.Equal(t, "here", history[0].KID, "the newest first")
		require.Equal(t, "gone", history[1].KID)
	})
}

// Clocks of replicas differ; PostgreSQL's counts.
func TestKeysGoByTheClockOfPostgreSQL(t *testing.T) {
	store := onOneConnection(t)
	theirs := func() time.Time {
		return time.UnixMicro(query(t, store, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"))
	}
	before := theirs()
	wrong := before.Add(time.Hour)
	require.NoError(t, store.Attend(t.Context(), keyring.Replica{ID: "a", StartedAt: wrong, SeenAt: wrong}))
	mine, err := store.ClaimKeys(t.Context(), time.Minute)
	require.NoError(t, err)
	require.True(t, mine)
	snapshot := keySet(t, store)
	after := theirs()
	due := time.UnixMicro(query(t, store, "SELECT due_at FROM jobs WHERE name = 'keys'"))
	for _, at := range []time.Time{snapshot.Now, snapshot.Replicas[0].SeenAt, snapshot.Replicas[0].StartedAt, due.Add(-time.Minute)} {
		require.False(t, at.Before(before), "%v is before %v", at, before)
		require.False(t, at.After(after), "%v is after %v", at, after)
	}
}
