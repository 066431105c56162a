package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Mode is what the settings are for.
type Mode int

const (
	// Serve needs everything.
	Serve Mode = iota
	// Dev embeds its stores and shows texts in a browser, so it needs no database, Redis or Twilio.
	Dev
)

// Validate checks every setting, dates by now. The error is an *Invalid with every mistake. Load has done it.
func (c Config) Validate(mode Mode, now time.Time) error {
	r := &report{}
	c.check(mode, now, r)
	return r.err()
}

// check adds to r what is wrong with c, except where r already says why a setting is not as given.
func (c Config) check(mode Mode, now time.Time, r *report) {
	known := &report{problems: r.problems}
	v := validator{Config: c, mode: mode, now: now, fail: func(at path, format string, args ...any) {
		if !known.related(at) {
			r.add(at, c.origins.of(at), fmt.Sprintf(format, args...))
		}
	}}
	v.issuer()
	v.listeners()
	v.networks()
	v.secretKey()
	v.stores()
	v.codes()
	v.limits()
	v.sessions()
	v.keys()
	v.sms()
	v.rest()
	v.reviewers()
	v.tiers()
	v.clients()
}

type validator struct {
	Config
	mode Mode
	now  time.Time
	fail func(at path, format string, args ...any)
}

// maxSession is the longest that anybody stays signed in without a new code, unless they never have to.
const maxSession = 366 * 24 * time.Hour

func (v *validator) sessions() {
	at := path{"sessions"}
	between(v, at.key("idle_lifetime"), v.Sessions.IdleLifetime, time.Hour, maxSession)
	if v.Sessions.AbsoluteLifetime != 0 {
		between(v, at.key("absolute_lifetime"), v.Sessions.AbsoluteLifetime, time.Hour, 10*maxSession)
	}
	between(v, at.key("repeat_window"), v.Sessions.RepeatWindow, 0, 5*time.Minute)
	between(v, at.key("late_repeats"), v.Sessions.LateRepeats, 1, 10)
	between(v, at.key("raise_within"), v.Sessions.RaiseWithin, 0, 90*24*time.Hour)
	between(v, at.key("per_person"), v.Sessions.PerPerson, 1, 1000)
	between(v, at.key("sweep_interval"), v.Sessions.SweepInterval, time.Second, time.Hour)
	between(v, at.key("sweep_batch"), v.Sessions.SweepBatch, 1, 100_000)
	between(v, path{"status_list", "ttl"}, v.StatusList.TTL, time.Second, time.Minute) // J9
	if ttl := v.StatusList.TTL; ttl >= time.Second && ttl <= time.Minute && ttl%time.Second != 0 {
		v.fail(path{"status_list", "ttl"}, "want whole seconds")
	}
}

// rest checks the sections that have a rule or two each.
func (v *validator) rest() {
	if (v.TLS.CertFile == "") != (v.TLS.KeyFile == "") {
		v.fail(path{"tls"}, "want both cert_file and key_file, or neither where a proxy ends TLS")
	}
	if region := v.Phone.DefaultRegion; region != "" && !phone.KnownRegion(region) {
		v.fail(path{"phone", "default_region"}, "want a country's ISO 3166 code in capitals, such as GB, or nothing")
	}
	between(v, path{"hr", "max_leavers_percent"}, v.HR.MaxLeaversPercent, 1, 100)
	between(v, path{"hr", "max_leavers_floor"}, v.HR.MaxLeaversFloor, 1, 1_000_000)
	between(v, path{"shutdown_timeout"}, v.ShutdownTimeout, time.Second, 5*time.Minute)
	v.oneOf(path{"log", "level"}, v.Log.Level, "debug", "info", "warn", "error")
	v.oneOf(path{"log", "format"}, v.Log.Format, "json", "text")
}

func between[T cmp.Ordered](v *validator, at path, value, low, high T) {
	if value < low || value > high {
		v.fail(at, "want %s to %s", inline(reflect.ValueOf(low)), inline(reflect.ValueOf(high)))
	}
}

func (v *validator) oneOf(at path, value string, known ...string) {
	if !slices.Contains(known, value) {
		v.fail(at, "want one of %s", strings.Join(known, ", "))
	}
}

// label checks a name that people read.
func (v *validator) label(at path, value string, limit int) {
	printable := strings.IndexFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if strings.TrimSpace(value) == "" || utf8.RuneCountInString(value) > limit || !printable {
		v.fail(at, "want 1 to %d characters on one line", limit)
	}
}

// noRepeats reports an item of a list that an earlier one repeats.
func (v *validator) noRepeats(at path, items []string) {
	seen := map[string]bool{}
	for i, item := range items {
		if seen[item] {
			v.fail(at.index(i), "listed twice: keep one")
		}
		seen[item] = true
	}
}

// scopeToken is one scope (RFC 6749 §3.3). Permissions keep to it, for they too end up in lists
// that are split at spaces.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

func (v *validator) scopeTokens(at path, tokens []string) {
	for i, token := range tokens {
		if !scopeToken.MatchString(token) {
			v.fail(at.index(i), `want one word without spaces, quotes or backslashes (RFC 6749 §3.3)`)
		}
	}
	v.noRepeats(at, tokens)
}
