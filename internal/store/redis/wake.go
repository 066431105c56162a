package redis

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Wakes tell replicas that the record has news for them: sessions were revoked, or signing keys
// have changed. A wake says nothing else and may be lost; who hears none looks by itself a little later.
type Wakes struct {
	client  redis.UniversalClient
	channel string
}

// NewWakes returns the wakes of the installation whose keys begin with prefix.
func NewWakes(client redis.UniversalClient, prefix string) *Wakes {
	return &Wakes{client, prefix + "wake"}
}

// Publish wakes whoever listens. The error is an outage.
func (w *Wakes) Publish(ctx context.Context) error {
	return unavailable(w.client.Publish(ctx, w.channel, "revoked").Err())
}

// Listen calls heard at each wake until ctx ends. It connects anew by itself after Redis was away.
func (w *Wakes) Listen(ctx context.Context, heard func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.listen(ctx, heard)
	}()
	select {
	case <-ctx.Done(): // a client in the middle of connecting would not notice for seconds
	case <-ended:
	}
}

func (w *Wakes) listen(ctx context.Context, heard func()) {
	subscription := w.client.Subscribe(ctx, w.channel)
	defer func() { _ = subscription.Close() }()
	messages := subscription.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-messages:
			if !open {
				return
			}
			heard()
		}
	}
}
