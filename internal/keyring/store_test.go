package keyring_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

func TestWhoIsThereAndBehind(t *testing.T) {
	seen := func(id string, ago time.Duration, revision int64) keyring.Replica {
		return keyring.Replica{ID: id, SeenAt: noon.Add(-ago), Revision: revision}
	}
	s := keyring.Snapshot{Now: noon, Replicas: []keyring.Replica{
		seen("here", 0, 7), seen("behind", 15*time.Second, 6), seen("gone", 15*time.Second+1, 5), seen("ahead", -time.Second, 8),
	}}
	names := func(replicas []keyring.Replica) (ids []string) {
		for _, r := range replicas {
			ids = append(ids, r.ID)
		}
		return ids
	}
	require.Equal(t, []string{"here", "behind", "ahead"}, names(s.Live()))
	require.Equal(t, []string{"behind"}, names(s.Behind(7)))
	require.Empty(t, s.Behind(6))
	require.Empty(t, s.Behind(0), "a key of a version before revisions")
	require.Len(t, s.Replicas, 4)
}

func TestAlgorithmsInUse(t *testing.T) {
	s := keyring.Snapshot{Keys: []keyring.Key{
		{Algorithm: keyring.EdDSA, State: keyring.Next}, {Algorithm: keyring.RS256, State: keyring.Current}, {Algorithm: keyring.ES256, State: keyring.Previous},
		{Algorithm: keyring.ES256, State: keyring.Revoked},
	}}
	require.Equal(t, []string{keyring.RS256, keyring.EdDSA}, s.InUse())
	require.Len(t, s.Published(), 3)
	require.Len(t, s.Keys, 4)
}
