package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

const (
	rounds        = 40
	shotsPerRound = 300
	attackers     = 10
	// What C4 allows at one code.
	perCode, perCodeAndSource = 10, 5
)

func attacker(i int) string { return fmt.Sprintf("203.0.%d.9", i) }

// TestManyGuessesAtOnceAreCountedExactly is C4, T8 and C3: whatever the doors, replicas and sources that guess at
// the same instant, no more than ten guesses at a code are compared and the right one wins once.
func TestManyGuessesAtOnceAreCountedExactly(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	replicas := []*program{serveWith(t, s, base, unmetered), serveWith(t, s, base, unmetered)}
	client := crowdClient(t, shotsPerRound)
	sum := map[fate]int{}
	wins := 0
	for round := range rounds {
		number := fmt.Sprintf("+4477009%05d", round+100)
		right := askAndRead(t, twilio, caller{client, replicas[round%2].base, office}, number)
		shots := volley(client, replicas, right, round%2 == 0)
		results := barrage(t, number, shots, nil)

		all := tally(results, "")
		require.LessOrEqual(t, all[wrong], perCode, "round %d: %v", round, all)
		require.LessOrEqual(t, all[won], 1, "round %d: %v", round, all)
		require.Zero(t, all[spentNumber]+all[away], "round %d: %v", round, all)
		for i := range attackers {
			own := tally(results, attacker(i))
			require.LessOrEqual(t, own[wrong], perCodeAndSource, "round %d, source %d: %v", round, i, own)
		}
		if round%2 != 0 { // nothing but wrong ones: not one too few either, or an attack could starve the count
			require.Equal(t, perCode, all[wrong], "round %d: %v", round, all)
			late := fateOf(caller{client, replicas[0].base, "203.0.99.9"}.guess(t.Context(), number, right, false))
			require.Equal(t, spentCode, late, "the right code after ten wrong ones")
		}
		wins += all[won]
		for o, n := range all {
			sum[o] += n
		}
	}
	t.Logf("%d rounds of %d guesses: %v", rounds, shotsPerRound, sum)
	require.Positive(t, wins, "the right code never won: the test shows nothing")
}

// volley is a round's shots, in random order: the same from each source, at both replicas and both doors. With
// lucky, one in eight is right.
func volley(client *http.Client, replicas []*program, right string, lucky bool) []shot {
	shots := make([]shot, shotsPerRound)
	for i := range shots {
		shots[i] = shot{
			from: caller{client, replicas[i/attackers%len(replicas)].base, attacker(i % attackers)},
			code: otherThan(right, i), old: i/attackers/len(replicas)%2 == 0,
		}
		if lucky && rand.IntN(8) == 0 {
			shots[i].code = right
		}
	}
	rand.Shuffle(len(shots), func(i, j int) { shots[i], shots[j] = shots[j], shots[i] })
	return shots
}

func askAndRead(t *testing.T, twilio *twiliotest.Server, from caller, number string) string {
	t.Helper()
	before := len(textsTo(twilio, number))
	a, err := from.ask(t.Context(), number)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.status, a.body)
	return code(t, twilio, number, before)
}

// TestARedisThatLosesEverythingUnderAttack empties Redis in the middle of a barrage, as a failover to an empty
// replica does. The counters begin anew once, but so does the code: what the attacker gains is guesses at nothing, and
// one code's ten more once the person asks for a new code.
func TestARedisThatLosesEverythingUnderAttack(t *testing.T) {
	server := testservers.StartRedis(t)
	s := stores{testservers.Postgres(t), server.DSN(), "test:"}
	twilio, base := standIn(t)
	replicas := []*program{serveWith(t, s, base, unmetered), serveWith(t, s, base, unmetered)}
	client := crowdClient(t, shotsPerRound)
	redis := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = redis.Close() })
	person := caller{client, replicas[0].base, office}
	right := askAndRead(t, twilio, person, stranger)

	var compared atomic.Int32
	lost := make(chan error, 1)
	results := barrage(t, stranger, volley(client, replicas, right, false), func(o fate) {
		if o == wrong && compared.Add(1) == perCode/2 {
			_, err := redis.TxPipelined(t.Context(), func(p goredis.Pipeliner) error {
				p.FlushAll(t.Context())
				p.ScriptFlush(t.Context())
				return nil
			})
			lost <- err
		}
	})
	require.NoError(t, <-lost)
	all := tally(results, "")
	t.Logf("with everything lost in the middle: %v", all)
	require.LessOrEqual(t, all[wrong], 2*perCode, "the count began anew more than once: %v", all)
	require.Zero(t, all[away], "an empty Redis is not one that is away")
	for i := range attackers {
		require.LessOrEqual(t, tally(results, attacker(i))[wrong], 2*perCodeAndSource)
	}
	for range 3 { // the lost code is worth nothing, from anywhere
		o := fateOf(caller{client, replicas[1].base, "203.0.99.9"}.guess(t.Context(), stranger, right, false))
		require.Contains(t, []fate{wrong, spentCode}, o)
	}
	fresh := askAndRead(t, twilio, person, stranger)
	require.NotEqual(t, right, fresh)
	again := tally(barrage(t, stranger, volley(client, replicas, fresh, false), nil), "")
	t.Logf("at the new code: %v", again)
	require.LessOrEqual(t, again[wrong], perCode)
	require.Equal(t, spentCode, fateOf(person.guess(t.Context(), stranger, fresh, false)), "dead is dead, for all")
}
