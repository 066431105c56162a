package keyringtest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

func TestMemory(t *testing.T) {
	keyringtest.TestStore(t, func(_ *testing.T, now func() time.Time) keyring.Record { return keyringtest.NewMemory(now) })
	t.Run("through a line", func(t *testing.T) {
		keyringtest.TestStore(t, func(_ *testing.T, now func() time.Time) keyring.Record {
			return &keyringtest.Line{Record: keyringtest.NewMemory(now)}
		})
	})
}

func TestEventsAreWrittenWithTheChange(t *testing.T) {
	m := keyringtest.NewMemory(time.Now)
	created := audit.Event{Kind: audit.KeyCreated}
	k := keyring.Key{KID: "a", Algorithm: keyring.ES256, State: keyring.Current}
	require.NoError(t, m.ChangeKeys(t.Context(), keyring.Change{From: 1, Added: []keyring.Key{k}, Events: []audit.Event{created}}))
	require.ErrorIs(t, m.ChangeKeys(t.Context(), keyring.Change{From: 2, Added: []keyring.Key{k}, Events: []audit.Event{created}}), keyring.ErrKnown)
	require.Equal(t, []audit.Event{created}, m.Events())
}

func TestNobodyHoldsWhatTheRecordHolds(t *testing.T) {
	m := keyringtest.NewMemory(time.Now)
	sealed := []byte("sealed")
	added := []keyring.Key{{KID: "a", Algorithm: keyring.ES256, State: keyring.Current, Sealed: sealed}}
	require.NoError(t, m.ChangeKeys(t.Context(), keyring.Change{From: 1, Added: added}))
	sealed[0], added[0].State = 'X', keyring.Revoked
	snapshot, err := m.KeySet(t.Context())
	require.NoError(t, err)
	snapshot.Keys[0].Sealed[1] = 'X'
	snapshot.Keys[0].KID = "b"
	require.Equal(t, "sealed", string(m.Keys()[0].Sealed))
	require.Equal(t, keyring.Current, m.Keys()[0].State)
	require.Equal(t, "a", m.Keys()[0].KID)
}

func TestARestoredBackup(t *testing.T) {
	m := keyringtest.NewMemory(time.Now)
	restore := m.Backup()
	require.NoError(t, m.ChangeKeys(t.Context(), keyring.Change{From: 1, Added: []keyring.Key{{KID: "a", State: keyring.Current}}}))
	restore()
	require.Empty(t, m.Keys())
	revision, err := m.KeyRevision(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, revision)
}
