package sql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func TestTextReport(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		next := day.AddDate(0, 0, 1)
		twoParts := func(r *sms.Record) { r.Segments, r.Cost = 2, 80_000 }
		recordTexts(t, store,
			textTo(alpha, "before", day.Add(-time.Microsecond)),
			textTo(alpha, "SM1", day),
			textTo(alpha, "SM2", day.Add(time.Hour), stranger, twoParts),
			textTo(alpha, "SM3", next.Add(-time.Microsecond), stranger),
			textTo(alpha, "SM4", day),
			textTo(alpha, "SM5", day),
			textTo(alpha, "", day, stranger, notTaken(sms.NumberPermanent)),
			textTo(alpha, "", day, func(r *sms.Record) { r.Class, r.ProviderID = sms.UnknownOutcome, "" }), // it costs
			textTo(alpha, "", day, stranger, withheldBy("strangers_day")),
			textTo(alpha, "", day, stranger, withheldBy("strangers_day")),
			textTo(alpha, "", day, withheldBy("budget_untrusted")),
			textTo(alpha, "SM6", day, to("FR")),
			textTo(alpha, "SM7", next),
			textTo(alpha, "after", next.AddDate(0, 0, 1)))
		deliver(t, store, news("SM1", sms.Delivered), news("SM2", sms.Delivered), news("SM4", sms.Sent),
			sms.Delivery{Provider: "twilio", ProviderID: "SM3", Status: sms.Undelivered, Class: sms.NumberPermanent},
			sms.Delivery{Provider: "twilio", ProviderID: "SM5", Status: sms.Failed, Class: sms.Late},
			sms.Delivery{Provider: "gateway", ProviderID: "SM7", Status: sms.Delivered})
		require.NoError(t, store.Redeemed(t.Context(), []string{"challenge SM1", "challenge SM2", "challenge SM7"}, next))

		report, err := store.TextReport(t.Context(), day, next.AddDate(0, 0, 1))
		require.NoError(t, err)
		require.Equal(t, []sms.ReportRow{
			{
				Day: day, Country: "FR", Sent: 1, Failed: map[sms.Class]int{}, Withheld: map[rule.Name]int{}, Segments: 1, Cost: 40_000,
			},
			{
				Day: day, Country: "GB", Sent: 5, Delivered: 2,
				Failed:   map[sms.Class]int{sms.NumberPermanent: 2, sms.UnknownOutcome: 1, sms.Late: 1},
				Withheld: map[rule.Name]int{rule.StrangersDay: 2, rule.BudgetUntrusted: 1},
				Redeemed: 2, Strangers: 2, Segments: 7, Cost: 280_000,
			},
			{
				Day: next, Country: "GB", Sent: 1, Failed: map[sms.Class]int{}, Withheld: map[rule.Name]int{}, Redeemed: 1, Segments: 1, Cost: 40_000,
			},
		}, report)

		none, err := store.TextReport(t.Context(), next.AddDate(1, 0, 0), next.AddDate(1, 0, 100))
		require.NoError(t, err)
		require.Empty(t, none)
		_, err = store.TextReport(t.Context(), day, day.AddDate(0, 0, 101))
		require.ErrorContains(t, err, "ask for at most 100 days")
	})
}
