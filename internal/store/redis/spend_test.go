package redis_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/spend/spendtest"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

func spendOn(address string) spendtest.Open {
	return func(t *testing.T, now func() time.Time) spend.Store {
		client, err := redis.Open(address, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		return redis.NewSpend(client, "test:"+rand.Text()+":").WithClock(now)
	}
}

func spendInProcess(t *testing.T, now func() time.Time) spend.Store {
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	return redis.NewSpend(client, "test:").WithClock(now)
}

func TestSpendOnTheInProcessEngine(t *testing.T) { spendtest.TestStore(t, spendInProcess) }

func TestSpendOnRedis(t *testing.T) { spendtest.TestStore(t, spendOn(testservers.Redis(t))) }

// A Cluster refuses a script whose keys lie in different slots, so passing is the proof.
func TestSpendOnACluster(t *testing.T) {
	spendtest.TestStore(t, spendOn("redis+cluster://"+strings.Join(testservers.StartRedisCluster(t).Addrs(), ",")))
}

func TestSpendWalksLikeMemory(t *testing.T) {
	spendtest.Walks(t, []uint64{1, 2, 3, 4}, 600, spendInProcess)
}

func TestSpendOnRedisWalksLikeMemory(t *testing.T) {
	spendtest.Walks(t, []uint64{11, 12, 13, 14}, 1500, spendOn(testservers.Redis(t)))
}

// The store's own clock is that of Redis, and everything that it keeps expires.
func TestSpendGoesByTheClockOfRedisAndIsForgotten(t *testing.T) {
	client, err := redis.Open(testservers.Redis(t), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	prefix := "test:" + rand.Text() + ":"
	store := redis.NewSpend(client, prefix)
	plan := spendtest.Rules().Plan(spendtest.People(), spend.Text{Country: "GB", Stranger: true, Cost: 1})
	_, err = store.Take(t.Context(), "id", plan)
	require.NoError(t, err)
	require.NoError(t, store.Raise(t.Context(), "raise", spend.Counter{Window: spend.Day, Name: "more:texts"}))
	_, err = store.Pause(t.Context(), "pause", "GB", time.Time{}, time.Hour, 24*time.Hour)
	require.NoError(t, err)

	state, err := store.Read(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), state.Now, time.Minute)
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 7, "four windows, pauses, two tickets")
	for _, key := range keys {
		left, err := client.TTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, left, key)
		require.LessOrEqual(t, left, 3*24*time.Hour, key)
	}
}

// A day's money must not come back because one replica was not there.
func TestARedisThatIsGoneSendsNoText(t *testing.T) {
	server := testservers.StartRedis(t)
	store := spendOn(server.DSN())(t, time.Now)
	service := spend.NewService(store, spendtest.Rules(), spendtest.People, nil, spend.Options{})
	text := spend.Text{Country: "GB", Cost: 1}
	v, err := service.Take(t.Context(), text)
	require.NoError(t, err)
	server.Kill()
	_, err = service.Take(t.Context(), text)
	require.True(t, outage.Is(err))
	require.True(t, outage.Is(service.Return(t.Context(), v.Ticket)))
	require.True(t, outage.Is(service.Reopen(t.Context(), rule.AllDay, "")))
	require.True(t, outage.Is(service.Reopen(t.Context(), rule.Conversion, "GB")))
	_, err = service.Standing(t.Context())
	require.True(t, outage.Is(err))
	_, err = store.Pause(t.Context(), "id", "GB", time.Time{}, time.Hour, time.Hour)
	require.True(t, outage.Is(err))
}

func BenchmarkSpendTake(b *testing.B) {
	client, err := redis.Open(testservers.Redis(b), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	b.Cleanup(func() { _ = client.Close() })
	rules := spendtest.Rules()
	rules.RecordOnly = rule.RecordOnly{}
	for _, name := range rule.All() {
		rules.RecordOnly[name] = true
	}
	service := spend.NewService(redis.NewSpend(client, "test:"+rand.Text()+":"), rules, spendtest.People, nil, spend.Options{})
	for b.Loop() {
		_, err := service.Take(b.Context(), spend.Text{Country: "GB", Stranger: true, Cost: 1})
		require.NoError(b, err)
	}
}
