package dispatch_test

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/spend/spendtest"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

const (
	alice    = "+447700900001" // of HR's
	bob      = "+447700900002" // of HR's
	stranger = "+447700900099"
	paris    = "+33612345678" // a stranger's too

	price = 40_000 // micros a segment
	body  = "123456 is your code."
)

var (
	home       = origin.Origin{Source: "192.0.2.1", Network: "192.0.2.0/24"}
	codeLimits = otp.Limits{
		Lifetime: 300 * time.Second, RenewBelow: 120 * time.Second, ResendGap: 30 * time.Second,
		GuessesPerSource: 5, Guesses: 10, StrictGuessesPerSource: 2, StrictGuesses: 4, ForgetRow: 24 * time.Hour, TrustFor: 24 * time.Hour,
	}
)

// faulty is the record, which tests can take away.
type faulty struct {
	*sql.Store
	mu   sync.Mutex
	away map[string]error // by method
}

func (f *faulty) breaks(err error, methods ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = map[string]error{}
	for _, each := range methods {
		f.away[each] = err
	}
}

func (f *faulty) fault(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.away[method]
}

func (f *faulty) Recipient(ctx context.Context, to phone.Number) (sms.Recipient, error) {
	if err := f.fault("Recipient"); err != nil {
		return sms.Recipient{}, err
	}
	return f.Store.Recipient(ctx, to)
}

func (f *faulty) NoteUndeliverable(ctx context.Context, to phone.Number, failure sms.Failure, now time.Time) (bool, error) {
	if err := f.fault("NoteUndeliverable"); err != nil {
		return false, err
	}
	return f.Store.NoteUndeliverable(ctx, to, failure, now)
}

// provider answers as its script says; without one it takes every text.
type provider struct {
	name string
	mu   sync.Mutex
	took []sms.Message
	next func(n int, m sms.Message) error
}

func (p *provider) Send(_ context.Context, m sms.Message) (sms.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, m)
	if p.next != nil {
		if err := p.next(len(p.took), m); err != nil {
			return sms.Receipt{}, err
		}
	}
	return sms.Receipt{ID: fmt.Sprintf("%s-%d", p.name, len(p.took))}, nil
}

func (p *provider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.took)
}

// fails has the provider answer every text with a failure of the class.
func (p *provider) fails(class sms.Class, account bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = func(int, sms.Message) error {
		return &sms.Error{Class: class, Code: 20000 + len(class), Status: 400, Account: account, Reason: "because"}
	}
}

// observed is what operators are told.
type observed struct {
	mu     sync.Mutex
	texts  []string
	news   []string
	rules  []string
	alarms []string
	breaks bool // panics at the next news
}

func (o *observed) Text(country, result string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.texts = append(o.texts, country+" "+result)
}

func (o *observed) Delivered(country string, status sms.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.breaks {
		o.breaks = false
		panic("canary of " + alice)
	}
	o.news = append(o.news, country+" "+string(status))
}

func (o *observed) Ruled(name rule.Name, withheld bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules = append(o.rules, fmt.Sprint(name, " ", withheld))
}

func (o *observed) Alarm(_ context.Context, what, _ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alarms = append(o.alarms, what)
}

// lockedLog may be read while others write it.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a Service over real parts: the embedded stores, a real router over providers with a script.
type world struct {
	*dispatch.Service
	*observed
	store    *faulty
	raw      *stdsql.DB
	clock    *spendtest.Clock
	codes    *otp.Service
	purse    *spend.Service
	counters *redis.Spend
	router   *sms.Router
	first    *provider
	second   *provider
	log      *lockedLog
	stop     func() // takes Redis away
	parts    dispatch.Options
}

// emptyRecord is a migrated database without anybody in it. To make one takes longer than most tests do.
var emptyRecord = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "dispatch-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
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

// newWorld has the rules of spend; what they leave out is lifted.
func newWorld(t *testing.T, rules spend.Rules) *world {
	t.Helper()
	clock := spendtest.NewClock("2026-03-04T12:00:00Z")
	file := filepath.Join(t.TempDir(), "dispatch.db")
	migrated, err := emptyRecord()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, migrated, 0o600))
	store, err := sql.Open("sqlite:"+file, sql.Options{MaxOpenConns: 4, Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	w := newWorldOver(t, store, clock, rules)
	w.raw, err = stdsql.Open("sqlite", file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.raw.Close()) })
	return w
}

// audited counts events of a kind, which are of a person where user is true.
func (w *world) audited(t *testing.T, kind audit.Kind, user bool) (n int) {
	t.Helper()
	require.NoError(t, w.raw.QueryRowContext(t.Context(),
		"SELECT COUNT(*) FROM audit_events WHERE kind = ? AND (user_id <> '') = ?", kind, user).Scan(&n))
	return n
}

func newWorldOver(t *testing.T, store *sql.Store, clock *spendtest.Clock, rules spend.Rules) *world {
	t.Helper()
	w := &world{
		observed: &observed{}, store: &faulty{Store: store}, clock: clock, log: &lockedLog{},
		first: &provider{name: "first"}, second: &provider{name: "second"},
	}
	log := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	engine, stop := redis.InProcess()
	w.stop = sync.OnceFunc(stop)
	t.Cleanup(w.stop)
	var err error
	w.codes, err = otp.NewService(redis.NewChallenges(engine, "t:", codeLimits).WithClock(clock.Now), bytes.Repeat([]byte{7}, 32), otp.Options{Now: clock.Now})
	require.NoError(t, err)
	w.counters = redis.NewSpend(engine, "t:").WithClock(clock.Now)
	if rules.Countries == nil {
		rules.Countries = []string{"FR", "GB"}
	}
	w.purse = spend.NewService(w.counters, rules, func() spend.People { return spend.People{Known: true, Total: 2} }, store,
		spend.Options{CodeLife: codeLimits.Lifetime, Log: log})
	w.router, err = sms.NewRouter(map[string]sms.Sender{"first": w.first, "second": w.second}, nil, []string{"first"}, sms.RouterOptions{Now: clock.Now})
	require.NoError(t, err)
	w.staff(t, alice, bob)
	w.parts = dispatch.Options{
		Store: w.store, Providers: w.router, Purse: w.purse, Prices: spend.Prices{Default: price}, Codes: w.codes,
		Observer: w.observed, Log: log, Now: clock.Now,
	}
	w.Service = dispatch.New(w.parts)
	return w
}

// staff makes people with these numbers the whole of HR's list.
func (w *world) staff(t *testing.T, numbers ...string) {
	t.Helper()
	var people []directory.Person
	for i, each := range numbers {
		people = append(people, directory.Person{ExternalID: fmt.Sprint(i), Name: fmt.Sprint("Person ", i), Phone: number(t, each), Active: true})
	}
	_, err := directory.Reconcile(t.Context(), w.store.Store,
		directory.Feed{Source: "hr", Mode: directory.Full, People: people}, directory.Options{Confirmed: true, Actor: "test"})
	require.NoError(t, err)
}

func number(t testing.TB, e164 string) phone.Number {
	t.Helper()
	n, err := phone.Stored(e164)
	require.NoError(t, err)
	return n
}

// text is one with a code, which a person has just asked for.
func (w *world) text(t *testing.T, to string) sms.Message {
	t.Helper()
	started, err := w.codes.Start(t.Context(), key(t, to), home, otp.Guard{})
	require.NoError(t, err)
	n := number(t, to)
	return sms.Message{
		To: n, Body: body, Kind: sms.KindCode, Country: n.Country(), Challenge: started.ID, ClientID: "app",
		ValidUntil: w.clock.Now().Add(started.Left), Ref: string(started.Text),
	}
}

func key(t *testing.T, to string) otp.Key {
	t.Helper()
	return otp.Key{Client: "app", Connection: "sms", Number: number(t, to)}
}

// gapIsOver reports whether the person may have another text at once.
func (w *world) gapIsOver(t *testing.T, to string) bool {
	t.Helper()
	started, err := w.codes.Start(t.Context(), key(t, to), home, otp.Guard{})
	require.NoError(t, err)
	return started.Send
}

// send goes the way of one text, but for the queue, and returns what failed.
func (w *world) send(t *testing.T, m sms.Message) *sms.Error {
	t.Helper()
	receipt, err := w.Send(t.Context(), m)
	w.Outcome(t.Context(), m, receipt, err)
	if err == nil {
		return nil
	}
	var failure *sms.Error
	require.ErrorAs(t, err, &failure)
	return failure
}

// queued sends texts by a real queue, whose waits take no time, and returns when all are through.
func (w *world) queued(t *testing.T, messages ...sms.Message) {
	t.Helper()
	var over sync.WaitGroup
	over.Add(len(messages))
	queue := sms.NewQueue(w.Service, sms.QueueOptions{
		Now: w.clock.Now, Workers: 4,
		AfterFunc: func(_ time.Duration, f func()) func() bool {
			go f()
			return func() bool { return false }
		},
		OnResult: func(ctx context.Context, m sms.Message, r sms.Receipt, err error) {
			w.Outcome(ctx, m, r, err)
			over.Done()
		},
	})
	for _, m := range messages {
		require.NoError(t, queue.Enqueue(m))
	}
	over.Wait()
	require.NoError(t, queue.Drain(t.Context()))
}

// runs starts what Service.Run does; over ends it, with all that is left done.
func runs(t *testing.T, s *dispatch.Service) (over func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	over = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(over)
	return over
}

// written are the texts to a number that are on record, oldest first, once all is written.
func (w *world) written(t *testing.T, to string) []sms.Tracked {
	t.Helper()
	runs(t, w.Service)()
	texts, err := w.store.TextsTo(t.Context(), number(t, to), 100)
	require.NoError(t, err)
	slices.Reverse(texts)
	return texts
}

// spent is the money of today.
func (w *world) spent(t *testing.T) spend.Micros {
	t.Helper()
	standing, err := w.purse.Standing(t.Context())
	require.NoError(t, err)
	return standing.Spent
}

// undeliverable are the numbers that get no texts now.
func (w *world) undeliverable(t *testing.T) []string {
	t.Helper()
	all, err := w.store.UndeliverableNumbers(t.Context(), 100, phone.Number{}, false)
	require.NoError(t, err)
	blocked := map[string]bool{}
	for _, each := range all {
		if each.Blocked(w.clock.Now()) {
			blocked[each.To.E164()] = true
		}
	}
	return slices.Sorted(maps.Keys(blocked))
}

// errAway is a database that is down.
var errAway = outage.Wrap("database", errors.New("dial tcp 10.0.0.1:5432"))
