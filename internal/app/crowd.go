package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// crowdEvery is how soon a change of HR's shows in the limits that grow with the number of people.
const crowdEvery = 2 * time.Second

// crowd knows how many people HR has, and where their numbers are. Counting takes a while with a million
// of them, so it is done beforehand, and only when somebody has changed.
type crowd struct {
	store    *sql.Store
	log      *slog.Logger
	counted  atomic.Pointer[spend.People]
	revision string
}

func newCrowd(store *sql.Store, log *slog.Logger) *crowd {
	c := &crowd{store: store, log: log}
	c.counted.Store(&spend.People{})
	return c
}

// people returns the last count.
func (c *crowd) people() spend.People { return *c.counted.Load() }

// total is how many there are.
func (c *crowd) total() int { return c.people().Total }

// count counts anew if HR has changed anybody.
func (c *crowd) count(ctx context.Context) error {
	revision, err := c.store.DirectoryRevision(ctx)
	if err != nil || revision == c.revision && c.people().Known {
		return err
	}
	total, byCountry, err := c.store.PeopleByCountry(ctx, country)
	if err != nil {
		return err
	}
	c.counted.Store(&spend.People{Known: true, Total: total, ByCountry: byCountry})
	c.revision = revision
	return nil
}

func (c *crowd) run(ctx context.Context) {
	tick := time.NewTicker(crowdEvery)
	defer tick.Stop()
	for {
		if err := c.count(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "HR's people could not be counted; the last count stands", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// country is where a number is.
func country(n phone.Number) string { return n.Country() }
