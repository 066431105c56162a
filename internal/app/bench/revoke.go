package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// singles is how many sessions are revoked one at a time, once for the time it takes and once
	// for the CPU.
	singles = 100
	// apart keeps single revocations from sharing one signature, so that each is paid for in full.
	apart = 150 * time.Millisecond
)

// singleFigures are those of sessions that are revoked one at a time.
type singleFigures struct {
	Count int `json:"count"`
	// Told and Other are from the call of POST /oauth/revoke until the list shows it: on the replica
	// that was called and on the other.
	Told  spread `json:"told_replica_ms"`
	Other spread `json:"other_replica_ms"`
	// ToldCPU and OtherCPU are all that each of them used meanwhile, for each revocation.
	ToldCPU  float64 `json:"told_replica_cpu_ms_each"`
	OtherCPU float64 `json:"other_replica_cpu_ms_each"`
}

// revokeSingly signs people out, one at a time.
func (r *revoker) revokeSingly(ctx context.Context) (singleFigures, error) {
	f := singleFigures{Count: singles}
	sessions, err := r.layout.single().find(ctx, r.home.database)
	if err != nil {
		return f, err
	}
	progress("revoking %d sessions, one at a time", singles)
	var told, other []float64
	for _, each := range sessions[:singles] {
		took, err := r.follow(ctx, each)
		if err != nil {
			return f, err
		}
		told, other = append(told, milliseconds(took[0])), append(other, milliseconds(took[1]))
		// A pause of any length: else each would meet the replicas in the same beat.
		if err := pause(ctx, rand.N(apart)); err != nil { // #nosec G404 -- nothing to guess
			return f, err
		}
	}
	f.Told, f.Other = spreadOf(told), spreadOf(other)
	progress("revoking %d sessions, one every %v", singles, apart)
	cpu, err := r.cpuOf(func() error {
		for _, each := range sessions[singles:] {
			if err := r.revoke(ctx, each); err != nil {
				return err
			}
			if err := pause(ctx, apart); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	f.ToldCPU, f.OtherCPU = milliseconds(cpu[0])/singles, milliseconds(cpu[1])/singles
	return f, nil
}

// follow revokes a session and returns how long each replica took to show it.
func (r *revoker) follow(ctx context.Context, of filled) ([]time.Duration, error) {
	calling := make(chan error, 1)
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := time.Now()
	go func() {
		err := r.revoke(ctx, of)
		if err != nil {
			cancel() // there is nothing to wait for
		}
		calling <- err
	}()
	took, err := r.awaitAll(waiting, begun, []int{of.index})
	if failed := <-calling; failed != nil {
		return took, failed
	}
	return took, err
}

// revoke signs a session out, as its own application would (RFC 7009).
func (r *revoker) revoke(ctx context.Context, of filled) error {
	a := app{http: prober, baseURL: r.replicas[0].baseURL, client: algorithms[0].client}
	err := a.post(ctx, "/oauth/revoke", map[string]string{"client_id": a.client, "token": string(r.tokens.Token(of.sid, 0))}, nil)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}

// cpuOf returns the CPU time that each replica uses while f runs.
func (r *revoker) cpuOf(f func() error) ([]time.Duration, error) {
	used := make([]time.Duration, len(r.replicas))
	read := func(sign time.Duration) error {
		for i, each := range r.replicas {
			now, err := each.process.cpu()
			if err != nil {
				return err
			}
			used[i] += sign * now
		}
		return nil
	}
	if err := read(-1); err != nil {
		return nil, err
	}
	if err := f(); err != nil {
		return nil, err
	}
	return used, read(1)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
