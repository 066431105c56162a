package redis_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

var (
	slot = otp.Slot{Number: "number", Client: "app", Connection: "sms"}
	home = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}
)

func challenges(t testing.TB, address string, limits otp.Limits, now func() time.Time) otp.Store {
	client, err := redis.Open(address, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return redis.NewChallenges(client, "test:"+rand.Text()+":", limits).WithClock(now)
}

func TestChallengesOnTheInProcessEngine(t *testing.T) {
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	otptest.TestStore(t, func(_ testing.TB, limits otp.Limits, now func() time.Time) otp.Store {
		return redis.NewChallenges(client, "test:"+rand.Text()+":", limits).WithClock(now)
	})
}

func TestChallengesOnRedis(t *testing.T) {
	otptest.TestStore(t, opener(testservers.Redis(t)))
}

// A Cluster refuses a script whose keys lie in different slots, so passing is the proof.
func TestChallengesOnACluster(t *testing.T) {
	otptest.TestStore(t, opener("redis+cluster://"+strings.Join(testservers.StartRedisCluster(t).Addrs(), ",")))
}

func opener(address string) otptest.Opener {
	return func(t testing.TB, limits otp.Limits, now func() time.Time) otp.Store {
		return challenges(t, address, limits, now)
	}
}

// The store's own clock is that of Redis, and codes are forgotten when they are over.
func TestChallengesGoByTheClockOfRedis(t *testing.T) {
	client, err := redis.Open(testservers.Redis(t), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	prefix := "test:" + rand.Text() + ":"
	store := redis.NewChallenges(client, prefix, otptest.Limits)
	longest := func(ending string, most time.Duration) {
		t.Helper()
		keys, err := client.Keys(t.Context(), prefix+"*"+ending).Result()
		require.NoError(t, err)
		require.Len(t, keys, 1)
		left, err := client.PTTL(t.Context(), keys[0]).Result()
		require.NoError(t, err)
		require.Greater(t, left, most-time.Minute)
		require.LessOrEqual(t, left, most)
	}
	opened, err := store.Open(t.Context(), slot, home, otp.Guard{}, otp.Challenge{Nonce: "n", Digest: "d"})
	require.NoError(t, err)
	require.Equal(t, otptest.Limits.Lifetime, opened.Left)
	longest(":challenge:sms:app", otptest.Limits.Lifetime)
	longest(":number", 24*time.Hour)
	_, err = store.Redeem(t.Context(), slot, home, otp.Guard{}, "wrong", "1")
	require.ErrorIs(t, err, otp.ErrInvalidCode)
	longest(":number", otptest.Limits.ForgetRow)
	_, err = store.Redeem(t.Context(), slot, home, otp.Guard{}, "d", "2")
	require.NoError(t, err)
	longest(":number", otptest.Limits.TrustFor)
	longest(":challenge:sms:app", otptest.Limits.Lifetime)
}

func TestARedisThatIsGoneIsAnOutage(t *testing.T) {
	server := testservers.StartRedis(t)
	store := challenges(t, server.DSN(), otptest.Limits, time.Now)
	open := func() error {
		_, err := store.Open(t.Context(), slot, home, otp.Guard{}, otp.Challenge{Nonce: "n", Digest: "d"})
		return err
	}
	require.NoError(t, open())
	server.Kill()
	require.True(t, outage.Is(open()))
	_, err := store.Redeem(t.Context(), slot, home, otp.Guard{}, "d", "attempt")
	require.True(t, outage.Is(err))
	server.Start()
	require.Eventually(t, func() bool { return open() == nil }, 10*time.Second, 20*time.Millisecond)
}

// The scripts are the pure rules of package otp in another language: no walk may tell them apart.
func TestWalksOnRedisAndInMemoryAreAlike(t *testing.T) {
	open := opener(testservers.Redis(t))
	for seed := range uint64(12) {
		otptest.Walk(t, seed, 500, open)
	}
}

func FuzzWalk(f *testing.F) {
	client, stop := redis.InProcess()
	f.Cleanup(stop)
	for _, seed := range []uint64{1, 5, 33, 69} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		otptest.Walk(t, seed, 200, func(_ testing.TB, limits otp.Limits, now func() time.Time) otp.Store {
			return redis.NewChallenges(client, "test:"+rand.Text()+":", limits).WithClock(now)
		})
	})
}
