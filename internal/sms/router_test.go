package sms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// bench is a router over scripted providers, with a clock of its own.
type bench struct {
	*sms.Router
	t *testing.T

	mu      sync.Mutex
	clock   time.Time
	answers map[string]func(context.Context) error // by provider; nil accepts
	asked   []string
	changes []sms.Standing
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

func (b *bench) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// answer sets how a provider answers from here on; nil is a yes.
func (b *bench) answer(provider string, err error) {
	b.answerBy(provider, func(context.Context) error { return err })
}

func (b *bench) answerBy(provider string, by func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[provider] = by
}

// log returns who has been asked since the last call, in order.
func (b *bench) log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.asked = nil }()
	return strings.Join(b.asked, " ")
}

func newBench(t *testing.T, order []string, routes ...sms.Route) *bench {
	t.Helper()
	b := &bench{t: t, clock: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC), answers: map[string]func(context.Context) error{}}
	providers := map[string]sms.Sender{}
	for _, name := range []string{"a", "b", "c"} {
		providers[name] = sender(func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
			b.mu.Lock()
			b.asked = append(b.asked, name)
			by := b.answers[name]
			b.mu.Unlock()
			if by != nil {
				if err := by(ctx); err != nil {
					return sms.Receipt{}, err
				}
			}
			return sms.Receipt{ID: "id of " + name}, nil
		})
	}
	var err error
	b.Router, err = sms.NewRouter(providers, routes, order, sms.RouterOptions{Now: b.now, OnChange: func(s sms.Standing) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.changes = append(b.changes, s)
	}})
	require.NoError(t, err)
	return b
}

// send sends a text to number and returns who took it, or the error.
func (b *bench) send(number string) (string, *sms.Error) {
	b.t.Helper()
	to, err := phone.Stored(number)
	require.NoError(b.t, err)
	receipt, err := b.Send(b.t.Context(), sms.Message{To: to, Body: "123456", ValidUntil: b.now().Add(5 * time.Minute)})
	if err == nil {
		require.Equal(b.t, "id of "+receipt.Provider, receipt.ID)
		return receipt.Provider, nil
	}
	var e *sms.Error
	require.ErrorAs(b.t, err, &e)
	require.Zero(b.t, receipt)
	return "", e
}

const british, neighbour, canadian, american = "+447700900123", "+447700900124", "+14165550123", "+12125550123"

func TestRoutes(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a"},
		sms.Route{Prefixes: []string{"+44", "+1212"}, Providers: []string{"b"}},
		sms.Route{Prefixes: []string{"+447700"}, Countries: []string{"CA"}, Providers: []string{"c"}},
		sms.Route{Countries: []string{"GB", "FR"}, Providers: []string{"a"}},
	)
	for number, want := range map[string]string{
		british: "c", "+447400123456": "b", american: "b", "+13125550123": "a", canadian: "c", "+33612345678": "a", "+4915112345678": "a",
	} {
		got, e := b.send(number)
		require.Nil(t, e)
		require.Equal(t, want, got, number)
	}
}

func TestNewRouterChecksRoutes(t *testing.T) {
	t.Parallel()
	providers := map[string]sms.Sender{"a": sender(nil), "b": sender(nil)}
	for _, tc := range []struct {
		name   string
		routes []sms.Route
		order  []string
		want   string
	}{
		{"no order", nil, nil, "sms.order: empty"},
		{"unknown provider", nil, []string{"x"}, `sms.order: no provider "x": there is a, b`},
		{"provider twice", nil, []string{"a", "a"}, "stands twice"},
		{"route without providers", []sms.Route{{Path: "sms.routes.x", Countries: []string{"GB"}}}, []string{"a"}, "sms.routes.x.providers: empty"},
		{"route to nowhere", []sms.Route{{Providers: []string{"a"}}}, []string{"a"}, "leads nowhere"},
		{"prefix without plus", []sms.Route{{Path: "sms.routes.x", Prefixes: []string{"44"}, Providers: []string{"a"}}}, []string{"a"}, "sms.routes.x.prefixes"},
		{"country in small letters", []sms.Route{{Path: "sms.routes.x", Countries: []string{"gb"}, Providers: []string{"a"}}}, []string{"a"}, "sms.routes.x.countries"},
		{"prefix twice", []sms.Route{{Prefixes: []string{"+44"}, Providers: []string{"a"}}, {Path: "sms.routes.y", Prefixes: []string{"+44"}, Providers: []string{"b"}}},
			[]string{"a"}, `sms.routes.y.prefixes: "+44" has a route already`},
	} {
		_, err := sms.NewRouter(providers, tc.routes, tc.order, sms.RouterOptions{})
		require.ErrorContains(t, err, tc.want, tc.name)
	}
}

func TestWhoTakesOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first *sms.Error
		asked string
	}{
		{&sms.Error{Class: sms.OurConfig}, "a b"},
		{&sms.Error{Class: sms.OurConfig, Account: true}, "a b"},
		{&sms.Error{Class: sms.Provider}, "a b"},
		{&sms.Error{Class: sms.Rate, Status: 429}, "a b"},
		{&sms.Error{Class: sms.RiskBlocked}, "a"},
		{&sms.Error{Class: sms.NumberPermanent}, "a"},
		{&sms.Error{Class: sms.NumberTemporary}, "a"},
		{&sms.Error{Class: sms.OptedOut}, "a"},
		{&sms.Error{Class: sms.UnknownOutcome}, "a"},
		{&sms.Error{Class: sms.Late}, "a"},
	} {
		b := newBench(t, []string{"a", "b"})
		b.answer("a", tc.first)
		by, e := b.send(british)
		require.Equal(t, tc.asked, b.log(), "%v", tc.first)
		if tc.asked == "a b" {
			require.Equal(t, "b", by)
			continue
		}
		require.Equal(t, tc.first.Class, e.Class)
		require.Equal(t, "a", e.Provider)
		require.False(t, e.Final)
	}
}

func TestTheLastWordIsTheLastProviders(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a", "b", "c"})
	shared := &sms.Error{Class: sms.Provider, Reason: "down"}
	b.answer("a", shared)
	b.answer("b", fmt.Errorf("send: %w", &sms.Error{Class: sms.UnknownOutcome}))
	_, e := b.send(british)
	require.Equal(t, "a b", b.log())
	require.Equal(t, &sms.Error{Class: sms.UnknownOutcome, Provider: "b", Final: true}, e)
	require.Empty(t, shared.Provider, "the provider's own error is not written to")

	b.answer("a", errors.New("to +447700900123"))
	_, e = b.send(british)
	require.Equal(t, "a", b.log(), "what is no *Error may have gone out")
	require.Equal(t, sms.UnknownOutcome, e.Class)
	require.NotContains(t, e.Error(), "900123")
}

func TestNoProviderIsAskedBeyondTheCode(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a", "b"})
	b.answerBy("a", func(context.Context) error {
		b.wait(5 * time.Minute)
		return &sms.Error{Class: sms.Provider}
	})
	_, e := b.send(british)
	require.Equal(t, sms.Provider, e.Class)
	require.Equal(t, "a", b.log())

	to, _ := phone.Stored(british)
	_, err := b.Send(t.Context(), sms.Message{To: to, ValidUntil: b.now()})
	require.ErrorAs(t, err, &e)
	require.Equal(t, sms.Late, e.Class)
	require.Empty(t, b.log())
}

func TestNoProviderIsAskedAfterTheContext(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a", "b"})
	ctx, cancel := context.WithCancel(t.Context())
	b.answerBy("a", func(ctx context.Context) error {
		_, ok := ctx.Deadline()
		require.True(t, ok, "the code's end bounds every try")
		cancel()
		return &sms.Error{Class: sms.Provider}
	})
	to, _ := phone.Stored(british)
	for range 6 {
		_, err := b.Send(ctx, sms.Message{To: to, ValidUntil: b.now().Add(time.Minute)})
		var e *sms.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "a", b.log())
	}
	require.NoError(t, b.Available(), "that we gave up says nothing about the provider")
	require.Empty(t, b.changes)
}

func TestAccountBreaker(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a", "b"}, sms.Route{Countries: []string{"CA"}, Providers: []string{"a"}})
	b.answer("a", &sms.Error{Class: sms.OurConfig, Account: true, Reason: "credentials refused"})
	_, e := b.send(british)
	require.Nil(t, e)
	require.Equal(t, "a b", b.log())
	_, e = b.send(british)
	require.Nil(t, e)
	require.Equal(t, "b", b.log(), "left alone for every destination")
	_, e = b.send(canadian)
	require.Equal(t, &sms.Error{Class: sms.Withheld, Rule: rule.ProviderOutage, Reason: rule.ProviderOutage.Explain()}, e)
	require.True(t, e.Definite())
	require.NoError(t, b.Available())

	b.wait(time.Second)
	b.answer("b", &sms.Error{Class: sms.UnknownOutcome, Reason: "timed out"})
	for i := range 5 {
		require.NoError(t, b.Available())
		_, _ = b.send(fmt.Sprintf("+44770090020%d", i))
	}
	var out *sms.OutageError
	require.ErrorAs(t, b.Available(), &out)
	require.Equal(t, &sms.OutageError{Until: b.now().Add(29 * time.Second), Reason: "a: credentials refused"}, out)
	require.Equal(t, "sms: no provider takes texts until 2026-09-01T12:00:30Z: a: credentials refused", out.Error())

	b.wait(30 * time.Second)
	require.NoError(t, b.Available(), "a start is needed for the trial")
	b.answer("a", nil)
	by, e := b.send(british)
	require.Nil(t, e)
	require.Equal(t, "a", by)
	require.Equal(t, []sms.Standing{
		{Provider: "a"}, {Provider: "a", Country: "GB"},
		{Provider: "b", Open: true, Until: b.now(), Reason: "timed out"}, {Provider: "b", Country: "GB"}, {Provider: "c"},
	}, b.Standings())
	require.Len(t, b.changes, 3)
	require.Equal(t, sms.Standing{Provider: "a"}, b.changes[2])
}

func TestCountryBreaker(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a"})
	b.answer("a", &sms.Error{Class: sms.OurConfig, Code: 21408, Reason: "country off"})
	_, _ = b.send(neighbour)
	_, e := b.send(british)
	require.Equal(t, sms.OurConfig, e.Class)
	_, e = b.send(british)
	require.Equal(t, sms.Withheld, e.Class)
	require.Equal(t, rule.ProviderCountry, e.Rule)
	require.NoError(t, b.Available(), "the account works")
	b.answer("a", nil)
	_, e = b.send(canadian)
	require.Nil(t, e, "another country")
	_, e = b.send(american)
	require.Nil(t, e, "+1 too")
	b.wait(30 * time.Second)
	_, e = b.send(british)
	require.Nil(t, e, "the trial")
	require.Equal(t, "a a a a a", b.log())
}

// A number that nobody can reach is no trial of the way to its country.
func TestATrialThatTellsNothingOfTheCountry(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a"})
	b.answer("a", &sms.Error{Class: sms.OurConfig})
	_, _ = b.send(british)
	_, _ = b.send(neighbour)
	b.wait(30 * time.Second)
	b.answer("a", &sms.Error{Class: sms.NumberPermanent})
	_, e := b.send(british)
	require.Equal(t, sms.NumberPermanent, e.Class)
	b.answer("a", &sms.Error{Class: sms.OurConfig})
	_, e = b.send(british)
	require.Equal(t, sms.OurConfig, e.Class)
	b.wait(59 * time.Second)
	_, e = b.send(british)
	require.Equal(t, sms.Withheld, e.Class)
}

func TestReport(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a"})
	for _, quiet := range []sms.Delivery{
		{Provider: "a", Status: sms.Delivered}, {Provider: "a", Class: sms.NumberPermanent}, {Provider: "a", Class: sms.Provider},
		{Provider: "nobody", Class: sms.OurConfig}, {Provider: "nobody", Class: sms.OurConfig, Account: true},
	} {
		b.Report(quiet, "GB")
	}
	b.Report(sms.Delivery{Provider: "a", Class: sms.OurConfig}, "")
	require.Empty(t, b.changes)

	b.Report(sms.Delivery{Provider: "a", Class: sms.OurConfig, Code: 30034}, "US")
	_, e := b.send(american)
	require.Equal(t, rule.ProviderCountry, e.Rule)
	_, e = b.send(british)
	require.Nil(t, e)
	b.Report(sms.Delivery{Provider: "a", Class: sms.OurConfig, Code: 30002, Account: true}, "GB")
	_, e = b.send(british)
	require.Equal(t, rule.ProviderOutage, e.Rule)
	require.ErrorContains(t, b.Available(), "code 30002")
	require.Len(t, b.changes, 2)
}

func TestAPanicIsAFailureOfTheProvider(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a"})
	b.answerBy("a", func(context.Context) error { panic("a provider's code") })
	for i := range 5 {
		require.Panics(t, func() { _, _ = b.send(fmt.Sprintf("+44770090020%d", i)) })
	}
	require.Error(t, b.Available())
	b.wait(30 * time.Second)
	require.Panics(t, func() { _, _ = b.send(british) })
	require.ErrorContains(t, b.Available(), "12:01:30", "the trial is over")
}

// Of many texts at the end of an outage one is the trial, also where account and country are both open.
func TestOneTrial(t *testing.T) {
	t.Parallel()
	for _, why := range []*sms.Error{{Class: sms.OurConfig}, {Class: sms.OurConfig, Account: true}} {
		b := newBench(t, []string{"a"})
		b.answer("a", why)
		_, _ = b.send(british)
		_, _ = b.send(neighbour)
		for range 8 {
			b.wait(5 * time.Minute)
			_ = b.log()
			var withheld, tried, others atomic.Int32
			release := make(chan struct{})
			b.answerBy("a", func(context.Context) error {
				if tried.Add(1) == 1 {
					<-release
				}
				return why
			})
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if _, e := b.send(british); e.Class == sms.Withheld {
						withheld.Add(1)
					}
					if others.Add(1) == 49 { // all but the trial are back
						close(release)
					}
				})
			}
			all.Wait()
			require.EqualValues(t, 49, withheld.Load())
			require.Equal(t, "a", b.log())
		}
	}
}

func TestDrainSends500ByTheRouter(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"a", "b"})
	b.answer("a", &sms.Error{Class: sms.Provider, Status: 503})
	var heard atomic.Int32
	q := sms.NewQueue(b.Router, sms.QueueOptions{Now: b.now, OnResult: func(_ context.Context, _ sms.Message, r sms.Receipt, err error) {
		if err == nil && r.Provider == "b" {
			heard.Add(1)
		}
	}})
	for i := range 500 {
		to, _ := phone.Stored(fmt.Sprintf("+447700900%03d", i))
		enqueue(t, q, sms.Message{To: to, Body: "a", ValidUntil: b.now().Add(5 * time.Minute)})
	}
	drain(t, q)
	require.EqualValues(t, 500, heard.Load())
	asked := b.log()
	require.Equal(t, 500, strings.Count(asked, "b"))
	require.Less(t, strings.Count(asked, "a"), 5+8, "left alone after five, and those under way")
}
