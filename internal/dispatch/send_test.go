package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
)

func TestATextIsSent(t *testing.T) {
	t.Parallel()
	for to, isStranger := range map[string]bool{alice: false, stranger: true} {
		w := newWorld(t, spend.Rules{StrangersHour: 20, BudgetDay: 1e6})
		m := w.text(t, to)
		require.Nil(t, w.send(t, m))
		require.Equal(t, []sms.Message{m}, w.first.took)
		require.False(t, w.gapIsOver(t, to), "a text is on its way")
		require.EqualValues(t, price, w.spent(t))
		state, err := w.counters.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, isStranger, state.Count(spend.Counter{Window: spend.Hour, Name: "strangers"}) == 1)

		texts := w.written(t, to)
		require.Len(t, texts, 1)
		require.Equal(t, sms.Record{
			At: w.clock.Now(), To: m.To, Country: "GB", Kind: sms.KindCode, Challenge: m.Challenge, ClientID: "app", Stranger: isStranger,
			Segments: 1, Cost: price, Provider: "first", ProviderID: "first-1",
		}, texts[0].Record)
		require.Equal(t, []string{"GB accepted"}, w.texts)
		require.NotContains(t, w.log.String(), to)
		require.NotContains(t, w.log.String(), "123456")
	}
}

// Whoever made the text need not have looked for its country.
func TestATextWithoutACountry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{Countries: []string{"GB"}})
	m := w.text(t, alice)
	m.Country = ""
	require.Nil(t, w.send(t, m))
	require.Equal(t, "GB", w.written(t, alice)[0].Country)
	require.Equal(t, []string{"GB accepted"}, w.texts)
}

// Each rule keeps a text back without a provider being asked, and it costs nothing; the person may ask again
// at once (M9).
func TestRulesKeepTextsBack(t *testing.T) {
	t.Parallel()
	again := func(to string) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			m := w.text(t, to)
			m.To = number(t, "+447700900098") // a neighbour
			m.Ref = ""
			require.Nil(t, w.send(t, m))
			w.clock.Advance(30 * time.Second)
		}
	}
	for _, tc := range []struct {
		rule   rule.Name
		rules  spend.Rules
		to     string
		before func(t *testing.T, w *world)
	}{
		{rule.Roster, spend.Rules{Roster: true}, stranger, nil},
		{rule.Country, spend.Rules{Countries: []string{"FR"}}, alice, nil},
		{rule.StrangersHour, spend.Rules{StrangersHour: 1}, stranger, again(stranger)},
		{rule.StrangersDay, spend.Rules{StrangersDay: 1}, stranger, again(stranger)},
		{rule.StrangersBlock, spend.Rules{StrangersBlockHour: 1}, stranger, again(stranger)},
		{rule.CountryDay, spend.Rules{CountryDay: 1}, alice, again(alice)},
		{rule.AllMinute, spend.Rules{AllMinute: 1}, alice, again(alice)},
		{rule.AllDay, spend.Rules{AllDay: 1}, alice, again(alice)},
		{rule.BudgetStrangers, spend.Rules{BudgetDay: price}, stranger, again(stranger)},
		{rule.BudgetUntrusted, spend.Rules{BudgetDay: price}, alice, again(alice)},
		{rule.Conversion, spend.Rules{ConversionSample: 50, ConversionPercent: 25, ConversionPause: time.Hour}, stranger, func(t *testing.T, w *world) {
			paused, err := w.counters.Pause(t.Context(), "once", "GB", time.Time{}, time.Hour, 2*time.Hour)
			require.NoError(t, err)
			require.True(t, paused)
		}},
		{rule.Undeliverable, spend.Rules{}, alice, func(t *testing.T, w *world) {
			_, err := w.store.NoteUndeliverable(t.Context(), number(t, alice), sms.Failure{Class: sms.OptedOut}, w.clock.Now())
			require.NoError(t, err)
		}},
		{rule.ProviderOutage, spend.Rules{}, alice, func(t *testing.T, w *world) {
			w.first.fails(sms.OurConfig, true)
			require.Equal(t, sms.OurConfig, w.send(t, w.text(t, bob)).Class)
		}},
		{rule.ProviderCountry, spend.Rules{}, alice, func(t *testing.T, w *world) {
			w.first.fails(sms.OurConfig, false)
			require.Equal(t, sms.OurConfig, w.send(t, w.text(t, bob)).Class)
			require.Equal(t, sms.OurConfig, w.send(t, w.text(t, stranger)).Class)
		}},
	} {
		t.Run(string(tc.rule), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.rules)
			if tc.before != nil {
				tc.before(t, w)
			}
			asked, spent := w.first.asked(), w.spent(t)
			m := w.text(t, tc.to)
			require.False(t, w.gapIsOver(t, tc.to))
			failure := w.send(t, m)
			require.Equal(t, sms.Withheld, failure.Class)
			require.Equal(t, tc.rule, failure.Rule)
			require.Equal(t, tc.rule.Explain(), failure.Reason)
			require.Equal(t, asked, w.first.asked(), "no provider is asked")
			require.Equal(t, spent, w.spent(t))
			require.True(t, w.gapIsOver(t, tc.to))

			texts := w.written(t, tc.to)
			last := texts[len(texts)-1].Record
			require.Equal(t, sms.Record{
				At: w.clock.Now(), To: m.To, Country: "GB", Kind: sms.KindCode, Challenge: m.Challenge, ClientID: "app",
				Stranger: tc.to == stranger, Segments: 1, Class: sms.Withheld, Rule: string(tc.rule),
			}, last)
			require.Equal(t, string(tc.rule)+" true", w.rules[len(w.rules)-1])
			require.Equal(t, "GB withheld", w.observed.texts[len(w.observed.texts)-1])
		})
	}
}

// A rule that only records lets the text go.
func TestARecordOnlyRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{StrangersHour: 1, Roster: true, RecordOnly: rule.RecordOnly{rule.StrangersHour: true, rule.Roster: true}})
	require.Nil(t, w.send(t, w.text(t, stranger)))
	require.Nil(t, w.send(t, w.text(t, "+447700900098")))
	require.Equal(t, []string{"roster false", "roster false", "strangers_hour false"}, w.rules)
	require.Equal(t, []string{"strangers_hour"}, w.alarms, "once")
}

// Money that was not spent comes back; what may have been sent stays spent, and keeps the gap.
func TestWhatAFailureCosts(t *testing.T) {
	t.Parallel()
	for class, definite := range map[sms.Class]bool{
		sms.NumberPermanent: true, sms.NumberTemporary: true, sms.OptedOut: true, sms.RiskBlocked: true, sms.OurConfig: true,
		sms.Rate: true, sms.Provider: true, sms.Late: true, sms.UnknownOutcome: false,
	} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, spend.Rules{StrangersHour: 5, BudgetDay: 1e6})
			w.first.fails(class, false)
			failure := w.send(t, w.text(t, stranger))
			require.Equal(t, class, failure.Class)
			require.Equal(t, definite, w.gapIsOver(t, stranger))
			require.Equal(t, definite, w.spent(t) == 0)
			text := w.written(t, stranger)[0]
			require.Equal(t, definite, text.Cost == 0)
			require.Equal(t, class, text.Class)
			require.Equal(t, 20000+len(class), text.Code)
			require.Equal(t, "first", text.Provider)
			require.True(t, text.Stranger)
			require.Equal(t, []string{"GB " + string(class)}, w.texts)
		})
	}
}

// A sender that panics may have sent: its text counts as spent, also in the report.
func TestASenderThatPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{BudgetDay: 1e6})
	w.first.next = func(int, sms.Message) error { panic(alice) }
	w.queued(t, w.text(t, alice))
	require.EqualValues(t, price, w.spent(t))
	require.False(t, w.gapIsOver(t, alice))
	text := w.written(t, alice)[0]
	require.Equal(t, sms.UnknownOutcome, text.Class)
	require.EqualValues(t, price, text.Cost)
	require.NotContains(t, w.log.String(), alice)
}

// While nobody can say whose number it is, or what may be spent, no text goes; the queue tries once more.
func TestAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(w *world){
		"record": func(w *world) { w.store.breaks(errAway, "Recipient") },
		"Redis":  func(w *world) { w.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, spend.Rules{StrangersHour: 20})
			m := w.text(t, alice)
			take(w)
			w.queued(t, m)
			require.Zero(t, w.first.asked())
			text := w.written(t, alice)[0]
			require.Equal(t, sms.Provider, text.Class)
			require.Zero(t, text.Cost)
			require.Empty(t, text.Provider)
			require.Equal(t, []string{"GB provider"}, w.texts, "told once, though tried twice")
			require.Equal(t, 2, strings.Count(w.log.String(), `"msg":"nobody knows`), "the cause is in the log")
			require.NotContains(t, w.log.String(), alice)
		})
	}
}

// The record comes back before the second try.
func TestAStoreThatComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{BudgetDay: 1e6})
	m := w.text(t, alice)
	w.store.breaks(errAway, "Recipient")
	_, err := w.Send(t.Context(), m)
	require.ErrorContains(t, err, "the record is away")
	w.store.breaks(nil)
	w.queued(t, m)
	require.Equal(t, 1, w.first.asked())
	require.EqualValues(t, price, w.spent(t), "spent once")
}

// A provider that is tried twice costs once.
func TestASecondTryCostsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{BudgetDay: 1e6})
	w.first.next = func(n int, _ sms.Message) error {
		if n == 1 {
			return &sms.Error{Class: sms.Provider, Status: 503}
		}
		return nil
	}
	w.queued(t, w.text(t, alice))
	require.Equal(t, 2, w.first.asked())
	require.EqualValues(t, price, w.spent(t))
	require.Len(t, w.written(t, alice), 1)
}

// An operator's own text goes past limits, and past what is known of the number.
func TestAnOperatorsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{Roster: true, Countries: []string{"FR"}, BudgetDay: 1})
	_, err := w.store.NoteUndeliverable(t.Context(), number(t, stranger), sms.Failure{Class: sms.OptedOut}, w.clock.Now())
	require.NoError(t, err)
	m := sms.Message{To: number(t, stranger), Body: "test", Kind: sms.KindTest, ValidUntil: w.clock.Now().Add(time.Minute)}
	require.Nil(t, w.send(t, m))
	require.Zero(t, w.spent(t))
	require.Equal(t, sms.KindTest, w.written(t, stranger)[0].Kind)

	w.first.fails(sms.NumberPermanent, false)
	require.Equal(t, sms.NumberPermanent, w.send(t, m).Class)
}

// A notice is a text like any other, but there is no gap to be freed by its failure.
func TestANotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{AllDay: 1, BudgetDay: 1e6})
	m := w.text(t, alice) // its gap is not the notice's
	notice := sms.Message{To: m.To, Body: "You have signed in.", Kind: sms.KindNotice, ValidUntil: m.ValidUntil, Ref: m.Ref}
	require.Nil(t, w.send(t, notice))
	require.EqualValues(t, price, w.spent(t))
	require.Equal(t, rule.AllDay, w.send(t, notice).Rule)
	require.False(t, w.gapIsOver(t, alice))
	require.Equal(t, sms.KindNotice, w.written(t, alice)[0].Kind)
}

// One refusal that lies with the number is enough (X2).
func TestANumberThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, class := range []sms.Class{sms.NumberPermanent, sms.OptedOut} {
		w := newWorld(t, spend.Rules{})
		w.first.fails(class, false)
		require.Equal(t, class, w.send(t, w.text(t, alice)).Class)
		require.Equal(t, []string{alice}, w.undeliverable(t))
		require.Equal(t, 1, w.audited(t, audit.NumberUndeliverable, true))

		failure := w.send(t, w.text(t, alice))
		require.Equal(t, rule.Undeliverable, failure.Rule)
		require.Equal(t, 1, w.first.asked())
		require.Equal(t, 1, w.audited(t, audit.NumberUndeliverable, true), "once")

		w.clock.Advance(24*time.Hour + time.Second)
		require.Equal(t, class, w.send(t, w.text(t, alice)).Class, "it may be tried again")
	}
}

// The gap is freed although what the number did wrong cannot be written down.
func TestARefusalThatCannotBeNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	w.store.breaks(errAway, "NoteUndeliverable")
	w.first.fails(sms.NumberPermanent, false)
	w.send(t, w.text(t, alice))
	require.True(t, w.gapIsOver(t, alice))
	require.Empty(t, w.undeliverable(t))
	require.Contains(t, w.log.String(), "was not remembered")
}

// What somebody has to look at raises an alarm.
func TestAlarms(t *testing.T) {
	t.Parallel()
	for class, want := range map[sms.Class][]string{
		sms.RiskBlocked: {"risk_blocked"}, sms.OurConfig: {"our_config"}, sms.Rate: {"rate"},
		sms.NumberTemporary: nil, sms.Provider: nil, sms.UnknownOutcome: nil,
	} {
		w := newWorld(t, spend.Rules{})
		w.first.fails(class, false)
		w.send(t, w.text(t, alice))
		require.Equal(t, want, w.alarms, string(class))
	}
	w := newWorld(t, spend.Rules{BudgetDay: price + price/10})
	require.Nil(t, w.send(t, w.text(t, alice)))
	require.Equal(t, []string{"budget_strangers"}, w.alarms, "four fifths of the day's money are spent")
}
