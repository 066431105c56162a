package limit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
)

const minute = int64(60_000)

func TestAMeterReads(t *testing.T) {
	const now = 100 * minute
	window := limit.Window{Length: time.Hour, Limit: 3, Third: 1, Enforced: true}
	short := limit.Window{Length: 10 * time.Minute, Limit: 2}
	for name, tc := range map[string]struct {
		renew   bool
		stamps  []int64
		present int64
		want    limit.Reading
	}{
		"nothing yet": {want: limit.Reading{Stamp: now, Waits: []limit.Wait{{}, {}}}},
		"beyond a third": {
			stamps: []int64{80 * minute},
			want:   limit.Reading{Stamp: now, Waits: []limit.Wait{{Third: 40 * time.Minute}, {}}},
		},
		"short window full": {
			stamps: []int64{95 * minute, 96 * minute},
			want:   limit.Reading{Stamp: now, Waits: []limit.Wait{{Third: 56 * time.Minute}, {Full: 5 * time.Minute}}},
		},
		"short window free at the very moment": {
			stamps: []int64{90 * minute, 96 * minute},
			want:   limit.Reading{Stamp: now, Waits: []limit.Wait{{Third: 56 * time.Minute}, {}}},
		},
		"long window full, the limit lowered meanwhile": {
			stamps: []int64{50 * minute, 60 * minute, 70 * minute, 80 * minute},
			want:   limit.Reading{Stamp: now, Waits: []limit.Wait{{Full: 20 * time.Minute, Third: 40 * time.Minute}, {}}},
		},
		"no room": {
			stamps: []int64{50 * minute, 51 * minute, 52 * minute, 53 * minute, 54 * minute},
			want:   limit.Reading{Waits: []limit.Wait{{Full: 12 * time.Minute, Third: 14 * time.Minute}, {}}},
		},
		"there already": {
			stamps: []int64{97 * minute, 98 * minute, 99 * minute}, present: 97 * minute,
			want: limit.Reading{Stamp: 97 * minute, Waits: []limit.Wait{{}, {}}},
		},
		"there already, renewed": {
			renew: true, stamps: []int64{97 * minute, 98 * minute, 99 * minute}, present: 97 * minute,
			want: limit.Reading{Stamp: now, Previous: 97 * minute, Waits: []limit.Wait{{}, {}}},
		},
		"renewed at the same time": {
			renew: true, stamps: []int64{now}, present: now,
			want: limit.Reading{Stamp: now + 1, Previous: now, Waits: []limit.Wait{{}, {}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := limit.Meter{Renew: tc.renew, Keep: time.Hour, Room: 5, Windows: []limit.Window{window, short}}
			require.Equal(t, tc.want, m.Read(tc.stamps, tc.present, now))
		})
	}
}

func TestOnlyEnforcedWindowsRefuse(t *testing.T) {
	for name, tc := range map[string]struct {
		enforced bool
		wait     limit.Wait
		want     bool
	}{
		"room":                 {true, limit.Wait{}, true},
		"only a third is full": {true, limit.Wait{Third: 1}, true},
		"full":                 {true, limit.Wait{Full: 1}, false},
		"full, recorded":       {false, limit.Wait{Full: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			meters := []limit.Meter{{Windows: []limit.Window{{Enforced: true}}}, {Windows: []limit.Window{{}, {Enforced: tc.enforced}}}}
			readings := []limit.Reading{{Waits: make([]limit.Wait, 1)}, {Waits: []limit.Wait{{}, tc.wait}}}
			require.Equal(t, tc.want, limit.Admits(meters, readings))
		})
	}
}

func TestTheCountOfAll(t *testing.T) {
	all := limit.All{Now: 100*minute + 15_000, Minutes: map[int64]int{39: 1000, 40: 10, 70: 20, 100: 5}}
	require.Equal(t, 35, all.Total(), "that of minute 39 is an hour old in any case")
	for most, want := range map[int]time.Duration{
		100: 0, 36: 0,
		35: 45 * time.Second,
		26: 45 * time.Second,
		25: 30*time.Minute + 45*time.Second,
		6:  30*time.Minute + 45*time.Second,
		5:  60*time.Minute + 45*time.Second,
	} {
		require.Equal(t, want, all.Until(most), most)
	}
	require.Zero(t, limit.All{}.Until(1))
}
