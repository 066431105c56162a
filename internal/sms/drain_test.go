package sms_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms"
)

func TestDrainSends500(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int32
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			time.Sleep(100 * time.Millisecond) // false time
			count.Add(1)
			return sent(m)
		}), sms.QueueOptions{})
		for range 500 {
			enqueue(t, q, text("a"))
		}
		drain(t, q)
		if count.Load() != 500 {
			t.Errorf("%d of 500 sent", count.Load())
		}
		drain(t, q) // a second Drain has nothing to do
	})
}

func TestDrainThatRunsOutOfTimeSaysHowManyAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard results
		q := sms.NewQueue(sender(func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
			<-ctx.Done()
			return sms.Receipt{}, &sms.Error{Class: sms.UnknownOutcome}
		}), sms.QueueOptions{Workers: 4, OnResult: func(ctx context.Context, m sms.Message, r sms.Receipt, err error) {
			if ctx.Err() != nil {
				t.Error("OnResult got a context that is over")
			}
			heard.on(ctx, m, r, err)
		}})
		for i := range 500 {
			enqueue(t, q, text(fmt.Sprint(i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := q.Drain(ctx)
		var left *sms.UnsentError
		if !errors.As(err, &left) || left.Unsent != 496 || left.CutOff != 4 || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Drain = %v, want 496 unsent and 4 cut off", err)
		}
		if heard.class(t, "0") != sms.UnknownOutcome || heard.class(t, "4") != "none" {
			t.Error("want a result for the texts that were cut off, and for no other")
		}
	})
}

func TestDrainReturnsAlthoughASenderIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			<-release
			return sent(m)
		}), sms.QueueOptions{})
		enqueue(t, q, text("a"))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var left *sms.UnsentError
		if err := q.Drain(ctx); !errors.As(err, &left) || left.CutOff != 1 {
			t.Errorf("Drain = %v, want 1 cut off", err)
		}
		close(release)
	})
}

func TestDrainDoesNotWaitForRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard results
		start := time.Now()
		var tries atomic.Int32
		q := sms.NewQueue(sender(func(context.Context, sms.Message) (sms.Receipt, error) {
			tries.Add(1)
			return sms.Receipt{}, &sms.Error{Class: sms.Rate, Status: 429, RetryAfter: time.Minute}
		}), sms.QueueOptions{OnResult: heard.on})
		enqueue(t, q, text("a"))
		synctest.Wait()
		drain(t, q)
		if time.Since(start) != 0 || tries.Load() != 2 || heard.class(t, "a") != sms.Rate {
			t.Errorf("%s after %d tries and %v, want rate after 2 and no wait", heard.class(t, "a"), tries.Load(), time.Since(start))
		}
	})
}

func TestDrainWhileEnqueueing(t *testing.T) {
	var taken, count atomic.Int32
	q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
		if count.Add(1)%3 == 0 {
			return sms.Receipt{}, &sms.Error{Class: sms.OptedOut}
		}
		return sent(m)
	}), sms.QueueOptions{Size: 100})
	var callers sync.WaitGroup
	started := make(chan struct{}, 8)
	for range 8 {
		callers.Go(func() {
			m := text("a")
			for n := 0; ; n++ {
				switch err := q.Enqueue(m); {
				case err == nil:
					taken.Add(1)
				case errors.Is(err, sms.ErrQueueFull):
					runtime.Gosched()
				case errors.Is(err, sms.ErrQueueClosed):
					return
				default:
					t.Errorf("Enqueue = %v", err)
					return
				}
				if n == 100 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	drain(t, q)
	callers.Wait()
	if taken.Load() != count.Load() {
		t.Errorf("%d taken, %d tried", taken.Load(), count.Load())
	}
}
