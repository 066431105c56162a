package sql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// textTo is a code that Twilio took; the challenge in it is named as the text.
func textTo(e164, id string, at time.Time, edit ...func(*sms.Record)) sms.Record {
	r := sms.Record{
		At: at.UTC(), To: number(e164), Country: "GB", Kind: sms.KindCode, Challenge: "challenge " + id, ClientID: "app",
		Segments: 1, Cost: 40_000, Provider: "twilio", ProviderID: id,
	}
	for _, e := range edit {
		e(&r)
	}
	return r
}

func stranger(r *sms.Record) { r.Stranger = true }

// notTaken is a text that no provider took.
func notTaken(class sms.Class) func(*sms.Record) {
	return func(r *sms.Record) { r.Class, r.ProviderID, r.Cost = class, "", 0 }
}

func withheldBy(rule string) func(*sms.Record) {
	return func(r *sms.Record) {
		notTaken(sms.Withheld)(r)
		r.Rule, r.Provider = rule, ""
	}
}

func to(country string) func(*sms.Record) { return func(r *sms.Record) { r.Country = country } }

func recordTexts(t *testing.T, store *sql.Store, texts ...sms.Record) {
	t.Helper()
	require.NoError(t, store.RecordTexts(t.Context(), texts))
}

func textsTo(t *testing.T, store *sql.Store, e164 string, limit int) []sms.Tracked {
	t.Helper()
	texts, err := store.TextsTo(t.Context(), number(e164), limit)
	require.NoError(t, err)
	return texts
}

func news(id string, status sms.Status) sms.Delivery {
	return sms.Delivery{Provider: "twilio", ProviderID: id, Status: status, To: number(alpha)}
}

func deliver(t *testing.T, store *sql.Store, all ...sms.Delivery) []sms.Moved {
	t.Helper()
	moved, err := store.Deliver(t.Context(), all)
	require.NoError(t, err)
	return moved
}

func TestTextsAreRecorded(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		at := clock.Now()
		first := textTo(alpha, "SM1", at.Add(-time.Hour))
		second := textTo(alpha, "", at, notTaken(sms.NumberPermanent), func(r *sms.Record) { r.Code = 21211 })
		withheld := textTo(alpha, "", at, withheldBy("undeliverable"), stranger)
		notice := textTo(alpha, "SM2", at.Add(-time.Minute), func(r *sms.Record) { r.Kind, r.Challenge, r.ClientID = sms.KindNotice, "", "" })
		recordTexts(t, store)
		recordTexts(t, store, notice, first, textTo(beta, "SM3", at))
		recordTexts(t, store, second, first, withheld, first) // again, as after a lost answer

		require.Equal(t, []sms.Tracked{{Record: withheld}, {Record: second}, {Record: notice}, {Record: first}}, textsTo(t, store, alpha, 10))
		require.Equal(t, []sms.Tracked{{Record: withheld}, {Record: second}}, textsTo(t, store, alpha, 2))
		require.Empty(t, textsTo(t, store, gamma, 10))

		clock.Advance(time.Second)
		deliver(t, store, news("SM1", sms.Delivered), news("SM3", sms.Sent),
			sms.Delivery{Provider: "twilio", ProviderID: "SM2", Status: sms.Undelivered, Code: 30003, Class: sms.NumberTemporary})
		require.NoError(t, store.Redeemed(t.Context(), []string{first.Challenge, "", "unknown", first.Challenge}, clock.Now()))
		require.NoError(t, store.Redeemed(t.Context(), []string{first.Challenge}, clock.Now().Add(time.Hour)))
		require.NoError(t, store.Redeemed(t.Context(), nil, clock.Now()))
		now := clock.Now().UTC()
		require.Equal(t, []sms.Tracked{
			{Record: withheld},
			{Record: second},
			{Record: notice, Status: sms.Undelivered, StatusCode: 30003, StatusClass: sms.NumberTemporary, StatusAt: now},
			{Record: first, Status: sms.Delivered, StatusAt: now, RedeemedAt: now},
		}, textsTo(t, store, alpha, 10))
	})
}

// The same name may come from two providers, and none from many texts.
func TestTextsAreToldApartByProviderAndName(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		other := textTo(alpha, "SM1", clock.Now(), func(r *sms.Record) { r.Provider = "gateway" })
		unnamed := textTo(alpha, "", clock.Now(), func(r *sms.Record) { r.Provider = "gateway" })
		recordTexts(t, store, textTo(alpha, "SM1", clock.Now()), other, unnamed, unnamed)
		require.Len(t, textsTo(t, store, alpha, 10), 4)
		moved := deliver(t, store, sms.Delivery{Provider: "gateway", ProviderID: "SM1", Status: sms.Delivered})
		require.Len(t, moved, 1)
		require.Equal(t, &other, moved[0].Text)
	})
}

func TestManyTextsAtOnce(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		const n = 1_300
		var texts []sms.Record
		var all []sms.Delivery
		var challenges []string
		for i := range n {
			id := fmt.Sprintf("SM%04d", i)
			texts = append(texts, textTo(alpha, id, clock.Now(), stranger))
			all = append(all, news(id, sms.Delivered))
			challenges = append(challenges, texts[i].Challenge)
		}
		recordTexts(t, store, texts...)
		moved := deliver(t, store, all...)
		require.Len(t, moved, n)
		for i, m := range moved {
			require.Equal(t, &texts[i], m.Text)
		}
		require.NoError(t, store.Redeemed(t.Context(), challenges, clock.Now()))
		sent, redeemed, err := store.StrangerSends(t.Context(), "GB", clock.Now(), clock.Now().Add(time.Second), 5_000)
		require.NoError(t, err)
		require.Equal(t, []int{n, n}, []int{sent, redeemed})
	})
}
