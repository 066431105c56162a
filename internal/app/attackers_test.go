package app

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

func isWrong(err error) bool { return errors.Is(err, otp.ErrInvalidCode) }

// refusal is which rule refuses, and for how long: a code that has no guesses left does not say.
func refusal(err error) (rule.Name, time.Duration) {
	name, wait := login.RefusedBy(err)
	if name == rule.CodeGuesses {
		wait = 30 * time.Second
	}
	return name, wait
}

// ofSource reports whether a rule asks the whole address to wait, so that another number is no way out.
func ofSource(name rule.Name) bool {
	switch name {
	case rule.SourceGuesses, rule.SourceStarts, rule.SourceStartsHour, rule.NetworkGuesses, rule.NetworkStarts, rule.NetworkStartsHour,
		rule.SourceNumbers, rule.NetworkNumbers, rule.AllGuessesClosed:
		return true
	}
	return false
}

// impatience is how soon an attacker looks again whether a rule has forgotten.
const impatience = 3 * time.Minute

// spray guesses from one address at one number after another, as fast as it is let, until the end: it asks for a code, tries
// till it is refused, and goes on to the next number. While it gets no codes it tries numbers all the same: somebody
// else may have asked for one.
func (w *world) spray(address string, numbers []phone.Number, until time.Time) {
	next := 0
	var victim phone.Number
	var try, ask func()
	again := func(wait time.Duration, do func()) {
		if w.clock.Now().Add(wait).Before(until) {
			w.in(wait, do)
		}
	}
	ask = func() {
		victim = numbers[next%len(numbers)]
		next++
		if name, wait := refusal(w.start(address, victim)); ofSource(name) && name != rule.SourceNumbers && name != rule.NetworkNumbers {
			again(min(wait, impatience), try)
			return
		}
		again(time.Second, try)
	}
	try = func() {
		name, wait := refusal(w.guess(address, victim, w.wrongCode(victim)))
		switch {
		case ofSource(name):
			again(min(wait, impatience), ask)
		case name != "":
			again(time.Second, ask)
		default:
			again(time.Second, try)
		}
	}
	ask()
}

// pump asks for texts to strangers from one address as fast as it is let. It has no use for the codes.
func (w *world) pump(address string, numbers func() phone.Number, until time.Time) {
	var ask func()
	ask = func() {
		name, wait := refusal(w.start(address, numbers()))
		if !ofSource(name) {
			wait = time.Second
		}
		if w.clock.Now().Add(wait).Before(until) {
			w.in(wait, ask)
		}
	}
	ask()
}

// harass tries one person's number from some addresses, every five minutes each, until the end.
func (w *world) harass(addresses []string, victim phone.Number, until time.Time) {
	for i, address := range addresses {
		var try func()
		try = func() {
			_ = w.start(address, victim)
			_ = w.guess(address, victim, w.wrongCode(victim))
			if next := 5 * time.Minute; w.clock.Now().Add(next).Before(until) {
				w.in(next, try)
			}
		}
		w.in(time.Duration(i)*time.Second, try)
	}
}

// visit is one person's wish to sign in, and what became of it.
type visit struct {
	number  phone.Number
	address string
	place   string
	begun   time.Time
	in      time.Time
	met     []rule.Name // what refused it
}

// stopped reports whether a rule made the person wait.
func (v *visit) stopped() bool { return len(v.met) > 0 || v.in.IsZero() }

func (v *visit) String() string {
	late := "never"
	if !v.in.IsZero() {
		late = v.in.Sub(v.begun).Round(time.Second).String()
	}
	return fmt.Sprintf("%s %s at %s: in after %s, met %v", v.number, v.place, v.begun.Format("15:04"), late, v.met)
}

// typing is how long a person takes from asking to typing the code.
const typing = 20 * time.Second

// patienceOfPeople is how long a person keeps trying.
const patienceOfPeople = 3 * time.Hour

// signIn is how an ordinary person signs in: one in fifty mistypes, and whoever is refused tries again when told to.
func (w *world) signIn(v *visit) {
	v.begun = w.clock.Now()
	var ask func()
	retry := func(err error) {
		name, wait := refusal(err)
		require.NotEmpty(w.t, name, "%v", err)
		if !slices.Contains(v.met, name) {
			v.met = append(v.met, name)
		}
		if w.clock.Now().Add(wait).Sub(v.begun) < patienceOfPeople {
			w.in(wait, ask)
		}
	}
	enter := func() {
		if !w.codes[v.number].texted {
			v.met = append(v.met, "no text")
			w.in(time.Minute, ask)
			return
		}
		if err := w.guess(v.address, v.number, w.codes[v.number].code); err != nil {
			retry(err)
			return
		}
		v.in = w.clock.Now()
	}
	ask = func() {
		if err := w.start(v.address, v.number); err != nil {
			retry(err)
			return
		}
		if w.random.IntN(50) == 0 {
			w.in(typing, func() {
				if err := w.guess(v.address, v.number, w.wrongCode(v.number)); !isWrong(err) {
					retry(err)
					return
				}
				w.in(typing, enter)
			})
			return
		}
		w.in(typing, enter)
	}
	ask()
}

// numbersOf returns mobile numbers of a country.
func numbersOf(region string, n int, digits func() int) []phone.Number {
	example := phonenumbers.Format(phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE), phonenumbers.E164)
	parser := phone.Parser{Region: region}
	seen := map[phone.Number]bool{}
	var all []phone.Number
	for len(all) < n {
		number, err := parser.Parse(fmt.Sprintf("%s%05d", example[:len(example)-5], digits()%100_000))
		if err == nil && !seen[number] {
			seen[number] = true
			all = append(all, number)
		}
	}
	return all
}
