package keyring_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
	"github.com/latchkey-id/latchkey/internal/outage"
)

// skew is how far clocks of replicas and of verifiers are from the true time.
const skew = 30 * time.Second

// world is several replicas over one record, for months: clocks that differ and jump, lines that break,
// answers that are lost, crashes, and operators. At each moment it holds what the package promises.
type world struct {
	t        *testing.T
	luck     *rand.Rand
	now      time.Time     // the true time
	drift    time.Duration // of the record's clock
	record   *keyringtest.Memory
	replicas []*replica
	names    int
	rules    keyring.Rules
	seen     map[string]*sighting // by kid
	tokens   int
	moved    map[keyring.State]int
}

// replica is one of them, as long as it has not crashed.
type replica struct {
	*keyring.Ring
	name    string
	offset  time.Duration
	longest time.Duration
	blind   bool // its wrapper fails
	away    bool // its line is down
	crashes int  // at which call from now; 0 for not
	lost    bool // the answer of that call is lost, and not the call
	synced  time.Time
}

// sighting is what the world knows of a key.
type sighting struct {
	published time.Time
	sudden    bool      // it signed at once: an algorithm's first, or after a revocation
	expires   time.Time // of its last token, by the slowest clock
	gone      time.Time // since when it is revoked
}

var errCrashed = errors.New("crashed")

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, luck: rand.New(rand.NewPCG(seed, 1)), now: noon, //nolint:gosec // a simulation
		seen: map[string]*sighting{}, moved: map[keyring.State]int{},
	}
	w.record = keyringtest.NewMemory(func() time.Time { return w.now.Add(w.drift) })
	w.rules = keyring.Rules{
		RotateEvery: w.between(4*day, 40*day), PublishBefore: w.between(time.Hour, 2*day), KeepAfter: w.between(time.Hour, day),
	}
	for range 2 + w.luck.IntN(3) {
		w.start()
	}
	return w
}

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.luck.Int64N(int64(b-a))).Truncate(time.Second)
}

func (w *world) chance(oneIn int) bool { return w.luck.IntN(oneIn) == 0 }

// start opens a replica, with settings and a clock of its own.
func (w *world) start() {
	w.names++
	r := &replica{name: fmt.Sprint("replica-", w.names), offset: w.between(-skew, skew), longest: w.between(time.Minute, day)}
	rules := w.rules
	rules.RotateEvery = w.between(w.rules.RotateEvery/2, w.rules.RotateEvery*2)
	rules.PublishBefore = w.between(w.rules.PublishBefore, w.rules.RotateEvery/2)
	line := &keyringtest.Line{Record: w.record}
	line.Before = func(context.Context, string) error {
		if r.away {
			return errDown
		}
		if r.crashes > 0 && !r.lost {
			if r.crashes--; r.crashes == 0 {
				return errCrashed
			}
		}
		return nil
	}
	line.After = func(context.Context, string) error {
		if r.crashes > 0 && r.lost {
			if r.crashes--; r.crashes == 0 {
				return errCrashed
			}
		}
		return nil
	}
	fails := func(context.Context, string) error {
		if r.blind {
			return errDown
		}
		return nil
	}
	options := keyringtest.Options(w.t, line, keyring.ES256, keyring.EdDSA)
	options.Rules, options.Longest, options.ID = rules, r.longest, r.name
	options.Wrappers.Primary = breakable{keyringtest.Wrapper(w.t, 1), fails}
	options.Now = func() time.Time { return w.now.Add(r.offset) }
	options.Log = slog.New(slog.DiscardHandler)
	var err error
	r.Ring, err = keyring.Open(w.t.Context(), options)
	require.NoError(w.t, err)
	w.replicas = append(w.replicas, r)
	w.step(r)
}

// step is what a replica does each second.
func (w *world) step(r *replica) {
	err := r.Sync(w.t.Context())
	if err == nil {
		r.synced = w.now
		w.look()
		err = r.Keep(w.t.Context())
	}
	w.look()
	if errors.Is(err, errCrashed) {
		w.replicas = slices.DeleteFunc(w.replicas, func(other *replica) bool { return other == r })
	}
}

// pass lets time go by, in which each replica that can polls as ever, and some of them only now and then.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, r := range slices.Clone(w.replicas) { // as in each second of d; what is due is done in those that follow
		if err := r.Sync(w.t.Context()); err == nil {
			r.synced = w.now
		}
	}
	w.look()
	for range 3 + w.luck.IntN(20) {
		w.now = w.now.Add(time.Second)
		for _, i := range w.luck.Perm(len(w.replicas)) {
			if i < len(w.replicas) && !w.chance(4) {
				w.step(w.replicas[i])
				w.sign()
			}
		}
	}
}

// sign has each replica sign what it can.
func (w *world) sign() {
	w.t.Helper()
	for _, r := range w.replicas {
		for _, algorithm := range []string{keyring.ES256, keyring.EdDSA} {
			if !w.chance(8) {
				continue
			}
			token, err := r.Sign(w.t.Context(), algorithm, "JWT", []byte("{}"))
			if err != nil {
				require.True(w.t, outage.Is(err), "%v", err)
				continue
			}
			w.signed(r, token)
		}
	}
}

func (w *world) signed(r *replica, token string) {
	w.t.Helper()
	w.tokens++
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	require.NoError(w.t, err)
	var said struct{ KID string }
	require.NoError(w.t, json.Unmarshal(header, &said))
	k := w.seen[said.KID]
	if k == nil {
		w.fail("%s signs with %s, which nobody has published", r.name, said.KID)
	}
	// Two clocks that each may be five minutes off are in this.
	if published := w.now.Sub(k.published); !k.sudden && published < w.rules.PublishBefore-10*time.Minute-2*skew {
		w.fail("%s signs with %s, published for only %s", r.name, said.KID, published)
	}
	k.expires = latest(k.expires, w.now.Add(r.offset).Add(r.longest).Add(skew))
	if !k.gone.IsZero() {
		return // r has not heard of that yet
	}
	for _, other := range w.replicas {
		_, err := other.Verify(token, "JWT")
		if err != nil && w.live(other) && (!k.sudden || other.synced.After(k.published)) {
			w.fail("%s refuses what %s has signed", other.name, r.name)
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// live reports whether a replica is one that a balancer sends requests to.
func (w *world) live(r *replica) bool { return r.Ready() == nil }

// look notes what has become of keys, and holds what is true of them at each moment.
func (w *world) look() {
	w.t.Helper()
	current, next := map[string]int{}, map[string]int{}
	for _, k := range w.record.Keys() {
		s := w.seen[k.KID]
		if s == nil {
			s = &sighting{published: w.now, sudden: k.State == keyring.Current}
			w.seen[k.KID] = s
		}
		switch k.State {
		case keyring.Current:
			current[k.Algorithm]++
		case keyring.Next:
			next[k.Algorithm]++
		case keyring.Revoked:
			if s.gone.IsZero() {
				s.gone = w.now
			}
		}
	}
	for _, algorithm := range []string{keyring.ES256, keyring.EdDSA} {
		if len(w.replicas) > 0 && (current[algorithm] != 1 || next[algorithm] > 1) {
			w.fail("%s has %d current and %d next keys", algorithm, current[algorithm], next[algorithm])
		}
	}
	for _, r := range w.replicas {
		jwks := string(r.JWKS().Body)
		for kid, s := range w.seen {
			switch {
			case !s.gone.IsZero():
				if r.synced.After(s.gone) && strings.Contains(jwks, kid) {
					w.fail("%s publishes %s, which is revoked", r.name, kid)
				}
			case w.now.After(s.expires):
			case w.live(r) && (!s.sudden || r.synced.After(s.published)) && !strings.Contains(jwks, kid):
				w.fail("%s does not publish %s, whose tokens live for another %s", r.name, kid, s.expires.Sub(w.now))
			}
		}
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, k := range w.record.Keys() {
		w.t.Logf("%s %s %s longest %s published %s activated %s stopped %s ended %s", k.KID, k.Algorithm, k.State, k.Longest,
			k.PublishedAt.Format(time.DateTime), k.ActivatedAt.Format(time.DateTime), k.StoppedAt.Format(time.DateTime), k.EndedAt.Format(time.DateTime))
	}
	w.t.Fatalf("%s (the record is %s off): %s", w.now.Format(time.DateTime), w.drift, fmt.Sprintf(format, args...))
}

// happen is something that happens.
func (w *world) happen() {
	if len(w.replicas) == 0 {
		w.start()
	}
	r := w.replicas[w.luck.IntN(len(w.replicas))]
	switch w.luck.IntN(12) {
	case 0:
		r.crashes, r.lost = 1+w.luck.IntN(6), w.chance(2)
	case 1:
		if len(w.replicas) < 5 {
			w.start()
		}
	case 2:
		r.away = !r.away
	case 3:
		r.blind = !r.blind && !r.away
	case 4: // a small step of the record's clock
		w.drift = w.between(-4*time.Minute, 4*time.Minute)
	case 5: // a large one, which is set right in time
		w.drift = w.between(-3*day, 3*day)
		w.pass(w.between(0, time.Hour))
		w.drift = w.between(-time.Minute, time.Minute)
	case 6:
		if w.chance(8) {
			w.revoke()
		}
	case 7: // everybody's line and wrapper are mended
		for _, r := range w.replicas {
			r.away, r.blind = false, false
		}
	}
}

// revoke withdraws a published key or two, as an operator does.
func (w *world) revoke() {
	snapshot, err := w.record.KeySet(w.t.Context())
	require.NoError(w.t, err)
	var kids []string
	for _, k := range snapshot.Published() {
		if w.chance(3) {
			kids = append(kids, k.KID)
		}
	}
	office := &keyring.Office{Store: w.record, Wrappers: keyring.Wrappers{Primary: keyringtest.Wrapper(w.t, 1)}, Longest: time.Hour}
	p := keyring.PlanRevoke(snapshot, kids)
	for _, m := range p.Moves {
		if m.To == keyring.Current {
			w.seen[m.Key.KID].sudden = true
		}
	}
	_, err = office.Apply(w.t.Context(), p, operator)
	require.NoError(w.t, err)
	w.look()
}

func TestMonthsOfRotations(t *testing.T) {
	worlds := 6
	if testing.Short() {
		worlds = 2
	}
	rotated, revoked, retired := 0, 0, 0
	for seed := range worlds {
		w := newWorld(t, uint64(seed))
		t.Logf("world %d: %+v", seed, w.rules)
		end := w.now.Add(4 * w.rules.RotateEvery)
		for w.now.Before(end) {
			w.happen()
			w.pass(w.between(0, []time.Duration{time.Minute, time.Hour, 10 * time.Hour, w.rules.RotateEvery / 4}[w.luck.IntN(4)]))
		}
		for _, r := range w.replicas { // when all is well again, nothing is left undone
			r.away, r.blind, r.crashes = false, false, 0
		}
		if len(w.replicas) == 0 {
			w.start()
		}
		w.drift = 0
		for range 5 {
			w.pass(time.Minute)
		}
		snapshot, err := w.record.KeySet(t.Context())
		require.NoError(t, err)
		for _, r := range w.replicas {
			require.NoError(t, r.Ready())
			require.Equal(t, snapshot.Revision, r.JWKS().Revision)
		}
		for _, step := range w.rules.Due(snapshot.Keys, w.now.Add(-w.rules.PublishBefore)) {
			require.NotEqual(t, keyring.Retire, step.Action, "overdue: %+v", step)
		}
		for _, k := range w.record.Keys() {
			switch k.State {
			case keyring.Previous:
				rotated++
			case keyring.Retired:
				retired++
			case keyring.Revoked:
				revoked++
			}
		}
		require.Greater(t, w.tokens, 100)
	}
	t.Logf("%d rotated, %d retired, %d revoked", rotated, retired, revoked)
	require.Greater(t, retired, worlds)
	require.Positive(t, revoked)
}
