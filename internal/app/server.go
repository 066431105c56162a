package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/httpserver"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ops"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/webhook"
)

const (
	// databaseWait is how long a start waits for a database that starts at the same time.
	databaseWait = 60 * time.Second
)

// server is a running Latchkey: the parts that have to be stopped, in the order of stopping.
type server struct {
	config config.Config
	log    *slog.Logger
	now    func() time.Time
	store  *sql.Store
	redis  goredis.UniversalClient
	queue  *sms.Queue
	// dispatch sends what is queued; the others hold it within limits.
	dispatch *dispatch.Service
	sources  *limit.Service
	purse    *spend.Service
	crowd    *crowd
	spending spending
	watch    *watch
	keys     *keyring.Ring
	// fetches are those of the JWKS, until they are written down.
	fetches *verifiers
	tiers   *tier.Table
	ops     *ops.Handler
	wake    *waker
	board   *statuslist.Board
	public  *httpserver.Server
	private []*httpserver.Server
	// closers end the stores, last.
	closers []func()
}

// newServer builds everything on the addresses taken, but answers nothing yet. On an error nothing
// is left running.
func newServer(ctx context.Context, c config.Config, at listeners, senders map[string]sms.Sender, log *slog.Logger, env Env) (_ *server, err error) {
	now := env.now()
	s := &server{config: c, log: log, now: now, wake: newWaker()}
	defer func() {
		if err != nil {
			at.close()
			s.close()
		}
	}()
	if err := s.openStores(ctx); err != nil {
		return nil, err
	}
	secret, err := c.MasterKey()
	if err != nil {
		return nil, err
	}
	clients := newClients(c)
	if s.tiers, err = newTiers(c); err != nil {
		return nil, err
	}
	if err := s.openKeys(ctx, algorithms(clients), env.Version); err != nil {
		return nil, err
	}
	reviewers, reviewing, err := newReviewers(c, s.tiers)
	if err != nil {
		return nil, err
	}
	codes, err := otp.NewService(redis.NewChallenges(s.redis, c.Redis.KeyPrefix, newNumberLimits(c)), secret,
		otp.Options{Reviewers: reviewers, Now: now})
	if err != nil {
		return nil, err
	}
	refreshTokens, err := session.NewRefreshTokens(secret)
	if err != nil {
		return nil, err
	}
	tokens := token.NewMinter(c.Issuer, s.keys, now)
	statusPlaces, err := s.openStatusLists(ctx, secret, tokens)
	if err != nil {
		return nil, err
	}
	words, err := newWording(c)
	if err != nil {
		return nil, err
	}
	for _, each := range words.Dropped() {
		log.WarnContext(ctx, "no texts in a language", "language", string(each.Language), "reason", each.Reason)
	}
	s.watch = &watch{store: s.store, log: log, now: now, untold: make(chan []limit.Block, maxUntold)}
	router, err := newRouter(c, senders, log, func(b sms.Standing) { s.watch.breaker(b) })
	if err != nil {
		return nil, err
	}
	metrics := ops.NewMetrics(ops.Watched{
		Queued: func() int { return s.queue.Len() }, ListAge: s.board.Age,
		Keys: s.keys.Standings, KeyFailures: s.keys.Failures, VerifiersBehind: s.fetches.behind,
		Spending: s.spending.last, Breakers: func() []ops.Breaker { return breakers(router) },
	})
	s.watch.metrics = metrics
	if err := s.openLimits(ctx, codes, router); err != nil {
		return nil, err
	}
	s.queue = sms.NewQueue(s.dispatch, sms.QueueOptions{
		Size: c.SMS.QueueSize, Workers: c.SMS.Workers, OnResult: s.dispatch.Outcome, Log: log,
	})
	service := &login.Service{
		Clients: clients, Phone: newParser(c), Codes: codes, Sources: s.sources, Watch: guesses{s.watch}, Store: s.store, Tiers: s.tiers,
		Texts:       &texts{queue: s.queue, words: words, router: router, dispatch: s.dispatch, now: now},
		NoticeAfter: c.Limits.NoticeAfter, Reviewers: reviewing,
		Tokens: tokens, RefreshTokens: refreshTokens, Places: statusPlaces, Limits: newSessionLimits(c), Now: now, Log: log,
	}
	handler := &oauth.Handler{Issuer: c.Issuer, Clients: clients, Login: service, Keys: s.keys, Verifiers: s.fetches, StatusLists: s.board, Company: newCompany(c)}
	if err := s.keys.Sync(ctx); err != nil { // who changes the keys waits for us from now on, before we serve any
		return nil, err
	}
	return s, s.mount(at, handler, metrics)
}

// openKeys loads the signing keys, and makes those that are missing.
func (s *server) openKeys(ctx context.Context, algorithms []string, version string) error {
	wrappers, closeAll, err := newWrappers(ctx, s.config)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, closeAll)
	if s.config.Keys.Rehearsal {
		s.log.WarnContext(ctx, "keys.rehearsal is on: keys may rotate faster than real verifiers fetch them")
	}
	s.keys, err = keyring.Open(ctx, keyring.Options{
		Store: s.store, Wrappers: wrappers, Algorithms: algorithms, Rules: newKeyRules(s.config), Longest: longestToken(s.config),
		ID: newReplicaID(), Version: version, Witness: redis.NewKeyWitness(s.redis, s.config.Redis.KeyPrefix, s.now),
		Log: s.log, Now: s.now,
		Resigned: func() { poke(s.wake.lists) },
	})
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	s.fetches = newVerifiers(s.store, s.keys, s.config.Keys.VerifierWindow, s.now, s.log)
	return nil
}

// newReplicaID says to operators which process it is, and is never used twice.
func newReplicaID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + strings.ToLower(rand.Text()[:6])
}

// openStatusLists builds the lists as they are now, and returns where new sessions get their places:
// nil while lists are off. Those that tokens out there name are served all the same.
func (s *server) openStatusLists(ctx context.Context, secret []byte, tokens *token.Minter) (login.Places, error) {
	s.board = statuslist.NewBoard(statuslist.Options{
		Store: s.store, Keys: s.keys, Algorithm: keyring.RS256, BaseURI: tokens.StatusListURI(""),
		TTL: s.config.StatusList.TTL, Open: s.config.StatusList.Enabled, Log: s.log, Now: s.now,
	})
	if err := s.board.Poll(ctx); err != nil {
		return nil, fmt.Errorf("status lists: %w", err)
	}
	if !s.config.StatusList.Enabled {
		return nil, nil
	}
	p, err := statuslist.NewPlaces(s.store, secret)
	if err != nil {
		return nil, err
	}
	return places{p}, nil
}

// openLimits builds what holds sign-ins and texts within limits. It counts HR's people first: limits that
// grow with them would be those of nobody.
func (s *server) openLimits(ctx context.Context, codes *otp.Service, router *sms.Router) error {
	c := s.config
	s.crowd = newCrowd(s.store, s.log)
	if err := s.crowd.count(ctx); err != nil {
		return fmt.Errorf("count HR's people: %w", err)
	}
	s.sources = limit.NewService(redis.NewLimits(s.redis, c.Redis.KeyPrefix), newSourceRules(c), s.crowd.total,
		limit.Options{Now: s.now, Log: s.log, Blocked: s.watch.blocked})
	s.watch.limits = s.sources
	s.purse = spend.NewService(redis.NewSpend(s.redis, c.Redis.KeyPrefix), newSpendRules(c), s.crowd.people, s.store,
		spend.Options{CodeLife: c.Codes.Lifetime, Log: s.log})
	s.dispatch = dispatch.New(dispatch.Options{
		Store: s.store, Providers: router, Purse: s.purse, Prices: newPrices(c), Codes: codes,
		Observer: s.watch, Log: s.log, Now: s.now,
	})
	return nil
}

// openStores connects to the record, waiting for it if it starts beside us, brings its schema up
// to date, and opens Redis, which may come later.
func (s *server) openStores(ctx context.Context) error {
	var err error
	if s.store, err = openStore(s.config, s.wake.changed); err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = s.store.Close() })
	if err := s.waitForDatabase(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.config.Redis.URL.IsZero() {
		client, stop := redis.InProcess()
		s.redis, s.closers = client, append(s.closers, stop)
		return nil
	}
	if s.redis, err = redis.Open(s.config.Redis.URL.Reveal(), s.log); err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = s.redis.Close() })
	if err := s.redis.Ping(ctx).Err(); err != nil {
		s.log.WarnContext(ctx, "Redis is away: no codes until it comes back", "error", err)
	}
	return nil
}

func (s *server) waitForDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	for {
		_, err := s.store.Version(ctx)
		if err == nil || !outage.Is(err) {
			return err
		}
		s.log.WarnContext(ctx, "waiting for the database", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return err
			}
			return fmt.Errorf("the database did not come within %s: %w", databaseWait, err)
		}
	}
}

// migrate applies pending migrations, or with auto_migrate off refuses to run beside them.
func (s *server) migrate(ctx context.Context) error {
	if s.config.Database.AutoMigrate {
		applied, err := s.store.Migrate(ctx)
		for _, step := range applied {
			s.log.InfoContext(ctx, "migration applied", "version", step.Version, "name", step.Name)
		}
		return err
	}
	pending, err := s.store.Pending(ctx)
	if err == nil && len(pending) > 0 {
		err = fmt.Errorf("migration %s is pending: run latchkey migrate up, or set database.auto_migrate", pending[0].Name)
	}
	return err
}

// listeners are the three addresses, taken: a port in use is known before anything else starts.
type listeners struct{ public, admin, ops net.Listener }

// errInner says that it was not the public address that could not be had.
var errInner = errors.New("inner listener")

func listen(ctx context.Context, c config.Config) (taken listeners, err error) {
	defer func() {
		if err != nil {
			taken.close()
		}
	}()
	var config net.ListenConfig
	for _, want := range []struct {
		name, address string
		listener      *net.Listener
	}{
		{"listen", c.Listen, &taken.public}, {"admin.listen", c.Admin.Listen, &taken.admin}, {"ops.listen", c.Ops.Listen, &taken.ops},
	} {
		listener, err := config.Listen(ctx, "tcp", want.address)
		switch {
		case err != nil && want.listener != &taken.public:
			return taken, fmt.Errorf("%s: %w: %w", want.name, errInner, err)
		case err != nil:
			return taken, fmt.Errorf("%s: %w", want.name, err)
		}
		*want.listener = listener
	}
	return taken, nil
}

func (l listeners) close() {
	for _, each := range []net.Listener{l.public, l.admin, l.ops} {
		if each != nil {
			_ = each.Close()
		}
	}
}

// mount gives each listener what it serves.
func (s *server) mount(at listeners, handler *oauth.Handler, metrics *ops.Metrics) error {
	s.ops = &ops.Handler{Registry: metrics.Registry, Checks: []ops.Check{
		{Name: "database", Run: s.store.Ping},
		{Name: "signing_keys", Run: func(context.Context) error { return s.keys.Ready() }},
		// Without Redis there are no codes, but tokens are checked and the JWKS is served:
		// taking every replica out for it would turn one outage into two (X5).
		{Name: "redis", Run: func(ctx context.Context) error { return s.redis.Ping(ctx).Err() }, Optional: true},
	}}
	s.public = httpserver.New(httpserver.Options{
		Name: "public", Listener: at.public, CertFile: s.config.TLS.CertFile, KeyFile: s.config.TLS.KeyFile,
		TrustedProxies: s.config.TrustedProxies, Fail: oauth.Fail, Observe: metrics.Observe("public"), Log: s.log,
	})
	if err := handler.Register(s.public.Echo); err != nil {
		return err
	}
	news, err := newWebhook(s.config)
	if err != nil {
		return err
	}
	if news != nil {
		(&webhook.Handler{Twilio: news, Deliveries: s.dispatch}).Register(s.public.Echo)
	}
	opsServer := httpserver.New(httpserver.Options{Name: "ops", Listener: at.ops, Fail: ops.Fail, Log: s.log, Quiet: true})
	s.ops.Register(opsServer.Echo)
	adminServer := httpserver.New(httpserver.Options{Name: "admin", Listener: at.admin, Fail: admin.Fail, Log: s.log})
	s.private = []*httpserver.Server{adminServer, opsServer}
	return nil
}

// run answers requests until ctx ends or a listener fails, then stops in order: no new requests,
// those under way finished, queued texts sent, stores closed.
func (s *server) run(ctx context.Context) error {
	defer s.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, each := range append([]*httpserver.Server{s.public}, s.private...) {
		go func() {
			if err := each.Serve(); err != nil {
				cancel(err)
			}
		}()
	}
	var background sync.WaitGroup
	wakes := redis.NewWakes(s.redis, s.config.Redis.KeyPrefix)
	background.Go(func() { s.keys.Run(ctx, s.wake.keys) })
	background.Go(func() { s.fetches.run(ctx) })
	background.Go(func() { s.board.Run(ctx, s.wake.lists) })
	background.Go(func() { s.wake.run(ctx, wakes, s.log) })
	background.Go(func() { wakes.Listen(ctx, s.wake.heard) })
	background.Go(func() { s.sweep(ctx) })
	background.Go(func() { s.crowd.run(ctx) })
	background.Go(func() { s.spending.run(ctx, s.purse, s.log) })
	background.Go(func() { s.purse.Watch(ctx, func(a spend.Alarm) { s.watch.Alarm(ctx, string(a.Rule), a.String()) }) })
	// These write down what the last requests and texts have left behind, so they stop after them.
	recording, recorded := context.WithCancel(context.WithoutCancel(ctx))
	defer recorded()
	var records sync.WaitGroup
	records.Go(func() { s.sources.Run(recording) })
	records.Go(func() { s.watch.run(recording) })
	records.Go(func() { s.dispatch.Run(recording) })
	<-ctx.Done()
	s.log.Info("stopping")
	s.ops.Drain()
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), s.config.ShutdownTimeout)
	defer done()
	failed := []error{s.public.Shutdown(stopping), s.queue.Drain(stopping)}
	for _, each := range s.private {
		failed = append(failed, each.Shutdown(stopping))
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		failed = append(failed, cause)
	}
	background.Wait()
	recorded()
	await(stopping, &records)
	s.watch.finish(stopping)
	s.log.Info("stopped")
	return errors.Join(failed...)
}

// await waits for all of them, but no longer than ctx: a store that hangs must not hold up the stop.
func await(ctx context.Context, all *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		all.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// close ends the queue, with what is left in it, and then the stores, the last opened first.
func (s *server) close() {
	if s.queue != nil {
		drained, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.queue.Drain(drained) // run has waited for it already
	}
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}
