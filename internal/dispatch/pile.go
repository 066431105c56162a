package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/outage"
)

const (
	// maxBatch is how many rows one statement writes.
	maxBatch = 500
	// maxKept is how much of each kind is kept while the record is away; beyond it the newest are dropped.
	maxKept = 20_000
	// writeTimeout bounds one write.
	writeTimeout = 5 * time.Second
)

// pile is what waits to be written. It is safe for concurrent use by many who add and one who writes.
type pile[T any] struct {
	mu      sync.Mutex
	items   []T
	dropped int
}

func (p *pile[T]) add(item T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.items) >= maxKept {
		p.dropped++
		return
	}
	p.items = append(p.items, item)
}

// lost returns how many were dropped since it was asked before.
func (p *pile[T]) lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	dropped := p.dropped
	p.dropped = 0
	return dropped
}

func (p *pile[T]) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.items)
}

// oldest returns the first items, at most most; they stay until done.
func (p *pile[T]) oldest(most int) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.items[:min(len(p.items), most):min(len(p.items), most)]
}

func (p *pile[T]) done(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = p.items[n:]
	if len(p.items) == 0 {
		p.items = nil // what was written need not stay in memory
	}
}

// write writes all items in batches as long as cut says, and keeps what an outage leaves unwritten. Items
// that the record does not take would hold up all others for ever: refused hears of them, and they are gone.
func (p *pile[T]) write(ctx context.Context, cut func([]T) int, to func(context.Context, []T) error, refused func(T, error)) error {
	for {
		batch := p.oldest(maxBatch)
		if len(batch) == 0 {
			return nil
		}
		n, err := writeAll(ctx, batch[:cut(batch)], to, refused)
		p.done(n)
		if err != nil {
			return err
		}
	}
}

// writeAll halves a batch that the record refuses, until the item stands alone that it is about. It
// returns how many are done with, and the outage that the others wait for.
func writeAll[T any](ctx context.Context, batch []T, to func(context.Context, []T) error, refused func(T, error)) (n int, err error) {
	err = safely(ctx, func(ctx context.Context) error { return to(ctx, batch) })
	switch {
	case err == nil:
		return len(batch), nil
	case outage.Is(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return 0, err
	case len(batch) == 1:
		refused(batch[0], err)
		return 1, nil
	}
	half := len(batch) / 2
	if n, err = writeAll(ctx, batch[:half], to, refused); err != nil {
		return n, err
	}
	m, err := writeAll(ctx, batch[half:], to, refused)
	return n + m, err
}

// safely bounds f in time, and makes an error of a panic: what one text stumbles over must not take the
// service down. The panic's value may hold a number, so only its type is told, or what the runtime says.
func safely(ctx context.Context, f func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("dispatch: panic: %w\n%s", p, debug.Stack())
		default:
			err = fmt.Errorf("dispatch: panic: %T\n%s", p, debug.Stack())
		}
	}()
	return f(ctx)
}
