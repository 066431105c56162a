package app_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Of two groups of answer times the rank sum (Mann and Whitney's U, as a standard score) says whether one tends to be
// slower. It asks nothing of their distribution, and an outlier counts as one place.
const (
	// seen is a score that chance does not reach in a lifetime of test runs (2 in 10 million).
	seen = 5.2
	// unseen is what two groups alike reach once in 16,000 runs; three in a row never do.
	unseen = 4.0
	// eachGroup is how many numbers are asked for.
	eachGroup = 500
	tries     = 3
)

// score is positive if b tends to be slower than a.
func score(a, b []time.Duration) float64 {
	type entry struct {
		took time.Duration
		b    bool
	}
	var all []entry
	for _, took := range a {
		all = append(all, entry{took, false})
	}
	for _, took := range b {
		all = append(all, entry{took, true})
	}
	slices.SortFunc(all, func(x, y entry) int { return int(x.took - y.took) })
	ranks := 0.0
	for i, e := range all {
		if e.b {
			ranks += float64(i + 1) // nanoseconds hardly tie
		}
	}
	n, m := float64(len(a)), float64(len(b))
	u := ranks - m*(m+1)/2
	return (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

// interleaved measures ask for both groups in one random order, after a warm-up of its own.
func interleaved(t *testing.T, a, b []string, ask func(number string, inB bool)) (timesA, timesB []time.Duration) {
	t.Helper()
	type turn struct {
		number string
		inB    bool
	}
	var turns []turn
	for _, number := range a {
		turns = append(turns, turn{number, false})
	}
	for _, number := range b {
		turns = append(turns, turn{number, true})
	}
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	for _, each := range turns {
		began := time.Now()
		ask(each.number, each.inB)
		took := time.Since(began)
		if each.inB {
			timesB = append(timesB, took)
		} else {
			timesA = append(timesA, took)
		}
	}
	return timesA, timesB
}

// addresses are each used once, so that no limit of sources is met.
type addresses struct{ n int }

func (a *addresses) next() string {
	a.n++
	return fmt.Sprintf("%d.%d.%d.9", 11+a.n/62500, a.n/250%250, a.n%250)
}

// quiet are the settings of a server that sends texts to HR's numbers only: what it does after the answer then differs
// the most between the numbers that HR knows and those that it does not.
func quiet() string {
	return strings.Replace(unmetered, "sms:\n", "sms:\n  recipients: roster\n", 1)
}

// TestStartsOfKnownAndUnknownNumbersTakeAsLong is U2: the time of an answer tells nothing. A planted millisecond shows
// that it would be seen.
func TestStartsOfKnownAndUnknownNumbersTakeAsLong(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	settings := file(t, "latchkey.yaml", quiet())
	next := 0
	fresh := func(prefix string, n int) []string {
		numbers := make([]string, n)
		for i := range numbers {
			next++
			numbers[i] = fmt.Sprintf("+447400%s%05d", prefix, next)
		}
		return numbers
	}
	const groups = 2*tries + 1
	known := fresh("1", groups*eachGroup)
	var staff strings.Builder
	staff.WriteString("external_id,name,phone\n")
	for i, number := range known {
		fmt.Fprintf(&staff, "E%d,Person %d,%s\n", i, i, number)
	}
	for _, args := range [][]string{{"migrate", "up"}, {"hr", "import", file(t, "staff.csv", staff.String())}} {
		code, stdout, stderr := command(t, s.environ(base), append(args, "--config", settings)...)
		require.Zero(t, code, stdout+stderr)
	}
	p := start(t, s.environ(base), "serve", "--config", settings).awaitServing()
	client, from := crowdClient(t, 1), &addresses{}
	take := func(n int) []string {
		taken := known[:n]
		known = known[n:]
		return taken
	}
	asking := func(planted time.Duration) func(string, bool) {
		return func(number string, unknown bool) {
			if !unknown {
				time.Sleep(planted)
			}
			a, err := caller{client, p.base, from.next()}.ask(t.Context(), number)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.status, a.body)
		}
	}
	interleaved(t, take(50), fresh("2", 50), asking(0)) // warm-up

	within(t, func() (float64, bool) {
		known, unknown := interleaved(t, take(eachGroup), fresh("2", eachGroup), asking(time.Millisecond))
		z := score(unknown, known)
		t.Logf("planted 1 ms: known %s, unknown %s in the median, z = %.1f", median(known), median(unknown), z)
		return z, z > seen
	})
	within(t, func() (float64, bool) {
		known, unknown := interleaved(t, take(eachGroup), fresh("2", eachGroup), asking(0))
		z := score(unknown, known)
		t.Logf("as it is: known %s, unknown %s in the median, z = %.1f", median(known), median(unknown), z)
		return z, math.Abs(z) < unseen
	})
	t.Run("wrong guesses with and without a code", func(t *testing.T) {
		within(t, func() (float64, bool) {
			asked, never := fresh("3", eachGroup/2), fresh("4", eachGroup/2)
			for _, number := range asked {
				asking(0)(number, true)
			}
			with, without := interleaved(t, asked, never, func(number string, _ bool) {
				f := fateOf(caller{client, p.base, from.next()}.guess(context.Background(), number, "000000", false))
				require.Equal(t, wrong, f)
			})
			z := score(without, with)
			t.Logf("guesses: with a code %s, without %s in the median, z = %.1f", median(with), median(without), z)
			return z, math.Abs(z) < unseen
		})
	})
}

// within allows a measurement as many tries as a busy machine may need.
func within(t *testing.T, measure func() (float64, bool)) {
	t.Helper()
	var last float64
	for range tries {
		z, fine := measure()
		if fine {
			return
		}
		last = z
	}
	require.Fail(t, "the groups differ where they should not, or do not where they should", "z = %.1f", last)
}
