package keyring_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

const day = 24 * time.Hour

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// monthly are the product's own rules.
	monthly = keyring.Rules{RotateEvery: 30 * day, PublishBefore: day, KeepAfter: time.Hour}
)

func TestOutlook(t *testing.T) {
	current := keyring.Key{KID: "c", Algorithm: keyring.ES256, State: keyring.Current, Longest: 2 * time.Hour, PublishedAt: noon, ActivatedAt: noon}
	next := func(published time.Time) keyring.Key {
		return keyring.Key{KID: "n", Algorithm: keyring.ES256, State: keyring.Next, PublishedAt: published}
	}
	previous := keyring.Key{KID: "p", Algorithm: keyring.ES256, State: keyring.Previous, Longest: 2 * time.Hour, StoppedAt: noon}
	step := func(action keyring.Action, kid string, after time.Duration) keyring.Step {
		return keyring.Step{Action: action, Algorithm: keyring.ES256, KID: kid, At: noon.Add(after)}
	}
	byHand := keyring.Rules{PublishBefore: day, KeepAfter: time.Hour}
	for name, tc := range map[string]struct {
		rules keyring.Rules
		keys  []keyring.Key
		want  []keyring.Step
	}{
		"no keys":                     {rules: monthly},
		"a next one is made early":    {monthly, []keyring.Key{current}, []keyring.Step{step(keyring.Stage, "", time.Hour)}},
		"also if rotated by hand":     {byHand, []keyring.Key{current}, []keyring.Step{step(keyring.Stage, "", time.Hour)}},
		"and never rotates by itself": {byHand, []keyring.Key{current, next(noon)}, nil},
		"it rotates after a month":    {monthly, []keyring.Key{current, next(noon)}, []keyring.Step{step(keyring.Rotate, "n", 30*day)}},
		"on the last day":             {monthly, []keyring.Key{current, next(noon.Add(29 * day))}, []keyring.Step{step(keyring.Rotate, "n", 30*day)}},
		"a late one signs later":      {monthly, []keyring.Key{current, next(noon.Add(29*day + 1))}, []keyring.Step{step(keyring.Rotate, "n", 30*day+1)}},
		"a next one alone":            {monthly, []keyring.Key{next(noon)}, nil},
		"a previous one":              {monthly, []keyring.Key{previous}, []keyring.Step{step(keyring.Retire, "p", 3*time.Hour)}},
		"what is gone has no outlook": {monthly, []keyring.Key{{State: keyring.Retired, StoppedAt: noon}, {State: keyring.Revoked, StoppedAt: noon}}, nil},
		"the soonest first":           {monthly, []keyring.Key{current, next(noon), previous}, []keyring.Step{step(keyring.Retire, "p", 3*time.Hour), step(keyring.Rotate, "n", 30*day)}},
		"published for as long as it signs": {keyring.Rules{RotateEvery: day, PublishBefore: day}, []keyring.Key{current},
			[]keyring.Step{step(keyring.Stage, "", 0)}},
		"a little shorter": {keyring.Rules{RotateEvery: day, PublishBefore: day - time.Minute}, []keyring.Key{current},
			[]keyring.Step{step(keyring.Stage, "", time.Minute)}},
		"in seconds": {keyring.Rules{RotateEvery: 10 * time.Second, PublishBefore: 10 * time.Second}, []keyring.Key{current, next(noon)},
			[]keyring.Step{step(keyring.Rotate, "n", 10*time.Second)}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.rules.Outlook(tc.keys))
			for _, s := range tc.want {
				require.NotContains(t, tc.rules.Due(tc.keys, s.At.Add(-1)), s)
				require.Contains(t, tc.rules.Due(tc.keys, s.At), s)
			}
		})
	}
}

func TestAlgorithmsHaveSchedulesOfTheirOwn(t *testing.T) {
	keys := []keyring.Key{
		{KID: "a", Algorithm: keyring.ES256, State: keyring.Current, ActivatedAt: noon},
		{KID: "b", Algorithm: keyring.EdDSA, State: keyring.Next, PublishedAt: noon},
		{KID: "c", Algorithm: keyring.RS256, State: keyring.Current, ActivatedAt: noon.Add(-day)},
		{KID: "d", Algorithm: keyring.RS256, State: keyring.Next, PublishedAt: noon.Add(-day)},
	}
	require.Equal(t, []keyring.Step{
		{Action: keyring.Stage, Algorithm: keyring.ES256, At: noon.Add(time.Hour)},
		{Action: keyring.Rotate, Algorithm: keyring.RS256, KID: "d", At: noon.Add(29 * day)},
	}, monthly.Outlook(keys))
}

func TestWhenAKeyRotates(t *testing.T) {
	current := keyring.Key{State: keyring.Current, ActivatedAt: noon}
	require.Equal(t, noon.Add(30*day), monthly.RotatesAt(current, nil), "the next one will be there")
	require.Equal(t, noon.Add(day), keyring.Rules{RotateEvery: day, PublishBefore: day}.RotatesAt(current, nil))
	require.True(t, keyring.Rules{PublishBefore: day}.RotatesAt(current, nil).IsZero())
	require.Equal(t, noon.Add(day), monthly.MaySignAt(keyring.Key{PublishedAt: noon}))
}

func TestTokensUntil(t *testing.T) {
	at := noon.Add(time.Hour)
	for name, tc := range map[string]struct {
		key  keyring.Key
		want time.Time
	}{
		"next":             {keyring.Key{State: keyring.Next, Longest: time.Hour}, time.Time{}},
		"current":          {keyring.Key{State: keyring.Current, Longest: time.Hour}, at.Add(time.Hour)},
		"previous":         {keyring.Key{State: keyring.Previous, Longest: time.Hour, StoppedAt: noon}, noon.Add(time.Hour)},
		"retired":          {keyring.Key{State: keyring.Retired, Longest: time.Hour, StoppedAt: noon}, noon.Add(time.Hour)},
		"never signed":     {keyring.Key{State: keyring.Retired, Longest: time.Hour}, time.Time{}},
		"revoked, current": {keyring.Key{State: keyring.Revoked, Longest: time.Hour, StoppedAt: noon}, noon.Add(time.Hour)},
	} {
		require.Equal(t, tc.want, tc.key.TokensUntil(at), name)
	}
}

// Caches hold the JWKS for much less time than a key is in it before it signs.
func TestCachesHoldTheJWKSForLess(t *testing.T) {
	for publish, want := range map[time.Duration]time.Duration{
		day: 5 * time.Minute, time.Hour: 5 * time.Minute, 30 * time.Minute: 150 * time.Second, time.Minute: 5 * time.Second,
		13 * time.Second: time.Second, time.Second: time.Second,
	} {
		require.Equal(t, want, keyring.Rules{PublishBefore: publish}.JWKSMaxAge(), publish)
	}
}

// The answer is a function of the arguments: of their values, and neither of their order nor of the time of asking.
func TestTheScheduleIsPure(t *testing.T) {
	luck := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // keys of a test
	states := []keyring.State{keyring.Next, keyring.Current, keyring.Previous, keyring.Retired, keyring.Revoked}
	at := func() time.Time { return noon.Add(time.Duration(luck.Int64N(int64(100 * day)))) }
	for range 500 {
		rules := keyring.Rules{
			RotateEvery: time.Duration(luck.Int64N(int64(60 * day))), PublishBefore: time.Duration(luck.Int64N(int64(2 * day))),
			KeepAfter: time.Duration(luck.Int64N(int64(2 * day))),
		}
		var keys []keyring.Key
		for _, algorithm := range all {
			for _, state := range states {
				if luck.IntN(3) > 0 {
					keys = append(keys, keyring.Key{
						KID: algorithm + string(state), Algorithm: algorithm, State: state, Longest: time.Duration(luck.Int64N(int64(day))),
						PublishedAt: at(), ActivatedAt: at(), StoppedAt: at(),
					})
				}
			}
		}
		before := slices.Clone(keys)
		outlook := rules.Outlook(keys)
		require.Equal(t, before, keys)
		require.True(t, slices.IsSortedFunc(outlook, func(a, b keyring.Step) int { return a.At.Compare(b.At) }))
		luck.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		require.ElementsMatch(t, outlook, rules.Outlook(keys))
		now := at()
		for _, s := range outlook {
			require.Equal(t, !s.At.After(now), slices.Contains(rules.Due(keys, now), s))
			if s.Action == keyring.Rotate {
				i := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.KID == s.KID })
				require.False(t, s.At.Before(rules.MaySignAt(keys[i])), "published long enough")
			}
		}
	}
}
