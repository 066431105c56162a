package statuslist

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// still is a record in which one place is revoked, and a signer.
type still struct {
	Store
	now time.Time
}

func (s *still) Lists(context.Context) ([]List, time.Time, error) {
	return []List{{ID: "one", Leased: 256}}, s.now, nil
}

func (s *still) Revocations(_ context.Context, after Cursor, _ int) ([]Cursor, error) {
	if after.Tick > 0 {
		return nil, nil
	}
	return []Cursor{{Tick: 1, Place: Place{List: "one", Index: 7}}}, nil
}

func (s *still) Sign(_ context.Context, _, _ string, payload []byte) (string, error) {
	return string(payload), nil
}

func (s *still) Signer(string) string { return "key" }

// Compression is what costs: a poll without news does none, nor do a new window and a look from the start.
func TestNothingIsCompressedWithoutAChange(t *testing.T) {
	s := &still{now: time.Unix(1_800_000_000, 0)}
	b := NewBoard(Options{
		Store: s, Keys: s, Algorithm: "RS256", BaseURI: "https://id.example.com/", TTL: time.Minute,
		Now: func() time.Time { return s.now },
	})
	require.NoError(t, b.Poll(t.Context()))
	first, err := b.Token("one")
	require.NoError(t, err)
	b.encoder = nil // to compress would panic
	for range 1500 {
		s.now = s.now.Add(time.Second)
		require.NoError(t, b.Poll(t.Context()))
	}
	require.Equal(t, time.Unix(1_800_000_000+1200, 0), b.known.whole, "it has looked from the start twice")
	last, err := b.Token("one")
	require.NoError(t, err)
	require.NotEqual(t, first.ETag, last.ETag)
	require.True(t, b.known.lists["one"].bits.get(7))
}
