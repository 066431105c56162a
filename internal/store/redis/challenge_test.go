package redis_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

func challenges(t *testing.T, address string, now func() time.Time) otp.Store {
	client, err := redis.Open(address, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return redis.NewChallenges(client, "test:"+rand.Text()+":", otptest.Limits).WithClock(now)
}

func TestChallengesOnTheInProcessEngine(t *testing.T) {
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	otptest.TestStore(t, func(t *testing.T, now func() time.Time) otp.Store {
		return redis.NewChallenges(client, "test:"+rand.Text()+":", otptest.Limits).WithClock(now)
	})
}

func TestChallengesOnRedis(t *testing.T) {
	address := testservers.Redis(t)
	otptest.TestStore(t, func(t *testing.T, now func() time.Time) otp.Store { return challenges(t, address, now) })
}

// A Cluster refuses a script whose keys lie in different slots, so passing is the proof.
func TestChallengesOnACluster(t *testing.T) {
	address := "redis+cluster://" + strings.Join(testservers.StartRedisCluster(t).Addrs(), ",")
	otptest.TestStore(t, func(t *testing.T, now func() time.Time) otp.Store { return challenges(t, address, now) })
}

// The store's own clock is that of Redis, and codes are forgotten when they are over.
func TestChallengesGoByTheClockOfRedis(t *testing.T) {
	client, err := redis.Open(testservers.Redis(t), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	prefix := "test:" + rand.Text() + ":"
	store := redis.NewChallenges(client, prefix, otptest.Limits)
	slot := otp.Slot{Number: "number", Client: "app", Connection: "sms"}
	opened, err := store.Open(t.Context(), slot, "192.0.2.1", otp.Challenge{Nonce: "n", Digest: "d"})
	require.NoError(t, err)
	require.Equal(t, otptest.Limits.Lifetime, opened.Left)
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 2)
	for _, key := range keys {
		left, err := client.TTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, left)
		require.LessOrEqual(t, left, otptest.Limits.Lifetime)
	}
}

func TestARedisThatIsGoneIsAnOutage(t *testing.T) {
	server := testservers.StartRedis(t)
	store := challenges(t, server.DSN(), time.Now)
	slot := otp.Slot{Number: "number", Client: "app", Connection: "sms"}
	open := func() error {
		_, err := store.Open(t.Context(), slot, "192.0.2.1", otp.Challenge{Nonce: "n", Digest: "d"})
		return err
	}
	require.NoError(t, open())
	server.Kill()
	require.True(t, outage.Is(open()))
	_, err := store.Redeem(t.Context(), slot, "192.0.2.1", "d", "attempt")
	require.True(t, outage.Is(err))
	server.Start()
	require.Eventually(t, func() bool { return open() == nil }, 10*time.Second, 20*time.Millisecond)
}
