package sms

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	// Each step waits, then lets a text through or expects to be refused, and tells what came of it.
	type step struct {
		after   time.Duration
		refused bool
		v       verdict
		open    bool // afterwards
	}
	const s = time.Second
	four := []step{{v: fails}, {v: fails}, {v: fails}, {v: fails}}
	five := append(four[:4:4], step{v: fails, open: true})
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"four failures are chance", append(four[:4:4], step{v: works})},
		{"five open it", append(five[:5:5], step{refused: true, open: true})},
		{"in a row", append(append(four[:4:4], step{v: works}), four...)},
		{"silence neither counts nor clears", append(append(four[:4:4], step{v: silent}), step{v: fails, open: true})},
		{"what is certain opens at once", []step{{v: broken, open: true}, {refused: true, open: true}}},
		{"for 30 s", []step{{v: broken, open: true}, {after: 30*s - 1, refused: true, open: true}, {after: 1, v: works}, {v: works}}},
		{"the trial fails: twice as long", []step{
			{v: broken, open: true}, {after: 30 * s, v: fails, open: true}, {after: 60*s - 1, refused: true, open: true}, {after: 1, v: works},
		}},
		{"at most five minutes", []step{
			{v: broken, open: true}, {after: 30 * s, v: broken, open: true}, {after: 60 * s, v: broken, open: true},
			{after: 120 * s, v: broken, open: true}, {after: 240 * s, v: broken, open: true},
			{after: 300*s - 1, refused: true, open: true}, {after: 1, v: broken, open: true},
			{after: 300*s - 1, refused: true, open: true}, {after: 1, v: works},
		}},
		{"a trial that tells nothing is followed by another", []step{
			{v: broken, open: true}, {after: 30 * s, v: silent, open: true}, {v: works},
		}},
		{"starts at 30 s again once closed", []step{
			{v: broken, open: true}, {after: 30 * s, v: fails, open: true}, {after: 60 * s, v: works},
			{v: broken, open: true}, {after: 30 * s, v: works},
		}},
		{"counts anew once closed", append(append(five[:5:5], step{after: 30 * s, v: works}), four...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var b breaker
			now := time.Unix(1_800_000_000, 0)
			for i, each := range tc.steps {
				now = now.Add(each.after)
				require.Equal(t, each.refused, b.refuses(now), "step %d", i)
				if !each.refused {
					was := b.open
					p := b.enter()
					changed := b.done(p, each.v, phone.Number{}, "why", now)
					require.Equal(t, was != each.open || was && each.v != silent, changed, "step %d", i)
				}
				require.Equal(t, each.open, b.open, "step %d", i)
			}
		})
	}
}

func TestBreakerHearsOnlyOfItsOwnEra(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var b breaker
	early, late := b.enter(), b.enter()
	require.True(t, b.done(b.enter(), broken, phone.Number{}, "why", now))
	require.False(t, b.done(early, works, phone.Number{}, "", now), "an earlier text closes nothing")
	require.True(t, b.refuses(now))

	now = b.until
	trial := b.enter()
	require.True(t, b.refuses(now), "one trial only")
	require.False(t, b.done(late, broken, phone.Number{}, "why", now), "an earlier text is no trial")
	require.True(t, b.refuses(now))
	require.True(t, b.done(trial, works, phone.Number{}, "", now))
	require.False(t, b.refuses(now))
	require.False(t, b.done(early, broken, phone.Number{}, "why", now), "nor opens it what was before the outage")
}

func TestTripOpensOnlyAClosedBreaker(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var b breaker
	require.True(t, b.trip(phone.Number{}, "why", now))
	until := b.until
	require.Equal(t, now.Add(shortestOpen), until)
	require.False(t, b.trip(phone.Number{}, "again", now.Add(time.Second)))
	require.Equal(t, until, b.until)
	trial := b.enter()
	require.False(t, b.trip(phone.Number{}, "again", until), "the trial decides")
	require.True(t, b.done(trial, works, phone.Number{}, "", until))
	require.False(t, b.open)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		e                *Error
		account, country verdict
		curable          bool
	}{
		{nil, works, works, false},
		{&Error{Class: OurConfig, Account: true}, broken, silent, true},
		{&Error{Class: OurConfig}, works, broken, true},
		{&Error{Class: Provider}, fails, silent, true},
		{&Error{Class: UnknownOutcome}, fails, silent, false},
		{&Error{Class: NumberPermanent}, works, silent, false},
		{&Error{Class: NumberTemporary}, works, silent, false},
		{&Error{Class: OptedOut}, works, silent, false},
		{&Error{Class: RiskBlocked}, works, silent, false},
		{&Error{Class: Rate}, silent, silent, true},
		{&Error{Class: Late}, silent, silent, false},
		{&Error{Class: Withheld}, silent, silent, false},
	} {
		account, country := judge(tc.e)
		require.Equal(t, []verdict{tc.account, tc.country}, []verdict{account, country}, "%v", tc.e)
		if tc.e != nil {
			require.Equal(t, tc.curable, curable(tc.e), "%v", tc.e)
			require.False(t, curable(tc.e) && !tc.e.Definite(), "what may have gone out is sent by no other")
		}
	}
}

// Whoever has a number that a provider chokes on must not close a country to everybody (T5).
func TestOneOddNumberOpensNothing(t *testing.T) {
	t.Parallel()
	odd, err := phone.Stored("+447700900001")
	require.NoError(t, err)
	other, err := phone.Stored("+447700900002")
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	var b breaker
	for range 20 {
		require.False(t, b.done(b.enter(), broken, odd, "why", now))
		require.False(t, b.trip(odd, "why", now))
	}
	require.False(t, b.done(b.enter(), works, other, "", now))
	require.False(t, b.done(b.enter(), broken, other, "why", now), "a text that went through clears the doubt")
	require.True(t, b.done(b.enter(), broken, odd, "why", now), "a second number is no chance")
	require.True(t, b.refuses(now))

	now = now.Add(shortestOpen)
	require.False(t, b.done(b.enter(), broken, odd, "why", now), "the same number again is no trial")
	require.False(t, b.done(b.enter(), silent, other, "", now))
	require.True(t, b.done(b.enter(), works, other, "", now))
}

// A number that a provider fails for, again and again, is no outage; and while there is one, staff's texts
// from known places are tried at once.
func TestWhoCannotCloseAWay(t *testing.T) {
	t.Parallel()
	number := func(e164 string) phone.Number {
		n, err := phone.Stored(e164)
		require.NoError(t, err)
		return n
	}
	odd, now := number("+447700900001"), time.Unix(1_800_000_000, 0)
	var b breaker
	for range 20 {
		require.False(t, b.done(b.enter(), fails, odd, "why", now))
	}
	for i, e164 := range []string{"+447700900002", "+447700900003", "+447700900004", "+447700900005"} {
		require.Equal(t, i == 3, b.done(b.enter(), fails, number(e164), "why", now))
	}
	require.True(t, b.refuses(now))
	require.True(t, b.admits(true))
	require.False(t, b.admits(false))
	trial := b.enter()
	require.False(t, b.admits(true), "one at a time")
	require.True(t, b.done(trial, works, number("+447700900009"), "", now))
	require.False(t, b.refuses(now))
}
