package sql_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// Migration 4 adds tables and changes none: what is in the others survives it both ways, and a version before it
// works beside it.
func TestTextsComeAndGoWithMigration4(t *testing.T) {
	test := func(t *testing.T, address string) {
		store, err := sql.Open(address, sql.Options{MaxOpenConns: 5, Now: time.Now})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		require.NoError(t, sql.MigrateTo(t.Context(), store, 3))
		hr(t, store, person("1", alpha))
		before := open(t, store, alpha, nil)
		works := func() {
			require.Equal(t, before.Subject, standing(t, store, before.SID).Session.Subject)
			open(t, store, alpha, nil)
			_, err := store.Sweep(t.Context(), 0, time.Hour, 10)
			require.NoError(t, err)
		}
		fill := func() {
			recordTexts(t, store, textTo(alpha, "SM1", time.Now()))
			deliver(t, store, news("SM1", sms.Delivered))
			require.NoError(t, store.Redeemed(t.Context(), []string{"challenge SM1"}, time.Now()))
			_, err := store.NoteUndeliverable(t.Context(), number(alpha), sms.Failure{Class: sms.OptedOut}, time.Now())
			require.NoError(t, err)
			require.Equal(t, [4]int64{1, 1, 1, 1}, counts(t, store))
			require.Zero(t, sweepTexts(t, store, 10))
		}
		for range 2 {
			applied, err := store.Migrate(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 4, applied[0].Version)
			works()
			fill()
			require.NoError(t, sql.MigrateTo(t.Context(), store, 3), "down, with data")
			works()
		}
	}
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "before.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, testservers.Postgres(t)) })
}
