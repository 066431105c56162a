package redis_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/limit/limittest"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

func limitsClient(t *testing.T, address string) goredis.UniversalClient {
	client, err := redis.Open(address, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// testLimits runs the contract over client, each test behind a prefix of its own.
func testLimits(t *testing.T, client goredis.UniversalClient) {
	limittest.TestStore(t, func(_ *testing.T, now func() time.Time) limit.Store {
		return redis.NewLimits(client, "test:"+rand.Text()+":").WithClock(now)
	})
}

func TestLimitsOnTheInProcessEngine(t *testing.T) {
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	testLimits(t, client)
}

func TestLimitsOnRedis(t *testing.T) {
	testLimits(t, limitsClient(t, testservers.Redis(t)))
}

// A Cluster refuses a script whose keys lie in different slots, so passing is the proof.
func TestLimitsOnACluster(t *testing.T) {
	testLimits(t, limitsClient(t, "redis+cluster://"+strings.Join(testservers.StartRedisCluster(t).Addrs(), ",")))
}

var limitsOrigin = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}

// Two replicas have nothing in common but Redis, whose clock they go by.
func TestLimitsOfTwoReplicas(t *testing.T) {
	address, prefix := testservers.Redis(t), "test:"+rand.Text()+":"
	var replicas [2]*limit.Service
	for i := range replicas {
		store := redis.NewLimits(limitsClient(t, address), prefix)
		replicas[i] = limit.NewService(store, limittest.Rules, func() int { return 0 }, limit.Options{})
	}
	passes := make([]limit.Pass, 300)
	passed := limittest.Race(300, func(i int) (err error) {
		passes[i], err = replicas[i%2].Guess(t.Context(), limitsOrigin)
		return err
	})
	require.Equal(t, limittest.Rules.GuessesPerHour, passed)
	for i, p := range passes {
		replicas[i%2].Undo(p)
		replicas[i%2].Undo(p)
	}
	for _, r := range replicas {
		require.NoError(t, r.Flush(t.Context()))
	}
	all, err := redis.NewLimits(limitsClient(t, address), prefix).All(t.Context())
	require.NoError(t, err)
	require.Zero(t, all.Total())
	require.Equal(t, limittest.Rules.GuessesPerHour, limittest.Race(300, func(i int) error {
		_, err := replicas[i%2].Guess(t.Context(), limitsOrigin)
		return err
	}))
}

// The store's own clock is that of Redis, and everything expires.
func TestLimitsAreForgotten(t *testing.T) {
	client, prefix := limitsClient(t, testservers.Redis(t)), "test:"+rand.Text()+":"
	store := redis.NewLimits(client, prefix)
	s := limit.NewService(store, limittest.Rules, func() int { return 0 }, limit.Options{})
	_, err := s.Start(t.Context(), limitsOrigin, "number")
	require.NoError(t, err)
	p, err := s.Guess(t.Context(), limitsOrigin)
	require.NoError(t, err)
	s.NoteBlock("number_guesses", "number:n", time.Now().Add(time.Minute))
	s.Undo(p)
	_, err = s.Guess(t.Context(), limitsOrigin)
	require.NoError(t, err)
	require.NoError(t, s.Flush(t.Context()))
	require.NoError(t, s.List(t.Context()))
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 4+2+1+3, "starts and numbers, guesses, all, blocks")
	for _, key := range keys {
		left, err := client.TTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, left, key)
		require.LessOrEqual(t, left, 61*time.Minute, key)
	}
	all, err := store.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, all.Total())
	now, err := client.Time(t.Context()).Result()
	require.NoError(t, err)
	require.InDelta(t, now.UnixMilli(), all.Now, 60_000)
}

// What is given back to a count that was forgotten leaves nothing behind that would stay for ever.
func TestLimitsGiveBackToNothing(t *testing.T) {
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	s := limit.NewService(redis.NewLimits(client, "test:"), limittest.Rules, func() int { return 0 }, limit.Options{})
	p, err := s.Guess(t.Context(), limitsOrigin)
	require.NoError(t, err)
	require.NoError(t, client.FlushAll(t.Context()).Err())
	s.Undo(p)
	require.NoError(t, s.Flush(t.Context()))
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Empty(t, keys)
}

// Redis forgets scripts when it starts anew; half of a pipeline may be known.
func TestLimitsTeachTheirScriptsAgain(t *testing.T) {
	server := testservers.StartRedis(t)
	client := limitsClient(t, server.DSN())
	s := limit.NewService(redis.NewLimits(client, "test:"), limittest.Rules, func() int { return 0 }, limit.Options{})
	for range 3 {
		_, err := s.Guess(t.Context(), limitsOrigin)
		require.NoError(t, err)
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
	}
	all, err := redis.NewLimits(client, "test:").All(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, all.Total())
}

func TestLimitsOfARedisThatIsGoneAreAnOutage(t *testing.T) {
	store := redis.NewLimits(limitsClient(t, "redis://127.0.0.1:1"), "test:")
	s := limit.NewService(store, limittest.Rules, func() int { return 0 }, limit.Options{})
	_, err := s.Start(t.Context(), limitsOrigin, "number")
	require.True(t, outage.Is(err), err)
	_, err = s.Guess(t.Context(), limitsOrigin)
	require.True(t, outage.Is(err), err)
	require.True(t, outage.Is(s.Refresh(t.Context())))
	require.True(t, outage.Is(s.Flush(t.Context())), "what may have been counted is to be given back")
	s.NoteBlock("number_guesses", "number:n", time.Now().Add(time.Minute))
	require.True(t, outage.Is(s.List(t.Context())))
	_, err = s.Blocks(t.Context(), 10)
	require.True(t, outage.Is(err), err)
	_, err = s.Lift(t.Context(), "id")
	require.True(t, outage.Is(err), err)
	require.NotErrorIs(t, err, limit.ErrNoBlock)
	require.True(t, outage.Is(store.Remove(t.Context(), "id")))
	require.True(t, outage.Is(store.ForgetAll(t.Context())))
	require.True(t, outage.Is(store.Forget(t.Context(), limitsOrigin, limit.Place{})))
}
