package sql_test

import (
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// noPlan counts as one that its country has not given out.
const noPlan = "+12015550000"

// countryOf is the country of a number, and "" where there is none such.
func countryOf(n phone.Number) string {
	parsed, err := phonenumbers.Parse(n.E164(), "")
	if err != nil || n.E164() == noPlan {
		return ""
	}
	if country := phonenumbers.GetRegionCodeForNumber(parsed); country != "" {
		return country
	}
	return phonenumbers.GetRegionCodeForCountryCode(int(parsed.GetCountryCode())) // numbers for films
}

func TestPeopleAreCountedByCountry(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		total, countries, err := store.PeopleByCountry(t.Context(), countryOf)
		require.NoError(t, err)
		require.Zero(t, total)
		require.Empty(t, countries)

		leaver := person("leaver", "+33612345678")
		leaver.Active = false
		hr(t, store, person("1", alpha), person("2", beta), person("3", beta), person("4", ""), leaver,
			person("jersey", "+447797712345"), person("guernsey", "+447781123456"), person("man", "+447624312345"),
			person("nobody", noPlan), person("usa", "+12015550123"), person("canada", "+15062345678"), person("jamaica", "+18762101234"),
			person("russia", "+79123456789"), person("kazakhstan", "+77710009998"),
			person("nowhere", "+999123456789"), person("france", "+33612345679"))
		total, countries, err = store.PeopleByCountry(t.Context(), countryOf)
		require.NoError(t, err)
		require.Equal(t, 14, total)
		require.Equal(t, map[string]int{
			"GB": 3, "JE": 1, "GG": 1, "IM": 1, "US": 2, "CA": 1, "JM": 1, "RU": 1, "KZ": 1, "FR": 1,
		}, countries)
	})
}

func TestTheDirectorysRevision(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		seen := map[string]bool{}
		changed := func() bool {
			revision, err := store.DirectoryRevision(t.Context())
			require.NoError(t, err)
			before := seen[revision]
			seen[revision] = true
			return !before
		}
		require.True(t, changed())
		require.False(t, changed())
		for _, e164 := range []string{alpha, beta, alpha} {
			clock.Advance(time.Millisecond)
			hr(t, store, person("1", e164))
			require.True(t, changed())
			require.False(t, changed())
		}
		open(t, store, alpha, nil)
		require.NoError(t, store.Ping(t.Context()))
		require.False(t, changed(), "nobody of HR's has changed")
	})
}

func TestManyEventsAreRecorded(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		require.NoError(t, store.RecordMany(t.Context(), nil))
		all := make([]audit.Event, 1_100)
		for i := range all {
			all[i] = audit.Event{At: clock.Now(), Kind: audit.SignInRefused, Actor: audit.System}
		}
		all[1_099].Detail = map[string]any{"no JSON": func() {}}
		require.Error(t, store.RecordMany(t.Context(), all))
		require.Empty(t, events(t, store, audit.SignInRefused), "all or none")
		all[1_099].Detail = map[string]any{"last": true}
		require.NoError(t, store.RecordMany(t.Context(), all))
		require.Len(t, events(t, store, audit.SignInRefused), len(all))
	})
}
