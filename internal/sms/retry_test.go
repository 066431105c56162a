package sms

import (
	"testing"
	"time"
)

func TestNextTry(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		name   string
		e      Error
		tries  int
		left   time.Duration
		spread float64
		wait   time.Duration
		again  bool
	}{
		{"429, shortest wait", Error{Class: Rate, Status: 429}, 1, 300 * s, 0, 500 * time.Millisecond, true},
		{"429, longest wait", Error{Class: Rate, Status: 429}, 1, 300 * s, 1, 4 * s, true},
		{"429, Retry-After", Error{Class: Rate, Status: 429, RetryAfter: 7 * s}, 1, 300 * s, 1, 7 * s, true},
		{"429, second retry", Error{Class: Rate, Status: 429}, 2, 300 * s, 0, 500 * time.Millisecond, true},
		{"429, no third retry", Error{Class: Rate, Status: 429}, 3, 300 * s, 0, 0, false},
		{"429, code would be at its 120 s", Error{Class: Rate, Status: 429, RetryAfter: 10 * s}, 1, 130 * s, 0, 0, false},
		{"429, just before", Error{Class: Rate, Status: 429, RetryAfter: 10 * s}, 1, 131 * s, 0, 10 * s, true},
		{"429, asked to wait for an hour", Error{Class: Rate, Status: 429, RetryAfter: time.Hour}, 1, 300 * s, 0, 0, false},
		{"queue full at the provider", Error{Class: Rate, Status: 400, Code: 21611}, 1, 300 * s, 0, 0, false},
		{"provider", Error{Class: Provider, Status: 503}, 1, 300 * s, 0, 500 * time.Millisecond, true},
		{"provider, long enough", Error{Class: Provider}, 1, 125 * s, 1, 4 * s, true},
		{"provider, a new code would be on its way", Error{Class: Provider}, 1, 124 * s, 1, 0, false},
		{"provider, away for long", Error{Class: Provider, RetryAfter: 33 * s}, 1, 300 * s, 0, 0, false},
		{"provider, code would be over", Error{Class: Provider}, 1, 4 * s, 1, 0, false},
		{"provider, only once", Error{Class: Provider, Status: 503}, 2, 300 * s, 0, 0, false},
		{"provider, and a second one", Error{Class: Provider, Status: 503, Final: true}, 1, 300 * s, 0, 0, false},
		{"429 from a second provider", Error{Class: Rate, Status: 429, Final: true}, 1, 300 * s, 0, 0, false},
		{"unknown outcome", Error{Class: UnknownOutcome}, 1, 300 * s, 0, 0, false},
		{"unknown outcome with 429", Error{Class: UnknownOutcome, Status: 429}, 1, 300 * s, 0, 0, false},
		{"number permanent", Error{Class: NumberPermanent}, 1, 300 * s, 0, 0, false},
		{"number temporary", Error{Class: NumberTemporary}, 1, 300 * s, 0, 0, false},
		{"opted out", Error{Class: OptedOut}, 1, 300 * s, 0, 0, false},
		{"risk blocked", Error{Class: RiskBlocked}, 1, 300 * s, 0, 0, false},
		{"our config", Error{Class: OurConfig}, 1, 300 * s, 0, 0, false},
		{"late", Error{Class: Late}, 1, 300 * s, 0, 0, false},
		{"withheld", Error{Class: Withheld}, 1, 300 * s, 0, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wait, again := nextTry(&tc.e, tc.tries, tc.left, tc.spread)
			if wait != tc.wait || again != tc.again {
				t.Errorf("nextTry = %v, %t; want %v, %t", wait, again, tc.wait, tc.again)
			}
		})
	}
}

func TestOnlyAnUnknownOutcomeIsIndefinite(t *testing.T) {
	for _, c := range []Class{NumberPermanent, NumberTemporary, OptedOut, RiskBlocked, OurConfig, Rate, Provider, UnknownOutcome, Late, Withheld} {
		if got, want := (&Error{Class: c}).Definite(), c != UnknownOutcome; got != want {
			t.Errorf("%s: Definite = %t, want %t", c, got, want)
		}
	}
}
