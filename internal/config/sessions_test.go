package config

import (
	"math"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

func TestSessionDefaults(t *testing.T) {
	c := mustLoad(t, disk{"main.yaml": minimal})
	want := Sessions{
		IdleLifetime: 30 * day, AbsoluteLifetime: 90 * day, RepeatWindow: 30 * time.Second, LateRepeats: 3, // O8, O9
		RaiseWithin: 7 * day, PerPerson: 20, SweepInterval: 10 * time.Second, SweepBatch: 5000,
	}
	if c.Sessions != want {
		t.Errorf("sessions = %+v, want %+v", c.Sessions, want)
	}
	if want := (StatusList{Enabled: true, TTL: 15 * time.Second}); c.StatusList != want {
		t.Errorf("status_list = %+v, want %+v", c.StatusList, want)
	}
}

// bound is the range of one setting, as a message tells it.
type bound struct {
	key       string
	set       func(*Config, time.Duration)
	low, high time.Duration
	want      string
}

// number adapts a setting that is a whole number.
func number(set func(*Config, int)) func(*Config, time.Duration) {
	return func(c *Config, value time.Duration) { set(c, int(value)) }
}

var sessionBounds = []bound{
	{"sessions.idle_lifetime", func(c *Config, d time.Duration) { c.Sessions.IdleLifetime = d }, time.Hour, 366 * day, "want 1h to 8784h"},
	{"sessions.absolute_lifetime", func(c *Config, d time.Duration) { c.Sessions.AbsoluteLifetime = d }, time.Hour, 3660 * day, "want 1h to 87840h"},
	{"sessions.repeat_window", func(c *Config, d time.Duration) { c.Sessions.RepeatWindow = d }, 0, 5 * time.Minute, "want 0s to 5m"},
	{"sessions.late_repeats", number(func(c *Config, n int) { c.Sessions.LateRepeats = n }), 1, 10, "want 1 to 10"},
	{"sessions.raise_within", func(c *Config, d time.Duration) { c.Sessions.RaiseWithin = d }, 0, 90 * day, "want 0s to 2160h"},
	{"sessions.per_person", number(func(c *Config, n int) { c.Sessions.PerPerson = n }), 1, 1000, "want 1 to 1000"},
	{"sessions.sweep_interval", func(c *Config, d time.Duration) { c.Sessions.SweepInterval = d }, time.Second, time.Hour, "want 1s to 1h"},
	{"sessions.sweep_batch", number(func(c *Config, n int) { c.Sessions.SweepBatch = n }), 1, 100_000, "want 1 to 100000"},
	{"status_list.ttl", func(c *Config, d time.Duration) { c.StatusList.TTL = d }, time.Second, time.Minute, "want 1s to 1m"}, // J9
}

func TestSessionBounds(t *testing.T) {
	for _, b := range sessionBounds {
		for name, tc := range map[string]struct {
			value time.Duration
			wrong bool
		}{
			"the lowest": {b.low, false}, "the highest": {b.high, false},
			"below": {b.low - 1, true}, "above": {b.high + 1, true},
			"negative": {-b.high, true}, "the least of all": {math.MinInt64, true}, "the most of all": {math.MaxInt64, true},
		} {
			t.Run(b.key+" "+name, func(t *testing.T) {
				c := valid(t)
				b.set(&c, tc.value)
				for _, mode := range []Mode{Serve, Dev} {
					if tc.wrong {
						wantProblems(t, c.Validate(mode, today), b.key+": "+b.want)
					} else {
						wantProblems(t, c.Validate(mode, today))
					}
				}
			})
		}
	}
	t.Run("all at once, each by its own path", func(t *testing.T) {
		c := valid(t)
		var want []string
		for _, b := range sessionBounds {
			b.set(&c, b.high+1)
			want = append(want, b.key+": "+b.want)
		}
		wantProblems(t, c.Validate(Serve, today), want...)
	})
}

// No end at all is an operator's choice; no idle end is nobody's.
func TestAbsoluteLifetimeMayBeNone(t *testing.T) {
	for _, text := range []string{"0", "0s", "0h"} {
		for name, load := range map[string]func() (Config, error){
			"file": func() (Config, error) {
				return load(disk{"main.yaml": minimal + "sessions: {absolute_lifetime: " + text + "}\n"})
			},
			"variable": func() (Config, error) {
				return load(disk{"main.yaml": minimal}, "LATCHKEY_SESSIONS_ABSOLUTE_LIFETIME="+text)
			},
		} {
			t.Run(text+" by "+name, func(t *testing.T) {
				c, err := load()
				wantProblems(t, err)
				if c.Sessions.AbsoluteLifetime != 0 || c.Sessions.IdleLifetime != 30*day {
					t.Errorf("sessions = %+v, want no absolute lifetime and the usual idle one", c.Sessions)
				}
			})
		}
	}
	_, err := load(disk{"main.yaml": minimal + "sessions: {idle_lifetime: 0}\n"})
	wantProblems(t, err, "sessions.idle_lifetime: want 1h to 8784h (main.yaml:8)")
}

func TestSessionVariables(t *testing.T) {
	c, err := load(disk{"main.yaml": minimal + "sessions: {idle_lifetime: 48h, per_person: 7}\nstatus_list: {enabled: true, ttl: 30s}\n"},
		"LATCHKEY_SESSIONS_IDLE_LIFETIME=720h30m", "LATCHKEY_SESSIONS_ABSOLUTE_LIFETIME=1000h", "LATCHKEY_SESSIONS_REPEAT_WINDOW=0",
		"LATCHKEY_SESSIONS_LATE_REPEATS=1", "LATCHKEY_SESSIONS_RAISE_WITHIN=0s", "LATCHKEY_SESSIONS_PER_PERSON=", // empty counts as not set
		"LATCHKEY_SESSIONS_SWEEP_INTERVAL=1m", "LATCHKEY_SESSIONS_SWEEP_BATCH=100", "LATCHKEY_STATUS_LIST_ENABLED=false", "LATCHKEY_STATUS_LIST_TTL=60s")
	wantProblems(t, err)
	want := Sessions{
		IdleLifetime: 720*time.Hour + 30*time.Minute, AbsoluteLifetime: 1000 * time.Hour, LateRepeats: 1,
		PerPerson: 7, SweepInterval: time.Minute, SweepBatch: 100,
	}
	if c.Sessions != want {
		t.Errorf("sessions = %+v, want %+v", c.Sessions, want)
	}
	if want := (StatusList{TTL: time.Minute}); c.StatusList != want {
		t.Errorf("status_list = %+v, want %+v", c.StatusList, want)
	}
}

func TestSessionMistakes(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		environ    []string
		want       []string
	}{
		{name: "days", yaml: "sessions: {idle_lifetime: 30d}", want: []string{"sessions.idle_lifetime: want a duration such as 15m (main.yaml:8)"}},
		{name: "a number without a unit", yaml: "sessions: {idle_lifetime: 720}", want: []string{"sessions.idle_lifetime: want a duration such as 15m (main.yaml:8)"}},
		{name: "a duration for a number", yaml: "sessions: {late_repeats: 3s}", want: []string{"sessions.late_repeats: want a whole number (main.yaml:8)"}},
		{name: "a fraction", yaml: "sessions: {per_person: 2.5}", want: []string{"sessions.per_person: want a whole number (main.yaml:8)"}},
		{name: "yes", yaml: "status_list: {enabled: yes}", want: []string{"status_list.enabled: want true or false (main.yaml:8)"}},
		{name: "one word for the section", yaml: "status_list: false", want: []string{"status_list: want keys under it: enabled, ttl (main.yaml:8)"}},
		{name: "typo", yaml: "sessions: {idle_lifetme: 24h}", want: []string{`sessions.idle_lifetme: unknown key: did you mean "idle_lifetime"? (main.yaml:8)`}},
		{name: "variables", environ: []string{"LATCHKEY_SESSIONS_IDLE_LIFETIME=30d", "LATCHKEY_STATUS_LIST_ENABLED=0", "LATCHKEY_STATUS_LIST_TTL=90s"}, want: []string{
			"sessions.idle_lifetime: want a duration such as 15m (LATCHKEY_SESSIONS_IDLE_LIFETIME)",
			"status_list.enabled: want true or false (LATCHKEY_STATUS_LIST_ENABLED)", "status_list.ttl: want 1s to 1m (LATCHKEY_STATUS_LIST_TTL)",
		}},
		{name: "variable with a typo", environ: []string{"LATCHKEY_STATUSLIST_ENABLED=false"}, want: []string{
			`LATCHKEY_STATUSLIST_ENABLED: unknown environment variable: did you mean "LATCHKEY_STATUS_LIST_ENABLED"?`,
		}},
		{name: "long tokens without a status list", yaml: "tiers: [{name: employee, access_token_lifetime: 2h}, {name: anonymous}]",
			environ: []string{"LATCHKEY_STATUS_LIST_ENABLED=FALSE"}, want: []string{"tiers[0]: access_token_lifetime of employee is 2h0m0s: want 1m to 1h0m0s"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(disk{"main.yaml": minimal + tc.yaml + "\n"}, tc.environ...)
			wantProblems(t, err, tc.want...)
		})
	}
}

func TestEffectiveShowsSessions(t *testing.T) {
	c := mustLoad(t, disk{"main.yaml": minimal}, "LATCHKEY_SESSIONS_ABSOLUTE_LIFETIME=0", "LATCHKEY_STATUS_LIST_ENABLED=false")
	var out strings.Builder
	if err := c.Effective(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nsessions:\n  idle_lifetime: 720h\n", "  absolute_lifetime: 0s ", "# LATCHKEY_SESSIONS_ABSOLUTE_LIFETIME\n", "\n  repeat_window: 30s\n  late_repeats: 3\n",
		"\n  raise_within: 168h\n  per_person: 20\n  sweep_interval: 10s\n  sweep_batch: 5000\n", "\nstatus_list:\n  enabled: false ", "\n  ttl: 15s\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("Effective lacks %q:\n%s", want, out.String())
		}
	}
}
