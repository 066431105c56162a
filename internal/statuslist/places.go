package statuslist

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/outage"
)

// block is how many places a replica leases at once: one call to the record for so many sign-ins,
// and a replica that stops leaves no more than these unused. It divides Size, so lists fill up.
const block = 256

// MaxBlockAge is how long a replica hands out places of one block: a list that was given out whole
// can go with its last session, and nobody may come with a new one after that.
const MaxBlockAge = 24 * time.Hour

// Places hands out places. It is safe for concurrent use.
type Places struct {
	store Store
	key   []byte
	// turn is held by the one who looks at what is below. It is a mutex for which one can stop waiting.
	turn   chan struct{}
	lease  Lease     // what is left of it
	leased time.Time // not after the record's leased_at
	order  order     // of lease.List
}

// NewPlaces takes the secret that all replicas have. A new secret may go only with new lists.
func NewPlaces(store Store, secret []byte) (*Places, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "latchkey/status-list/order", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive key of status list order: %w", err)
	}
	return &Places{store: store, key: key, turn: make(chan struct{}, 1)}, nil
}

// Take returns a place that nobody else has had or will have. It calls the store once in 256 times,
// and for the first place in MaxBlockAge.
func (p *Places) Take(ctx context.Context) (Place, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return Place{}, outage.Wrap("database", fmt.Errorf("wait for a status list place: %w", ctx.Err()))
	}
	defer p.done()
	if p.lease.From == p.lease.To || now().Sub(p.leased) >= MaxBlockAge {
		if err := p.renew(ctx); err != nil {
			return Place{}, err
		}
	}
	place := Place{List: p.lease.List, Index: p.order.index(p.lease.From)}
	p.lease.From++
	return place, nil
}

// Discard drops what is left of the leased places: the record may have been restored to a state
// before the lease, and lease them to somebody else. It waits for a lease under way, which it drops too.
func (p *Places) Discard() {
	p.turn <- struct{}{}
	defer p.done()
	p.lease = Lease{}
}

func (p *Places) done() { <-p.turn }

// now is the wall clock's time: the other one stands still in a machine that is asleep, while its
// lists may go.
func now() time.Time { return time.Now().Round(0) }

// renew leases the next block.
func (p *Places) renew(ctx context.Context) error {
	leased := now()
	lease, err := p.store.Lease(ctx, block)
	if errors.Is(err, ErrNoRoom) {
		// Boards open lists long before this, unless none runs or sign-ins outrun them.
		if err := p.store.OpenList(ctx, newID(), Size-block+1); err != nil {
			return fmt.Errorf("open status list: %w", err)
		}
		lease, err = p.store.Lease(ctx, block)
	}
	if err != nil {
		return fmt.Errorf("lease status list places: %w", err)
	}
	if lease.From < 0 || lease.From >= lease.To || lease.To > Size { // those outside are somebody else's, or nobody's
		return fmt.Errorf("lease status list places: got [%d, %d) of %s", lease.From, lease.To, lease.List)
	}
	order, err := newOrder(p.key, lease.List)
	if err != nil {
		return err
	}
	p.lease, p.leased, p.order = lease, leased, order
	return nil
}
