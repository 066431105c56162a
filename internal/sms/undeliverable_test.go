package sms_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms"
)

func TestWhenANumberIsBlocked(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	refused := sms.Failure{Class: sms.NumberPermanent, Sync: true}
	news := sms.Failure{Class: sms.NumberPermanent}
	stop := sms.Failure{Class: sms.OptedOut}
	type hit struct {
		after time.Duration // the start
		f     sms.Failure
	}
	for _, tc := range []struct {
		name  string
		hits  []hit
		want  int
		until time.Duration // from the start; 0 is never
	}{
		{"refused once", []hit{{0, refused}}, 1, day},
		{"bad news once", []hit{{0, news}}, 1, 0},
		{"bad news twice", []hit{{0, news}, {time.Hour, news}}, 2, day + time.Hour},
		{"bad news twice in 7 days", []hit{{0, news}, {7 * day, news}}, 2, 8 * day},
		{"bad news twice in more than 7 days", []hit{{0, news}, {7*day + 1, news}}, 1, 0},
		{"replied STOP", []hit{{0, stop}}, 1, day},
		{"refused again", []hit{{0, refused}, {time.Hour, refused}}, 2, day + time.Hour},
		{"refused, then bad news of an earlier text", []hit{{0, refused}, {time.Minute, news}}, 2, day + time.Minute},
		{"bad news when it was tried again", []hit{{0, refused}, {2 * day, news}}, 2, 3 * day},
		{"bad news long after it was blocked", []hit{{0, refused}, {9 * day, news}}, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var u sms.Undeliverable
			for _, h := range tc.hits {
				u = u.After(h.f, start.Add(h.after))
			}
			last := tc.hits[len(tc.hits)-1]
			require.Equal(t, tc.want, u.Hits)
			require.Equal(t, last.f.Class, u.Class)
			require.Equal(t, start.Add(last.after), u.LastAt)
			if tc.until == 0 {
				require.Zero(t, u.Until)
				require.False(t, u.Blocked(u.LastAt))
				return
			}
			require.Equal(t, start.Add(tc.until), u.Until)
			require.True(t, u.Blocked(u.LastAt))
			require.True(t, u.Blocked(u.Until.Add(-1)))
			require.False(t, u.Blocked(u.Until))
		})
	}
}

func TestWhichClassesSpeakOfTheNumber(t *testing.T) {
	for _, c := range []sms.Class{
		"", sms.NumberTemporary, sms.RiskBlocked, sms.OurConfig, sms.Rate, sms.Provider, sms.UnknownOutcome, sms.Late, sms.Withheld,
	} {
		require.False(t, c.AboutNumber(), c)
	}
	require.True(t, sms.NumberPermanent.AboutNumber())
	require.True(t, sms.OptedOut.AboutNumber())
}
