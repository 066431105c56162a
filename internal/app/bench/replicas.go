package main

import (
	"context"
	"fmt"
	"time"
)

// listState is what a replica is like with so many sessions on the list and so many of them revoked.
type listState struct {
	Sessions int `json:"sessions"`
	Revoked  int `json:"revoked"`
	// Size is that of the list as it is served, in bytes.
	Size int `json:"list_bytes"`
	// Start is from the call of serve until it answers with the list, which it builds meanwhile.
	Start    spread `json:"start_seconds"`
	Resident int64  `json:"resident_bytes"`
}

// startReplica starts a server on the installation and returns how long it took to serve the list, in seconds.
func startReplica(ctx context.Context, w world, home installation, name string) (*subject, float64, error) {
	at, err := freeAddresses(3)
	if err != nil {
		return nil, 0, err
	}
	settings := append(home.settings, "LATCHKEY_LISTEN="+at[0], "LATCHKEY_ADMIN_LISTEN="+at[1], "LATCHKEY_OPS_LISTEN="+at[2])
	begun := time.Now()
	p, err := start(w.latchkey, []string{"serve"}, settings, nil)
	if err != nil {
		return nil, 0, err
	}
	s := &subject{name: name, baseURL: "http://" + at[0], process: p}
	if s.process, err = p.ready(ctx, listURL(s.baseURL)); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return s, time.Since(begun).Seconds(), nil
}

// measureState starts a replica several times.
func measureState(ctx context.Context, w world, home installation, sessions, revoked int) (listState, error) {
	state := listState{Sessions: sessions, Revoked: revoked}
	progress("status list of %d sessions, %d of them revoked: starting serve %d times", sessions, revoked, startUps)
	var took []float64
	for i := range startUps {
		s, seconds, err := startReplica(ctx, w, home, "replica")
		if err != nil {
			return state, err
		}
		took = append(took, seconds)
		if i == startUps-1 {
			v := verifier{url: listURL(s.baseURL)}
			if err = v.fetch(ctx); err == nil {
				state.Size = len(v.body)
				state.Resident, err = s.atRest(ctx)
			}
		}
		if err := stopAll([]*subject{s}, err); err != nil {
			return state, err
		}
	}
	state.Start = spreadOf(took)
	return state, nil
}
