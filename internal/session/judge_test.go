package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
)

// noon is when the tables' sessions are used.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// rules are the defaults of the settings.
var rules = session.Rules{Idle: 30 * day, Absolute: 90 * day, RepeatWindow: 30 * time.Second, LateRepeats: 3}

// opened is a session of "app" at its tenth refresh, which is just done, with no end in sight.
func opened(change func(*session.Session)) session.Session {
	s := session.Session{
		SID: session.NewSID(), ClientID: "app", Scope: scope.Parse("openid offline_access"),
		AuthTime: noon.Add(-10 * day), LastUsedAt: noon, ExpiresAt: noon.Add(30 * day),
		Family: session.Family{Generation: 10, RotatedAt: noon},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// late is a session somebody has asked late for, up to a generation, in so many running.
func late(generation int64, streak int) session.Session {
	return opened(func(s *session.Session) { s.LateGeneration, s.LateStreak = generation, streak })
}

// uses are the columns of the table: which token, counted from the newest, and when.
var uses = [8]struct {
	name  string
	token int64
	at    time.Time
}{
	{"the newest", 0, noon.Add(time.Hour)},
	{"one behind, within the window", -1, noon.Add(29 * time.Second)},
	{"one behind, at the window's edge", -1, noon.Add(30 * time.Second)},
	{"one behind, just later", -1, noon.Add(30*time.Second + time.Microsecond)},
	{"two behind", -2, noon.Add(time.Second)},
	{"many behind", -10, noon.Add(time.Second)},
	{"one ahead of the record", 1, noon.Add(time.Hour)},
	{"many ahead of the record", 7, noon.Add(time.Hour)},
}

// Cells of the table.
const (
	none   = "no such token"
	rotate = "rotate"
	again  = "the same again"
	count1 = "the same again, counted 1"
	count2 = "the same again, counted 2"
	refuse = "refuse"
	endOld = "end: refresh_replayed"
	endLag = "end: refresh_repeated_late"
	endApp = "end: refresh_other_client"
)

func TestJudge(t *testing.T) {
	refused := [8]string{refuse, refuse, refuse, refuse, refuse, refuse, refuse, refuse}
	stolen := [8]string{endApp, endApp, endApp, endApp, endApp, endApp, endApp, endApp}
	for _, tc := range []struct {
		state string
		of    session.Session
		rules session.Rules
		// own is what each use leads to if the session's client makes it, other if another does.
		own, other [8]string
	}{
		{"a fresh sign-in", opened(func(s *session.Session) { s.Family = session.Family{RotatedAt: noon}; s.AuthTime = noon }), rules,
			[8]string{rotate, none, none, none, none, none, rotate, rotate},
			[8]string{endApp, none, none, none, none, none, endApp, endApp}},
		{"refreshed once", opened(func(s *session.Session) { s.Generation = 1 }), rules,
			[8]string{rotate, again, again, count1, none, none, rotate, rotate},
			[8]string{endApp, endApp, endApp, endApp, none, none, endApp, endApp}},
		{"rotated just now", opened(nil), rules,
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},
		{"rotated long ago", opened(func(s *session.Session) { s.RotatedAt, s.LastUsedAt = noon.Add(-20*day), noon.Add(-20*day) }), rules,
			[8]string{rotate, count1, count1, count1, endOld, endOld, rotate, rotate}, stolen},

		{"one late repeat, counted in this generation", late(10, 1), rules,
			[8]string{rotate, again, again, again, endOld, endOld, rotate, rotate}, stolen},
		{"one late repeat, counted in the one before", late(9, 1), rules,
			[8]string{rotate, again, again, count2, endOld, endOld, rotate, rotate}, stolen},
		{"one late repeat, counted longer ago", late(8, 1), rules,
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},
		{"two running, up to this generation", late(10, 2), rules,
			[8]string{rotate, again, again, again, endOld, endOld, rotate, rotate}, stolen},
		{"two running, up to the one before", late(9, 2), rules,
			[8]string{rotate, again, again, endLag, endOld, endOld, rotate, rotate}, stolen},
		{"two running, longer ago", late(8, 2), rules,
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},
		{"two running, ahead of a record that was restored", late(12, 2), rules,
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},

		{"revoked", opened(func(s *session.Session) { s.RevokedAt, s.RevokedReason = noon.Add(-time.Hour), session.Operator }), rules,
			refused, refused},
		{"past its idle end", opened(func(s *session.Session) { s.LastUsedAt = noon.Add(-31 * day) }), rules, refused, refused},
		{"past its absolute end", opened(func(s *session.Session) { s.AuthTime = noon.Add(-91 * day) }), rules, refused, refused},
		{"over, and the limits raised afterwards", opened(func(s *session.Session) { s.ExpiresAt = noon.Add(-time.Second) }), rules,
			refused, refused},
		{"without refresh tokens", opened(func(s *session.Session) { s.Scope = scope.Parse("openid profile") }), rules, refused, refused},

		{"no idle end, no absolute end", opened(func(s *session.Session) { s.AuthTime, s.LastUsedAt = noon.Add(-999*day), noon.Add(-99*day) }),
			session.Rules{RepeatWindow: rules.RepeatWindow, LateRepeats: 3},
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},
		{"no idle end", opened(func(s *session.Session) { s.LastUsedAt = noon.Add(-80 * day); s.AuthTime = noon.Add(-80 * day) }),
			session.Rules{Absolute: rules.Absolute, RepeatWindow: rules.RepeatWindow, LateRepeats: 3},
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},
		{"no idle end, past the absolute one", opened(func(s *session.Session) { s.AuthTime = noon.Add(-91 * day) }),
			session.Rules{Absolute: rules.Absolute, RepeatWindow: rules.RepeatWindow, LateRepeats: 3}, refused, refused},
		{"no absolute end", opened(func(s *session.Session) { s.AuthTime = noon.Add(-999 * day) }),
			session.Rules{Idle: rules.Idle, RepeatWindow: rules.RepeatWindow, LateRepeats: 3},
			[8]string{rotate, again, again, count1, endOld, endOld, rotate, rotate}, stolen},
		{"no absolute end, past the idle one", opened(func(s *session.Session) { s.LastUsedAt = noon.Add(-31 * day) }),
			session.Rules{Idle: rules.Idle, RepeatWindow: rules.RepeatWindow, LateRepeats: 3}, refused, refused},

		{"no window", opened(nil), session.Rules{LateRepeats: 3},
			[8]string{rotate, count1, count1, count1, endOld, endOld, rotate, rotate}, stolen},
		{"no late repeat allowed", opened(nil), session.Rules{RepeatWindow: rules.RepeatWindow, LateRepeats: 1},
			[8]string{rotate, again, again, endLag, endOld, endOld, rotate, rotate}, stolen},
	} {
		for i, use := range uses {
			for client, cell := range map[string]string{"app": tc.own[i], "another": tc.other[i]} {
				t.Run(tc.state+"/"+use.name+"/"+client, func(t *testing.T) {
					shown := session.Presented{Generation: tc.of.Generation + use.token, ClientID: client, At: use.at}
					if cell == none {
						require.Negative(t, shown.Generation, "the table forgets a token")
						return
					}
					before := tc.of
					require.Equal(t, want(t, cell, tc.of, shown), tc.rules.Judge(tc.of, shown))
					require.Equal(t, before, tc.of)
				})
			}
		}
	}
}

// want spells a cell of the table out.
func want(t *testing.T, cell string, of session.Session, shown session.Presented) session.Judgement {
	t.Helper()
	f := of.Family
	switch cell {
	case refuse:
		return session.Judgement{Verdict: session.Refuse}
	case endOld:
		return session.Judgement{Verdict: session.End, Reason: session.Replayed}
	case endLag:
		return session.Judgement{Verdict: session.End, Reason: session.RepeatedLate}
	case endApp:
		return session.Judgement{Verdict: session.End, Reason: session.OtherClient}
	case again:
		return session.Judgement{Verdict: session.Repeat, Family: f}
	case rotate:
		f.Generation, f.RotatedAt = shown.Generation+1, shown.At
		return session.Judgement{Verdict: session.Rotate, Family: f}
	}
	f.LateGeneration, f.LateStreak = of.Generation, map[string]int{count1: 1, count2: 2}[cell]
	require.NotZero(t, f.LateStreak, cell)
	return session.Judgement{Verdict: session.RepeatLate, Family: f}
}

// An end is the first moment at which a session cannot be refreshed any more.
func TestJudgeAtTheEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		of  session.Session
		end time.Time
	}{
		"idle":     {opened(func(s *session.Session) { s.LastUsedAt, s.ExpiresAt = noon, noon.Add(99*day) }), noon.Add(30 * day)},
		"absolute": {opened(func(s *session.Session) { s.AuthTime, s.LastUsedAt = noon.Add(-70*day), noon }), noon.Add(20 * day)},
		"kept":     {opened(func(s *session.Session) { s.ExpiresAt = noon.Add(time.Hour) }), noon.Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			for token, before := range map[int64]session.Verdict{10: session.Rotate, 9: session.RepeatLate, 8: session.End} {
				use := session.Presented{Generation: token, ClientID: "app", At: tc.end.Add(-time.Microsecond)}
				require.Equal(t, before, rules.Judge(tc.of, use).Verdict)
				use.At = tc.end
				require.Equal(t, session.Judgement{Verdict: session.Refuse}, rules.Judge(tc.of, use))
			}
		})
	}
}

// Another replica's clock, or the database's after a failover, may be behind.
func TestJudgeWhenTheClockGoesBack(t *testing.T) {
	of := opened(nil)
	use := session.Presented{Generation: 9, ClientID: "app", At: noon.Add(-time.Minute)}
	require.Equal(t, session.Judgement{Verdict: session.Repeat, Family: of.Family}, rules.Judge(of, use))
	use.Generation = 10
	require.Equal(t, session.Rotate, rules.Judge(of, use).Verdict)
}

func TestExpiresAt(t *testing.T) {
	const access = 15 * time.Minute
	signedIn := func(ago time.Duration) session.Session {
		return opened(func(s *session.Session) { s.AuthTime, s.ExpiresAt = noon.Add(-ago), time.Time{} })
	}
	// last is a session that was used before noon, and was to end at some time after it.
	last := func(used, end time.Duration) session.Session {
		return opened(func(s *session.Session) { s.LastUsedAt, s.ExpiresAt = noon.Add(-used), noon.Add(end) })
	}
	never := 100 * 365 * day
	for name, tc := range map[string]struct {
		rules session.Rules
		of    session.Session
		want  time.Duration // from noon
	}{
		"at the sign-in":                    {rules, signedIn(0), 30 * day},
		"in between":                        {rules, signedIn(60 * day), 30 * day},
		"the absolute end comes first":      {rules, signedIn(60*day + time.Second), 30*day - time.Second},
		"near the absolute end":             {rules, signedIn(90*day - time.Hour), time.Hour},
		"nearer than an access token":       {rules, signedIn(90*day - time.Minute), access},
		"past the absolute end":             {rules, signedIn(91 * day), access},
		"no idle end":                       {session.Rules{Absolute: 90 * day}, signedIn(10 * day), 80 * day},
		"no absolute end":                   {session.Rules{Idle: 30 * day}, signedIn(999 * day), 30 * day},
		"no end":                            {session.Rules{}, signedIn(0), never},
		"idle shorter than an access token": {session.Rules{Idle: time.Minute}, signedIn(0), access},
		"no refresh tokens":                 {rules, opened(func(s *session.Session) { s.Scope, s.ExpiresAt = scope.Parse("openid"), time.Time{} }), access},
		"no refresh tokens, no end":         {session.Rules{}, opened(func(s *session.Session) { s.Scope, s.ExpiresAt = nil, time.Time{} }), access},

		// No access token that was issued before outlives it.
		"a longer access token before":        {session.Rules{Idle: time.Hour}, last(time.Hour/2, 23*time.Hour), 23 * time.Hour},
		"the idle limit was lowered":          {session.Rules{Idle: time.Hour}, last(2*time.Hour, 28*day), 22 * time.Hour},
		"lowered, and no token is left of it": {session.Rules{Idle: 2 * day}, last(25*time.Hour, 28*day), 2 * day},
		"a shorter end before":                {session.Rules{Idle: time.Hour}, last(time.Minute, 59*time.Minute), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, noon.Add(tc.want), tc.rules.ExpiresAt(tc.of, noon, access))
		})
	}
}

func TestListedState(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*session.Session)
		want   string
	}{
		"live":                      {nil, "live"},
		"until just before its end": {func(s *session.Session) { s.ExpiresAt = noon.Add(time.Microsecond) }, "live"},
		"at its end":                {func(s *session.Session) { s.ExpiresAt = noon }, "over"},
		"after its end":             {func(s *session.Session) { s.ExpiresAt = noon.Add(-day) }, "over"},
		"revoked":                   {func(s *session.Session) { s.RevokedAt, s.RevokedReason = noon, session.UserLeft }, "revoked"},
		"revoked, and over by itself": {func(s *session.Session) {
			s.RevokedAt, s.RevokedReason, s.ExpiresAt = noon.Add(-2*day), session.Replayed, noon.Add(-day)
		}, "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, session.Listed{Session: opened(tc.change)}.State(noon))
		})
	}
}
