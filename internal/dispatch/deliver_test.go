package dispatch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
)

// sent puts a text on record, and returns its provider's name for it.
func (w *world) sent(t *testing.T, to string) string {
	t.Helper()
	id := fmt.Sprintf("first-%s-%d", to[len(to)-3:], w.clock.Now().UnixNano())
	n := number(t, to)
	require.NoError(t, w.store.RecordTexts(t.Context(), []sms.Record{{
		At: w.clock.Now(), To: n, Country: n.Country(), Kind: sms.KindCode, Segments: 1, Cost: price, Provider: "first", ProviderID: id,
	}}))
	return id
}

// news is that a text of the first provider's failed, or with the empty class that it arrived.
func news(id string, class sms.Class) sms.Delivery {
	if class == "" {
		return sms.Delivery{Provider: "first", ProviderID: id, Status: sms.Delivered}
	}
	return sms.Delivery{Provider: "first", ProviderID: id, Status: sms.Undelivered, Class: class, Code: 30005}
}

// told has another replica take news, and returns when all that it calls for is done.
func (w *world) told(t *testing.T, all ...sms.Delivery) {
	t.Helper()
	replica := dispatch.New(w.parts)
	over := runs(t, replica)
	for _, d := range all {
		require.NoError(t, replica.Deliver(t.Context(), d))
	}
	over()
}

// One piece of bad news may be the network's mistake; two within a week are not (X2).
func TestTwoPiecesOfBadNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	first := w.sent(t, alice)
	w.told(t, news(first, sms.NumberPermanent))
	require.Empty(t, w.undeliverable(t))
	w.told(t, news(first, sms.NumberPermanent), news(first, sms.NumberPermanent))
	require.Empty(t, w.undeliverable(t), "the same text again is no second one")

	w.clock.Advance(6 * 24 * time.Hour)
	w.told(t, news(w.sent(t, alice), sms.NumberPermanent))
	require.Equal(t, []string{alice}, w.undeliverable(t))
	require.Equal(t, 1, w.audited(t, audit.NumberUndeliverable, true))
	require.Equal(t, rule.Undeliverable, w.send(t, w.text(t, alice)).Rule)

	w.told(t, news(w.sent(t, stranger), sms.NumberPermanent))
	w.clock.Advance(8 * 24 * time.Hour)
	w.told(t, news(w.sent(t, stranger), sms.NumberPermanent))
	require.NotContains(t, w.undeliverable(t), stranger, "too long between them")
	w.told(t, news(w.sent(t, bob), sms.OptedOut))
	require.Contains(t, w.undeliverable(t), bob, "whoever replied STOP means it")
}

// A text that arrives shows that the number gets texts.
func TestATextThatArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	w.first.fails(sms.NumberPermanent, false)
	earlier := w.sent(t, alice)
	w.send(t, w.text(t, alice))
	require.Equal(t, []string{alice}, w.undeliverable(t))
	w.told(t, news(earlier, ""))
	require.Empty(t, w.undeliverable(t))
	require.Equal(t, 1, w.audited(t, audit.NumberDeliverable, true))
	require.Equal(t, []string{"GB delivered"}, w.observed.news)

	w.told(t, news(earlier, sms.NumberPermanent))
	require.Len(t, w.observed.news, 1, "nothing comes after delivered")
}

// News of texts that we did not send harms no number, whatever number it tells.
func TestNewsOfTextsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	theirs := w.sent(t, alice)
	var forged []sms.Delivery
	for i, class := range []sms.Class{sms.NumberPermanent, sms.OptedOut, sms.NumberPermanent, sms.OurConfig, sms.RiskBlocked, ""} {
		d := news(fmt.Sprint("none-of-ours-", i), class)
		d.To = number(t, alice)
		forged = append(forged, d)
	}
	other := news(theirs, sms.OptedOut) // ours by its name, but another provider's
	other.Provider, other.To = "second", number(t, alice)
	w.told(t, append(forged, other)...)
	require.Empty(t, w.undeliverable(t))
	require.Empty(t, w.alarms)
	require.Len(t, w.observed.news, 7)
	for _, each := range w.observed.news {
		require.Equal(t, " ", each[:1], "of no country")
	}
}

// The number is that of our record, not the one that the provider tells.
func TestTheNumberIsOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	d := news(w.sent(t, alice), sms.OptedOut)
	d.To = number(t, bob)
	w.told(t, d)
	require.Equal(t, []string{alice}, w.undeliverable(t))
}

// News may come before its text is on record. The replica that sent the text writes that down first.
func TestNewsBeforeItsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	over := runs(t, w.Service)
	require.Nil(t, w.send(t, w.text(t, alice)))
	require.NoError(t, w.Deliver(t.Context(), news("first-1", sms.OptedOut))) // before the next flush
	over()
	require.Equal(t, []string{alice}, w.undeliverable(t))
}

// Where another replica has sent it, the news is looked at once more.
func TestNewsBeforeItsTextFromAnotherReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	over := runs(t, w.Service)
	d := news("first-1", sms.OptedOut)
	d.To = number(t, alice)
	require.NoError(t, w.Deliver(t.Context(), d))
	require.NoError(t, w.store.RecordTexts(t.Context(), []sms.Record{{
		At: w.clock.Now(), To: d.To, Country: "GB", Kind: sms.KindCode, Provider: "first", ProviderID: "first-1",
	}}))
	over()
	require.Equal(t, []string{alice}, w.undeliverable(t))
	require.Equal(t, []string{"GB undelivered"}, w.observed.news, "once")
}

// A country is shut when texts to a second number there fail for a reason of ours: one number may be odd.
func TestNewsThatShutsACountry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	w.told(t, news(w.sent(t, alice), sms.OurConfig))
	require.Nil(t, w.send(t, w.text(t, bob)))
	require.Equal(t, []string{"undelivered_our_config"}, w.alarms)

	w.told(t, news(w.sent(t, stranger), sms.OurConfig))
	w.told(t, news(w.sent(t, "+447700900098"), sms.OurConfig))
	require.Equal(t, rule.ProviderCountry, w.send(t, w.text(t, "+447700900097")).Rule)
	require.Nil(t, w.send(t, w.text(t, paris)), "other countries go on")
	require.NoError(t, w.router.Available())
}

// An account that is suspended is shut at once.
func TestNewsThatShutsAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	d := news(w.sent(t, alice), sms.OurConfig)
	d.Account = true
	w.told(t, d)
	require.Equal(t, rule.ProviderOutage, w.send(t, w.text(t, paris)).Rule)
	require.Error(t, w.router.Available())
}

func TestAlarmsOfNews(t *testing.T) {
	t.Parallel()
	for class, want := range map[sms.Class][]string{
		sms.RiskBlocked: {"risk_blocked"}, sms.Provider: {"undelivered_provider"}, sms.Rate: {"undelivered_rate"},
		sms.NumberTemporary: nil, sms.NumberPermanent: nil, sms.Late: nil,
	} {
		w := newWorld(t, spend.Rules{})
		w.told(t, news(w.sent(t, alice), class))
		require.Equal(t, want, w.alarms, string(class))
		require.NotContains(t, w.log.String(), alice)
	}
	w := newWorld(t, spend.Rules{})
	d := news(w.sent(t, alice), "x")
	d.Class = ""
	w.told(t, d)
	require.Equal(t, []string{"unknown_code"}, w.alarms)
}

// Repeated, shuffled and late: the furthest counts, and each step forward once.
func TestNewsMovesForwardOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	id := w.sent(t, alice)
	at := func(s sms.Status) sms.Delivery { return sms.Delivery{Provider: "first", ProviderID: id, Status: s} }
	w.told(t, at(sms.Sent), at(sms.Queued), at(sms.Sent), at(sms.Accepted), at(sms.Delivered), at(sms.Sent), at("unheard"), at(sms.Delivered))
	require.Equal(t, []string{"GB sent", "GB delivered"}, w.observed.news)
	require.Equal(t, sms.Delivered, w.written(t, alice)[0].Status)
}

// What one piece of news stumbles over is not the next one's fault.
func TestAPanicInWhatNewsCallsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	w.observed.breaks = true
	w.told(t, news(w.sent(t, bob), ""), news(w.sent(t, alice), sms.OptedOut))
	require.Equal(t, []string{alice}, w.undeliverable(t))
	require.Contains(t, w.log.String(), "panic")
	require.NotContains(t, w.log.String(), "canary")
}

// Whoever gives up waiting is free to; the news is written all the same.
func TestATellerWhoGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	id := w.sent(t, alice)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Deliver(ctx, news(id, "")), context.Canceled) // nobody writes yet
	require.Equal(t, sms.Delivered, w.written(t, alice)[0].Status)
}

// The use of a code is on record for the report and for rule M7.
func TestRedeemed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spend.Rules{})
	m := w.text(t, stranger)
	require.Nil(t, w.send(t, m))
	w.clock.Advance(time.Minute)
	w.Redeemed(m.Challenge)
	w.Redeemed(m.Challenge)
	w.Redeemed("")
	require.Equal(t, w.clock.Now(), w.written(t, stranger)[0].RedeemedAt)
	sent, redeemed, err := w.store.StrangerSends(t.Context(), "GB", w.clock.Now().Add(-time.Hour), w.clock.Now(), 50)
	require.NoError(t, err)
	require.Equal(t, []int{1, 1}, []int{sent, redeemed})
}
