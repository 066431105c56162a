package verifier_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/verifier"
)

const day = 24 * time.Hour

// habit is a verifier that lacks revision 7. It fetched so many times, the last time a while ago.
func habit(fetches int64, every, ago time.Duration) verifier.Verifier {
	last := start.Add(-ago)
	first := last
	if fetches > 1 {
		first = last.Add(-every * time.Duration(fetches-1))
	}
	return verifier.Verifier{Name: "orders", Source: "192.0.2.1", FirstAt: first, LastAt: last, Fetches: fetches, Revision: 6}
}

func TestInterval(t *testing.T) {
	for name, tc := range map[string]struct {
		v    verifier.Verifier
		want time.Duration
	}{
		"none":             {verifier.Verifier{}, 0},
		"four":             {habit(4, time.Minute, 0), 0},
		"five":             {habit(5, time.Minute, 0), time.Minute},
		"many":             {habit(1001, 90*time.Second, day), 90 * time.Second},
		"all at once":      {habit(50, 0, 0), 0},
		"more than a day":  {habit(5, 3*day, 0), 3 * day},
		"backwards":        {verifier.Verifier{FirstAt: start, LastAt: start.Add(-time.Hour), Fetches: 9}, 0},
		"no first":         {verifier.Verifier{LastAt: start, Fetches: math.MaxInt64}, 0},
		"no last":          {verifier.Verifier{FirstAt: start, Fetches: 9}, 0},
		"negative fetches": {verifier.Verifier{FirstAt: start.Add(-time.Hour), LastAt: start, Fetches: -9}, 0},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, tc.v.Interval()) })
	}
}

// standings are judged at start. The key's revision is 7.
var standings = map[string]struct {
	v         verifier.Verifier
	published time.Duration // ago
	window    time.Duration
	want      verifier.Standing
}{
	// Those that have it.
	"fetched the set with it":             {verifier.Verifier{FirstAt: start, LastAt: start, Fetches: 1, Revision: 7}, time.Hour, 7 * day, verifier.Has},
	"fetched a later set":                 {verifier.Verifier{FirstAt: start, LastAt: start, Fetches: 1, Revision: 9}, time.Hour, 7 * day, verifier.Has},
	"has it, and was not seen since":      {verifier.Verifier{FirstAt: start.Add(-60 * day), LastAt: start.Add(-60 * day), Fetches: 1, Revision: 7}, 61 * day, 7 * day, verifier.Has},
	"has it, whatever the clocks say":     {verifier.Verifier{FirstAt: start.Add(day), LastAt: start.Add(-day), Revision: 7}, 0, 0, verifier.Has},
	"has it, of zero times":               {verifier.Verifier{Revision: 7}, 0, 0, verifier.Has},
	"lacks it although it fetched since":  {habit(1, 0, time.Minute), time.Hour, 7 * day, verifier.Lacks},
	"fetched at its start and never more": {habit(1, 0, 6*day), time.Hour, 7 * day, verifier.Lacks},
	"the same at the end of the window":   {habit(1, 0, 7*day), time.Hour, 7 * day, verifier.Lacks},
	"the same after the window":           {habit(1, 0, 7*day+time.Microsecond), time.Hour, 7 * day, verifier.Quiet},
	"the same without a window":           {habit(1, 0, 700*day), time.Hour, 0, verifier.Lacks},
	"four fetches are no habit":           {habit(4, 10*time.Minute, time.Minute), time.Minute, 7 * day, verifier.Lacks},

	// A habit that goes on.
	"every ten minutes, published just now":      {habit(50, 10*time.Minute, 9*time.Minute), 0, 7 * day, verifier.Soon},
	"two intervals ago":                          {habit(50, 10*time.Minute, 9*time.Minute), 20*time.Minute + 15*time.Second, 7 * day, verifier.Soon},
	"longer ago: something is wrong":             {habit(50, 10*time.Minute, 9*time.Minute), 20*time.Minute + 16*time.Second, 7 * day, verifier.Lacks},
	"published in the future":                    {habit(50, 10*time.Minute, 9*time.Minute), -time.Second, 7 * day, verifier.Lacks},
	"every day":                                  {habit(12, day, 20*time.Hour), 40 * time.Hour, 7 * day, verifier.Soon},
	"every day and a bit":                        {habit(12, day+time.Second, 20*time.Hour), 40 * time.Hour, 7 * day, verifier.Lacks},
	"young, every hour":                          {habit(5, time.Hour, 30*time.Minute), 30 * time.Minute, 7 * day, verifier.Soon},
	"every second, as in a rehearsal":            {habit(5, time.Second, 4*time.Second), 3 * time.Second, time.Hour, verifier.Soon},
	"every second, and should have it":           {habit(5, time.Second, time.Second), 18 * time.Second, time.Hour, verifier.Lacks},
	"it goes on by habit, silent for a few":      {habit(50, 10*time.Minute, 45*time.Minute), time.Minute, 7 * day, verifier.Soon},
	"without proof that silence is too long":     {habit(5, 10*time.Minute, 21*time.Minute), time.Minute, 7 * day, verifier.Lacks},
	"a first day's restarts, all some hours ago": {habit(5, time.Hour, 9*time.Hour), time.Minute, 7 * day, verifier.Lacks},

	// A burst at a start is none.
	"five within two seconds, a minute ago": {habit(5, 500*time.Millisecond, time.Minute), time.Second, 7 * day, verifier.Lacks},
	"the same, two days ago":                {habit(5, 500*time.Millisecond, 2*day), time.Hour, 7 * day, verifier.Lacks},
	"a thousand within one moment":          {habit(1000, 0, 2*day), time.Hour, 7 * day, verifier.Lacks},
	"a rolling deploy of many replicas":     {habit(60, 50*time.Second, 2*day), time.Hour, 7 * day, verifier.Lacks},
	"eleven starts":                         {habit(11, 2*time.Hour, 2*day), time.Hour, 7 * day, verifier.Lacks},

	// A habit that was dropped.
	"a pod that was replaced":                {habit(50, 10*time.Minute, time.Hour+time.Second), 30 * time.Minute, 7 * day, verifier.Quiet},
	"the same, an hour after its last":       {habit(50, 10*time.Minute, time.Hour), 30 * time.Minute, 7 * day, verifier.Lacks},
	"just proven":                            {habit(13, 5*time.Minute, 2*time.Hour), time.Hour, 7 * day, verifier.Quiet},
	"not quite an hour long":                 {habit(13, 5*time.Minute-time.Second, 2*time.Hour), time.Hour, 7 * day, verifier.Lacks},
	"hourly, four intervals ago":             {habit(12, time.Hour, 4*time.Hour), 3 * time.Hour, 7 * day, verifier.Lacks},
	"hourly, five intervals ago":             {habit(12, time.Hour, 5*time.Hour), 3 * time.Hour, 7 * day, verifier.Lacks},
	"hourly, longer ago":                     {habit(12, time.Hour, 5*time.Hour+time.Second), 3 * time.Hour, 7 * day, verifier.Quiet},
	"it was gone before the key came":        {habit(12, time.Hour, 9*time.Hour), time.Minute, 7 * day, verifier.Quiet},
	"fewer than once a day is never dropped": {habit(12, 25*time.Hour, 6*day), time.Hour, 7 * day, verifier.Lacks},

	// What no clock can have told.
	"zero":                        {verifier.Verifier{}, time.Hour, 7 * day, verifier.Lacks},
	"zero, no window":             {verifier.Verifier{}, 0, 0, verifier.Lacks},
	"last seen in the future":     {habit(50, 10*time.Minute, -time.Second), time.Minute, 7 * day, verifier.Lacks},
	"first seen after the last":   {verifier.Verifier{FirstAt: start.Add(-time.Hour), LastAt: start.Add(-60 * day), Fetches: 50, Revision: 6}, time.Minute, 7 * day, verifier.Lacks},
	"no first":                    {verifier.Verifier{LastAt: start.Add(-time.Hour), Fetches: 50, Revision: 6}, time.Minute, 7 * day, verifier.Lacks},
	"a negative window":           {habit(1, 0, day), time.Minute, -time.Hour, verifier.Lacks},
	"an interval below the clock": {verifier.Verifier{FirstAt: start.Add(-2), LastAt: start.Add(-1), Fetches: math.MaxInt64}, time.Minute, 7 * day, verifier.Lacks},
}

func TestStanding(t *testing.T) {
	for name, tc := range standings {
		t.Run(name, func(t *testing.T) {
			got := tc.v.Standing(7, start.Add(-tc.published), start, tc.window)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.want == verifier.Soon || tc.want == verifier.Lacks, got.Blocks())
		})
	}
}

// Nobody has a key of which it is not known when it came.
func TestStandingTowardsAnUnknownRevision(t *testing.T) {
	v := habit(1, 0, time.Minute)
	for _, revision := range []int64{0, -1, math.MinInt64} {
		require.Equal(t, verifier.Lacks, v.Standing(revision, start, start, day))
		v.Revision = revision
		require.Equal(t, verifier.Lacks, v.Standing(revision, start, start, day))
	}
}

func TestStandingOfZeroTimes(t *testing.T) {
	v := habit(50, time.Minute, time.Minute)
	require.Equal(t, verifier.Lacks, v.Standing(7, time.Time{}, start, day), "published at no time")
	require.Equal(t, verifier.Lacks, v.Standing(7, start, time.Time{}, day), "judged at no time")
	require.Equal(t, verifier.Lacks, v.Standing(7, time.Time{}, time.Time{}, 0))
}

// The life of a service that fetches every ten minutes, through a rotation and to its end.
func TestStandingOverTime(t *testing.T) {
	v := habit(50, 10*time.Minute, 0)
	published := start.Add(time.Minute)
	at := func(d time.Duration) verifier.Standing { return v.Standing(7, published, start.Add(d), 7*day) }
	require.Equal(t, verifier.Soon, at(2*time.Minute))
	require.Equal(t, verifier.Soon, at(20*time.Minute), "one fetch went wrong")
	require.Equal(t, verifier.Lacks, at(22*time.Minute))
	require.Equal(t, verifier.Lacks, at(60*time.Minute))
	require.Equal(t, verifier.Quiet, at(61*time.Minute))
	require.Equal(t, verifier.Quiet, at(30*day))
	v.LastAt, v.Fetches, v.Revision = start.Add(62*time.Minute), 51, 7
	require.Equal(t, verifier.Has, at(62*time.Minute))
	require.False(t, verifier.Has.Blocks() || verifier.Quiet.Blocks() || verifier.Standing("").Blocks())
}
