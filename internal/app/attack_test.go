package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Places from which people sign in.
const (
	officePlace  = "office"
	homePlace    = "home, known"
	mobilePlace  = "mobile, known"
	unknownPlace = "new network"
)

// crew are 2,000 people in three countries.
func crew() []phone.Number {
	n := 0
	digits := func() int { n += 37; return n }
	return slices.Concat(numbersOf("GB", 1000, digits), numbersOf("DE", 600, digits), numbersOf("FR", 400, digits))
}

func officeAddress(i int) string { return fmt.Sprintf("198.51.100.%d", 1+i%4) }
func homeAddress(i int) string   { return fmt.Sprintf("81.%d.%d.5", i/200, i%200) }
func hotelAddress(i int) string  { return fmt.Sprintf("83.%d.%d.5", i/200, i%200) }

// carrierAddress is one of the 64 addresses, in four networks, that a carrier hides its phones behind.
func carrierAddress(i int) string { return fmt.Sprintf("100.%d.%d.%d", 64+i%6, i/6%4, i/24%16) }

// TestADayUnderAttack lets four kinds of people loose on the defaults at once, and prints what each got.
func TestADayUnderAttack(t *testing.T) {
	people := crew()
	w := newWorld(t, worldSettings(t), people)
	w.acquaint(people[:800])
	w.clock.Advance(2 * day)
	midnight := w.clock.Now()
	clock := func(hour, minute int) time.Time {
		return midnight.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	began := time.Now()

	staff := newActor("staff")
	var visits []*visit
	visiting := func(who, at int, place, address string, when time.Time) *visit {
		v := &visit{number: people[who], place: place, address: address}
		visits = append(visits, v)
		w.at(when, staff, func() { w.signIn(v) })
		return v
	}
	for i := range 600 { // of each ten: five in the office, two at home, two on the road, one where they have never been
		when := clock(7, 0).Add(time.Duration(w.random.IntN(11*60*60)) * time.Second)
		switch {
		case i%10 < 5:
			visiting(i, i, officePlace, officeAddress(i), when)
		case i%10 < 7:
			visiting(i, i, homePlace, homeAddress(i), when)
		case i%10 < 9:
			visiting(i, i, mobilePlace, carrierAddress(i), when)
		default:
			visiting(i, i, unknownPlace, hotelAddress(i), when)
		}
	}

	sprayer := newActor("sprayer, 30 addresses")
	w.at(clock(10, 0), sprayer, func() {
		for i := range 30 {
			numbers := slices.Clone(people[:1000])
			w.random.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
			w.in(time.Duration(i)*100*time.Millisecond, func() { w.spray(fmt.Sprintf("185.%d.7.9", i), numbers, clock(11, 0)) })
		}
	})

	pumper := newActor("pumper, 500 addresses")
	w.at(clock(14, 0), pumper, func() { w.pumpFrom500(clock(15, 0)) })

	colleague, victim := newActor("colleague"), 700
	w.at(clock(7, 30), colleague, func() { w.harass([]string{"86.1.1.1"}, people[victim], clock(9, 0)) })
	visiting(victim, 0, homePlace, homeAddress(victim), clock(8, 30))
	w.at(clock(11, 30), colleague, func() {
		w.harass([]string{"86.1.1.1", "86.2.1.1", "86.3.1.1", "86.4.1.1", "86.5.1.1"}, people[victim], clock(18, 0))
	})
	visiting(victim, 0, officePlace, officeAddress(0), clock(13, 10))
	shutOut := visiting(victim, 0, "victim on a new network", hotelAddress(victim), clock(14, 20))
	w.at(clock(17, 0), colleague, func() { w.harass([]string{officeAddress(1)}, people[victim], clock(17, 30)) })
	beside := visiting(victim, 0, "victim at the colleague's own office address", officeAddress(1), clock(17, 40))
	afterwards := visiting(victim, 0, "victim at home, after the colleague was in the office", homeAddress(victim), clock(17, 50))

	w.run()
	t.Logf("a day of 2,000 people took %s", time.Since(began).Round(time.Millisecond))
	for _, a := range []*actor{sprayer, pumper, colleague, staff} {
		t.Log(a.figures())
	}
	t.Logf("level: protective for %s, closed for %s; countries paused: %v", w.levels[limit.Protective], w.levels[limit.Closed], w.pauses)
	stopped := map[string]int{}
	for _, v := range visits {
		if v.stopped() {
			stopped[v.place]++
			t.Logf("hindered: %v", v)
		}
	}
	t.Logf("of %d visits hindered: %v", len(visits), stopped)

	rules := newSourceRules(w.config)
	most := rules.ClosedFactor * rules.AllPerHour
	require.LessOrEqual(t, sprayer.alive, most+30, "T4: guesses at living codes in an hour")
	require.Equal(t, limit.Closed, w.worst)
	require.LessOrEqual(t, pumper.texts, 2*w.config.SMS.Strangers.PerHour, "M4")
	require.LessOrEqual(t, colleague.compared, 2*w.config.Limits.Number.GuessesPerDay, "T1")
	for _, v := range visits {
		switch v.place {
		case officePlace, homePlace, mobilePlace:
			require.False(t, v.stopped(), "%v", v)
		case unknownPlace: // T4 takes them for the attacker while it lasts, and no longer
			if v.begun.Before(clock(10, 0)) || v.begun.After(clock(12, 0)) {
				require.False(t, v.stopped(), "%v", v)
			}
			require.False(t, v.in.IsZero(), "%v", v)
		}
	}
	// The price that the arithmetic names: four addresses close new networks to somebody for a day (T1), and a
	// colleague in the office the office. The last text of the day is for where the victim has signed in before.
	require.True(t, shutOut.stopped())
	require.Subset(t, []rule.Name{rule.NumberTextsDay, rule.NumberGuessesSource}, beside.met)
	require.False(t, afterwards.stopped(), "%v", afterwards)
}

// acquaint has people sign in from home and by their carrier, the day before yesterday.
func (w *world) acquaint(people []phone.Number) {
	for i, number := range people {
		for _, address := range []string{homeAddress(i), carrierAddress(i)} {
			key := otp.Key{Client: "app", Connection: "sms", Number: number}
			from := w.from(address)
			started, err := w.login.Codes.Start(w.t.Context(), key, from, otp.Guard{})
			require.NoError(w.t, err)
			_, err = w.login.Codes.Redeem(w.t.Context(), key, from, otp.Guard{}, started.Code)
			require.NoError(w.t, err)
		}
	}
}

// pumpFrom500 pumps from 400 addresses of four networks and 100 scattered ones, to random numbers of twenty countries.
func (w *world) pumpFrom500(until time.Time) {
	regions := []string{"GB", "DE", "FR", "ES", "IT", "PL", "RO", "UA", "EG", "MA", "NG", "KE", "PK", "BD", "ID", "PH", "VN", "LK", "UZ", "AZ"}
	pools := make([][]phone.Number, len(regions))
	for i, region := range regions {
		pools[i] = numbersOf(region, 400, func() int { return w.random.IntN(100_000) })
	}
	someone := func() phone.Number {
		pool := pools[w.random.IntN(len(pools))]
		return pool[w.random.IntN(len(pool))]
	}
	for i := range 500 {
		address := fmt.Sprintf("102.%d.%d.7", i/250, i%250)
		if i < 400 {
			address = fmt.Sprintf("105.0.%d.%d", i/100, i%100)
		}
		w.in(time.Duration(i)*50*time.Millisecond, func() { w.pump(address, someone, until) })
	}
}
