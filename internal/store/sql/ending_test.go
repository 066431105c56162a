package sql_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// cast are sessions by name: of Ann and Ben, of Carl, whose number has become a stranger's identity
// while HR still has it, and of that stranger. One of Ann's is over.
type cast map[string]session.Session

func newCast(t *testing.T, store *sql.Store, clock *otptest.Clock) cast {
	ann, ben := person("E1", alpha), person("E2", beta)
	ann.Email, ben.Email = "Ann@Example.com", "ben@example.com"
	hr(t, store, ann, ben, person("E3", gamma))
	on := func(client string) func(*session.Session) {
		return func(s *session.Session) { s.ClientID = client }
	}
	c := cast{}
	c["over"] = open(t, store, alpha, func(s *session.Session) { s.ExpiresAt = s.AuthTime })
	c["ann, early"] = open(t, store, alpha, on("web"))
	c["carl"] = open(t, store, gamma, on("app"))
	clock.Advance(time.Minute)
	c["ann, late"] = open(t, store, alpha, on("app"))
	c["ben"] = open(t, store, beta, on("app"))
	c["stranger"] = open(t, store, delta, on("app"))
	execute(t, store, "UPDATE identities SET subject = ? WHERE identifier = ?", c["stranger"].Subject, gamma)
	return c
}

// names are who is in listed, in alphabetical order.
func (c cast) names(listed []session.Listed) []string {
	found := []string{}
	for name, s := range c {
		if slices.Contains(sids(listed), s.SID) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func TestEndSessionsEndsWhatTheFilterSelects(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		c := newCast(t, store, clock)
		of := func(name string) session.Session { return c[name] }
		early := of("ann, early").AuthTime
		all := []string{"ann, early", "ann, late", "ben", "carl", "stranger"}
		inOrder := slices.SortedFunc(slices.Values(all), func(a, b string) int {
			if of(a).SID < of(b).SID {
				return -1
			}
			return 1
		})
		lastThree := slices.Sorted(slices.Values(inOrder[2:]))
		for name, tc := range map[string]struct {
			filter session.Filter
			want   []string
		}{
			"everybody":                    {session.Filter{All: true}, all},
			"a session":                    {session.Filter{SID: of("ben").SID}, []string{"ben"}},
			"a client":                     {session.Filter{ClientID: "web"}, []string{"ann, early"}},
			"a subject":                    {session.Filter{Subject: of("ann, early").Subject}, []string{"ann, early", "ann, late"}},
			"a number":                     {session.Filter{Phone: alpha}, []string{"ann, early", "ann, late"}},
			"a stranger's number":          {session.Filter{Phone: delta}, []string{"stranger"}},
			"a number that two may have":   {session.Filter{Phone: gamma}, []string{"carl", "stranger"}},
			"an address in any case":       {session.Filter{Email: "aNN@eXAMPLE.COM"}, []string{"ann, early", "ann, late"}},
			"an external id":               {session.Filter{ExternalID: "E2"}, []string{"ben"}},
			"open already":                 {session.Filter{All: true, OpenedUntil: early}, []string{"ann, early", "carl"}},
			"later sids":                   {session.Filter{All: true, AfterSID: of(inOrder[1]).SID}, lastThree},
			"a client and a person":        {session.Filter{ClientID: "app", Email: "ann@example.com"}, []string{"ann, late"}},
			"a person and a time":          {session.Filter{ExternalID: "E1", OpenedUntil: early}, []string{"ann, early"}},
			"a number and its person":      {session.Filter{Phone: gamma, ExternalID: "E3", Subject: of("carl").Subject}, []string{"carl"}},
			"Ended makes no difference":    {session.Filter{Phone: alpha, Ended: true}, []string{"ann, early", "ann, late"}},
			"one that is over":             {session.Filter{SID: of("over").SID, Ended: true}, nil},
			"no such session":              {session.Filter{SID: "none"}, nil},
			"no such client":               {session.Filter{ClientID: "APP"}, nil},
			"no such subject":              {session.Filter{Subject: "%"}, nil},
			"no such number":               {session.Filter{Phone: "+447700900099"}, nil},
			"a part of an address":         {session.Filter{Email: "%@example.com"}, nil},
			"another case of external ids": {session.Filter{ExternalID: "e1"}, nil},
			"open before all":              {session.Filter{All: true, OpenedUntil: early.Add(-time.Microsecond)}, nil},
			"nothing is later":             {session.Filter{All: true, AfterSID: "~"}, nil},
			"one's session, other's name":  {session.Filter{SID: of("ben").SID, ExternalID: "E1"}, nil},
			"a time, another's":            {session.Filter{Subject: of("ben").Subject, OpenedUntil: early}, nil},
		} {
			t.Run(name, func(t *testing.T) {
				execute(t, store, "UPDATE sessions SET revoked_at = NULL, revoked_reason = '', revoked_tick = 0")
				execute(t, store, "DELETE FROM audit_events")
				ended, err := store.EndSessions(t.Context(), tc.filter, session.Ending{Reason: session.Operator}, 10)
				require.NoError(t, err)
				require.Equal(t, append([]string{}, tc.want...), c.names(ended))
				require.Len(t, ended, len(tc.want))
				for who, s := range c {
					revoked := standing(t, store, s.SID).Session.Revoked()
					require.Equal(t, slices.Contains(tc.want, who), revoked, who)
				}
				again, err := store.EndSessions(t.Context(), tc.filter, session.Ending{Reason: session.Operator}, 10)
				require.NoError(t, err)
				require.Empty(t, again)
				require.Len(t, events(t, store, audit.SessionEnded), len(tc.want))
			})
		}
	})
}

func TestEndedSessionsAreReturnedAndOnRecord(t *testing.T) {
	onEachEngineAt(t, func(t *testing.T, store *sql.Store, clock *otptest.Clock) {
		c := newCast(t, store, clock)
		hr(t, store, directory.Person{ExternalID: "E1", Name: "Zoë", Phone: number(alpha), Active: true}, person("E2", beta), person("E3", gamma))
		ann, stranger := standing(t, store, c["ann, late"].SID), standing(t, store, c["stranger"].SID)
		how := session.Ending{Reason: session.SignedOut, Actor: "cli:root", Address: "192.0.2.1", Detail: map[string]any{"reason": `"lost" phone?`}}
		for _, tc := range []struct {
			session      session.Session
			userID, name string
		}{
			{ann.Session, ann.UserID, "Zoë"},
			{stranger.Session, "", ""},
		} {
			clock.Advance(time.Second)
			execute(t, store, "DELETE FROM audit_events")
			ended, err := store.EndSessions(t.Context(), session.Filter{SID: tc.session.SID}, how, 10)
			require.NoError(t, err)
			want := tc.session
			want.RevokedAt, want.RevokedReason = clock.Now().UTC(), session.SignedOut
			require.Equal(t, []session.Listed{{Session: want, UserID: tc.userID, Name: tc.name}}, ended)
			require.Equal(t, want, standing(t, store, want.SID).Session)
			written := events(t, store, audit.SessionEnded)
			require.Len(t, written, 1)
			var detail map[string]any
			require.NoError(t, json.Unmarshal([]byte(written[0].Detail), &detail))
			require.Equal(t, how.Detail, detail)
			written[0].Detail = ""
			require.Equal(t, event{
				At: clock.Now().UnixMicro(), Kind: audit.SessionEnded, Actor: "cli:root", Subject: want.Subject, UserID: tc.userID,
				ClientID: want.ClientID, SID: want.SID, Address: "192.0.2.1", Reason: "signed_out",
			}, written[0])
		}
	})
}

func TestEndSessionsInBatches(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		const n, limit = 1000, 130
		many := make([]session.Session, n)
		for i := range many {
			many[i] = newSession("many", time.Now())
		}
		plant(t, store, many...)
		after := ""
		seen := map[string]bool{}
		for calls := 1; ; calls++ {
			ended, err := store.EndSessions(t.Context(), session.Filter{All: true, AfterSID: after}, session.Ending{Reason: session.Operator}, limit)
			require.NoError(t, err)
			for _, each := range ended {
				require.False(t, seen[each.SID], "ended twice")
				seen[each.SID] = true
				after = max(after, each.SID)
			}
			if len(ended) < limit {
				require.Equal(t, n/limit+1, calls)
				break
			}
			require.Len(t, ended, limit)
		}
		require.Len(t, seen, n)
		require.Empty(t, liveSIDs(t, store, session.Filter{}))
		require.EqualValues(t, n, query(t, store, "SELECT COUNT(DISTINCT sid) FROM audit_events WHERE kind = ?", audit.SessionEnded))
	})
}

func TestAnEndThatCannotBeRecordedEndsNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		opened := open(t, store, alpha, nil)
		_, err := store.EndSessions(t.Context(), session.Filter{All: true}, session.Ending{Reason: session.Operator, Detail: unwritable}, 10)
		require.Error(t, err)
		require.Equal(t, opened, standing(t, store, opened.SID).Session)
		require.Zero(t, query(t, store, "SELECT tick FROM revocation_clock"))
	})
}
