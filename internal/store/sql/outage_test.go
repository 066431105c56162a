package sql_test

import (
	"context"
	stdsql "database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

func TestADatabaseThatIsGoneIsAnOutage(t *testing.T) {
	server := testservers.StartPostgres(t)
	store := openMigrated(t, server.DSN())
	server.Kill()
	var err error
	require.Eventually(t, func() bool { // the server's children live on for a moment
		_, err = signIn(t.Context(), store, alpha)
		return err != nil && store.Ping(t.Context()) != nil
	}, 10*time.Second, 20*time.Millisecond)
	require.True(t, outage.Is(err), "%v", err)
	require.True(t, outage.Is(store.Ping(t.Context())))
	require.NotContains(t, err.Error(), alpha)
	server.Start()
	require.Eventually(t, func() bool {
		_, err := signIn(t.Context(), store, alpha)
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
}

// A caller who hangs up costs a connection; it must not cost a temporary database.
func TestHangingUpInMidTransaction(t *testing.T) {
	hangUp := func(t *testing.T, store *sql.Store) {
		who := mustSignIn(t, store, alpha)
		ctx, cancel := context.WithCancel(t.Context())
		err := store.SignIn(ctx, account.Identity{Method: account.SMS, Identifier: alpha}, func(login.Found) (login.Entry, error) {
			cancel()
			return login.Entry{Events: []audit.Event{{At: time.Now(), Kind: audit.SignInRefused}}}, nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, who.subject, mustSignIn(t, store, alpha).subject)
	}
	onEachEngine(t, hangUp)
	t.Run("sqlite, temporary", func(t *testing.T) { hangUp(t, openMigrated(t, sql.Temporary)) })
}

func TestALockedSQLiteFileIsAnOutage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locked.db")
	store := openMigrated(t, "sqlite:"+path)
	other := raw(t, path)
	_, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = signIn(ctx, store, alpha)
	require.True(t, outage.Is(err), "%v", err)
	_, err = other.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	mustSignIn(t, store, alpha)
}

// A database file that may not grow is what a full disk looks like to SQLite.
func TestAFullDiskIsAnOutage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.db")
	store, err := sql.Open("sqlite:"+path, sql.Options{MaxOpenConns: 1, Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	require.NoError(t, sql.Limit(store, 1))
	for range 2000 {
		err = store.Record(t.Context(), audit.Event{At: time.Now(), Kind: audit.SignInRefused, Detail: map[string]any{"filler": path}})
		if err != nil {
			break
		}
	}
	require.True(t, outage.Is(err), "%v", err)
	require.ErrorContains(t, err, "full")
}

// raw opens the file behind a store's back.
func raw(t *testing.T, path string) *stdsql.Conn {
	t.Helper()
	db, err := stdsql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(); _ = db.Close() })
	return conn
}
