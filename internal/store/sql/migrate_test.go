package sql_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// The statements of the version that knew only migration 1.
const (
	openInVersion1 = `INSERT INTO sessions (sid, subject, client_id, code_use, method, identifier, scope, tier, device, address, auth_time, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	revokeInVersion1 = "UPDATE sessions SET revoked_at = ?, revoked_reason = ? WHERE revoked_at IS NULL AND expires_at > ? AND sid = ?"
)

// openAsBefore opens a session as version 1 did, and returns it as this version reads it.
func openAsBefore(t *testing.T, store *sql.Store, now time.Time) session.Session {
	t.Helper()
	execute(t, store, "INSERT INTO accounts (subject, created_at) VALUES ('somebody', 0) ON CONFLICT DO NOTHING")
	s := newSession("somebody", now)
	s.Scope, s.Tier, s.Device, s.Address = scope.Set{"openid", "profile"}, "anonymous", "phone", "192.0.2.1"
	execute(t, store, openInVersion1, s.SID, s.Subject, s.ClientID, s.CodeUse, s.Method, s.Identifier, s.Scope.String(), s.Tier,
		s.Device, s.Address, s.AuthTime.UnixMicro(), s.ExpiresAt.UnixMicro())
	return s
}

func revokeAsBefore(t *testing.T, store *sql.Store, s session.Session, now time.Time) {
	t.Helper()
	execute(t, store, revokeInVersion1, now.UnixMicro(), session.UserLeft, now.UnixMicro(), s.SID)
}

func TestSessionsSurviveMigration2(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	test := func(t *testing.T, address string) {
		store, err := sql.Open(address, sql.Options{MaxOpenConns: 5, Now: func() time.Time { return now }})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		require.NoError(t, sql.MigrateTo(t.Context(), store, 1))
		live, revoked, over := openAsBefore(t, store, now), openAsBefore(t, store, now), openAsBefore(t, store, now.Add(-3*time.Hour))
		revokeAsBefore(t, store, revoked, now)
		read := func() {
			live.LastUsedAt, live.RotatedAt, live.LastAddress = live.AuthTime, live.AuthTime, live.Address
			require.Equal(t, live, standing(t, store, live.SID).Session)
			ended := standing(t, store, revoked.SID).Session
			require.Equal(t, session.UserLeft, ended.RevokedReason)
			require.Equal(t, now, ended.RevokedAt)
			require.Equal(t, over.ExpiresAt, standing(t, store, over.SID).Session.ExpiresAt)
			require.Equal(t, []string{live.SID}, liveSIDs(t, store, session.Filter{}))
			revocations, err := store.Revocations(t.Context(), statuslist.Cursor{}, 10)
			require.NoError(t, err)
			require.Empty(t, revocations, "they have no places")
		}
		applied, err := store.Migrate(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, applied[0].Version)
		read()

		require.NoError(t, sql.MigrateTo(t.Context(), store, 1), "down again")
		younger := openAsBefore(t, store, now.Add(time.Minute))
		revokeAsBefore(t, store, younger, now)
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		read()

		advanced, err := store.Advance(t.Context(), live, rotated(live), nil)
		require.NoError(t, err)
		require.True(t, advanced)
		ended, err := store.EndSessions(t.Context(), session.Filter{All: true}, session.Ending{Reason: session.Operator}, 10)
		require.NoError(t, err)
		require.Equal(t, []string{live.SID}, sids(ended))
		n, err := store.Sweep(t.Context(), 0, 0, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "before.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, testservers.Postgres(t)) })
}

// While an installation is updated, replicas of both versions work side by side.
func TestAReplicaOfTheVersionBefore(t *testing.T) {
	store := openMigrated(t, testservers.Postgres(t))
	now := time.Now().UTC().Truncate(time.Microsecond)
	theirs, revoked := openAsBefore(t, store, now), openAsBefore(t, store, now)
	revokeAsBefore(t, store, revoked, now)
	ours := open(t, store, alpha, nil)
	revokeAsBefore(t, store, ours, now)

	read := standing(t, store, theirs.SID).Session
	require.False(t, read.Refreshable(), "they hand out no refresh tokens")
	require.Equal(t, theirs.ExpiresAt, read.ExpiresAt)
	require.Equal(t, account.SMS, read.Method)
	for _, s := range []session.Session{revoked, ours} {
		live, err := store.Live(t.Context(), s.SID)
		require.NoError(t, err)
		require.False(t, live)
		advanced, err := store.Advance(t.Context(), s, rotated(s), nil)
		require.NoError(t, err)
		require.False(t, advanced)
	}
	ended, err := store.EndSessions(t.Context(), session.Filter{All: true}, session.Ending{Reason: session.Operator}, 10)
	require.NoError(t, err)
	require.Equal(t, []string{theirs.SID}, sids(ended))
	execute(t, store, revokeInVersion1, now.UnixMicro(), session.UserLeft, now.UnixMicro(), theirs.SID) // comes too late
	require.Equal(t, session.Operator, standing(t, store, theirs.SID).Session.RevokedReason)
}
