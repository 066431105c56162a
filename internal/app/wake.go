package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// wakeTimeout bounds telling other replicas; they look by themselves every second.
const wakeTimeout = 2 * time.Second

// waker passes on that sessions were revoked: to this process at once, and to others over Redis. It
// never waits, and any number of revocations that come together are one wake.
type waker struct {
	here, elsewhere chan struct{}
}

func newWaker() *waker {
	return &waker{here: make(chan struct{}, 1), elsewhere: make(chan struct{}, 1)}
}

// revoked is called where sessions were revoked, heard where another replica says so.
func (w *waker) revoked() { w.heard(); poke(w.elsewhere) }
func (w *waker) heard()   { poke(w.here) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a wake is on its way already
	}
}

// run tells other replicas until ctx ends.
func (w *waker) run(ctx context.Context, wakes *redis.Wakes, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.elsewhere:
		}
		publishing, cancel := context.WithTimeout(ctx, wakeTimeout)
		if err := wakes.Publish(publishing); err != nil && ctx.Err() == nil {
			log.DebugContext(ctx, "other replicas not woken; they look by themselves", "error", err)
		}
		cancel()
	}
}

// withRecord runs a command on the record, and wakes the replicas if it has revoked sessions. It
// refuses to work beside a schema that this version does not fit.
func withRecord(ctx context.Context, c config.Config, command func(*sql.Store) error) error {
	revoked := false
	store, err := openStore(c, func() { revoked = true })
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := migrated(ctx, store); err != nil {
		return err
	}
	err = command(store)
	if !revoked || c.Redis.URL.IsZero() {
		return err
	}
	client, failed := redis.Open(c.Redis.URL.Reveal(), slog.New(slog.DiscardHandler))
	if failed != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wakeTimeout)
	defer cancel()
	_ = redis.NewWakes(client, c.Redis.KeyPrefix).Publish(ctx) // without Redis they look by themselves
	return err
}

// places gives sessions their places in status lists.
type places struct{ *statuslist.Places }

// Take implements login.Places.
func (p places) Take(ctx context.Context) (session.Place, error) {
	place, err := p.Places.Take(ctx)
	return session.Place{List: place.List, Index: place.Index}, err
}
