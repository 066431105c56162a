package main

import (
	"context"
	"path/filepath"
	"time"
)

// startUps is how often each way to start dev is measured.
const startUps = 5

// startTimes are in seconds, from the call of the program to the first answer on the public listener.
type startTimes struct {
	// Empty keeps nothing, First makes its data, Again finds those of an earlier start.
	Empty spread  `json:"dev_without_data"`
	First float64 `json:"dev_first_start"`
	Again spread  `json:"dev_second_start"`
}

func measureStartUps(ctx context.Context, w world) (*startTimes, error) {
	progress("starting dev %d times", 2*startUps+1)
	t := &startTimes{}
	data := filepath.Join(w.folder, "dev")
	first, err := startDev(ctx, w, data)
	if err != nil {
		return t, err
	}
	t.First = first
	var empty, again []float64
	for range startUps {
		seconds, err := startDev(ctx, w, "")
		if err != nil {
			return t, err
		}
		empty = append(empty, seconds)
		if seconds, err = startDev(ctx, w, data); err != nil {
			return t, err
		}
		again = append(again, seconds)
	}
	t.Empty, t.Again = spreadOf(empty), spreadOf(again)
	return t, nil
}

func startDev(ctx context.Context, w world, data string) (seconds float64, err error) {
	at, err := freeAddresses(3)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	p, err := start(w.latchkey, []string{"dev", "--listen", at[0], "--data", data},
		[]string{"LATCHKEY_ADMIN_LISTEN=" + at[1], "LATCHKEY_OPS_LISTEN=" + at[2]}, nil)
	if err != nil {
		return 0, err
	}
	if p, err = p.ready(ctx, "http://"+at[0]+"/.well-known/jwks.json"); err != nil {
		return 0, err
	}
	return time.Since(begun).Seconds(), p.stop()
}
