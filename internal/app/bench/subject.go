package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/latchkey-id/latchkey/internal/app/bench/bare"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

// algorithm is one that is measured, with the client whose tokens it signs.
type algorithm struct{ name, client string }

var algorithms = []algorithm{{"RS256", "rs"}, {"ES256", "es"}}

// subject is a measured process.
type subject struct {
	name    string
	baseURL string
	process *process
	turn    atomic.Int64 // how many people have signed in by turns
}

func startSubjects(ctx context.Context, w world) (subjects []*subject, err error) {
	for _, s := range []struct {
		name  string
		start func(ctx context.Context, w world, listen string) (*process, error)
	}{{"latchkey", startLatchkey}, {"bare", startBare}} {
		progress("starting %s", s.name)
		at, err := freeAddresses(1)
		if err != nil {
			return subjects, err
		}
		p, err := s.start(ctx, w, at[0])
		if err != nil {
			return subjects, fmt.Errorf("%s: %w", s.name, err)
		}
		subjects = append(subjects, &subject{name: s.name, baseURL: "http://" + at[0], process: p})
	}
	return subjects, nil
}

// stopAll stops the subjects, and adds what goes wrong to what has gone wrong before.
func stopAll(subjects []*subject, failed ...error) error {
	for _, s := range subjects {
		failed = append(failed, s.process.stop())
	}
	return errors.Join(failed...)
}

// startLatchkey runs the server on a staff list that its own import has read.
func startLatchkey(ctx context.Context, w world, listen string) (*process, error) {
	home, err := w.prepareOffice(ctx)
	if err != nil {
		return nil, err
	}
	return w.serve(ctx, home, listen)
}

// startBare runs the yardstick on a database of the same content, accounts included: it makes none.
func startBare(ctx context.Context, w world, listen string) (*process, error) {
	home, err := w.prepareOffice(ctx)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		"INSERT INTO accounts (subject, user_id, created_at) SELECT md5(id), id, created_at FROM users",
		"INSERT INTO identities (method, identifier, subject, attached_at) SELECT 'sms', phone, md5(id), created_at FROM users",
	} {
		if err := execute(ctx, home.database, statement); err != nil {
			return nil, err
		}
	}
	settings := bare.Settings{
		Listen: listen, Database: home.database, Redis: w.stores.redis, KeyPrefix: keyPrefix(), Algorithms: map[string]string{},
		Twilio: bare.Twilio{
			BaseURL: w.twilio, AccountSID: twiliotest.AccountSID, APIKeySID: twiliotest.APIKeySID,
			APIKeySecret: twiliotest.APIKeySecret, MessagingServiceSID: twiliotest.MessagingServiceSID,
		},
	}
	for _, a := range algorithms {
		settings.Algorithms[a.client] = a.name
	}
	input, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := start(self, []string{bareCommand}, nil, bytes.NewReader(input))
	if err != nil {
		return nil, err
	}
	return p.ready(ctx, "http://"+listen+"/healthz")
}
