package sms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tests run in synctest bubbles: time is false there, moves only when everything waits, and
// synctest.Wait returns when nothing can go on without it.

// sender is a sms.Sender that is a function.
type sender func(ctx context.Context, m sms.Message) (sms.Receipt, error)

func (s sender) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) { return s(ctx, m) }

// results keeps what OnResult hears, by body.
type results struct {
	mu   sync.Mutex
	errs map[string][]error
}

func (r *results) on(_ context.Context, m sms.Message, receipt sms.Receipt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errs == nil {
		r.errs = make(map[string][]error)
	}
	if (err == nil) != (receipt.ID != "") {
		err = fmt.Errorf("receipt %q with error %w", receipt.ID, err)
	}
	r.errs[m.Body] = append(r.errs[m.Body], err)
}

// class is the class of body's one result, "sent" if it was sent and "none" if there is none.
func (r *results) class(t *testing.T, body string) sms.Class {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := r.errs[body]
	switch {
	case len(errs) == 0:
		return "none"
	case len(errs) > 1:
		t.Fatalf("%d results for one text: %v", len(errs), errs)
	case errs[0] == nil:
		return "sent"
	}
	e, ok := errs[0].(*sms.Error)
	if !ok {
		t.Fatalf("result is a %T, want *sms.Error", errs[0])
	}
	return e.Class
}

func text(body string) sms.Message {
	to, err := phone.Stored("+447700900123")
	if err != nil {
		panic(err)
	}
	return sms.Message{To: to, Body: body, ValidUntil: time.Now().Add(5 * time.Minute)}
}

func enqueue(t *testing.T, q *sms.Queue, m sms.Message) {
	t.Helper()
	if err := q.Enqueue(m); err != nil {
		t.Fatalf("Enqueue: %v", err)
	}
}

func drain(t *testing.T, q *sms.Queue) {
	t.Helper()
	if err := q.Drain(t.Context()); err != nil {
		t.Fatalf("Drain: %v", err)
	}
}

func sent(sms.Message) (sms.Receipt, error) { return sms.Receipt{ID: "SM1"}, nil }

func TestQueueRetries(t *testing.T) {
	tooMany := &sms.Error{Class: sms.Rate, Status: 429, RetryAfter: 2 * time.Second}
	for _, tc := range []struct {
		name  string
		fails []error // of the first tries; the next succeeds
		want  sms.Class
		tries int32
	}{
		{"sent at once", nil, "sent", 1},
		{"too many, then sent", []error{tooMany, tooMany}, "sent", 3},
		{"too many thrice", []error{tooMany, tooMany, tooMany}, sms.Rate, 3},
		{"provider, then sent", []error{&sms.Error{Class: sms.Provider}}, "sent", 2},
		{"provider twice", []error{&sms.Error{Class: sms.Provider}, &sms.Error{Class: sms.Provider}}, sms.Provider, 2},
		{"unknown outcome", []error{&sms.Error{Class: sms.UnknownOutcome}}, sms.UnknownOutcome, 1},
		{"opted out", []error{&sms.Error{Class: sms.OptedOut}}, sms.OptedOut, 1},
		{"not a class at all", []error{errors.New("to +447700900123")}, sms.UnknownOutcome, 1},
		{"wrapped", []error{fmt.Errorf("send: %w", &sms.Error{Class: sms.OurConfig})}, sms.OurConfig, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var heard results
				var tries atomic.Int32
				q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
					if n := int(tries.Add(1)); n <= len(tc.fails) {
						return sms.Receipt{}, tc.fails[n-1]
					}
					return sent(m)
				}), sms.QueueOptions{OnResult: heard.on})
				enqueue(t, q, text("a"))
				time.Sleep(time.Minute) // false time: every wait is over
				synctest.Wait()
				if got := heard.class(t, "a"); got != tc.want || tries.Load() != tc.tries {
					t.Errorf("%s after %d tries, want %s after %d", got, tries.Load(), tc.want, tc.tries)
				}
				drain(t, q)
			})
		})
	}
}

func TestRetryWaitsAsAskedAndHoldsUpNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard results
		start := time.Now()
		var again time.Duration
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			if m.Body == "slow" && time.Since(start) == 0 {
				return sms.Receipt{}, &sms.Error{Class: sms.Rate, Status: 429, RetryAfter: 9 * time.Second}
			}
			if m.Body == "slow" {
				again = time.Since(start)
			}
			return sent(m)
		}), sms.QueueOptions{Workers: 1, OnResult: heard.on})
		enqueue(t, q, text("slow"))
		enqueue(t, q, text("next"))
		synctest.Wait()
		if heard.class(t, "next") != "sent" || heard.class(t, "slow") != "none" || q.Len() != 1 {
			t.Errorf("next %s, slow %s, %d waiting; want the second sent while the first waits",
				heard.class(t, "next"), heard.class(t, "slow"), q.Len())
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if heard.class(t, "slow") != "sent" || again != 9*time.Second {
			t.Errorf("slow %s after %v, want sent after 9s", heard.class(t, "slow"), again)
		}
		drain(t, q)
	})
}

func TestInjectedTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard results
		fire := make(chan func(), 1)
		var tries atomic.Int32
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			if tries.Add(1) == 1 {
				return sms.Receipt{}, &sms.Error{Class: sms.Provider}
			}
			return sent(m)
		}), sms.QueueOptions{OnResult: heard.on, AfterFunc: func(_ time.Duration, f func()) func() bool {
			fire <- f
			return func() bool { return true }
		}})
		enqueue(t, q, text("a"))
		retry := <-fire
		retry()
		synctest.Wait()
		retry() // a timer that fires although its text is gone
		drain(t, q)
		if heard.class(t, "a") != "sent" || tries.Load() != 2 {
			t.Errorf("%s after %d tries, want sent after 2", heard.class(t, "a"), tries.Load())
		}
	})
}

func TestLateTextIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard results
		release := make(chan struct{})
		var tries atomic.Int32
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			tries.Add(1)
			<-release
			return sent(m)
		}), sms.QueueOptions{Workers: 1, OnResult: heard.on})
		enqueue(t, q, text("first"))
		enqueue(t, q, text("late"))
		time.Sleep(5 * time.Minute)
		close(release)
		drain(t, q)
		if heard.class(t, "late") != sms.Late || tries.Load() != 1 {
			t.Errorf("%s after %d tries, want late and only the first sent", heard.class(t, "late"), tries.Load())
		}
	})
}

func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard results
		release := make(chan struct{})
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			<-release
			return sent(m)
		}), sms.QueueOptions{Size: 2, Workers: 1, OnResult: heard.on})
		enqueue(t, q, text("sending"))
		synctest.Wait()
		enqueue(t, q, text("waiting 1"))
		enqueue(t, q, text("waiting 2"))
		if err := q.Enqueue(text("too many")); !errors.Is(err, sms.ErrQueueFull) {
			t.Errorf("Enqueue = %v, want ErrQueueFull", err)
		}
		close(release)
		drain(t, q)
		if heard.class(t, "waiting 2") != "sent" || heard.class(t, "too many") != "none" {
			t.Error("want all sent but the one that was refused")
		}
		if err := q.Enqueue(text("after")); !errors.Is(err, sms.ErrQueueClosed) {
			t.Errorf("Enqueue after Drain = %v, want ErrQueueClosed", err)
		}
	})
}

func TestNeverMoreThanTwentyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var now atomic.Int32
		q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
			now.Add(1)
			<-release
			return sent(m)
		}), sms.QueueOptions{Workers: 100})
		for range 50 {
			enqueue(t, q, text("a"))
		}
		synctest.Wait()
		if now.Load() != sms.MaxWorkers {
			t.Errorf("%d at once, want %d", now.Load(), sms.MaxWorkers)
		}
		close(release)
		drain(t, q)
	})
}

func TestPanicIsAnUnknownOutcome(t *testing.T) {
	var out bytes.Buffer
	var heard results
	q := sms.NewQueue(sender(func(_ context.Context, m sms.Message) (sms.Receipt, error) {
		switch m.Body {
		case "bad":
			panic("to +447700900123")
		case "nil":
			var p *sms.Receipt
			return *p, nil
		}
		return sent(m)
	}), sms.QueueOptions{
		Workers: 1,
		Log:     slog.New(slog.NewTextHandler(&out, nil)),
		OnResult: func(ctx context.Context, m sms.Message, r sms.Receipt, err error) {
			heard.on(ctx, m, r, err)
			if m.Body == "callback" {
				panic(m.Body)
			}
		},
	})
	for _, body := range []string{"bad", "nil", "callback", "good"} {
		enqueue(t, q, text(body))
	}
	drain(t, q)
	if heard.class(t, "bad") != sms.UnknownOutcome || heard.class(t, "nil") != sms.UnknownOutcome || heard.class(t, "good") != "sent" {
		t.Errorf("bad %s, nil %s, good %s", heard.class(t, "bad"), heard.class(t, "nil"), heard.class(t, "good"))
	}
	log := out.String()
	if strings.Contains(log, "900123") || !strings.Contains(log, "nil pointer") || !strings.Contains(log, "in=OnResult") {
		t.Errorf("log: %s", log)
	}
}

func TestMessageHidesItsBodyInLogs(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("queued", "message", text("123456 is your code"))
	if strings.Contains(out.String(), "123456") || strings.Contains(out.String(), "900123") {
		t.Errorf("log: %s", out.String())
	}
}
