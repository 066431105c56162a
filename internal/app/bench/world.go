package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

const audience = "https://api.example.com"

// world is what subjects are started in.
type world struct {
	latchkey string
	folder   string
	stores   *stores
	twilio   string
}

// installation is a database, with settings that all replicas on it share.
type installation struct {
	database string
	secret   []byte
	settings []string
}

// prepare returns an installation with the schema and people with these numbers in its database.
func (w world) prepare(ctx context.Context, numbers []string, further ...string) (installation, error) {
	home := installation{secret: make([]byte, 32)}
	_, _ = rand.Read(home.secret) // never fails
	var err error
	if home.database, err = w.stores.database(ctx); err != nil {
		return home, err
	}
	home.settings = slices.Clip(append(w.settings(home), further...))
	list := filepath.Join(w.folder, "staff.csv")
	if err := os.WriteFile(list, []byte(staffList(numbers)), 0o600); err != nil {
		return home, err
	}
	for _, args := range [][]string{{"migrate", "up"}, {"hr", "import", list}} {
		if err := w.command(home, args...); err != nil {
			return home, err
		}
	}
	return home, nil
}

// prepareOffice returns an installation for people who sign in over and over again. All limits are on, as for
// an office of 2,000, but where people would meet one who sign in some ten times a minute, each of them, the number is
// one that nobody meets.
func (w world) prepareOffice(ctx context.Context) (installation, error) {
	return w.prepare(ctx, staff(),
		"LATCHKEY_COMPANY_NETWORKS=127.0.0.0/8",
		// Guesses count until they are known to be right.
		"LATCHKEY_LIMITS_SOURCE_COMPANY_GUESSES_PER_HOUR=10000",
		"LATCHKEY_LIMITS_ALL_GUESSES_PER_HOUR=10000",
		"LATCHKEY_LIMITS_NUMBER_TEXTS_PER_SOURCE_HOUR=1000",
		"LATCHKEY_LIMITS_NUMBER_TEXTS_PER_SOURCE_DAY=1000",
		"LATCHKEY_LIMITS_NUMBER_TEXTS_PER_HOUR=1000",
		"LATCHKEY_LIMITS_NUMBER_TEXTS_PER_DAY=1000",
		"LATCHKEY_SMS_VOLUME_PER_COUNTRY_DAY=10000000",
		"LATCHKEY_SMS_VOLUME_PER_DAY=10000000",
		"LATCHKEY_SMS_MONEY_PER_DAY=1000000",
	)
}

// serve starts a server of the installation, with settings beside those of all its replicas, which they override.
func (w world) serve(ctx context.Context, home installation, listen string, further ...string) (*process, error) {
	inner, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	settings := append(home.settings, "LATCHKEY_LISTEN="+listen, "LATCHKEY_ADMIN_LISTEN="+inner[0], "LATCHKEY_OPS_LISTEN="+inner[1])
	p, err := start(w.latchkey, []string{"serve"}, append(settings, further...), nil)
	if err != nil {
		return nil, err
	}
	return p.ready(ctx, "http://"+inner[1]+"/readyz")
}

// command runs one of Latchkey's commands to its end.
func (w world) command(home installation, args ...string) error {
	p, err := start(w.latchkey, args, home.settings, nil)
	if err != nil {
		return err
	}
	if err := p.wait(); err != nil {
		return fmt.Errorf("latchkey %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// settings are those of an installation with one client for each algorithm, and one that introspects.
// Everything else is as it is by default, but for the log: a line a request would be the disk's work
// as much as ours. And for the sessions of a person: with a few thousand people and so many sign-ins, each
// would end an older session, which in life hardly any does.
func (w world) settings(home installation) []string {
	var clients strings.Builder
	for _, a := range algorithms {
		fmt.Fprintf(&clients, "%s: {algorithm: %s, audiences: [%q]}\n", a.client, a.name, audience)
	}
	fmt.Fprintf(&clients, "%s: {secret: %q, audiences: [%q]}\n", webClient, webSecret, audience)
	return []string{
		"LATCHKEY_ISSUER=http://127.0.0.1:8080/",
		"LATCHKEY_SECRET_KEY=" + base64.StdEncoding.EncodeToString(home.secret),
		"LATCHKEY_DATABASE_URL=" + home.database,
		"LATCHKEY_REDIS_URL=" + w.stores.redis,
		"LATCHKEY_REDIS_KEY_PREFIX=" + keyPrefix(),
		"LATCHKEY_PHONE_ALLOW_FICTIONAL=true",
		"LATCHKEY_SESSIONS_PER_PERSON=1000",
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
