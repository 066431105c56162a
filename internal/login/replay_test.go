package login_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
)

// A phone that lost the answer asks again soon, as often as it likes.
func TestARepeatGetsTheSameSuccessor(t *testing.T) {
	p, first := signedIn(t)
	second := p.refreshed(t, "app", first.Refresh)
	before := p.session(t, first.SessionID)
	ids := map[any]bool{claims(t, second.Access)["jti"]: true}
	for range 3 {
		p.clock.Advance(limits.RepeatWindow / 3)
		again := p.refreshed(t, "app", first.Refresh)
		require.True(t, second.Refresh == again.Refresh)
		require.True(t, again.Repeated)
		access := claims(t, again.Access)
		require.Equal(t, float64(p.clock.Now().Unix()), access["iat"])
		require.Equal(t, claims(t, first.Access)["auth_time"], access["auth_time"])
		require.False(t, ids[access["jti"]])
		ids[access["jti"]] = true
		require.NotEmpty(t, again.ID)
	}
	require.Equal(t, before, p.session(t, first.SessionID), "nothing is written")
	require.Equal(t, int32(1), p.store.advanced.Load())
	require.Empty(t, p.ended(t))
	p.refreshed(t, "app", second.Refresh)
}

// lateRepeat is the audit entry of a repeat that came late.
func lateRepeat(subject, sid string, of event) event {
	return event{kind: "refresh.repeated", actor: subject, subject: subject, userID: of.userID, client: "app", sid: sid,
		source: away, phone: "***001"}
}

func TestALateRepeatIsOnRecord(t *testing.T) {
	p, first := signedIn(t)
	second := p.refreshed(t, "app", first.Refresh)
	rotated := p.clock.Now().UTC()
	p.clock.Advance(limits.RepeatWindow + time.Second)
	counted := p.clock.Now().UTC()
	for range 4 {
		again := p.refreshed(t, "app", first.Refresh)
		require.True(t, second.Refresh == again.Refresh)
		require.True(t, again.Repeated)
		p.clock.Advance(time.Hour)
	}
	events := p.ended(t)
	require.Len(t, events, 1, "once in a generation")
	require.NotEmpty(t, events[0].userID)
	require.Equal(t, lateRepeat(claims(t, first.Access)["sub"].(string), first.SessionID, events[0]), events[0])
	of := p.session(t, first.SessionID)
	require.Equal(t, session.Family{Generation: 1, RotatedAt: rotated, LateGeneration: 1, LateStreak: 1}, of.Family)
	require.Equal(t, counted, of.LastUsedAt)
	require.Equal(t, counted.Add(limits.Idle), of.ExpiresAt)
	p.refreshed(t, "app", second.Refresh)
}

// over checks that a session has ended for all its tokens: for good.
func (p *parts) over(t *testing.T, of login.Tokens, generations int64) {
	t.Helper()
	entries := len(p.ended(t))
	for generation := range generations {
		_, err := p.refresh(t, "app", p.RefreshTokens.Token(of.SessionID, generation))
		require.ErrorIs(t, err, login.ErrRefreshToken)
	}
	require.Len(t, p.ended(t), entries, "it ended once")
	require.NotContains(t, p.live(t), of.SessionID)
}

func TestLateRepeatsInThreeGenerationsRunning(t *testing.T) {
	p, tokens := signedIn(t)
	bobs := p.signIn(t, "app", bob)
	subject := claims(t, tokens.Access)["sub"].(string)
	var err error
	for generation := range 3 {
		next := p.refreshed(t, "app", tokens.Refresh)
		p.clock.Advance(time.Minute)
		_, err = p.refresh(t, "app", tokens.Refresh)
		if generation < 2 {
			require.NoError(t, err)
		}
		tokens = next
	}
	require.ErrorIs(t, err, login.ErrRefreshToken)
	events := p.ended(t)
	require.Equal(t, []string{"refresh.repeated", "refresh.repeated", "session.ended"}, kinds(events))
	require.Equal(t, event{kind: "session.ended", actor: "system", subject: subject, userID: events[2].userID, client: "app",
		sid: tokens.SessionID, source: away, reason: "refresh_repeated_late", detail: `{"client":"app","newest":3,"presented":2}`}, events[2])
	_, err = p.UserInfo(t.Context(), tokens.Access)
	require.ErrorIs(t, err, login.ErrSessionEnded, "access tokens too")
	p.over(t, tokens, 6)
	p.refreshed(t, "app", bobs.Refresh)
}

// Two that are late, and one that is not: the count starts again.
func TestLateRepeatsNowAndThen(t *testing.T) {
	p, tokens := signedIn(t)
	for generation := range 9 {
		next := p.refreshed(t, "app", tokens.Refresh)
		p.clock.Advance(time.Minute)
		if generation%3 != 2 {
			require.True(t, next.Refresh == p.refreshed(t, "app", tokens.Refresh).Refresh)
		}
		tokens = next
	}
	require.Len(t, p.ended(t), 6)
	require.Equal(t, []string{tokens.SessionID}, p.live(t))
}

func TestAReplayEndsTheSession(t *testing.T) {
	for name, tc := range map[string]struct {
		client            string
		generation        int64
		reason, presented string
	}{
		"two behind":                      {"app", 2, "refresh_replayed", `{"client":"app","newest":4,"presented":2}`},
		"the sign-in's":                   {"app", 0, "refresh_replayed", `{"client":"app","newest":4,"presented":0}`},
		"another client has the newest":   {"staff", 4, "refresh_other_client", `{"client":"staff","newest":4,"presented":4}`},
		"another client has the last":     {"staff", 3, "refresh_other_client", `{"client":"staff","newest":4,"presented":3}`},
		"another client has an old one":   {"staff", 0, "refresh_other_client", `{"client":"staff","newest":4,"presented":0}`},
		"another client, ahead of record": {"staff", 9, "refresh_other_client", `{"client":"staff","newest":4,"presented":9}`},
	} {
		t.Run(name, func(t *testing.T) {
			p, tokens := signedIn(t)
			others := []login.Tokens{p.signIn(t, "app", bob), p.signIn(t, "staff", alice)}
			for range 4 {
				tokens = p.refreshed(t, "app", tokens.Refresh)
			}
			got, err := p.refresh(t, tc.client, p.RefreshTokens.Token(tokens.SessionID, tc.generation))
			require.ErrorIs(t, err, login.ErrRefreshToken)
			require.Equal(t, login.Tokens{SessionID: tokens.SessionID}, got)
			events := p.ended(t)
			require.Len(t, events, 1)
			subject := claims(t, tokens.Access)["sub"].(string)
			require.Equal(t, event{kind: "session.ended", actor: "system", subject: subject, userID: events[0].userID, client: "app",
				sid: tokens.SessionID, source: away, reason: tc.reason, detail: tc.presented}, events[0])
			_, err = p.UserInfo(t.Context(), tokens.Access)
			require.ErrorIs(t, err, login.ErrSessionEnded)
			p.over(t, tokens, 7)
			p.refreshed(t, "app", others[0].Refresh)
			p.refreshed(t, "staff", others[1].Refresh)
		})
	}
}

// A thief's replay during an outage ends the session at the next one.
func TestAReplayDuringAnOutage(t *testing.T) {
	p, first := signedIn(t)
	tokens := p.refreshed(t, "app", p.refreshed(t, "app", first.Refresh).Refresh)
	p.store.end = fails
	got, err := p.refresh(t, "app", first.Refresh)
	require.True(t, outage.Is(err), "%v", err)
	require.Zero(t, got.Minted)
	require.Empty(t, string(got.Refresh))
	p.store.end = nil
	_, err = p.refresh(t, "app", first.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	p.over(t, tokens, 4)
}

// A failover or a restored backup may lose the record's last writes; the phone goes on.
func TestATokenThatIsAheadOfTheRecord(t *testing.T) {
	p, tokens := signedIn(t)
	for range 5 {
		tokens = p.refreshed(t, "app", tokens.Refresh)
	}
	p.exec(t, "UPDATE sessions SET generation = 2 WHERE sid = ?", tokens.SessionID)
	next := p.refreshed(t, "app", tokens.Refresh)
	require.True(t, next.Refresh == p.RefreshTokens.Token(tokens.SessionID, 6))
	require.Equal(t, int64(6), p.session(t, tokens.SessionID).Generation)
	require.Contains(t, p.log.String(), "the record is behind a refresh token of ours")
	require.Contains(t, p.log.String(), fmt.Sprintf(`"sid":%q,"presented":5,"newest":2`, tokens.SessionID))
	for generation := range int64(8) {
		require.NotContains(t, p.log.String(), string(p.RefreshTokens.Token(tokens.SessionID, generation))[3:])
	}
	require.True(t, next.Refresh == p.refreshed(t, "app", tokens.Refresh).Refresh)
	require.Empty(t, p.ended(t))
	_, err := p.refresh(t, "app", p.RefreshTokens.Token(tokens.SessionID, 4))
	require.ErrorIs(t, err, login.ErrRefreshToken)
	require.Equal(t, "refresh_replayed", p.ended(t)[0].reason, "what was old before is old again")
}

func TestSessionsThatTheRecordDoesNotKnow(t *testing.T) {
	p, tokens := signedIn(t)
	unknown := p.RefreshTokens.Token(session.NewSID(), 3)
	_, err := p.refresh(t, "app", unknown)
	require.ErrorIs(t, err, login.ErrRefreshToken)

	tokens = p.refreshed(t, "app", tokens.Refresh)
	p.clock.Advance(limits.Idle + 2*time.Hour)
	swept, err := p.hr.Sweep(t.Context(), time.Minute, time.Hour, 100)
	require.NoError(t, err)
	require.Equal(t, 1, swept)
	_, err = p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	require.Empty(t, p.ended(t))
	require.Empty(t, p.log.String())
}

// Of many uses of one token at the same time, one rotates, and all get its successor.
func TestManyRefreshesAtOnce(t *testing.T) {
	p, first := signedIn(t)
	second := p.refreshed(t, "app", first.Refresh)
	answers := make([]login.Tokens, 50)
	errs := make([]error, len(answers))
	r := p.refreshRequest(t, "app", second.Refresh)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i], errs[i] = p.Refresh(t.Context(), r) })
	}
	all.Wait()
	third := p.RefreshTokens.Token(first.SessionID, 2)
	ids, rotated := map[any]bool{}, 0
	for i, answer := range answers {
		require.NoError(t, errs[i])
		if !answer.Repeated {
			rotated++
		}
		require.True(t, answer.Refresh == third)
		ids[claims(t, answer.Access)["jti"]] = true
	}
	require.Len(t, ids, len(answers))
	require.Equal(t, 1, rotated)
	require.Equal(t, int64(2), p.session(t, first.SessionID).Generation)
	require.Empty(t, p.ended(t))
	p.refreshed(t, "app", third)
}

// The same, late: it is counted once.
func TestManyLateRepeatsAtOnce(t *testing.T) {
	p, first := signedIn(t)
	second := p.refreshed(t, "app", first.Refresh)
	p.clock.Advance(time.Hour)
	errs := make([]error, 20)
	r := p.refreshRequest(t, "app", first.Refresh)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			tokens, err := p.Refresh(t.Context(), r)
			if errs[i] = err; err == nil && tokens.Refresh != second.Refresh {
				errs[i] = fmt.Errorf("a second successor")
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, []string{"refresh.repeated"}, kinds(p.ended(t)))
	require.Equal(t, 1, p.session(t, first.SessionID).LateStreak)
}

// A client that sends several requests at once and uses the first answer is no thief: what came in time
// and was overtaken here is refused, and no more.
func TestARequestThatIsOvertakenEndsNothing(t *testing.T) {
	p, tokens := signedIn(t)
	var newest login.Tokens
	p.store.beforeAdvance = func() error {
		p.store.beforeAdvance = nil
		newest = p.refreshed(t, "app", p.refreshed(t, "app", tokens.Refresh).Refresh)
		return nil
	}
	_, err := p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	require.Empty(t, p.ended(t))
	p.refreshed(t, "app", newest.Refresh)
	_, err = p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	require.Equal(t, []string{"refresh_replayed"}, reasons(p.ended(t)), "what comes afterwards is a replay")
}
