package login_test

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
)

const (
	issuer   = "https://id.example/"
	alice    = "+447700900001"
	bob      = "+447700900002"
	stranger = "+447700900099"
)

// plenty are the limits of a number but for texts, of which most tests need many.
func plenty() otp.Limits {
	l := otptest.Limits
	l.TextsPerSourceHour, l.TextsPerSourceDay, l.TextsPerHour, l.TextsPerDay = 0, 0, 0, 0
	return l
}

// sourceRules are the defaults of the settings.
var sourceRules = limit.Rules{
	GuessesPerHour: 30, NumbersPerHour: 15, StartsPerTenMinutes: 20, StartsPerHour: 60, NetworkFactor: 4,
	ListedGuessesPerHour: 300, AllPerHour: 100, AllPercent: 0.5, ClosedFactor: 3, ProtectiveDivisor: 3,
}

// home is where people sign in from.
var home = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}

// limits are the defaults of the settings.
var limits = login.Limits{
	Rules:       session.Rules{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour, RepeatWindow: 30 * time.Second, LateRepeats: 3},
	RaiseWithin: 7 * 24 * time.Hour, PerPerson: 5,
}

// parts is a Service over real parts: the embedded stores and a real ring.
type parts struct {
	*login.Service
	clock *otptest.Clock
	texts *inbox
	watch *watched
	store *faulty
	hr    *sql.Store
	raw   *stdsql.DB
	log   *bytes.Buffer
}

// emptyRecord is a database without anybody in it. To make one takes longer than most tests do.
var emptyRecord = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "login-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of no use to anybody, but in nobody's way either
	file := filepath.Join(folder, "empty.db")
	store, err := sql.Open("sqlite:"+file, sql.Options{MaxOpenConns: 1})
	if err != nil {
		return nil, err
	}
	_, err = store.Migrate(context.Background())
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func newParts(t *testing.T) *parts {
	t.Helper()
	p := &parts{clock: otptest.NewClock(), texts: &inbox{}, watch: &watched{}, log: &bytes.Buffer{}}
	file := filepath.Join(t.TempDir(), "login.db")
	migrated, err := emptyRecord()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, migrated, 0o600))
	p.hr, err = sql.Open("sqlite:"+file, sql.Options{MaxOpenConns: 4, Now: p.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.hr.Close()) })
	p.raw, err = stdsql.Open("sqlite", file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.raw.Close()) })
	p.store = &faulty{Store: p.hr}

	secret := bytes.Repeat([]byte{7}, 32)
	ring := keyringtest.Open(t, keyring.ES256)
	engine, stop := redis.InProcess()
	t.Cleanup(stop)
	codes, err := otp.NewService(redis.NewChallenges(engine, "t:", plenty()).WithClock(p.clock.Now), secret, otp.Options{Now: p.clock.Now})
	require.NoError(t, err)
	refreshTokens, err := session.NewRefreshTokens(secret)
	require.NoError(t, err)
	p.Service = &login.Service{
		Clients: client.NewRegistry([]client.Client{
			{ID: "app", Algorithm: keyring.ES256, Grants: []client.Grant{client.Passwordless},
				Audiences: []string{"https://shifts.example"}},
			{ID: "narrow", Algorithm: keyring.ES256, Grants: []client.Grant{client.Passwordless}, Scopes: []string{"openid", "approve"}},
			{ID: "staff", Algorithm: keyring.ES256, Grants: []client.Grant{client.Passwordless}, Tiers: []string{"employee", "manager"}},
			{ID: "old", Algorithm: keyring.ES256, Grants: []client.Grant{client.LegacyRO}},
			{ID: "none", Algorithm: keyring.ES256},
			{ID: "keyless", Algorithm: keyring.RS256, Grants: []client.Grant{client.Passwordless}},
		}, false),
		Phone: phone.Parser{Region: "GB", AllowFictional: true}, Codes: codes, Texts: p.texts,
		Sources: limit.NewService(redis.NewLimits(engine, "t:").WithClock(p.clock.Now), sourceRules, func() int { return 0 }, limit.Options{Now: p.clock.Now}),
		Watch:   p.watch, NoticeAfter: 5, Store: p.store, Tiers: tiers(t, nil),
		Tokens: token.NewMinter(issuer, ring, p.clock.Now), RefreshTokens: refreshTokens, Limits: limits, Now: p.clock.Now,
		Log: slog.New(slog.NewJSONHandler(p.log, nil)),
	}
	return p
}

// tiers are those of these tests, in the order anonymous, manager, employee, as change leaves them.
func tiers(t *testing.T, change func(anonymous, manager, employee *tier.Tier)) *tier.Table {
	t.Helper()
	all := []tier.Tier{
		{Name: tier.Anonymous, Scopes: []string{"openid", "phone"}, AccessTokenLifetime: 5 * time.Minute},
		{Name: "manager", Scopes: []string{"openid", "profile", "email", "phone", "offline_access", "approve"},
			Permissions: []string{"shifts:approve"}, When: map[string][]string{"title": {"Manager"}}},
		{Name: tier.Employee, Scopes: []string{"openid", "profile", "email", "phone", "offline_access"},
			Permissions: []string{"shifts:read"}},
	}
	if change != nil {
		change(&all[0], &all[1], &all[2])
	}
	table, err := tier.NewTable(all, time.Hour)
	require.NoError(t, err)
	return table
}

// inbox is a login.Texter that keeps what it takes.
type inbox struct {
	mu    sync.Mutex
	texts []text
	err   error

	away     error
	asked    []login.Text
	redeemed []string
	notices  []phone.Number
}

type text struct {
	to   phone.Number
	code otp.Code
	left time.Duration
}

func (i *inbox) Available() error { return i.away }

func (i *inbox) Text(t login.Text) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return i.err
	}
	i.texts = append(i.texts, text{t.To, t.Code, t.Left})
	i.asked = append(i.asked, t)
	return nil
}

func (i *inbox) Redeemed(challenge string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.redeemed = append(i.redeemed, challenge)
}

func (i *inbox) Notice(to phone.Number, _ *client.Client) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.notices = append(i.notices, to)
}

// watched is what limits have decided.
type watched struct {
	mu      sync.Mutex
	limited []login.Limited
	alarms  []login.Limited
}

func (w *watched) Limited(_ context.Context, l login.Limited) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limited = append(w.limited, l)
}

func (w *watched) Alarm(_ context.Context, l login.Limited) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alarms = append(w.alarms, l)
}

// last is the newest text's code.
func (i *inbox) last(t *testing.T, to string) string {
	t.Helper()
	require.NotEmpty(t, i.texts)
	newest := i.texts[len(i.texts)-1]
	require.Equal(t, to, newest.to.E164())
	return string(newest.code)
}

func (p *parts) client(t *testing.T, id string) *client.Client {
	t.Helper()
	c, err := p.Clients.Find(id)
	require.NoError(t, err)
	return c
}

// code has a code texted to a number and returns it.
func (p *parts) code(t *testing.T, app, number string) string {
	t.Helper()
	_, err := p.Start(t.Context(), login.StartRequest{Client: p.client(t, app), Connection: "sms", Phone: number, Origin: home})
	require.NoError(t, err)
	return p.texts.last(t, number)
}

func (p *parts) request(t *testing.T, app, number, code string) login.SignInRequest {
	t.Helper()
	return login.SignInRequest{
		Client: p.client(t, app), Grant: client.Passwordless, Realm: "sms", Phone: number, Code: code,
		Origin: home, Address: "192.0.2.1", Device: "Pixel 9", Scope: scope.Parse("openid profile email phone offline_access approve"),
	}
}

// signIn goes all the way for a number.
func (p *parts) signIn(t *testing.T, app, number string) login.Tokens {
	t.Helper()
	tokens, err := p.SignIn(t.Context(), p.request(t, app, number, p.code(t, app, number)))
	require.NoError(t, err)
	return tokens
}

// staff makes people the whole of HR's list.
func (p *parts) staff(t *testing.T, people ...directory.Person) {
	t.Helper()
	_, err := directory.Reconcile(t.Context(), p.hr,
		directory.Feed{Source: "hr", Mode: directory.Full, People: people},
		directory.Options{Confirmed: true, Actor: "test"})
	require.NoError(t, err)
}

func person(t *testing.T, id, number, title string) directory.Person {
	t.Helper()
	n, err := phone.Stored(number)
	require.NoError(t, err)
	return directory.Person{ExternalID: id, Name: "Person " + id, Phone: n, Email: id + "@example.com", Title: title, Active: true}
}

// event is a row of the audit log.
type event struct{ kind, actor, subject, userID, client, sid, source, phone, reason, detail string }

// events are the audit log of sign-ins, oldest first.
func (p *parts) events(t *testing.T) []event {
	t.Helper()
	return p.audit(t, "kind LIKE 'signin.%' OR kind LIKE 'account.%' OR kind LIKE 'identity.%'")
}

func (p *parts) audit(t *testing.T, where string) []event {
	t.Helper()
	rows, err := p.raw.QueryContext(t.Context(), `
SELECT kind, actor, subject, user_id, client_id, sid, address, phone, reason, detail FROM audit_events
WHERE `+where+" ORDER BY id") //nolint:gosec // words of ours
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var all []event
	for rows.Next() {
		var e event
		require.NoError(t, rows.Scan(&e.kind, &e.actor, &e.subject, &e.userID, &e.client, &e.sid, &e.source, &e.phone, &e.reason, &e.detail))
		all = append(all, e)
	}
	require.NoError(t, rows.Err())
	return all
}

func kinds(events []event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.kind)
	}
	return all
}

func (p *parts) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	require.NoError(t, p.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n)) //nolint:gosec // a table of ours
	return n
}

// claims reads a token as its receiver does, less the signature.
func claims(t *testing.T, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var said map[string]any
	require.NoError(t, json.Unmarshal(payload, &said))
	return said
}
