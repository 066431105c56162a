package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// The aims.
const (
	maxCPURatio    = 1.5
	maxRestMB      = 60
	maxStartSecond = 1
)

// report is everything measured in one run.
type report struct {
	Machine        machine      `json:"machine"`
	SignIns        []comparison `json:"sign_ins"`
	JWKSPerSecond  float64      `json:"jwks_per_second"`
	RestAfterStart int64        `json:"resident_bytes_after_start"`
	RestAfterLoad  int64        `json:"resident_bytes_after_load"`
	Starts         startTimes   `json:"start_seconds"`
	Aims           []aim        `json:"aims"`
}

// machine is what figures of two runs must share to be compared.
type machine struct {
	Cores    int     `json:"cores"`
	Go       string  `json:"go"`
	Platform string  `json:"platform"`
	Workers  int     `json:"workers"`
	Rounds   int     `json:"rounds"`
	Seconds  float64 `json:"seconds"`
}

func newReport(opts options) report {
	return report{Machine: machine{
		Cores: runtime.NumCPU(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Workers: opts.workers, Rounds: opts.rounds, Seconds: opts.duration.Seconds(),
	}}
}

// aim is a figure beside what it should be at most.
type aim struct {
	What   string  `json:"what"`
	Figure float64 `json:"figure"`
	AtMost float64 `json:"at_most"`
	Unit   string  `json:"unit"`
	Met    bool    `json:"met"`
}

func (r report) aims() []aim {
	var all []aim
	add := func(what string, figure, atMost float64, unit string) {
		all = append(all, aim{What: what, Figure: figure, AtMost: atMost, Unit: unit, Met: figure <= atMost})
	}
	for _, c := range r.SignIns {
		add("CPU of a sign-in, "+c.Algorithm+", against bare", c.CPURatio.Median, maxCPURatio, "times")
	}
	add("memory of serve at rest, after start", megabytes(r.RestAfterStart), maxRestMB, "MB")
	add("memory of serve at rest, after the load", megabytes(r.RestAfterLoad), maxRestMB, "MB")
	add("start of dev --data ''", r.Starts.Empty.Median, maxStartSecond, "s")
	add("start of dev, the very first", r.Starts.First, maxStartSecond, "s")
	add("start of dev on its data", r.Starts.Again.Median, maxStartSecond, "s")
	return all
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }

// print writes the report in the format: table or json.
func (r report) print(w io.Writer, format string) error {
	r.Aims = r.aims()
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	fmt.Fprintf(w, "\n%d people sign in at once, on %d cores shared with PostgreSQL, Redis and the load; %s, %s.\n"+
		"Median of %d measurements of %g s each, by turns (least to most).\n\n",
		r.Machine.Workers, r.Machine.Cores, r.Machine.Go, r.Machine.Platform, r.Machine.Rounds, r.Machine.Seconds)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\tSIGN-INS/S\tCPU MS EACH\tSTART P50/P99 MS\tTOKEN P50/P99 MS")
	for _, c := range r.SignIns {
		c.Latchkey.row(table, c.Algorithm+" latchkey")
		c.Bare.row(table, c.Algorithm+" bare")
		fmt.Fprintf(table, "%s ratio\t%.2f\t%s\t\t\n", c.Algorithm,
			c.Latchkey.PerSecond.Median/c.Bare.PerSecond.Median, c.CPURatio.text(2))
	}
	fmt.Fprintf(table, "JWKS\t%.0f answers/s\t\t\t\n\t\t\t\t\n", r.JWKSPerSecond)
	fmt.Fprintln(table, "FIGURE\tMEASURED\tAIM\t\t")
	for _, a := range r.Aims {
		verdict := "missed"
		if a.Met {
			verdict = "met"
		}
		fmt.Fprintf(table, "%s\t%.2f %s\tat most %g\t%s\t\n", a.What, a.Figure, a.Unit, a.AtMost, verdict)
	}
	return table.Flush()
}

func (f figures) row(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%.1f / %.1f\t%.1f / %.1f\n", name, f.PerSecond.text(0), f.CPU.text(2),
		f.Start.P50, f.Start.P99, f.Token.P50, f.Token.P99)
}

func (s spread) text(decimals int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}
