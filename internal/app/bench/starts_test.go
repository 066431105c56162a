package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestElsewhereIsAnotherNetworkEachTime(t *testing.T) {
	seen := map[netip.Prefix]bool{}
	for n := range 1 << 16 {
		network, err := netip.MustParseAddr(elsewhere(n)).Prefix(24)
		require.NoError(t, err)
		seen[network] = true
	}
	require.Len(t, seen, 1<<16)
	require.Equal(t, elsewhere(0), elsewhere(1<<16), "more starts than networks begin again")
}

func TestParseScripts(t *testing.T) {
	for name, tc := range map[string]struct {
		stats string
		want  scripts
		wrong bool
	}{
		"among others": {
			stats: "# Commandstats\r\ncmdstat_get:calls=9,usec=9,usec_per_call=1.00\r\n" +
				"cmdstat_evalsha:calls=7,usec=140,usec_per_call=20.00,rejected_calls=1,failed_calls=2\r\ncmdstat_eval:calls=3,usec=1\r\n",
			want: scripts{calls: 7, took: 140 * time.Microsecond},
		},
		"none has run": {stats: "# Commandstats\r\n", wrong: true},
		"no number":    {stats: "cmdstat_evalsha:calls=many,usec=1\r\n", wrong: true},
	} {
		got, err := parseScripts(tc.stats)
		if tc.wrong {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
}

// What replicas ask by themselves must not look like a round trip that limits add.
func TestAddedScripts(t *testing.T) {
	f := startFigures{Settings: []settingFigures{{Scripts: 3.02}, {Scripts: 2}, {Scripts: 1.99}}}
	require.InDelta(t, 1.0, f.addedScripts(), 1e-9)
	f.Settings[0].Scripts = 4.02
	require.InDelta(t, 2.0, f.addedScripts(), 1e-9)
}

// A rush is open: each start goes out when it is due, whatever became of the one before.
func TestRushWaitsForNobody(t *testing.T) {
	numbers := fictional(20)
	var r *rush
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.mu.Lock()
		if len(r.due) == len(numbers) {
			select {
			case <-all:
			default:
				close(all)
			}
		}
		r.mu.Unlock()
		<-all // nobody is answered before the last has asked
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	r = newRush(numbers, time.Millisecond)
	require.NoError(t, r.askAll(t.Context(), &subject{baseURL: server.URL}))
	require.Equal(t, map[int]int{http.StatusTooManyRequests: len(numbers)}, r.answers)
	require.Len(t, r.took, len(numbers))
}

func TestRushFigures(t *testing.T) {
	r := newRush(fictional(3), time.Minute)
	begun := time.Now()
	for i, number := range r.numbers {
		r.due[number] = begun.Add(time.Duration(i) * time.Second)
	}
	r.answers[http.StatusOK] = 3
	r.took = []time.Duration{2 * time.Millisecond, time.Millisecond, 40 * time.Millisecond}
	r.arrived[r.numbers[0]] = begun.Add(500 * time.Millisecond)
	r.arrived[r.numbers[1]] = begun.Add(1100 * time.Millisecond)

	f, err := r.figures(6 * time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 2, f.Texts)
	require.Equal(t, reach{latency{P50: 2, P99: 40}, 40}, f.Answer)
	require.Equal(t, reach{latency{P50: 500, P99: 500}, 500}, f.Text)
	require.InDelta(t, 2.0, f.CPU, 1e-9)

	r.arrive(r.numbers[0])
	_, err = r.figures(0)
	require.ErrorContains(t, err, "more than one text")

	r = newRush(nil, time.Minute)
	r.arrive("+12015550199")
	_, err = r.figures(0)
	require.ErrorContains(t, err, "who has not asked")
}
