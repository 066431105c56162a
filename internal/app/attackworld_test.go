package app

import (
	"bytes"
	"container/heap"
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
	"github.com/latchkey-id/latchkey/internal/token"
)

// world is the product by its default limits, on a clock that jumps from event to event: sign-ins, limits, purse and
// record are the real ones, over a real PostgreSQL and Redis. One goroutine does everything, so that a seed repeats a day. It is
// a login.Watch, a login.Texter, a dispatch.Observer and the provider, and writes down on whose account things happen.
type world struct {
	t       *testing.T
	config  config.Config
	clock   *otptest.Clock
	random  *rand.Rand
	login   *login.Service
	record  *sql.Store
	sources *limit.Service
	purse   *spend.Service
	company origin.Company

	// dispatch is exchanged for a new one whenever what it has to write down is written.
	dispatch *dispatch.Service
	options  dispatch.Options

	queue   schedule
	planned int
	brought time.Time // when limits were last brought up to date
	judged  time.Time // when the use of codes was last judged
	worst   limit.Level
	levels  map[limit.Level]time.Duration
	actor   *actor
	codes   map[phone.Number]known
	pauses  []string
}

// known is the last code for a number.
type known struct {
	code otp.Code
	ends time.Time
	// texted says that it arrived.
	texted bool
}

// actor is whoever does something, and what came of it.
type actor struct {
	name                     string
	starts, accepted         int
	guesses, compared, alive int
	texts                    int
	cost                     sms.Micros
	refused, withheld        map[rule.Name]int
}

func newActor(name string) *actor {
	return &actor{name: name, refused: map[rule.Name]int{}, withheld: map[rule.Name]int{}}
}

// event is what happens at a time. Of two at one time the one that was planned first comes first.
type event struct {
	at   time.Time
	turn int
	do   func()
}

// schedule is a heap of events.
type schedule []event

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at.Before(s[j].at) || s[i].at.Equal(s[j].at) && s[i].turn < s[j].turn
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(e any)   { *s = append(*s, e.(event)) }
func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// worldSettings are defaults, and what has none.
func worldSettings(t *testing.T, more ...string) config.Config {
	t.Helper()
	c, err := config.Load(config.LoadOptions{Environ: append([]string{
		"LATCHKEY_ISSUER=https://id.example.com/", "LATCHKEY_SECRET_KEY=" + newSecret(),
		"LATCHKEY_DATABASE_URL=" + testservers.Postgres(t), "LATCHKEY_REDIS_URL=" + testservers.Redis(t), "LATCHKEY_TRUSTED_PROXIES=192.0.2.0/24",
		"LATCHKEY_COMPANY_NETWORKS=198.51.100.0/24", "LATCHKEY_SMS_TWILIO_ACCOUNT_SID=AC" + strings.Repeat("a", 32),
		"LATCHKEY_SMS_TWILIO_API_KEY_SID=SK" + strings.Repeat("b", 32), "LATCHKEY_SMS_TWILIO_API_KEY_SECRET=" + strings.Repeat("c", 32),
		"LATCHKEY_SMS_TWILIO_FROM=Latchkey", "LATCHKEY_CLIENTS={app: {algorithm: ES256}}",
	}, more...)})
	require.NoError(t, err)
	return c
}

// newWorld begins at midnight (UTC) with these people in HR's list.
func newWorld(t *testing.T, c config.Config, people []phone.Number) *world {
	t.Helper()
	w := &world{
		t: t, config: c, clock: otptest.NewClock(), random: rand.New(rand.NewPCG(5, 7)), company: newCompany(c), actor: newActor("nobody"),
		codes: map[phone.Number]known{}, levels: map[limit.Level]time.Duration{},
	}
	w.clock.Advance(w.clock.Now().Truncate(day).Add(day).Sub(w.clock.Now()))
	var err error
	w.record, err = sql.Open(c.Database.URL.Reveal(), sql.Options{MaxOpenConns: 4, Now: w.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.record.Close()) })
	_, err = w.record.Migrate(t.Context())
	require.NoError(t, err)
	w.hire(people)

	log := slog.New(slog.DiscardHandler)
	engine, err := redis.Open(c.Redis.URL.Reveal(), log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	prefix := "world:" + cryptorand.Text() + ":"
	secret := bytes.Repeat([]byte{7}, 32)
	codes, err := otp.NewService(redis.NewChallenges(engine, prefix, newNumberLimits(c)).WithClock(w.clock.Now), secret, otp.Options{Now: w.clock.Now})
	require.NoError(t, err)
	crowd := newCrowd(w.record, log)
	require.NoError(t, crowd.count(t.Context()))
	w.sources = limit.NewService(redis.NewLimits(engine, prefix).WithClock(w.clock.Now), newSourceRules(c), crowd.total, limit.Options{Now: w.clock.Now, Log: log})
	w.purse = spend.NewService(redis.NewSpend(engine, prefix).WithClock(w.clock.Now), newSpendRules(c), crowd.people, w.record,
		spend.Options{CodeLife: c.Codes.Lifetime, Log: log})
	w.options = dispatch.Options{
		Store: w.record, Providers: w, Purse: w.purse, Prices: newPrices(c), Codes: codes, Observer: observer{w},
		Log: log, Now: w.clock.Now,
	}
	w.dispatch = dispatch.New(w.options)
	tiers, err := newTiers(c)
	require.NoError(t, err)
	refreshTokens, err := session.NewRefreshTokens(secret)
	require.NoError(t, err)
	w.login = &login.Service{
		Clients: newClients(c), Phone: newParser(c), Codes: codes, Sources: w.sources, Watch: w, Texts: w, Store: w.record, Tiers: tiers,
		NoticeAfter: c.Limits.NoticeAfter, Tokens: token.NewMinter(c.Issuer, keyringtest.Open(t, keyring.ES256), w.clock.Now),
		RefreshTokens: refreshTokens, Limits: newSessionLimits(c), Now: w.clock.Now, Log: log,
	}
	return w
}

const day = 24 * time.Hour

func (w *world) hire(people []phone.Number) {
	list := make([]directory.Person, len(people))
	for i, number := range people {
		list[i] = directory.Person{ExternalID: fmt.Sprint("E", i), Name: fmt.Sprint("Person ", i), Phone: number, Active: true}
	}
	_, err := directory.Reconcile(w.t.Context(), w.record, directory.Feed{Source: "hr", Mode: directory.Full, People: list},
		directory.Options{Confirmed: true, Actor: "test"})
	require.NoError(w.t, err)
}

// at plans what an actor does.
func (w *world) at(when time.Time, who *actor, do func()) {
	w.planned++
	heap.Push(&w.queue, event{when, w.planned, func() {
		w.actor = who
		do()
	}})
}

// in plans what the same actor does later.
func (w *world) in(wait time.Duration, do func()) { w.at(w.clock.Now().Add(wait), w.actor, do) }

// run lets happen what is planned.
func (w *world) run() {
	for w.queue.Len() > 0 {
		next := heap.Pop(&w.queue).(event)
		for next.at.Sub(w.clock.Now()) > time.Minute { // what runs by itself goes on
			w.step(time.Minute)
		}
		w.step(max(0, next.at.Sub(w.clock.Now())))
		next.do()
	}
	w.judge()
}

// step moves the clock, and does what a server does by itself each second and each minute.
func (w *world) step(by time.Duration) {
	w.levels[w.sources.Level()] += by
	w.clock.Advance(by)
	ctx := w.t.Context()
	require.NoError(w.t, w.sources.Flush(ctx))
	if now := w.clock.Now(); now.Sub(w.brought) >= time.Second {
		w.brought = now
		require.NoError(w.t, w.sources.Refresh(ctx))
		w.worst = max(w.worst, w.sources.Level())
	}
	if w.clock.Now().Sub(w.judged) >= time.Minute {
		w.judge()
	}
}

// judge writes down what became of texts, and judges it (M7).
func (w *world) judge() {
	w.judged = w.clock.Now()
	before := w.dispatch
	w.dispatch = dispatch.New(w.options)
	over, cancel := context.WithCancel(w.t.Context())
	cancel()
	before.Run(over)
	alarms, err := w.purse.CheckConversions(w.t.Context())
	require.NoError(w.t, err)
	for _, a := range alarms {
		w.pauses = append(w.pauses, a.Country)
	}
}

// from is where an address lies.
func (w *world) from(address string) origin.Origin { return w.company.Of(netip.MustParseAddr(address)) }

func (w *world) app() *client.Client {
	c, err := w.login.Clients.Find("app")
	require.NoError(w.t, err)
	return c
}

// start asks for a code.
func (w *world) start(address string, to phone.Number) error {
	w.actor.starts++
	_, err := w.login.Start(w.t.Context(), login.StartRequest{Client: w.app(), Connection: login.SMS, Phone: to.E164(), Origin: w.from(address)})
	if err == nil {
		w.actor.accepted++
	}
	return err
}

// guess tries a code.
func (w *world) guess(address string, to phone.Number, code otp.Code) error {
	w.actor.guesses++
	living := w.clock.Now().Before(w.codes[to].ends)
	_, err := w.login.SignIn(w.t.Context(), login.SignInRequest{
		Client: w.app(), Grant: client.Passwordless, Realm: login.SMS, Phone: to.E164(), Code: string(code), Origin: w.from(address), Address: address,
	})
	switch {
	case err == nil:
		w.codes[to] = known{}
	case isWrong(err):
		w.actor.compared++
		if living {
			w.actor.alive++
		}
	}
	return err
}

// wrongCode is one that is not the number's.
func (w *world) wrongCode(to phone.Number) otp.Code {
	code := otp.Code(fmt.Sprintf("%06d", w.random.IntN(1_000_000)))
	if code == w.codes[to].code {
		return w.wrongCode(to)
	}
	return code
}

// Limited implements login.Watch.
func (w *world) Limited(_ context.Context, l login.Limited) {
	if l.Refused {
		w.actor.refused[l.Rule]++
	}
}

// Alarm implements login.Watch.
func (w *world) Alarm(context.Context, login.Limited) {}

// Available implements login.Texter.
func (w *world) Available() error { return nil }

// Text implements login.Texter: it sends at once.
func (w *world) Text(t login.Text) error {
	m := sms.Message{
		To: t.To, Body: string(t.Code) + " is your code.", Kind: sms.KindCode, Country: country(t.To), Challenge: t.Challenge, ClientID: t.Client.ID,
		Trusted: t.Trusted, Listed: t.Listed, ValidUntil: w.clock.Now().Add(t.Left), Ref: string(t.ID),
	}
	receipt, err := w.dispatch.Send(w.t.Context(), m)
	w.dispatch.Outcome(w.t.Context(), m, receipt, err)
	if err == nil {
		w.actor.texts++
		w.actor.cost += sms.Micros(newPrices(w.config).Of(m.Country, 1))
	}
	texted := err == nil || w.codes[t.To].texted && w.codes[t.To].code == t.Code
	w.codes[t.To] = known{t.Code, m.ValidUntil, texted}
	return nil
}

// Redeemed implements login.Texter.
func (w *world) Redeemed(challenge string) { w.dispatch.Redeemed(challenge) }

// Notice implements login.Texter.
func (w *world) Notice(phone.Number, *client.Client) {}

// Send implements sms.Sender: every text arrives.
func (w *world) Send(context.Context, sms.Message) (sms.Receipt, error) {
	return sms.Receipt{Provider: "scripted", ID: fmt.Sprint("SM", w.random.Uint64())}, nil
}

// Report implements dispatch.Providers.
func (w *world) Report(sms.Delivery, string) {}

// observer is the world as a dispatch.Observer.
type observer struct{ *world }

func (o observer) Text(string, string)                   {}
func (o observer) Delivered(string, sms.Status)          {}
func (o observer) Alarm(context.Context, string, string) {}
func (o observer) Ruled(name rule.Name, withheld bool) {
	if withheld {
		o.actor.withheld[name]++
	}
}

// figures are a line of the table.
func (a *actor) figures() string {
	return fmt.Sprintf("%-24s %7d starts (%5d accepted) %6d guesses, compared %4d (at a living code %4d: a hit 1 in %7d)  %5d texts %8s  refused: %s  withheld: %s",
		a.name, a.starts, a.accepted, a.guesses, a.compared, a.alive, oneIn(a.alive), a.texts, spend.Micros(a.cost), perRule(a.refused), perRule(a.withheld))
}

func oneIn(guesses int) int {
	if guesses == 0 {
		return 0
	}
	return 1_000_000 / guesses
}

func perRule(rules map[rule.Name]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		all = append(all, fmt.Sprintf("%s %d", name, rules[name]))
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}
