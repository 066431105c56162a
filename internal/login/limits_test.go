package login_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/store/redis"
)

// from is an address like no other, in a network like no other.
func from(n int) origin.Origin {
	return origin.Origin{
		Source: origin.Source(fmt.Sprintf("198.18.%d.1", n)), Network: origin.Network(fmt.Sprintf("198.18.%d.0/24", n)),
	}
}

func (p *parts) startFrom(t *testing.T, number string, at origin.Origin) error {
	t.Helper()
	_, err := p.Start(t.Context(), login.StartRequest{Client: p.client(t, "app"), Connection: "sms", Phone: number, Origin: at})
	return err
}

func (p *parts) guessFrom(t *testing.T, number, code string, at origin.Origin) error {
	t.Helper()
	r := p.request(t, "app", number, code)
	r.Origin = at
	_, err := p.SignIn(t.Context(), r)
	return err
}

// notIt is a code that is not right.
func notIt(right string) string {
	return right[:5] + string('0'+(right[5]-'0'+1)%10)
}

func numbered(n int) string { return fmt.Sprintf("+447400%06d", n) }

// T3: a source may start for so many numbers, and what its number's limits refused costs it nothing.
func TestStartsOfASource(t *testing.T) {
	p := newParts(t)
	for i := range sourceRules.NumbersPerHour {
		require.NoError(t, p.startFrom(t, numbered(100+i), home))
	}
	err := p.startFrom(t, numbered(200), home)
	var refused *limit.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, rule.SourceNumbers, refused.Rule)
	require.Equal(t, time.Hour, refused.RetryAfter)
	require.NoError(t, p.startFrom(t, numbered(200), from(1)), "another source")
	require.Len(t, p.texts.texts, sourceRules.NumbersPerHour+1)
	last := p.watch.limited[len(p.watch.limited)-1]
	require.Equal(t, login.Limited{
		Rule: rule.SourceNumbers, Door: login.DoorStart, Refused: true, RetryAfter: time.Hour, Origin: home,
		Number: last.Number, Tag: last.Tag, ClientID: "app",
	}, last)
}

// T3: wrong guesses count at their source, right ones do not, nor those that were not compared.
func TestGuessesOfASource(t *testing.T) {
	p := newParts(t)
	office := origin.Origin{Source: "203.0.113.1", Network: "203.0.113.0/24", Listed: true}
	guessed := 0
	for n := range sourceRules.GuessesPerHour/3 + 1 {
		number := numbered(300 + n)
		require.NoError(t, p.startFrom(t, number, office))
		right := p.texts.last(t, number)
		for range 3 {
			err := p.guessFrom(t, number, notIt(right), home)
			if guessed < sourceRules.GuessesPerHour {
				require.ErrorIs(t, err, otp.ErrInvalidCode)
				guessed++
				continue
			}
			var refused *limit.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, rule.SourceGuesses, refused.Rule)
		}
		if guessed < sourceRules.GuessesPerHour {
			require.NoError(t, p.guessFrom(t, number, right, home), "a right one is not counted")
			require.NoError(t, p.Sources.Flush(t.Context()))
		}
	}
}

// T4 and T5: when all together guess too much, codes stop for those whom nobody knows, and go on for
// whoever has signed in from there before.
func TestClosedToStrangersOnly(t *testing.T) {
	p := newParts(t)
	p.signIn(t, "app", alice)
	n := 0
	for p.Sources.Level() != limit.Closed {
		number := numbered(1000 + n/2)
		_ = p.guessFrom(t, number, "000000", from(n/8))
		n++
		require.Less(t, n, 2000)
	}
	p.clock.Advance(time.Minute) // past the resend gap
	err := p.startFrom(t, bob, from(250))
	var refused *limit.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, rule.AllGuessesClosed, refused.Rule)
	require.Positive(t, refused.RetryAfter)
	require.NoError(t, p.startFrom(t, alice, home), "a trusted source")
	require.NoError(t, p.guessFrom(t, alice, p.texts.last(t, alice), home))
	office := from(251)
	office.Listed = true
	require.NoError(t, p.startFrom(t, bob, office), "a company network")
}

// T9: the person is told of a success that followed many failures, and of no other.
func TestANoticeAfterManyFailures(t *testing.T) {
	p := newParts(t)
	p.signIn(t, "app", alice)
	require.Empty(t, p.texts.notices)
	p.clock.Advance(time.Minute)
	code := p.code(t, "app", alice)
	for i := range 5 {
		require.ErrorIs(t, p.guessFrom(t, alice, notIt(code), from(i)), otp.ErrInvalidCode)
	}
	require.NoError(t, p.guessFrom(t, alice, code, home))
	require.Equal(t, []phone.Number{p.texts.texts[0].to}, p.texts.notices)
	p.clock.Advance(time.Minute)
	require.NoError(t, p.guessFrom(t, alice, p.code(t, "app", alice), home))
	require.Len(t, p.texts.notices, 1, "each success starts anew")
}

func TestAlarmAtManyGuesses(t *testing.T) {
	p := newParts(t)
	for i := range otptest.Limits.NumberAlarm + 2 {
		_ = p.guessFrom(t, alice, "000000", from(i))
		p.clock.Advance(otptest.Limits.Lifetime / 4)
	}
	require.Len(t, p.watch.alarms, 1)
	require.Equal(t, rule.NumberGuesses, p.watch.alarms[0].Rule)
}

// What the text needs reaches the queue, and the challenge of a used code the record.
func TestWhatATextCarries(t *testing.T) {
	p := newParts(t)
	p.signIn(t, "app", alice)
	require.False(t, p.texts.asked[0].Trusted)
	p.clock.Advance(time.Minute)
	started, err := p.Start(t.Context(), login.StartRequest{
		Client: p.client(t, "app"), Connection: "sms", Phone: alice, Origin: home, Language: "de-AT",
	})
	require.NoError(t, err)
	asked := p.texts.asked[1]
	require.Equal(t, "de-AT", asked.Language)
	require.True(t, asked.Trusted, "signed in from there a minute ago")
	require.False(t, asked.Listed)
	require.Equal(t, started.ID, asked.Challenge)
	require.NoError(t, p.guessFrom(t, alice, string(asked.Code), home))
	require.Equal(t, started.ID, p.texts.redeemed[1])
}

// U4: nothing is counted or sent while no provider takes texts, and every number is told so.
func TestNoProvider(t *testing.T) {
	p := newParts(t)
	p.texts.away = errors.New("every breaker is open")
	for range 50 {
		require.ErrorIs(t, p.startFrom(t, alice, home), login.ErrProvider)
	}
	require.ErrorIs(t, p.startFrom(t, "not a number", home), phone.ErrNotANumber)
	p.texts.away = nil
	require.NoError(t, p.startFrom(t, alice, home))
	require.Len(t, p.texts.texts, 1)
}

const agreed = "483920"

// reviewing makes bob's number an app-store reviewer's until a week from now.
func reviewing(t *testing.T) (*parts, time.Time) {
	t.Helper()
	p := newParts(t)
	until := p.clock.Now().Add(7 * 24 * time.Hour)
	number, err := phone.Stored(bob)
	require.NoError(t, err)
	employee, ok := p.Tiers.Named("employee")
	require.True(t, ok)
	p.Reviewers = []login.Reviewer{{Number: number, ClientID: "app", Tier: employee, Until: until}}
	engine, stop := redis.InProcess()
	t.Cleanup(stop)
	p.Codes, err = otp.NewService(redis.NewChallenges(engine, "r:", plenty()).WithClock(p.clock.Now), []byte("a secret of thirty-two characters"), otp.Options{
		Now:       p.clock.Now,
		Reviewers: []otp.Reviewer{{Key: otp.Key{Client: "app", Connection: login.SMS, Number: number}, Code: agreed, Until: until}},
	})
	require.NoError(t, err)
	return p, until
}

// C11: a reviewer signs in with the agreed code as somebody of a fixed tier, without a text, and says so.
func TestAReviewer(t *testing.T) {
	p, until := reviewing(t)
	require.ErrorIs(t, p.guessFrom(t, bob, agreed, home), otp.ErrInvalidCode, "not without a start")
	require.NoError(t, p.startFrom(t, bob, home))
	require.Empty(t, p.texts.texts)
	tokens, err := p.SignIn(t.Context(), p.request(t, "app", bob, agreed))
	require.NoError(t, err)
	require.Equal(t, "employee", tokens.Tier)
	claims, err := p.Tokens.Access(tokens.Access)
	require.NoError(t, err)
	require.Equal(t, []string{"pin"}, claims.AMR, "J4: no text proved anything")
	require.ErrorIs(t, p.guessFrom(t, bob, agreed, home), otp.ErrInvalidCode, "once")
	events := p.audit(t, "kind = 'signin.succeeded'")
	require.Equal(t, "reviewer", events[0].reason)

	refreshed, err := p.Refresh(t.Context(), login.RefreshRequest{Client: p.client(t, "app"), Token: string(tokens.Refresh)})
	require.NoError(t, err)
	require.Equal(t, "employee", refreshed.Tier)
	p.clock.Advance(until.Sub(p.clock.Now()))
	_, err = p.Refresh(t.Context(), login.RefreshRequest{Client: p.client(t, "app"), Token: string(refreshed.Refresh)})
	require.ErrorIs(t, err, login.ErrRefreshToken, "the session ends with the agreement")
	require.NoError(t, p.startFrom(t, bob, home))
	require.Len(t, p.texts.texts, 1, "the number is like any other then")
}

// The agreed code never opens a person's account, nor becomes one.
func TestAReviewersNumberInTheDirectory(t *testing.T) {
	p, _ := reviewing(t)
	require.NoError(t, p.startFrom(t, bob, home))
	tokens, err := p.SignIn(t.Context(), p.request(t, "app", bob, agreed))
	require.NoError(t, err)

	p.staff(t, person(t, "7", bob, "Manager"))
	_, err = p.Refresh(t.Context(), login.RefreshRequest{Client: p.client(t, "app"), Token: string(tokens.Refresh)})
	require.ErrorIs(t, err, login.ErrRefreshToken)
	p.clock.Advance(time.Minute)
	require.NoError(t, p.startFrom(t, bob, home))
	_, err = p.SignIn(t.Context(), p.request(t, "app", bob, agreed))
	require.ErrorIs(t, err, login.ErrReviewer)
	refused := p.audit(t, "kind = 'signin.refused' AND reason = 'reviewer_number_in_directory'")
	require.Len(t, refused, 1)

	// At another client the number is the person's, by a text.
	_, err = p.Start(t.Context(), login.StartRequest{Client: p.client(t, "staff"), Connection: "sms", Phone: bob, Origin: from(9)})
	require.NoError(t, err)
	person, err := p.SignIn(t.Context(), p.request(t, "staff", bob, p.texts.last(t, bob)))
	require.NoError(t, err)
	require.Equal(t, "manager", person.Tier)
	was, err := p.Tokens.Access(tokens.Access)
	require.NoError(t, err)
	is, err := p.Tokens.Access(person.Access)
	require.NoError(t, err)
	require.NotEqual(t, was.Subject, is.Subject, "the reviewer's account is not the person's")
}

// T5: neighbours in a network, or in the office, shut out whoever is new there, and nobody who has signed in
// with their number from there before.
func TestNeighboursShutOutNobodyWhoIsKnown(t *testing.T) {
	p := newParts(t)
	p.signIn(t, "app", alice)
	p.clock.Advance(2 * time.Hour)
	for i := range sourceRules.NetworkFactor * sourceRules.NumbersPerHour {
		neighbour := origin.Origin{Source: origin.Source(fmt.Sprintf("192.0.2.%d", 100+i/15)), Network: home.Network}
		require.NoError(t, p.startFrom(t, numbered(5000+i), neighbour))
	}
	var refused *limit.Error
	require.ErrorAs(t, p.startFrom(t, bob, home), &refused)
	require.Equal(t, rule.NetworkNumbers, refused.Rule)
	require.NoError(t, p.startFrom(t, alice, home))
	require.NoError(t, p.guessFrom(t, alice, p.texts.last(t, alice), home))

	office := origin.Origin{Source: "203.0.113.1", Network: "203.0.113.0/24", Listed: true}
	require.NoError(t, p.startFrom(t, alice, office))
	require.NoError(t, p.guessFrom(t, alice, p.texts.last(t, alice), office))
	require.NoError(t, p.Sources.Flush(t.Context())) // the right ones are given back
	for i := range sourceRules.ListedGuessesPerHour {
		require.ErrorIs(t, p.guessFrom(t, numbered(6000+i/5), "000000", office), otp.ErrInvalidCode)
	}
	require.NoError(t, p.startFrom(t, bob, office))
	require.ErrorAs(t, p.guessFrom(t, bob, p.texts.last(t, bob), office), &refused)
	require.Equal(t, rule.SourceGuesses, refused.Rule)
	p.clock.Advance(time.Minute)
	require.NoError(t, p.startFrom(t, alice, office))
	require.NoError(t, p.guessFrom(t, alice, p.texts.last(t, alice), office), "whoever is known there goes on")
	require.NoError(t, p.Sources.Refresh(t.Context()))
	require.Equal(t, limit.Calm, p.Sources.Level(), "one address of the office closes nothing elsewhere")
}
