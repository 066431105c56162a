package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

const (
	// doctorTimeout bounds each check.
	doctorTimeout = 10 * time.Second
	// maxSkew is how far a store's clock may be from ours before tokens and codes misbehave.
	maxSkew = 5 * time.Second
)

type doctorCommand struct {
	where
	output
}

// finding is the verdict on one dependency: ok, warning or failed, with what to do.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
}

const (
	fine    = "ok"
	warning = "warning"
	failed  = "failed"
)

// examination gathers findings.
type examination struct {
	config   config.Config
	findings []finding
}

func (x *examination) say(check, verdict, format string, args ...any) {
	x.findings = append(x.findings, finding{check, verdict, fmt.Sprintf(format, args...)})
}

// Run checks everything, and fails if anything is broken.
func (cmd doctorCommand) Run(ctx context.Context, env Env) error {
	x := &examination{}
	c, err := cmd.load(env)
	if err != nil {
		x.say("settings", failed, "%v", err)
	} else {
		x.config = c
		x.say("settings", fine, "complete; latchkey config check prints them")
		x.database(ctx)
		x.redis(ctx)
		if !cmd.Dev {
			x.providers(ctx)
		}
		x.issuer(ctx)
	}
	if err := cmd.print(env.Stdout, x.findings); err != nil {
		return err
	}
	for _, f := range x.findings {
		if f.Verdict == failed {
			return errReported
		}
	}
	return nil
}

func (cmd doctorCommand) print(w io.Writer, findings []finding) error {
	if cmd.json() {
		return writeJSON(w, findings)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		lines := strings.Split(f.Detail, "\n")
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Check, f.Verdict, lines[0])
		for _, more := range lines[1:] {
			fmt.Fprintf(table, "\t\t%s\n", more)
		}
	}
	return table.Flush()
}

func (x *examination) database(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	store, err := openStore(x.config, nil)
	if err != nil {
		x.say("database", failed, "%v", err)
		return
	}
	defer func() { _ = store.Close() }()
	version, err := store.Version(ctx)
	if err != nil {
		x.say("database", failed, "cannot be reached: %v\nCheck database.url, that the server runs, and its pg_hba.conf.", err)
		return
	}
	if number, ok := strings.CutPrefix(version, "PostgreSQL "); ok && major(number) < 14 {
		x.say("database", failed, "%s is too old: Latchkey needs PostgreSQL 14 or newer", version)
		return
	}
	x.say("database", fine, "%s", version)
	x.clock("database clock", func() (time.Time, error) { return store.Clock(ctx) })
	x.migrations(ctx, store)
}

func (x *examination) migrations(ctx context.Context, store *sql.Store) {
	pending, err := store.Pending(ctx)
	switch {
	case err != nil:
		x.say("migrations", failed, "%v", err)
	case len(pending) > 0:
		advice := "serve applies it when it starts, or run latchkey migrate up"
		if !x.config.Database.AutoMigrate {
			advice = "run latchkey migrate up: serve does not start before"
		}
		x.say("migrations", warning, "pending: %s; %s", pending[0].Name, advice)
	default:
		x.say("migrations", fine, "none pending")
		x.signingKeys(ctx, store)
		x.reviewers(ctx, store)
	}
}

func (x *examination) signingKeys(ctx context.Context, store *sql.Store) {
	wrappers, closeAll, err := newWrappers(ctx, x.config)
	if err != nil {
		x.say("signing keys", failed, "%v", err)
		return
	}
	defer closeAll()
	snapshot, err := store.KeySet(ctx)
	if err != nil {
		x.say("signing keys", failed, "%v", err)
		return
	}
	office := &keyring.Office{Store: store, Wrappers: wrappers}
	switch err := office.Readable(ctx, snapshot); {
	case err != nil:
		x.say("signing keys", failed, "%v", err)
	case len(snapshot.InUse()) == 0:
		x.say("signing keys", warning, "none yet: serve makes them when it first starts")
	case len(office.Foreign(snapshot)) > 0:
		x.say("signing keys", warning, "readable, but some are not encrypted by %s yet: latchkey keys rewrap moves them", wrappers.Primary.Name())
	default:
		x.say("signing keys", fine, "readable, for %s", strings.Join(snapshot.InUse(), ", "))
	}
	if x.config.Keys.Rehearsal {
		x.say("signing keys", warning, "keys.rehearsal is on: rotations may be faster than real verifiers notice")
	}
}

func (x *examination) redis(ctx context.Context) {
	if x.config.Redis.URL.IsZero() {
		x.say("redis", fine, "in-process (redis.url is not set)")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	client, err := redis.Open(x.config.Redis.URL.Reveal(), slog.New(slog.DiscardHandler))
	if err != nil {
		x.say("redis", failed, "%v", err)
		return
	}
	defer func() { _ = client.Close() }()
	info, err := client.Info(ctx, "server", "memory").Result()
	if err != nil {
		x.say("redis", failed, "cannot be reached: %v\nCheck redis.url, its password, and that the server runs.", err)
		return
	}
	version := field(info, "redis_version")
	if major(version) < 7 {
		x.say("redis", failed, "Redis %s is too old: Latchkey needs 7 or newer", version)
		return
	}
	x.say("redis", fine, "Redis %s", version)
	if policy := field(info, "maxmemory_policy"); policy != "" && policy != "noeviction" {
		x.say("redis memory", warning, "maxmemory-policy is %s: under pressure Redis would forget codes and counts. Set noeviction.", policy)
	}
	x.clock("redis clock", func() (time.Time, error) { return client.Time(ctx).Result() })
}

func (x *examination) clock(check string, read func() (time.Time, error)) {
	theirs, err := read()
	skew := time.Until(theirs).Abs().Round(10 * time.Millisecond)
	switch {
	case err != nil:
		x.say(check, failed, "%v", err)
	case skew > maxSkew:
		x.say(check, warning, "%s away from this machine's: run NTP on both", skew)
	default:
		x.say(check, fine, "within %s of this machine's", maxSkew)
	}
}

// issuer asks for discovery where clients would, and compares the bytes of the issuer.
func (x *examination) issuer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	address := x.config.Issuer + ".well-known/openid-configuration"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		x.say("issuer", failed, "%v", err)
		return
	}
	answer, err := http.DefaultClient.Do(request) // #nosec G704 -- the operator's own issuer
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		x.say("issuer", failed, "its certificate is not trusted: %v", certificate.Err)
		return
	case err != nil:
		x.say("issuer", warning, "%s does not answer: fine before the first start, else check DNS and the proxy", x.config.Issuer)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	var document struct {
		Issuer string `json:"issuer"`
	}
	err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&document)
	switch {
	case err != nil || answer.StatusCode != http.StatusOK:
		x.say("issuer", failed, "%s answers %d, and not with discovery: is Latchkey at the root of this host?", address, answer.StatusCode)
	case document.Issuer != x.config.Issuer:
		x.say("issuer", failed, "the server there says that it is %q, the settings say %q: clients refuse tokens unless both are the same bytes", document.Issuer, x.config.Issuer)
	default:
		x.say("issuer", fine, "%s serves discovery", x.config.Issuer)
	}
}

// field returns a line of Redis's INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// major is the number in front of a version's first dot, or 0.
func major(version string) int {
	head, _, _ := strings.Cut(strings.TrimSpace(version), ".")
	head, _, _ = strings.Cut(head, " ")
	n, _ := strconv.Atoi(head)
	return n
}
