package otptest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

var textCases = []contract{
	{name: "a source has three texts an hour and five a day", test: textsOfASource},
	{name: "a number has six texts an hour", test: textsOfAnHour},
	{name: "a number has twelve texts a day, the last three for trusted origins", test: textsOfADay},
	{name: "a day is 24 hours and not a date", test: textsOverMidnight},
	{name: "a source cannot use up a number's texts", test: textsApart},
	{name: "a start without a text is not counted", test: quietIsFree},
	{name: "a text that was not sent is counted", test: unsentCounts},
	{name: "a text that was not sent tells nothing", test: unsentTellsNothing},
	{name: "a withdrawn text is forgotten", test: withdrawnIsForgotten},
	{name: "the longest wait is told", test: longestWait},
	{name: "recorded rules refuse nothing", test: recordedTexts, limit: func(l *otp.Limits) {
		l.RecordOnly = rule.RecordOnly{
			rule.NumberTextsSourceHour: true, rule.NumberTextsSourceDay: true, rule.NumberTextsHour: true, rule.NumberTextsDay: true,
		}
	}},
	{name: "a recorded gap holds no text back", test: recordedGap, limit: func(l *otp.Limits) {
		l.RecordOnly = rule.RecordOnly{rule.ResendGap: true}
	}},
	{name: "strangers are left one text a day", test: oneIsLeft, limit: func(l *otp.Limits) { l.TextsPerDay, l.TextsKept = 3, 5 }},
	{name: "lifted rules keep a bounded number of texts", test: boundedTexts, limit: func(l *otp.Limits) {
		onlyTheCode(l)
		l.ResendGap = 0
	}},
	{name: "starts at once never send more than the limit", test: raceTexts},
}

// text starts so that a text goes out, a gap after the one before.
func (s suite) text(from origin.Origin) {
	s.t.Helper()
	require.True(s.t, s.open(from, fmt.Sprint("code", s.clock.Now().UnixMilli())).Send)
	s.clock.Advance(s.limits.ResendGap)
}

func textsOfASource(_ *testing.T, s suite) {
	for range 3 {
		s.text(home)
	}
	wait := time.Hour - 3*s.limits.ResendGap
	s.throttled(home, "x", rule.NumberTextsSourceHour, wait)
	s.exactly(wait, func(left time.Duration) { s.throttled(home, "x", rule.NumberTextsSourceHour, left) })
	s.text(home)
	s.text(home)
	wait = day - time.Hour - 2*s.limits.ResendGap
	s.throttled(home, "x", rule.NumberTextsSourceDay, wait)
	s.exactly(wait, func(left time.Duration) { s.throttled(home, "x", rule.NumberTextsSourceDay, left) })
	s.text(home)
	s.text(home) // the second of the day before was 30 s after the first
}

func textsOfAnHour(t *testing.T, s suite) {
	for i := range 6 {
		s.text(stranger(i))
	}
	wait := time.Hour - 6*s.limits.ResendGap
	s.throttled(home, "x", rule.NumberTextsHour, wait)
	require.Equal(t, map[rule.Name]time.Duration{rule.NumberTextsHour: wait}, s.state().Blocked)
	s.exactly(wait, func(left time.Duration) { s.throttled(home, "x", rule.NumberTextsHour, left) })
	s.text(home)
	s.text(listed(office)) // the second is an hour ago as well, the gap after the first
}

func textsOfADay(t *testing.T, s suite) {
	s.signIn(home, "first")
	for i := range 8 {
		s.clock.Advance(time.Hour)
		s.text(stranger(i))
	}
	wait := day - 8*time.Hour - 8*s.limits.ResendGap
	s.throttled(office, "x", rule.NumberTextsDay, wait)
	require.Equal(t, map[rule.Name]time.Duration{rule.NumberTextsDay: wait}, s.state().Blocked)
	s.text(home)
	s.text(listed(office))
	s.text(neighbour)
	wait -= 3 * s.limits.ResendGap
	s.throttled(home, "x", rule.NumberTextsDay, wait)
	require.Equal(t, 12, s.state().Texts)
	s.exactly(wait, func(left time.Duration) { s.throttled(home, "x", rule.NumberTextsDay, left) })
	s.text(home)
}

func textsOverMidnight(_ *testing.T, s suite) {
	midnight := s.clock.Now().UTC().Truncate(day).Add(day)
	s.clock.Advance(midnight.Sub(s.clock.Now()) - time.Minute)
	for range 3 {
		s.text(home)
	}
	s.clock.Advance(time.Hour)
	s.text(home)
	s.text(home)
	s.throttled(home, "x", rule.NumberTextsSourceDay, day-time.Hour-5*s.limits.ResendGap)
}

func textsApart(t *testing.T, s suite) {
	for range 3 {
		s.text(attack)
	}
	s.clock.Advance(time.Hour)
	s.text(attack)
	s.text(attack)
	for range 50 {
		_, err := s.openAs(attack, otp.Guard{}, "x")
		require.Error(t, err)
	}
	for range 3 {
		s.text(office)
	}
}

func quietIsFree(t *testing.T, s suite) {
	s.open(home, "a")
	for range 20 {
		require.False(t, s.open(home, "b").Send)
	}
	require.Equal(t, 1, s.state().Texts)
}

func unsentCounts(t *testing.T, s suite) {
	for i := range 3 {
		code := fmt.Sprint(i)
		require.True(t, s.open(home, code).Send)
		require.NoError(t, s.Release(t.Context(), slot.Number, "nonce-"+code))
		s.clock.Advance(s.limits.ResendGap)
	}
	s.throttled(home, "x", rule.NumberTextsSourceHour, time.Hour-3*s.limits.ResendGap)
}

// U1: whoever repeats a start is answered as if the text had gone out, whether it did or not: neither the
// answers nor when they end tell a number that gets no texts.
func unsentTellsNothing(t *testing.T, s suite) {
	told := func(number string, sent bool) (answers []string) {
		here := slot
		here.Number = number
		started := s.clock.Now()
		for i, after := range []time.Duration{0, 1, 2, 3, 4, 29, 31, 40, 62, 170, 185, 186, 290, 301, 330, 400, 3590, 3601} {
			s.clock.Advance(started.Add(after * time.Second).Sub(s.clock.Now()))
			nonce := fmt.Sprint("nonce-", number, i)
			opened, err := s.Open(t.Context(), here, home, otp.Guard{}, otp.Challenge{Nonce: nonce, Digest: nonce})
			answers = append(answers, fmt.Sprint(after, " ", opened.Left, " ", err))
			if err == nil && opened.Send && !sent {
				require.NoError(t, s.Release(t.Context(), number, nonce))
			}
		}
		return answers
	}
	require.Equal(t, told("delivered", true), told("withheld", false))
}

// A text that was never handed to anybody, whatever the number, costs the person nothing.
func withdrawnIsForgotten(t *testing.T, s suite) {
	for i := range 9 {
		code := fmt.Sprint(i)
		require.True(t, s.open(home, code).Send)
		require.NoError(t, s.Withdraw(t.Context(), slot.Number, "nonce-"+code))
	}
	require.Zero(t, s.state().Texts)
	s.open(home, "kept")
	require.NoError(t, s.Withdraw(t.Context(), slot.Number, "nonce-1"))
	require.Equal(t, 1, s.state().Texts, "that of another start stays")
}

// The end of the longest refusal is when the same start can succeed.
func longestWait(_ *testing.T, s suite) {
	for range 3 {
		s.text(home)
	}
	s.wrong(home, 5)
	s.throttled(home, "x", rule.NumberGuessesSource, day)
	s.clock.Advance(day)
	s.text(home)

	s.text(office)
	s.text(office)
	s.clock.Advance(time.Hour)
	for range 3 {
		s.text(office)
	}
	s.throttled(office, "x", rule.NumberTextsSourceDay, day-time.Hour-5*s.limits.ResendGap)
}

func recordedTexts(t *testing.T, s suite) {
	for i := range 3 {
		require.Empty(t, s.open(home, fmt.Sprint(i)).Noted)
		s.clock.Advance(time.Minute)
	}
	require.Equal(t, []rule.Name{rule.NumberTextsSourceHour}, s.open(home, "x").Noted)
	s.clock.Advance(time.Minute)
	s.open(home, "x2")
	s.clock.Advance(time.Minute)
	require.Equal(t, []rule.Name{rule.NumberTextsSourceHour, rule.NumberTextsSourceDay}, s.open(home, "x3").Noted)
	require.Equal(t, []rule.Name{rule.NumberTextsHour}, s.open(office, "x4").Noted)
	s.clock.Advance(time.Hour)
	for i := range 2 {
		s.text(stranger(i))
	}
	require.Equal(t, []rule.Name{rule.NumberTextsDay}, s.open(stranger(2), "y").Noted)
	require.Empty(t, s.open(listed(stranger(3)), "z").Noted)
	require.Empty(t, s.state().Blocked)
	require.Equal(t, 11, s.state().Texts)
}

func recordedGap(t *testing.T, s suite) {
	s.open(home, "a")
	again := s.open(home, "b")
	require.Equal(t, otp.Opened{Nonce: "nonce-a", Left: 300 * time.Second, Send: true, Noted: []rule.Name{rule.ResendGap}}, again)
	s.wrong(office, 5)
	s.wrong(attack, 5)
	dead := s.open(home, "c")
	require.Equal(t, otp.Opened{Nonce: "nonce-c", Left: 300 * time.Second, Send: true, Noted: []rule.Name{rule.ResendGap}}, dead)
}

func oneIsLeft(t *testing.T, s suite) {
	s.open(home, "first")
	s.clock.Advance(s.limits.ResendGap)
	s.throttled(office, "x", rule.NumberTextsDay, day-s.limits.ResendGap)
	s.text(listed(office))
	s.throttled(listed(stranger(7)), "y", rule.NumberTextsDay, day-2*s.limits.ResendGap)
	require.NoError(t, s.redeem(home, "first"))
	s.text(home) // whom the last one is for, whatever colleagues in the office do
}

func boundedTexts(t *testing.T, s suite) {
	for i := range 400 {
		require.True(t, s.open(stranger(i), fmt.Sprint(i)).Send)
	}
	require.Equal(t, s.limits.Kept(), s.state().Texts)
}
