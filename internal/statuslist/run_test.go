package statuslist_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

// running starts a board in the bubble of a synctest, on its clock.
func running(t *testing.T, wake <-chan struct{}) (f *fixture, stop func()) {
	f = newFixture("one")
	f.store.clock = time.Now
	o := f.options()
	o.Now = time.Now
	f.Board = statuslist.NewBoard(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		f.Run(ctx, wake)
		close(done)
	}()
	synctest.Wait()
	return f, func() {
		cancel()
		<-done
	}
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRunPollsEverySecondAndOnAWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		f, stop := running(t, wake)
		require.Equal(t, 1, f.store.count("Lists"), "it waits before it polls")
		after(10*time.Second + time.Millisecond)
		require.Equal(t, 11, f.store.count("Lists"))

		f.store.revoke("one", 4)
		wake <- struct{}{}
		after(rest)
		require.Equal(t, []int{4}, f.list(t, "one").revoked(), "a wake waits for the second to end")
		polls := f.store.count("Lists")
		after(400 * time.Millisecond)
		require.Equal(t, polls, f.store.count("Lists"), "one wake is one poll")

		stop()
		polls = f.store.count("Lists")
		after(5 * time.Second)
		require.Equal(t, polls, f.store.count("Lists"))
		require.Empty(t, f.log.String(), "to be stopped is no failure")
	})
}

const rest = 200 * time.Millisecond

func TestRunRestsBetweenWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		f, stop := running(t, wake)
		defer stop()
		go func() {
			for range 100 {
				wake <- struct{}{} // as fast as they are taken
			}
		}()
		after(time.Second - time.Millisecond)
		polls := f.store.count("Lists")
		require.Equal(t, 5, polls)
		after(25 * time.Second)
		require.Greater(t, f.store.count("Lists"), 100)
	})
}

func TestRunDoesNotSpinOnAClosedWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		close(wake)
		f, stop := running(t, wake)
		defer stop()
		after(10*time.Second + time.Millisecond)
		require.LessOrEqual(t, f.store.count("Lists"), 12)
	})
}

func TestRunLogsAFailureOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, stop := running(t, nil)
		for range 2 {
			f.store.fail("Revocations", true)
			after(30 * time.Second)
			f.store.fail("Revocations", false)
			after(30 * time.Second)
		}
		f.store.fail("Revocations", true)
		stop()
		lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
		require.Len(t, lines, 4, f.log.String())
		for i, want := range []string{"level=WARN", "level=INFO", "level=WARN", "level=INFO"} {
			require.Contains(t, lines[i], want)
		}
		require.Contains(t, lines[0], errDown.Error())
		require.Contains(t, lines[1], "after=30s")
	})
}

// hanging is a record whose first answer never comes, as behind a connection that is dead.
type hanging struct {
	*memory
	first *sync.Once
}

func (h hanging) Lists(ctx context.Context) ([]statuslist.List, time.Time, error) {
	h.first.Do(func() { <-ctx.Done() })
	return h.memory.Lists(ctx)
}

func TestRunGivesUpOnAPollThatHangs(t *testing.T) {
	for name, tc := range map[string]struct {
		wait time.Duration
		logs []string
	}{
		"stopped before": {59 * time.Second, nil},
		"stopped after":  {62 * time.Second, []string{"level=WARN", "level=INFO"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture("one")
				f.store.clock = time.Now
				o := f.options()
				o.Now, o.Store = time.Now, hanging{f.store, &sync.Once{}}
				f.Board = statuslist.NewBoard(o)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					f.Run(ctx, nil)
					close(done)
				}()
				after(tc.wait)
				cancel()
				<-done
				require.Equal(t, len(tc.logs), strings.Count(f.log.String(), "\n"), f.log.String())
				for _, want := range tc.logs {
					require.Contains(t, f.log.String(), want)
				}
			})
		})
	}
}

// Everything at once, for the race detector: what is served is always whole, and never goes back.
func TestServingWhilePolling(t *testing.T) {
	f := newFixture("one")
	f.poll(t)
	ctx, cancel := context.WithCancel(t.Context())
	wake := make(chan struct{}, 1)
	var all sync.WaitGroup
	all.Go(func() { f.Run(ctx, wake) })
	all.Go(func() {
		for i := range 60 {
			f.store.revoke("one", 2*i, 2*i+1)
			select {
			case wake <- struct{}{}:
			default:
			}
			_ = f.Poll(ctx)
		}
		cancel()
	})
	for range 2 {
		all.Go(func() {
			last := 0
			for ctx.Err() == nil {
				served, err := f.Token("one")
				if err != nil || f.Age() != 0 {
					t.Errorf("Token: %v, Age: %v", err, f.Age())
					return
				}
				set := 0
				for _, b := range decode(t, served.Body).array {
					for ; b != 0; b &= b - 1 {
						set++
					}
				}
				if set%2 != 0 || set < last {
					t.Errorf("%d revoked after %d", set, last)
					return
				}
				last = set
			}
		})
	}
	all.Wait()
	require.Len(t, f.list(t, "one").revoked(), 120)
}

// One more sign-out in a list that has n.
func BenchmarkPoll(b *testing.B) {
	for name, n := range map[string]int{"set=1000": 1_000, "set=100000": 100_000} {
		b.Run(name, func(b *testing.B) {
			f := newFixture("one")
			o := f.options()
			o.Keys = realRing(b)
			board := statuslist.NewBoard(o)
			places := rand.New(rand.NewPCG(1, 2)).Perm(statuslist.Size)
			f.store.revoke("one", places[:n]...)
			require.NoError(b, board.Poll(b.Context()))
			for i := n; b.Loop(); i++ {
				f.store.tick++ // at the end: nothing to sort
				f.store.revoked = append(f.store.revoked, statuslist.Cursor{
					Tick: f.store.tick, Place: statuslist.Place{List: "one", Index: places[i]},
				})
				require.NoError(b, board.Poll(b.Context()))
			}
		})
	}
}

// A poll without news, which is nearly every one.
func BenchmarkPollWithoutNews(b *testing.B) {
	f := newFixture("one", "two")
	f.poll(b)
	for b.Loop() {
		f.poll(b)
	}
}
