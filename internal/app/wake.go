package app

import (
	"context"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// wakeTimeout bounds telling other replicas; they look by themselves every second.
const wakeTimeout = 2 * time.Second

// waker passes on that the record has news, of revoked sessions or of signing keys: to this process
// at once, and to others over Redis. It never waits, and any number of changes that come together
// are one wake.
type waker struct {
	lists, keys, elsewhere chan struct{}
}

func newWaker() *waker {
	return &waker{lists: make(chan struct{}, 1), keys: make(chan struct{}, 1), elsewhere: make(chan struct{}, 1)}
}

// changed is called where the record was changed, heard where another replica says so.
func (w *waker) changed() { w.heard(); poke(w.elsewhere) }
func (w *waker) heard()   { poke(w.lists); poke(w.keys) }

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

// withRecord runs a command on the record, and wakes the replicas whenever it has changed something
// that they have to notice. It refuses to work beside a schema that this version does not fit.
func withRecord(ctx context.Context, c config.Config, command func(*sql.Store) error) error {
	wake := newCommandWaker(c)
	defer wake.close()
	store, err := openStore(c, wake.changed)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := migrated(ctx, store); err != nil {
		return err
	}
	return command(store)
}

// commandWaker wakes the replicas on behalf of a command. It waits, for a command may end right
// after; and without Redis, or if that is away, they look by themselves.
type commandWaker struct {
	config config.Config
	client goredis.UniversalClient
	away   bool
}

func newCommandWaker(c config.Config) *commandWaker { return &commandWaker{config: c} }

func (w *commandWaker) changed() {
	if w.config.Redis.URL.IsZero() || w.away {
		return
	}
	if w.client == nil {
		client, err := redis.Open(w.config.Redis.URL.Reveal(), slog.New(slog.DiscardHandler))
		if err != nil {
			return
		}
		w.client = client
	}
	ctx, cancel := context.WithTimeout(context.Background(), wakeTimeout)
	defer cancel()
	w.away = redis.NewWakes(w.client, w.config.Redis.KeyPrefix).Publish(ctx) != nil
}

func (w *commandWaker) close() {
	if w.client != nil {
		_ = w.client.Close()
	}
}

// places gives sessions their places in status lists.
type places struct{ *statuslist.Places }

// Take implements login.Places.
func (p places) Take(ctx context.Context) (session.Place, error) {
	place, err := p.Places.Take(ctx)
	return session.Place{List: place.List, Index: place.Index}, err
}
