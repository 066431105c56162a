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

func TestStrangersUseOfCodes(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		now := clock.Now()
		minute := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
		for i := range 10 { // from minute 0 to 9, of which 1, 4 and 7 are used
			id := fmt.Sprint("SM", i)
			if i%3 == 1 {
				require.NoError(t, store.Redeemed(t.Context(), []string{"challenge " + id}, now), "also before the text is there")
			}
			recordTexts(t, store, textTo(alpha, id, minute(i), stranger))
		}
		recordTexts(t, store, // all in the middle of it
			textTo(alpha, "staff", minute(5)),
			textTo(alpha, "notice", minute(5), stranger, func(r *sms.Record) { r.Kind = sms.KindNotice }),
			textTo(alpha, "", minute(5), stranger, notTaken(sms.NumberPermanent)),
			textTo(alpha, "", minute(5), stranger, withheldBy("strangers_day")),
			textTo(alpha, "far", minute(5), stranger, to("FR")),
			textTo(alpha, "farther", minute(8), stranger, to("NL")),
			textTo(alpha, "staff elsewhere", minute(5), to("BE")))

		for name, tc := range map[string]struct {
			country        string
			from, to       int
			limit          int
			sent, redeemed int
		}{
			"all":                       {"GB", 0, 10, 50, 10, 3},
			"the last":                  {"GB", 0, 10, 2, 2, 0},
			"the last, with a used one": {"GB", 0, 10, 3, 3, 1},
			"from the first on":         {"GB", 1, 10, 50, 9, 3},
			"up to before the last":     {"GB", 0, 9, 50, 9, 3},
			"another country":           {"FR", 0, 10, 50, 1, 0},
			"no stranger there":         {"BE", 0, 10, 50, 0, 0},
			"nothing at that time":      {"GB", 20, 30, 50, 0, 0},
		} {
			t.Run(name, func(t *testing.T) {
				sent, redeemed, err := store.StrangerSends(t.Context(), tc.country, minute(tc.from), minute(tc.to), tc.limit)
				require.NoError(t, err)
				require.Equal(t, []int{tc.sent, tc.redeemed}, []int{sent, redeemed})
			})
		}
		for name, tc := range map[string]struct {
			from, to int
			want     []string
		}{
			"all":     {0, 10, []string{"FR", "GB", "NL"}},
			"early":   {0, 5, []string{"GB"}},
			"at once": {8, 9, []string{"GB", "NL"}},
			"later":   {10, 20, nil},
		} {
			t.Run("countries, "+name, func(t *testing.T) {
				countries, err := store.StrangerCountries(t.Context(), minute(tc.from), minute(tc.to))
				require.NoError(t, err)
				require.Equal(t, tc.want, countries)
			})
		}
	})
}

func TestNoStrangers(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		countries, err := store.StrangerCountries(t.Context(), clock.Now().Add(-time.Hour), clock.Now())
		require.NoError(t, err)
		require.Empty(t, countries)
	})
}
