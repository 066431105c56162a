package session_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
)

// world is the record of one session, and the clock. It keeps what Judge says as the store does.
type world struct {
	t     *testing.T
	rules session.Rules
	of    session.Session
	now   time.Time
}

func newWorld(t *testing.T, rules session.Rules) *world {
	w := &world{t: t, rules: rules, now: noon}
	w.of = session.Session{
		ClientID: "app", Scope: scope.Parse("offline_access"), AuthTime: noon, LastUsedAt: noon, Family: session.Family{RotatedAt: noon},
	}
	w.of.ExpiresAt = rules.ExpiresAt(w.of, noon, time.Minute)
	return w
}

// use presents a token and returns the answer's; false means that there was none.
func (w *world) use(generation int64) (int64, bool) {
	said := w.rules.Judge(w.of, session.Presented{Generation: generation, ClientID: "app", At: w.now})
	switch said.Verdict {
	case session.Refuse:
		return 0, false
	case session.End:
		w.of.RevokedAt, w.of.RevokedReason = w.now, said.Reason
		return 0, false
	case session.Rotate, session.RepeatLate:
		w.of.Family, w.of.LastUsedAt = said.Family, w.now
		w.of.ExpiresAt = w.rules.ExpiresAt(w.of, w.now, time.Minute)
	}
	w.oneBranch()
	return said.Family.Generation, true
}

// oneBranch looks at what each token that was ever handed out would lead to by now: the newest to
// its successor, the one before it to the newest, and any other to the end.
func (w *world) oneBranch() {
	w.t.Helper()
	newest := w.of.Generation
	for token := max(0, newest-60); token <= newest; token++ {
		said := w.rules.Judge(w.of, session.Presented{Generation: token, ClientID: "app", At: w.now})
		good := false
		switch token {
		case newest:
			good = said.Verdict == session.Rotate && said.Family.Generation == newest+1
		case newest - 1:
			good = said.Verdict == session.End || said.Family.Generation == newest
		default:
			good = said == session.Judgement{Verdict: session.End, Reason: session.Replayed}
		}
		if !good {
			w.t.Fatalf("token %d of %d leads to %+v", token, newest, said)
		}
	}
}

// phone is the honest holder: it has one token, and sends it again until it gets an answer.
type phone struct {
	token int64
	lost  float64 // the share of requests, and of answers, that the line loses
	luck  *rand.Rand
}

// refresh tries as phones do, a little longer apart each time; false means that it was logged out.
func (p *phone) refresh(w *world) bool {
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		if p.luck.Float64() >= p.lost { // the request gets through
			token, ok := w.use(p.token)
			if !ok {
				return false
			}
			if p.luck.Float64() >= p.lost {
				p.token = token
				return true
			}
		}
		w.now = w.now.Add(pause + time.Duration(p.luck.Int64N(int64(time.Second))))
	}
}

func (p *phone) between(low, high time.Duration) time.Duration {
	return low + time.Duration(p.luck.Int64N(int64(high-low)))
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) } //nolint:gosec // the same every time

// Nobody else has a token, so nothing that a bad line does may look like theft.
func TestAPhoneOnALossyLineStaysSignedIn(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, session.Rules{Idle: 30 * day, RepeatWindow: 30 * time.Second, LateRepeats: 3})
		p := &phone{lost: 0.3, luck: seeded(seed)}
		for refreshes := range int64(2000) {
			w.now = w.now.Add(p.between(time.Second, 6*time.Hour))
			require.True(t, p.refresh(w), "seed %d, refresh %d: %s", seed, refreshes, w.of.RevokedReason)
			require.Equal(t, refreshes+1, p.token, "each refresh is one generation, however often it was sent")
			require.Equal(t, p.token, w.of.Generation)
		}
	}
}

// A phone that loses the network between the request and the answer asks again when it is back,
// hours later. That it does so is counted, and forgotten when the next refresh goes well.
func TestAPhoneThatIsLateNowAndThenStaysSignedIn(t *testing.T) {
	w := newWorld(t, rules)
	p := &phone{luck: seeded(1)}
	for refresh := range 300 {
		w.now = w.now.Add(time.Hour)
		if refresh%3 != 0 { // two running, then one that goes well
			_, ok := w.use(p.token)
			require.True(t, ok)
			w.now = w.now.Add(5 * time.Hour)
		}
		require.True(t, p.refresh(w), "refresh %d: %s", refresh, w.of.RevokedReason)
	}
}

// thief holds a copy of the phone's token and goes about it in some way.
type thief struct {
	// before and after are when it uses a token, as seen from the phone's refresh; zero is never.
	before, after func(luck *rand.Rand) time.Duration
	// keeps is for a thief who uses the stolen token again and again, not what it got for it.
	keeps bool
	// greedy is for one who uses what it got at once, so many times.
	greedy int
	// within is the number of generations after the theft by which the session has ended.
	within int64
}

func after(d time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return d }
}

func between(low, high time.Duration) func(*rand.Rand) time.Duration {
	return func(luck *rand.Rand) time.Duration { return low + time.Duration(luck.Int64N(int64(high-low))) }
}

// The phone refreshes every half hour. A thief who goes on using what was stolen is found out
// soon, whoever of the two comes first, and neither holds a token that works from then on.
func TestAThiefIsFoundOut(t *testing.T) {
	for name, who := range map[string]thief{
		"always first":                      {before: after(5 * time.Minute), within: 3},
		"always first, by a minute":         {before: after(time.Minute), within: 3},
		"always second":                     {after: after(time.Minute), within: 3},
		"always late, just so":              {after: after(31 * time.Second), within: 3},
		"always late, as late as it can":    {after: after(29 * time.Minute), within: 3},
		"at any time, before":               {before: between(0, 29*time.Minute), within: 10},
		"at any time, after":                {after: between(0, 29*time.Minute), within: 10},
		"before and after":                  {before: after(10 * time.Minute), after: after(10 * time.Minute), within: 3},
		"at any time, before and after":     {before: between(0, 14*time.Minute), after: between(0, 14*time.Minute), within: 3},
		"the stolen token for ever":         {after: after(10 * time.Minute), keeps: true, within: 2},
		"the stolen token for ever, early":  {before: after(10 * time.Minute), keeps: true, within: 2},
		"faster than the phone":             {before: after(10 * time.Minute), greedy: 2, within: 3},
		"much faster than the phone":        {before: after(20 * time.Minute), greedy: 20, within: 21},
		"faster than the phone, afterwards": {after: after(10 * time.Minute), greedy: 3, within: 4},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				for _, lost := range []float64{0, 0.3} {
					generations := who.rob(t, seed, lost)
					require.LessOrEqual(t, generations, who.within, "seed %d, %v lost", seed, lost)
				}
			}
		})
	}
}

// rob plays a theft to its end and returns how many generations that took.
func (who thief) rob(t *testing.T, seed uint64, lost float64) int64 {
	w := newWorld(t, rules)
	p := &phone{lost: lost, luck: seeded(seed)}
	for range p.luck.IntN(20) {
		w.now = w.now.Add(30 * time.Minute)
		require.True(t, p.refresh(w))
	}
	stolen := p.token
	loot := stolen
	use := func() {
		got, ok := w.use(loot)
		for range who.greedy {
			if ok {
				w.now = w.now.Add(time.Second)
				got, ok = w.use(got)
			}
		}
		if ok && !who.keeps {
			loot = got
		}
	}
	for round := 0; !w.of.Revoked(); round++ {
		require.Less(t, round, 200, "the thief trots along: seed %d", seed)
		next := w.now.Add(30 * time.Minute)
		if who.before != nil {
			w.now = next.Add(-who.before(p.luck))
			use()
		}
		if w.now.Before(next) {
			w.now = next
		}
		if !w.of.Revoked() && p.refresh(w) && who.after != nil {
			w.now = w.now.Add(who.after(p.luck))
			use()
		}
	}
	for token := range w.of.Generation + 2 {
		_, ok := w.use(token)
		require.False(t, ok, "token %d works still", token)
	}
	return w.of.Generation - stolen
}

// Whatever tokens are used in whatever order and at whatever pace, there is one branch: use checks it.
func TestThereIsOneBranch(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, luck := newWorld(t, rules), seeded(seed)
			w.oneBranch()
			for !w.of.Revoked() {
				pauses := []time.Duration{0, time.Second, 29 * time.Second, 31 * time.Second, time.Hour, 3 * day}
				w.now = w.now.Add(pauses[luck.IntN(len(pauses))])
				behind := []int64{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}[luck.IntN(10)]
				token := max(0, w.of.Generation-behind)
				newest := w.of.Generation
				got, ok := w.use(token)
				if !ok {
					break
				}
				if token == newest {
					require.Equal(t, newest+1, got)
				} else {
					require.Equal(t, newest, got, "a repeat opens no branch")
				}
			}
		})
	}
}

// A thief who comes while the phone is asleep is answered with one and the same token; repeating
// it does not make the session live longer.
func TestRepeatingDoesNotProlong(t *testing.T) {
	w := newWorld(t, rules)
	_, ok := w.use(0)
	require.True(t, ok)
	w.now = w.now.Add(time.Hour)
	end := w.now.Add(rules.Idle)
	for uses := 0; ; uses++ {
		got, ok := w.use(0)
		if !ok {
			require.Equal(t, end, w.now, "it was over by its idle end, counted from the one late repeat")
			require.False(t, w.of.Revoked())
			require.Equal(t, 30*24, uses)
			return
		}
		require.Equal(t, int64(1), got)
		require.LessOrEqual(t, uses, 30*24)
		w.now = w.now.Add(time.Hour)
	}
}
