package sql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// Whoever has the clock and stops, as a suspended import does, holds up others for seconds and not for
// ever, and a dry run holds up nobody.
func TestNobodyWaitsForTheClockForEver(t *testing.T) {
	store := openMigrated(t, testservers.Postgres(t))
	hr(t, store, person("1", alpha), person("2", beta))
	who := mustSignIn(t, store, alpha)
	held := sql.Database(store).Begin()
	defer held.Rollback()
	require.NoError(t, held.Exec("UPDATE revocation_clock SET tick = tick + 1").Error)

	begun := time.Now()
	_, err := store.EndSessions(t.Context(), session.Filter{SID: who.sid}, session.Ending{Reason: session.SignedOut}, 1)
	require.True(t, outage.Is(err), "%v", err)
	require.Less(t, time.Since(begun), 30*time.Second)
	require.True(t, live(t, store, who))

	report, err := directory.Reconcile(t.Context(), store, directory.Feed{Source: "hr", Mode: directory.Full, People: []directory.Person{person("2", beta)}},
		directory.Options{Confirmed: true, DryRun: true, Actor: "test"})
	require.NoError(t, err)
	require.Equal(t, 1, report.SessionsEnded, "it tells all the same")

	require.NoError(t, held.Rollback().Error)
	ended, err := store.EndSessions(t.Context(), session.Filter{SID: who.sid}, session.Ending{Reason: session.SignedOut}, 1)
	require.NoError(t, err)
	require.Len(t, ended, 1)
}
