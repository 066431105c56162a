package redis_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// wakes returns those of a replica of its own at address.
func wakes(t *testing.T, address, prefix string) *redis.Wakes {
	t.Helper()
	client, err := redis.Open(address, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return redis.NewWakes(client, prefix)
}

// listen starts to listen, until stop is called or the test ends; each wake is on heard.
func listen(t *testing.T, w *redis.Wakes) (heard chan struct{}, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	heard = make(chan struct{}, 1000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Listen(ctx, func() { heard <- struct{}{} })
	}()
	stop = func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Error("Listen goes on after its context has ended")
		}
	}
	t.Cleanup(stop)
	return heard, stop
}

// untilHeard publishes until everybody hears: a subscription, or one that was cut off, takes its time.
func untilHeard(t *testing.T, from *redis.Wakes, by ...chan struct{}) {
	t.Helper()
	for _, heard := range by {
		require.Eventually(t, func() bool {
			_ = from.Publish(t.Context()) // it may be away still
			select {
			case <-heard:
				return true
			case <-time.After(20 * time.Millisecond):
				return false
			}
		}, 20*time.Second, time.Millisecond)
	}
	// What is on its way still is the last publish's at most.
	for _, heard := range by {
		for quiet := false; !quiet; {
			select {
			case <-heard:
			case <-time.After(100 * time.Millisecond):
				quiet = true
			}
		}
	}
}

// testWakes opens replicas of one installation, and those of others, on one server.
func testWakes(t *testing.T, open func(prefix string) *redis.Wakes) {
	prefix := "test:" + rand.Text() + ":"
	first, second := open(prefix), open(prefix)
	here, stopHere := listen(t, first)
	there, _ := listen(t, second)
	other := open("test:" + rand.Text() + ":")
	elsewhere, _ := listen(t, other)
	untilHeard(t, first, here, there)
	untilHeard(t, other, elsewhere)

	const n = 5
	for range n {
		require.NoError(t, second.Publish(t.Context()))
	}
	for _, heard := range []chan struct{}{here, there} {
		for range n {
			select {
			case <-heard:
			case <-time.After(10 * time.Second):
				t.Fatal("a wake was lost")
			}
		}
	}
	select {
	case <-elsewhere:
		t.Error("a wake reached another installation")
	case <-here:
		t.Error("a wake was heard twice")
	case <-time.After(100 * time.Millisecond):
	}

	stopHere()
	require.NoError(t, first.Publish(t.Context()), "who does not listen can publish")
	select {
	case <-there:
	case <-time.After(10 * time.Second):
		t.Fatal("a wake was lost")
	}
	require.Empty(t, here, "nobody listens any more")
}

func TestWakesOnTheInProcessEngine(t *testing.T) {
	client, stop := redis.InProcess()
	t.Cleanup(stop)
	testWakes(t, func(prefix string) *redis.Wakes { return redis.NewWakes(client, prefix) })
}

func TestWakesOnRedis(t *testing.T) {
	address := testservers.Redis(t)
	testWakes(t, func(prefix string) *redis.Wakes { return wakes(t, address, prefix) })
}

func TestWakesOnACluster(t *testing.T) {
	address := "redis+cluster://" + strings.Join(testservers.StartRedisCluster(t).Addrs(), ",")
	testWakes(t, func(prefix string) *redis.Wakes { return wakes(t, address, prefix) })
}

func TestListenOutlivesRedis(t *testing.T) {
	server := testservers.StartRedis(t)
	w := wakes(t, server.DSN(), "test:")
	heard, _ := listen(t, w)
	untilHeard(t, w, heard)
	for name, takeDown := range map[string]func(){"stopped": server.Stop, "killed": server.Kill} {
		takeDown()
		err := w.Publish(t.Context())
		require.True(t, outage.Is(err), "%s: %v", name, err)
		server.Start()
		untilHeard(t, w, heard)
	}
}

// Replicas may start before Redis does.
func TestListenBeforeRedisIsThere(t *testing.T) {
	server := testservers.StartRedis(t)
	server.Stop()
	w := wakes(t, server.DSN(), "test:")
	heard, _ := listen(t, w)
	_, stop := listen(t, w)
	stop() // while there is nobody to listen to
	server.Start()
	untilHeard(t, w, heard)
}

// A server that takes connections and never answers holds nobody up for longer than they would wait.
func TestPublishToAServerThatHangs(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	w := wakes(t, "redis://"+listener.Addr().String()+"/0", "test:")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = w.Publish(ctx)
	require.True(t, outage.Is(err), "%v", err)
	require.Less(t, time.Since(start), 1500*time.Millisecond)
	cancel()
	require.True(t, outage.Is(w.Publish(ctx)), "its context has ended before")
}
