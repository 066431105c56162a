package redis

import (
	"context"
	"net"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// InProcess returns a client of an engine inside this process, for dev and for small single-node
// installs; stop ends both. Nothing listens on the network. It keeps nothing over a restart: codes
// on their way are then asked for anew.
func InProcess() (client redis.UniversalClient, stop func()) {
	engine := miniredis.NewMiniRedis()
	engine.ClockTTL(true) // else nothing would ever expire
	client = redis.NewClient(&redis.Options{
		Dialer:     func(context.Context, string, string) (net.Conn, error) { return engine.Dial() },
		MaxRetries: -1, ContextTimeoutEnabled: true,
	})
	return client, func() {
		_ = client.Close() // the engine ends with it
		engine.Close()
	}
}
