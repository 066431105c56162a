package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// spread is a figure measured several times.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{Median: quantile(sorted, 0.5), Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// quantile returns the value below which the share q of sorted lies; of two in the middle the upper.
func quantile[T cmp.Ordered](sorted []T, q float64) T {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// latency is the answer times of one endpoint, in milliseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func latencyOf(all []time.Duration) latency {
	slices.Sort(all)
	return latency{P50: milliseconds(quantile(all, 0.5)), P99: milliseconds(quantile(all, 0.99))}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// figures are what all rounds say of one subject.
type figures struct {
	Count     int    `json:"count"`
	PerSecond spread `json:"per_second"`
	CPU       spread `json:"cpu_ms_each"`
	// Start is of sign-ins only.
	Start latency `json:"start_ms,omitzero"`
	Token latency `json:"answer_ms"`
}

func figuresOf(rounds []measurement) figures {
	var f figures
	var rates, cpus []float64
	var starts, tokens []time.Duration
	for _, m := range rounds {
		f.Count += len(m.timings)
		rates = append(rates, float64(len(m.timings))/m.took.Seconds())
		cpus = append(cpus, m.cpuEach())
		for _, t := range m.timings {
			starts, tokens = append(starts, t.start), append(tokens, t.token)
		}
	}
	f.PerSecond, f.CPU, f.Start, f.Token = spreadOf(rates), spreadOf(cpus), latencyOf(starts), latencyOf(tokens)
	return f
}

// cpuEach is in milliseconds.
func (m measurement) cpuEach() float64 { return milliseconds(m.cpu) / float64(len(m.timings)) }

// comparison is Latchkey beside the bare handler, for one algorithm.
type comparison struct {
	Algorithm string  `json:"algorithm"`
	Latchkey  figures `json:"latchkey"`
	Bare      figures `json:"bare"`
	// CPURatio is ours over bare's, of each round by itself: what slows the machine for a while
	// slows both.
	CPURatio spread `json:"cpu_ratio"`
}

// contest is one measurement of one subject.
type contest func(ctx context.Context, s *subject, a algorithm) (measurement, error)

// compare measures the subjects, Latchkey first, by turns.
func compare(ctx context.Context, what string, subjects []*subject, opts options, measure contest) ([]comparison, error) {
	var all []comparison
	for _, a := range algorithms {
		rounds := make([][]measurement, len(subjects))
		var ratios []float64
		for round := range opts.rounds {
			for i := range subjects {
				i = (i + round) % len(subjects) // who goes first changes, so that neither gains by it
				progress("%s, %s, round %d of %d: %s", what, a.name, round+1, opts.rounds, subjects[i].name)
				m, err := measure(ctx, subjects[i], a)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
				}
				rounds[i] = append(rounds[i], m)
			}
			ratios = append(ratios, rounds[0][round].cpuEach()/rounds[1][round].cpuEach())
		}
		all = append(all, comparison{
			Algorithm: a.name, Latchkey: figuresOf(rounds[0]), Bare: figuresOf(rounds[1]), CPURatio: spreadOf(ratios),
		})
	}
	return all, nil
}
