package main

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// setting is one way to run the same program, and where its starts come from.
type setting struct {
	name     string
	settings []string
	// from is the address of the nth start.
	from func(n int) string
}

// settings of limits. All requests come through a proxy, and all texts go through the same rules: what differs is what
// a start itself is held to.
var settingsOfLimits = []setting{
	// Each start from another address in another /24, so that source, network and number are all asked.
	{"limited", nil, elsewhere},
	// All from one listed address, which has no limit of starts: only the number is asked.
	{"office", []string{"LATCHKEY_COMPANY_NETWORKS=198.51.100.0/24"}, func(int) string { return "198.51.100.7" }},
	// What the sign-in issue measured of a start, as far as numbers can say it: each limit that can be 0 is. Its texts went
	// out without a look at who gets them and at the purse, and without a record; that is in all three here.
	{"lifted", lifted(), elsewhere},
}

// elsewhere returns an address in a /24 of its own: the nth of 65,536.
func elsewhere(n int) string {
	return netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 7}).String() //nolint:gosec // the upper bits go on purpose
}

func lifted() []string {
	var settings []string
	for _, key := range []string{
		"NUMBER_GUESSES_PER_SOURCE_DAY", "NUMBER_GUESSES_PER_DAY", "NUMBER_GUESSES_ALARM",
		"NUMBER_TEXTS_PER_SOURCE_HOUR", "NUMBER_TEXTS_PER_SOURCE_DAY",
		"NUMBER_TEXTS_PER_HOUR", "NUMBER_TEXTS_PER_DAY", "NUMBER_TEXTS_KEPT",
		"SOURCE_GUESSES_PER_HOUR", "SOURCE_NUMBERS_PER_HOUR", "SOURCE_STARTS_PER_TEN_MINUTES", "SOURCE_STARTS_PER_HOUR",
		"SOURCE_COMPANY_GUESSES_PER_HOUR", "ALL_GUESSES_PER_HOUR", "ALL_GUESSES_PERCENT",
	} {
		settings = append(settings, "LATCHKEY_LIMITS_"+key+"=0")
	}
	return append(settings, "LATCHKEY_LIMITS_TRUST_FOR=0s")
}

const (
	// poolSize is how many people ask for codes, in turn. It is so many that nobody asks twice within
	// a resend gap.
	poolSize = maxFictional
	// poolTurns is how often each of them may ask: as often as M3 lets one address ask for a number.
	poolTurns = 3
	// startWarmUp is how many starts do not count yet.
	startWarmUp = 500
	// afterglow is how long after a text a server writes down what became of it.
	afterglow = 300 * time.Millisecond
)

// startFigures are those of one program under several settings.
type startFigures struct {
	Settings []settingFigures `json:"settings"`
	// Cost is by how many milliseconds of CPU a start with all limits is dearer than one without, of
	// each round by itself.
	Cost spread `json:"limits_cpu_ms_each"`
}

// settingFigures hold a start and its text, so CPU is that of both; the answer comes before the text.
type settingFigures struct {
	Name string `json:"name"`
	figures
	// Scripts are those that Redis ran for each start; one of them, the purse's, off the path of the answer.
	Scripts float64 `json:"redis_scripts_each"`
	// RedisCPU is the time of these scripts in Redis, in milliseconds for each start.
	RedisCPU float64 `json:"redis_ms_each"`
}

// contender is a server under one of the settings.
type contender struct {
	*subject
	setting setting
	rounds  []measurement
	scripts scripts
}

// measureStarts measures starts by turns, under each of the settings: on one database, but each with counts in Redis
// of its own.
func measureStarts(ctx context.Context, w world, texts *inbox, opts options) (_ *startFigures, err error) {
	progress("entering %d people", poolSize)
	home, err := w.prepare(ctx, fictional(poolSize),
		"LATCHKEY_TRUSTED_PROXIES=127.0.0.1",
		"LATCHKEY_CODES_RESEND_GAP=10s", // on a fast machine the pool comes round sooner
		"LATCHKEY_SMS_VOLUME_PER_MINUTE=10000000")
	if err != nil {
		return nil, err
	}
	var contenders []*contender
	defer func() {
		for _, c := range contenders {
			err = stopAll([]*subject{c.subject}, err)
		}
	}()
	for _, each := range settingsOfLimits {
		progress("starting %s", each.name)
		at, err := freeAddresses(1)
		if err != nil {
			return nil, err
		}
		p, err := w.serve(ctx, home, at[0], append([]string{"LATCHKEY_REDIS_KEY_PREFIX=" + keyPrefix()}, each.settings...)...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
		contenders = append(contenders, &contender{
			subject: &subject{name: each.name, baseURL: "http://" + at[0], process: p}, setting: each,
		})
	}
	c := crowd{workers: opts.workers, inbox: texts, people: fictional(poolSize)}
	return c.compareStarts(ctx, contenders, w.stores, opts)
}

// compareStarts lets the contenders take turns; the first is the one with limits, the last the one without.
func (c crowd) compareStarts(ctx context.Context, contenders []*contender, redis *stores, opts options) (*startFigures, error) {
	for _, each := range contenders {
		if _, err := c.askFor(ctx, each, times(startWarmUp)); err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
	}
	var costs []float64
	for round := range opts.rounds {
		for i := range contenders {
			each := contenders[(i+round)%len(contenders)]
			progress("starts, round %d of %d: %s", round+1, opts.rounds, each.name)
			if err := c.measureTurn(ctx, each, redis, opts.duration); err != nil {
				return nil, fmt.Errorf("%s: %w", each.name, err)
			}
		}
		limited, lifted := contenders[0].rounds[round], contenders[len(contenders)-1].rounds[round]
		costs = append(costs, limited.cpuEach()-lifted.cpuEach())
	}
	f := &startFigures{Cost: spreadOf(costs)}
	for _, each := range contenders {
		f.Settings = append(f.Settings, each.figures())
	}
	return f, nil
}

// addedScripts leaves out what replicas ask by themselves each second, which comes to less than a tenth of a script.
func (f startFigures) addedScripts() float64 {
	added := f.Settings[0].Scripts - f.Settings[len(f.Settings)-1].Scripts
	return math.Round(10*added) / 10
}

func (c *contender) figures() settingFigures {
	f := settingFigures{Name: c.name, figures: figuresOf(c.rounds)}
	f.Scripts = float64(c.scripts.calls) / float64(f.Count)
	f.RedisCPU = milliseconds(c.scripts.took) / float64(f.Count)
	return f
}

// measureTurn loads a contender for about the duration, and lets it finish what it does after a text.
func (c crowd) measureTurn(ctx context.Context, each *contender, redis *stores, duration time.Duration) error {
	var m measurement
	scriptsBefore, err := redis.scripts(ctx)
	if err != nil {
		return err
	}
	before, err := each.process.cpu()
	if err != nil {
		return err
	}
	begun := time.Now()
	if m.timings, err = c.askFor(ctx, each, until(duration)); err != nil {
		return err
	}
	m.took = time.Since(begun)
	if err := pause(ctx, afterglow); err != nil {
		return err
	}
	after, err := each.process.cpu()
	if err != nil {
		return err
	}
	m.cpu = after - before
	scriptsAfter, err := redis.scripts(ctx)
	each.scripts.calls += scriptsAfter.calls - scriptsBefore.calls
	each.scripts.took += scriptsAfter.took - scriptsBefore.took
	each.rounds = append(each.rounds, m)
	return err
}

// askFor lets people ask for codes, each worker for the next one as soon as the text is there: each start
// must cause one.
func (c crowd) askFor(ctx context.Context, each *contender, more func(int) bool) ([]timing, error) {
	apps, hangUp := c.apps(each.subject, algorithms[0])
	defer hangUp()
	return load(ctx, c.workers, more, func(ctx context.Context, worker int) (timing, error) {
		n := int(each.turn.Add(1) - 1)
		if n >= poolTurns*len(c.people) {
			return timing{}, fmt.Errorf("more starts than %d people may ask for: want a shorter -duration or fewer -rounds", len(c.people))
		}
		number, a := c.people[n%len(c.people)], apps[worker]
		a.from = each.setting.from(n)
		took, err := a.start(ctx, number)
		if err == nil {
			_, err = c.inbox.await(ctx, number)
		}
		if err != nil {
			return timing{}, fmt.Errorf("start for %s: %w", number, err)
		}
		return timing{token: took}, nil
	})
}
