package main

import (
	"encoding/json"
	"io"
	"net/http"
	"runtime"
)

// The aims.
const (
	maxCPURatio     = 1.5
	maxRestMB       = 60
	maxStartSecond  = 1
	maxRevokeSecond = 2
	// Limits may cost a start this much CPU, and scripts that it waits for.
	maxLimitsCPU     = 0.15
	maxLimitsScripts = 1
	// maxRushAnswer is for 99 of 100 starts while an office comes to work.
	maxRushAnswer = 100
)

// report is everything measured in one run; what was not is left out.
type report struct {
	Machine        machine               `json:"machine"`
	SignIns        []comparison          `json:"sign_ins,omitempty"`
	JWKS           *jwksFigures          `json:"jwks,omitempty"`
	RestAfterStart int64                 `json:"resident_bytes_after_start,omitempty"`
	RestAfterLoad  int64                 `json:"resident_bytes_after_load,omitempty"`
	StartUps       *startTimes           `json:"start_seconds,omitempty"`
	Starts         *startFigures         `json:"starts,omitempty"`
	Rush           *rushFigures          `json:"rush,omitempty"`
	Refreshes      []comparison          `json:"refreshes,omitempty"`
	Introspections *figures              `json:"introspections,omitempty"`
	Lists          *listFigures          `json:"status_lists,omitempty"`
	Signatures     []signatureComparison `json:"signatures,omitempty"`
	Aims           []aim                 `json:"aims"`
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
	if len(r.SignIns) > 0 {
		add("memory of serve at rest, after start", megabytes(r.RestAfterStart), maxRestMB, "MB")
		add("memory of serve at rest, after the load", megabytes(r.RestAfterLoad), maxRestMB, "MB")
	}
	if r.StartUps != nil {
		add("start of dev --data ''", r.StartUps.Empty.Median, maxStartSecond, "s")
		add("start of dev, the very first", r.StartUps.First, maxStartSecond, "s")
		add("start of dev on its data", r.StartUps.Again.Median, maxStartSecond, "s")
	}
	if r.Starts != nil {
		add("CPU that limits add to a start", r.Starts.Cost.Median, maxLimitsCPU, "ms")
		add("round trips to Redis that limits add to a start", r.Starts.addedScripts(), maxLimitsScripts, "")
	}
	if r.Rush != nil {
		add("starts of the rush that were not answered with 200", float64(r.Rush.People-r.Rush.Answers[http.StatusOK]), 0, "")
		add("texts of the rush that did not go out", float64(r.Rush.People-r.Rush.Texts), 0, "")
		add("answer to a start in the rush, 99 of 100 within", r.Rush.Answer.P99, maxRushAnswer, "ms")
	}
	for _, c := range r.Refreshes {
		add("CPU of a refresh, "+c.Algorithm+", against bare", c.CPURatio.Median, maxCPURatio, "times")
	}
	if r.Lists != nil {
		one := r.Lists.Single
		add("from a revocation to the list, on every replica, the worst", max(one.Told.Max, one.Other.Max)/1000, maxRevokeSecond, "s")
	}
	for _, c := range r.Signatures {
		if most, ok := maxSignatureRatio[c.Algorithm]; ok {
			add("an access token, "+c.Algorithm+", against its signature alone", c.Ratio.Median, most, "times")
		}
	}
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
	return r.table(w)
}
