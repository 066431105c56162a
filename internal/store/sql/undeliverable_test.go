package sql_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// note reports whether the failure has blocked the number.
func note(t *testing.T, store *sql.Store, clock *otptest.Clock, e164 string, f sms.Failure) bool {
	t.Helper()
	blocked, err := store.NoteUndeliverable(t.Context(), number(e164), f, clock.Now())
	require.NoError(t, err)
	return blocked
}

func recipient(t *testing.T, store *sql.Store, e164 string) sms.Recipient {
	t.Helper()
	r, err := store.Recipient(t.Context(), number(e164))
	require.NoError(t, err)
	return r
}

// listed are the numbers on the list of those that get no texts, all but their last page in pages of one.
func listed(t *testing.T, store *sql.Store, staff bool) []sms.UndeliverableNumber {
	t.Helper()
	var all []sms.UndeliverableNumber
	var after phone.Number
	for {
		page, err := store.UndeliverableNumbers(t.Context(), 1, after, staff)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.Len(t, page, 1)
		all = append(all, page[0])
		after = page[0].To
	}
	whole, err := store.UndeliverableNumbers(t.Context(), 100, phone.Number{}, staff)
	require.NoError(t, err)
	require.Equal(t, whole, all)
	return all
}

func TestANumberThatGetsNoTexts(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		hr(t, store, person("1", alpha))
		now := clock.Now().UTC()
		refused := sms.Failure{Class: sms.NumberPermanent, Code: 21614, Reason: "not a mobile number", Provider: "twilio", Sync: true}
		require.Equal(t, sms.Recipient{Known: true}, recipient(t, store, alpha))
		require.True(t, note(t, store, clock, alpha, refused))
		want := sms.Undeliverable{
			To: number(alpha), Class: sms.NumberPermanent, Code: 21614, Reason: "not a mobile number", Provider: "twilio",
			Hits: 1, FirstAt: now, LastAt: now, Until: now.Add(day),
		}
		require.Equal(t, sms.Recipient{Known: true, Undeliverable: &want}, recipient(t, store, alpha))
		require.Equal(t, sms.Recipient{}, recipient(t, store, beta))

		clock.Advance(time.Hour)
		require.False(t, note(t, store, clock, alpha, refused), "it is blocked already")
		want.Hits, want.LastAt, want.Until = 2, now.Add(time.Hour), now.Add(day+time.Hour)
		require.Equal(t, &want, recipient(t, store, alpha).Undeliverable)
		clock.Advance(day)
		require.Equal(t, sms.Recipient{Known: true}, recipient(t, store, alpha), "it may be tried again")
		require.True(t, note(t, store, clock, alpha, sms.Failure{Class: sms.NumberPermanent, Code: 30005, Provider: "gateway"}))

		told := events(t, store, audit.NumberUndeliverable)
		require.Len(t, told, 2)
		users, err := store.Users(t.Context(), "hr", 1)
		require.NoError(t, err)
		require.Equal(t, event{
			At: now.UnixMicro(), Kind: audit.NumberUndeliverable, Actor: audit.System, UserID: users[0].ID, Phone: "***001",
			Reason: "number_permanent", Detail: told[0].Detail,
		}, told[0])
		require.JSONEq(t, `{"source": "hr", "external_id": "1", "code": 21614, "provider": "twilio", "hits": 1, "until": "`+
			now.Add(day).Format(time.RFC3339)+`"}`, told[0].Detail)
	})
}

func TestFailuresThatDoNotSpeakOfTheNumber(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		for _, class := range []sms.Class{"", sms.NumberTemporary, sms.RiskBlocked, sms.OurConfig, sms.Provider, sms.UnknownOutcome, sms.Withheld} {
			require.False(t, note(t, store, clock, alpha, sms.Failure{Class: class, Sync: true}))
		}
		blocked, err := store.NoteUndeliverable(t.Context(), phone.Number{}, sms.Failure{Class: sms.OptedOut}, clock.Now())
		require.NoError(t, err)
		require.False(t, blocked, "of no number")
		require.Zero(t, query(t, store, "SELECT COUNT(*) FROM undeliverable"))
	})
}

func TestATextThatArrivesLiftsTheBlock(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		hr(t, store, person("1", alpha), person("2", beta))
		for _, e164 := range []string{alpha, beta, gamma} {
			require.True(t, note(t, store, clock, e164, sms.Failure{Class: sms.OptedOut}))
		}
		require.False(t, note(t, store, clock, delta, sms.Failure{Class: sms.NumberPermanent}))
		clock.Advance(time.Minute)
		require.NoError(t, store.Deliverable(t.Context()))
		require.NoError(t, store.Deliverable(t.Context(), number("+447700900999"), number(gamma), number(alpha), number(delta), number(alpha)))
		require.Nil(t, recipient(t, store, alpha).Undeliverable)
		require.NotNil(t, recipient(t, store, beta).Undeliverable)
		require.False(t, note(t, store, clock, delta, sms.Failure{Class: sms.NumberPermanent}), "its first failure is forgotten")

		lifted, err := store.LiftUndeliverable(t.Context(), number(beta), "cli:ops")
		require.NoError(t, err)
		require.True(t, lifted)
		lifted, err = store.LiftUndeliverable(t.Context(), number(beta), "cli:ops")
		require.NoError(t, err)
		require.False(t, lifted)

		told := events(t, store, audit.NumberDeliverable)
		require.Len(t, told, 3, "and none for a number that was not blocked")
		for i, want := range []event{
			{Actor: audit.System, Phone: "***003", Reason: "delivered"},
			{Actor: audit.System, Phone: "***001", Reason: "delivered", Detail: `{"external_id":"1","source":"hr"}`},
			{Actor: "cli:ops", Phone: "***002", Reason: "lifted", Detail: `{"external_id":"2","source":"hr"}`},
		} {
			require.Equal(t, want.Detail != "", told[i].UserID != "")
			want.At, want.Kind, want.UserID = clock.Now().UnixMicro(), audit.NumberDeliverable, told[i].UserID
			require.Equal(t, want, told[i])
		}
	})
}

func TestHRIsToldOfNumbersThatGetNoTexts(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		leaver := person("9", delta)
		hr(t, store, person("1", alpha), person("2", beta), person("3", beta), person("4", ""), leaver)
		leaver.Active = false
		hr(t, store, person("1", alpha), person("2", beta), person("3", beta), person("4", ""), leaver)
		require.Empty(t, listed(t, store, false))
		require.False(t, recipient(t, store, delta).Known, "of someone who left")
		for _, e164 := range []string{gamma, beta, delta, alpha} {
			require.True(t, note(t, store, clock, e164, sms.Failure{Class: sms.NumberPermanent, Code: 21211, Sync: true}))
		}
		require.False(t, note(t, store, clock, "+447700900005", sms.Failure{Class: sms.NumberPermanent}), "once is not enough")
		require.Len(t, events(t, store, audit.NumberUndeliverable), 5, "one for each person who has beta")
		clock.Advance(2 * day) // they may be tried again, but are as wrong as they were

		var seen [][]string
		for _, n := range listed(t, store, false) {
			row := []string{n.To.E164()}
			for _, h := range n.Holders {
				require.NotEmpty(t, h.UserID)
				row = append(row, h.Source+" "+h.ExternalID+" "+h.Name)
			}
			require.Equal(t, 21211, n.Code)
			seen = append(seen, row)
		}
		require.Equal(t, [][]string{
			{alpha, "hr 1 Person 1"}, {beta, "hr 2 Person 2", "hr 3 Person 3"}, {gamma}, {delta},
		}, seen)
		var staff []string
		for _, n := range listed(t, store, true) {
			staff = append(staff, n.To.E164())
		}
		require.Equal(t, []string{alpha, beta}, staff)
	})
}

// Of many replicas that note failures of one number and lift it, each change is told once.
func TestABlockIsToldOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		hr(t, store, directory.Person{ExternalID: "1", Name: "A", Phone: number(alpha), Active: true})
		var told atomic.Int64
		together(t, 30, func(int) error {
			return untilFree(func() error {
				blocked, err := store.NoteUndeliverable(t.Context(), number(alpha), sms.Failure{Class: sms.NumberPermanent}, time.Now())
				if blocked {
					told.Add(1)
				}
				return err
			})
		})
		require.EqualValues(t, 1, told.Load())
		require.Equal(t, 30, recipient(t, store, alpha).Undeliverable.Hits)
		require.Len(t, events(t, store, audit.NumberUndeliverable), 1)
		told.Store(0)
		together(t, 30, func(i int) error {
			return untilFree(func() error {
				if i%3 > 0 {
					return store.Deliverable(t.Context(), number(alpha))
				}
				blocked, err := store.NoteUndeliverable(t.Context(), number(alpha), sms.Failure{Class: sms.OptedOut}, time.Now())
				if blocked {
					told.Add(1)
				}
				return err
			})
		})
		require.NoError(t, untilFree(func() error { return store.Deliverable(t.Context(), number(alpha)) }))
		require.EqualValues(t, 1+told.Load(), len(events(t, store, audit.NumberUndeliverable)))
		require.EqualValues(t, 1+told.Load(), len(events(t, store, audit.NumberDeliverable)), "each block was lifted")
	})
}
