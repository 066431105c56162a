package redis_test

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

func mark(kid string, revoked bool, until time.Time) keyring.Mark {
	return keyring.Mark{KID: kid, Revoked: revoked, Until: until}
}

func TestTheKeyWitness(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) goredis.UniversalClient{
		"in process": func(t *testing.T) goredis.UniversalClient {
			client, stop := redis.InProcess()
			t.Cleanup(stop)
			return client
		},
		"on Redis": func(t *testing.T) goredis.UniversalClient {
			client, err := redis.Open(testservers.Redis(t), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			t.Cleanup(func() { _ = client.Close() })
			return client
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, prefix := open(t), "test:"+rand.Text()+":"
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			w := redis.NewKeyWitness(client, prefix, func() time.Time { return now })
			recalled := func() map[string]keyring.Mark {
				t.Helper()
				marks, err := w.Recall(t.Context())
				require.NoError(t, err)
				byKID := map[string]keyring.Mark{}
				for _, m := range marks {
					byKID[m.KID] = m
				}
				require.Len(t, byKID, len(marks), "each once")
				return byKID
			}
			require.Empty(t, recalled())
			require.NoError(t, w.Remember(t.Context(), nil))

			hour := now.Add(time.Hour)
			require.NoError(t, w.Remember(t.Context(), []keyring.Mark{mark("a", false, hour), mark("b", false, hour.Add(time.Hour)), mark("old", false, now)}))
			require.Equal(t, map[string]keyring.Mark{
				"a": mark("a", false, time.Unix(hour.Unix(), 0)), "b": mark("b", false, time.Unix(hour.Add(time.Hour).Unix(), 0)),
			}, recalled())

			require.NoError(t, w.Remember(t.Context(), []keyring.Mark{mark("a", true, hour.Add(24*time.Hour))}))
			require.True(t, recalled()["a"].Revoked, "from then on it is only that")
			require.Len(t, recalled(), 2)

			now = now.Add(3 * time.Hour)
			require.Len(t, recalled(), 1, "what is over is not told")
			require.NoError(t, w.Remember(t.Context(), nil))
			left, err := client.ZCard(t.Context(), prefix+"signing-keys").Result()
			require.NoError(t, err)
			require.EqualValues(t, 1, left, "nor kept")

			// What somebody else may have put there is not taken for a key.
			require.NoError(t, client.ZAdd(t.Context(), prefix+"signing-keys", goredis.Z{Score: 9e12, Member: "nonsense"}).Err())
			require.Len(t, recalled(), 1)
		})
	}
}

func TestAWitnessThatIsGoneIsAnOutage(t *testing.T) {
	client, err := redis.Open("redis://127.0.0.1:1", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	w := redis.NewKeyWitness(client, "test:", time.Now)
	_, err = w.Recall(t.Context())
	require.True(t, outage.Is(err))
	require.True(t, outage.Is(w.Remember(t.Context(), nil)))
}
