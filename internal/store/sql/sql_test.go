package sql_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/directorytest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// onEachEngine runs a test on SQLite and, but for -short, on PostgreSQL.
func onEachEngine(t *testing.T, test func(t *testing.T, store *sql.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, openMigrated(t, "sqlite:"+filepath.Join(t.TempDir(), "a b?#.db")))
	})
	t.Run("postgres", func(t *testing.T) { test(t, openMigrated(t, testservers.Postgres(t))) })
}

func openMigrated(t *testing.T, address string) *sql.Store {
	store, err := sql.Open(address, sql.Options{MaxOpenConns: 10, Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return store
}

// hr makes people the whole staff of the one source.
func hr(t *testing.T, store *sql.Store, people ...directory.Person) directory.Report {
	t.Helper()
	report, err := directory.Reconcile(t.Context(), store,
		directory.Feed{Source: "hr", Mode: directory.Full, People: people},
		directory.Options{Confirmed: true, Actor: "test"})
	require.NoError(t, err)
	return report
}

func person(externalID, e164 string) directory.Person {
	p := directory.Person{ExternalID: externalID, Name: "Person " + externalID, Active: true}
	if e164 != "" {
		p.Phone = number(e164)
	}
	return p
}

func number(e164 string) phone.Number {
	n, err := phone.Stored(e164)
	if err != nil {
		panic(err)
	}
	return n
}

func TestDirectoryContract(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		directorytest.TestStore(t, func(t *testing.T) directory.Store {
			return openMigrated(t, "sqlite:"+filepath.Join(t.TempDir(), "contract.db"))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		directorytest.TestStore(t, func(t *testing.T) directory.Store {
			return openMigrated(t, testservers.Postgres(t))
		})
	})
}

func TestMigrateTwice(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		again, err := store.Migrate(t.Context())
		require.NoError(t, err)
		require.Empty(t, again)
		all, err := store.Migrations(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, all)
		for _, step := range all {
			require.False(t, step.AppliedAt.IsZero())
		}
		require.NoError(t, store.Ping(t.Context()))
	})
}
