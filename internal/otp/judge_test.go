package otp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// small are limits that a table can reach.
var small = otp.Limits{
	Lifetime: 5 * time.Minute, RenewBelow: 2 * time.Minute, ResendGap: 30 * time.Second,
	GuessesPerSource: 2, Guesses: 4, StrictGuessesPerSource: 1, StrictGuesses: 2,
	NumberGuessesPerSource: 2, NumberGuesses: 3, InARow: 4, ForgetRow: 10 * 24 * time.Hour,
	TextsPerSourceHour: 1, TextsPerSourceDay: 2, TextsPerHour: 2, TextsPerDay: 4, TextsKept: 1,
	TrustFor: 24 * time.Hour,
}

// guessesOf are wrong guesses of a source, the oldest first, each so long before noon.
func guessesOf(source origin.Source, ago ...time.Duration) (guesses []otp.Guess) {
	for _, d := range ago {
		guesses = append(guesses, otp.Guess{At: noon.Add(-d), Source: source})
	}
	return guesses
}

func textsOf(source origin.Source, ago ...time.Duration) (texts []otp.Text) {
	for _, d := range ago {
		texts = append(texts, otp.Text{At: noon.Add(-d), Source: source})
	}
	return texts
}

func TestJudgeGuess(t *testing.T) {
	trusted := []otp.SignIn{{At: noon.Add(-time.Hour), Network: home.Network}}
	blocked := func(name rule.Name, wait time.Duration) error { return &otp.BlockedError{Rule: name, RetryAfter: wait} }
	end := noon.Add(time.Minute)
	for name, tc := range map[string]struct {
		number otp.Number
		tally  otp.Tally
		guard  otp.Guard
		want   error
	}{
		"nothing yet":     {},
		"C4, own":         {tally: otp.Tally{End: end, Own: 2, Guesses: 2}, want: otp.ErrTooManyGuesses},
		"C4, all":         {tally: otp.Tally{End: end, Guesses: 4}, want: otp.ErrTooManyGuesses},
		"C4, all but one": {tally: otp.Tally{End: end, Guesses: 3, Own: 1}},
		"C4, over":        {tally: otp.Tally{End: noon, Guesses: 4}},
		"C4, strict own": {
			tally: otp.Tally{End: end, Own: 1, Guesses: 1},
			guard: otp.Guard{Strict: true},
			want:  otp.ErrTooManyGuesses,
		},
		"C4, strict all": {
			tally: otp.Tally{End: end, Guesses: 2},
			guard: otp.Guard{Strict: true},
			want:  otp.ErrTooManyGuesses,
		},
		"C4, strict but trusted": {
			number: otp.Number{SignIns: trusted},
			tally:  otp.Tally{End: end, Own: 1, Guesses: 3},
			guard:  otp.Guard{Strict: true},
		},
		"T1, own": {
			number: otp.Number{Wrong: guessesOf(home.Source, 5*time.Hour, time.Hour)},
			want:   blocked(rule.NumberGuessesSource, 19*time.Hour),
		},
		"T1, own, more than the limit": {
			number: otp.Number{Wrong: guessesOf(home.Source, 5*time.Hour, 3*time.Hour, time.Hour)},
			want:   blocked(rule.NumberGuessesSource, 21*time.Hour),
		},
		"T1, all": {
			number: otp.Number{Wrong: guessesOf("else", 5*time.Hour, 3*time.Hour, time.Hour)},
			want:   blocked(rule.NumberGuesses, 19*time.Hour),
		},
		"T1, all but trusted": {
			number: otp.Number{SignIns: trusted, Wrong: guessesOf("else", 5*time.Hour, 3*time.Hour, time.Hour)},
		},
		"T1, the longest is told": {
			number: otp.Number{Wrong: append(guessesOf("else", 5*time.Hour), guessesOf(home.Source, 3*time.Hour, time.Hour)...)},
			want:   blocked(rule.NumberGuessesSource, 21*time.Hour),
		},
		"C4 before T1": {
			number: otp.Number{Wrong: guessesOf(home.Source, 0, 0)},
			tally:  otp.Tally{End: end, Own: 2, Guesses: 2},
			want:   otp.ErrTooManyGuesses,
		},
		"T2": {
			number: otp.Number{InARow: 4, LastWrong: noon.Add(-24 * time.Hour)},
			want:   blocked(rule.NumberInARow, 9*24*time.Hour),
		},
		"T2, all but one": {number: otp.Number{InARow: 3, LastWrong: noon}},
		"T2, trusted":     {number: otp.Number{InARow: 4, LastWrong: noon, SignIns: trusted}},
		"guard":           {guard: otp.Guard{TrustedOnly: true}, want: otp.ErrUntrusted},
		"guard before C4": {
			guard: otp.Guard{TrustedOnly: true},
			tally: otp.Tally{End: end, Own: 2, Guesses: 2},
			want:  otp.ErrUntrusted,
		},
		"guard for trusted": {number: otp.Number{SignIns: trusted}, guard: otp.Guard{TrustedOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := small.JudgeGuess(tc.number, tc.tally, home, tc.guard, noon)
			require.Equal(t, tc.want, err)
		})
	}
}

func TestJudgeStart(t *testing.T) {
	trusted := []otp.SignIn{{At: noon.Add(-time.Hour), Network: home.Network}}
	throttled := func(name rule.Name, wait time.Duration) error {
		return &otp.ThrottledError{Rule: name, RetryAfter: wait}
	}
	living := func(left time.Duration, guesses, own int) otp.Tally {
		return otp.Tally{Living: true, End: noon.Add(left), Guesses: guesses, Own: own}
	}
	type verdict = otp.StartVerdict
	for name, tc := range map[string]struct {
		number otp.Number
		tally  otp.Tally
		guard  otp.Guard
		want   verdict
		err    error
	}{
		"nothing yet":   {want: verdict{Send: true, Renew: true}},
		"a living code": {tally: living(2*time.Minute, 3, 1), want: verdict{Send: true}},
		"near its end":  {tally: living(2*time.Minute-1, 0, 0), want: verdict{Send: true, Renew: true}},
		"in the gap": {
			number: otp.Number{Texts: textsOf(home.Source, 29*time.Second)},
			tally:  living(time.Minute, 0, 0),
		},
		"in the gap, no code": {
			number: otp.Number{Texts: textsOf(home.Source, time.Second)},
			err:    throttled(rule.NumberTextsSourceHour, time.Hour-time.Second),
		},
		"in another's gap": {
			number: otp.Number{Texts: textsOf("else", time.Second)},
			tally:  living(2*time.Minute, 0, 0),
			want:   verdict{Send: true},
		},
		"C4": {
			tally: living(4*time.Minute, 2, 2),
			err:   throttled(rule.CodeGuessesSource, 2*time.Minute+time.Millisecond),
		},
		"C4, near the end": {tally: living(time.Minute, 2, 2), want: verdict{Send: true, Renew: true}},
		"C4, dead":         {tally: living(4*time.Minute, 4, 2), want: verdict{Send: true, Renew: true}},
		"C4, strict": {
			tally: living(4*time.Minute, 2, 0),
			guard: otp.Guard{Strict: true},
			err:   throttled(rule.CodeGuesses, 2*time.Minute+time.Millisecond),
		},
		"T1": {
			number: otp.Number{Wrong: guessesOf(home.Source, 2*time.Hour, 0)},
			err:    throttled(rule.NumberGuessesSource, 22*time.Hour),
		},
		"T1, in the gap": {
			number: otp.Number{Wrong: guessesOf("else", 0, 0, 0), Texts: textsOf(home.Source, 0)},
			tally:  living(time.Minute, 0, 0),
			err:    throttled(rule.NumberGuesses, 24*time.Hour),
		},
		"M3, own in the hour": {
			number: otp.Number{Texts: textsOf(home.Source, 59*time.Minute)},
			err:    throttled(rule.NumberTextsSourceHour, time.Minute),
		},
		"M3, the hour is over": {
			number: otp.Number{Texts: textsOf(home.Source, time.Hour)},
			want:   verdict{Send: true, Renew: true},
		},
		"M3, own in the day": {
			number: otp.Number{Texts: textsOf(home.Source, 23*time.Hour, 2*time.Hour)},
			err:    throttled(rule.NumberTextsSourceDay, time.Hour),
		},
		"M3, all in the hour": {
			number: otp.Number{Texts: textsOf("else", 30*time.Minute, 0)},
			err:    throttled(rule.NumberTextsHour, 30*time.Minute),
		},
		"M3, all in the day": {
			number: otp.Number{Texts: textsOf("else", 20*time.Hour, 3*time.Hour, 2*time.Hour)},
			err:    throttled(rule.NumberTextsDay, 4*time.Hour),
		},
		"M3, all in the hour, from a trusted place": {
			number: otp.Number{SignIns: trusted, Texts: textsOf("else", 30*time.Minute, 0)},
			want:   verdict{Send: true, Renew: true, Trusted: true},
		},
		"M3, kept for trusted": {
			number: otp.Number{SignIns: trusted, Texts: textsOf("else", 20*time.Hour, 3*time.Hour, 2*time.Hour)},
			want:   verdict{Send: true, Renew: true, Trusted: true},
		},
		"guard": {guard: otp.Guard{TrustedOnly: true}, err: otp.ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := small.JudgeStart(tc.number, tc.tally, home, tc.guard, noon)
			require.Equal(t, tc.err, err)
			if err == nil {
				require.Equal(t, tc.want, got)
			}
		})
	}
}

func TestForget(t *testing.T) {
	number := otp.Number{
		Wrong:  guessesOf(home.Source, 24*time.Hour, 24*time.Hour-1),
		InARow: 7, LastWrong: noon.Add(-small.ForgetRow + 1),
		Texts:   textsOf(home.Source, 24*time.Hour, 24*time.Hour-1),
		SignIns: []otp.SignIn{{At: noon.Add(-24 * time.Hour), Network: "a"}, {At: noon.Add(-24*time.Hour + 1), Network: "b"}},
	}
	kept := small.Forget(number, noon)
	require.Equal(t, number.Wrong[1:], kept.Wrong)
	require.Equal(t, number.Texts[1:], kept.Texts)
	require.Equal(t, number.SignIns[1:], kept.SignIns)
	require.Equal(t, 7, kept.InARow)
	require.Zero(t, small.Forget(number, noon.Add(1)).InARow)
	require.Len(t, number.Wrong, 2, "the value itself is as it was")
}
