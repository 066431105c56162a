package sms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Errors of Enqueue.
var (
	// ErrQueueFull means that as many texts wait as the queue holds; this one was not taken.
	ErrQueueFull = errors.New("sms: too many texts are waiting")
	// ErrQueueClosed means that Drain has begun; the text was not taken.
	ErrQueueClosed = errors.New("sms: the queue takes no more texts")
)

// UnsentError is the error of a Drain whose context ended first. It wraps the context's error.
type UnsentError struct {
	// Unsent texts were never handed to the provider.
	Unsent int
	// CutOff texts were being sent; whether they went out is unknown.
	CutOff int
	Err    error
}

func (e *UnsentError) Error() string {
	return fmt.Sprintf("sms: %d texts left unsent and %d cut off while sending: %v", e.Unsent, e.CutOff, e.Err)
}

func (e *UnsentError) Unwrap() error { return e.Err }

// MaxWorkers is how many texts are sent at once at most (security requirement X1).
const MaxWorkers = 20

// drainGrace is how long Drain waits, its context over, for cancelled workers to come back, so
// that the outcome of what they were sending is still reported.
const drainGrace = time.Second

// QueueOptions says how a Queue works. The zero value of each field has a meaning.
type QueueOptions struct {
	// Size is how many texts may wait, those that wait for another try included and those
	// being sent not. Default 1000.
	Size int
	// Workers is how many texts are sent at once, never more than MaxWorkers. Default 8.
	Workers int
	// Now is the clock; default time.Now.
	Now func() time.Time
	// AfterFunc calls f in its own goroutine after d, unless stopped; default time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
	// OnResult hears the last word on each text that was taken, once: a Receipt, or an error
	// that is always an *Error. Calls are concurrent. ctx outlives a cancelled queue, so that
	// what was sent can still be recorded: bound what you do in it. Texts that Drain had to
	// leave unsent are not reported one by one.
	OnResult func(ctx context.Context, m Message, r Receipt, err error)
	// Log hears of retries and panics; default: nothing is logged.
	Log *slog.Logger
}

func (o QueueOptions) withDefaults() QueueOptions {
	if o.Size <= 0 {
		o.Size = 1000
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	o.Workers = min(o.Workers, MaxWorkers)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AfterFunc == nil {
		o.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	if o.OnResult == nil {
		o.OnResult = func(context.Context, Message, Receipt, error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// job is a message with the number of tries made.
type job struct {
	message Message
	tries   int
}

// Queue sends texts off the request path, so that the time of an answer says nothing about a
// number and a slow provider holds up no request. It lives in memory: what a crash takes with it is
// one resend by the person. It is safe for concurrent use.
type Queue struct {
	sender Sender
	opts   QueueOptions
	cancel context.CancelFunc
	done   chan struct{} // closed when the last worker has returned

	mu      sync.Mutex
	wake    sync.Cond // a worker has something to do, or to stop for
	ready   []*job
	waiting map[*job]func() bool // for another try; the value stops its timer
	sending int
	closed  bool
}

// NewQueue starts the workers. Only Drain ends them.
func NewQueue(sender Sender, opts QueueOptions) *Queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{
		sender:  sender,
		opts:    opts.withDefaults(),
		cancel:  cancel,
		done:    make(chan struct{}),
		waiting: make(map[*job]func() bool),
	}
	q.wake.L = &q.mu
	var workers sync.WaitGroup
	for range q.opts.Workers {
		workers.Go(func() { q.work(ctx) })
	}
	go func() {
		workers.Wait()
		close(q.done)
	}()
	return q
}

// Enqueue takes m to be sent soon. It never blocks; the errors are ErrQueueFull and ErrQueueClosed.
func (q *Queue) Enqueue(m Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrQueueClosed
	case len(q.ready)+len(q.waiting) >= q.opts.Size:
		return ErrQueueFull
	}
	q.push(&job{message: m})
	return nil
}

// Len returns how many texts wait to be sent, those that wait for another try included.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready) + len(q.waiting)
}

// Idle reports whether no text waits or is being sent.
func (q *Queue) Idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready)+len(q.waiting)+q.sending == 0
}

// Drain stops taking texts and returns when all that were taken have been sent or have failed. It
// does not wait for retries: a text that waits for one gets it at once, and each failure is final.
// When ctx ends first, the workers are cancelled and the error is an *UnsentError.
func (q *Queue) Drain(ctx context.Context) error {
	defer q.cancel()
	q.close()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
	}
	left := q.abandon()
	q.cancel()
	grace := make(chan struct{})
	stop := q.opts.AfterFunc(drainGrace, func() { close(grace) })
	defer stop()
	select {
	case <-q.done:
	case <-grace: // a Sender or OnResult that ignores its context
	}
	if left.Unsent+left.CutOff == 0 {
		return nil
	}
	left.Err = context.Cause(ctx)
	return left
}

func (q *Queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for j, stop := range q.waiting {
		stop()
		q.ready = append(q.ready, j)
	}
	clear(q.waiting)
	q.wake.Broadcast()
}

// abandon empties the queue and counts what it held.
func (q *Queue) abandon() *UnsentError {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := &UnsentError{Unsent: len(q.ready), CutOff: q.sending}
	q.ready = nil
	q.wake.Broadcast()
	return left
}

// push needs q.mu.
func (q *Queue) push(j *job) {
	q.ready = append(q.ready, j)
	q.wake.Signal()
}

// pop waits for the next job; nil means that there will be none.
func (q *Queue) pop() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) == 0 && !q.closed {
		q.wake.Wait()
	}
	if len(q.ready) == 0 {
		return nil
	}
	j := q.ready[0]
	q.ready[0] = nil // the array behind ready must not keep a code
	q.ready = q.ready[1:]
	q.sending++
	return j
}

// park puts j aside until its next try, if it gets one.
func (q *Queue) park(j *job, e *Error) bool {
	left := j.message.ValidUntil.Sub(q.opts.Now())
	spread := rand.Float64() // #nosec G404 -- spreads retries in time, guards nothing
	wait, again := nextTry(e, j.tries, left, spread)
	q.mu.Lock()
	defer q.mu.Unlock()
	if !again || q.closed {
		return false
	}
	q.waiting[j] = q.opts.AfterFunc(wait, func() { q.unpark(j) })
	return true
}

func (q *Queue) unpark(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.waiting[j]; !ok {
		return // Drain took it while the timer fired
	}
	delete(q.waiting, j)
	q.push(j)
}
