package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/latchkey-id/latchkey/internal/app/bench/bare"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

// algorithms are those measured, by the client whose tokens they sign.
var algorithms = []struct{ name, client string }{{"RS256", "rs"}, {"ES256", "es"}}

const audience = "https://api.example.com"

// world is what subjects are started in.
type world struct {
	latchkey string
	folder   string
	stores   *stores
	twilio   string
}

// subject is a measured process.
type subject struct {
	name    string
	baseURL string
	process *process
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

func stopAll(subjects []*subject) error {
	var failed []error
	for _, s := range subjects {
		failed = append(failed, s.process.stop())
	}
	return errors.Join(failed...)
}

// startLatchkey runs the server on a staff list that its own import has read.
func startLatchkey(ctx context.Context, w world, listen string) (*process, error) {
	database, err := w.prepare(ctx)
	if err != nil {
		return nil, err
	}
	inner, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	settings := append(w.settings(database), "LATCHKEY_LISTEN="+listen,
		"LATCHKEY_ADMIN_LISTEN="+inner[0], "LATCHKEY_OPS_LISTEN="+inner[1])
	p, err := start(w.latchkey, []string{"serve"}, settings, nil)
	if err != nil {
		return nil, err
	}
	return p.ready(ctx, "http://"+inner[1]+"/readyz")
}

// startBare runs the yardstick on a database of the same content, accounts included: it makes none.
func startBare(ctx context.Context, w world, listen string) (*process, error) {
	database, err := w.prepare(ctx)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		"INSERT INTO accounts (subject, user_id, created_at) SELECT md5(id), id, created_at FROM users",
		"INSERT INTO identities (method, identifier, subject, attached_at) SELECT 'sms', phone, md5(id), created_at FROM users",
	} {
		if err := execute(ctx, database, statement); err != nil {
			return nil, err
		}
	}
	settings := bare.Settings{
		Listen: listen, Database: database, Redis: w.stores.redis, KeyPrefix: keyPrefix(), Algorithms: map[string]string{},
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

// prepare returns a database with the schema and the staff in it.
func (w world) prepare(ctx context.Context) (string, error) {
	database, err := w.stores.database(ctx)
	if err != nil {
		return "", err
	}
	list := filepath.Join(w.folder, "staff.csv")
	if err := os.WriteFile(list, []byte(staffList()), 0o600); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"migrate", "up"}, {"hr", "import", list}} {
		p, err := start(w.latchkey, args, w.settings(database), nil)
		if err != nil {
			return "", err
		}
		if err := p.wait(); err != nil {
			return "", fmt.Errorf("latchkey %s: %w", strings.Join(args, " "), err)
		}
	}
	return database, nil
}

// settings are those of an installation with one client for each algorithm. Everything else is as
// it is by default, but for the log: a line a request would be the disk's work as much as ours.
func (w world) settings(database string) []string {
	var clients strings.Builder
	for _, a := range algorithms {
		fmt.Fprintf(&clients, "%s: {algorithm: %s, audiences: [%q]}\n", a.client, a.name, audience)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return []string{
		"LATCHKEY_ISSUER=http://127.0.0.1:8080/",
		"LATCHKEY_SECRET_KEY=" + base64.StdEncoding.EncodeToString(secret),
		"LATCHKEY_DATABASE_URL=" + database,
		"LATCHKEY_REDIS_URL=" + w.stores.redis,
		"LATCHKEY_REDIS_KEY_PREFIX=" + keyPrefix(),
		"LATCHKEY_PHONE_ALLOW_FICTIONAL=true",
		"LATCHKEY_SMS_TWILIO_BASE_URL=" + w.twilio,
		"LATCHKEY_SMS_TWILIO_ACCOUNT_SID=" + twiliotest.AccountSID,
		"LATCHKEY_SMS_TWILIO_API_KEY_SID=" + twiliotest.APIKeySID,
		"LATCHKEY_SMS_TWILIO_API_KEY_SECRET=" + twiliotest.APIKeySecret,
		"LATCHKEY_SMS_TWILIO_MESSAGING_SERVICE_SID=" + twiliotest.MessagingServiceSID,
		"LATCHKEY_LOG_LEVEL=warn",
		"LATCHKEY_CLIENTS=" + clients.String(),
	}
}

// keyPrefix keeps apart what shares one Redis.
func keyPrefix() string { return "bench-" + rand.Text() + ":" }
