package login_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
)

func TestRefreshGoesOnToTheAbsoluteEnd(t *testing.T) {
	p, tokens := signedIn(t)
	end := p.session(t, tokens.SessionID).AuthTime.Add(limits.Absolute)
	for end.Sub(p.clock.Now()) > 20*24*time.Hour {
		p.clock.Advance(20 * 24 * time.Hour)
		tokens = p.refreshed(t, "app", tokens.Refresh)
	}
	require.Equal(t, end, p.session(t, tokens.SessionID).ExpiresAt)
	p.clock.Advance(end.Sub(p.clock.Now()) - time.Second)
	tokens = p.refreshed(t, "app", tokens.Refresh)
	require.NotEmpty(t, p.userInfo(t, tokens.Access))
	p.clock.Advance(time.Second)
	_, err := p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	require.NotEmpty(t, p.userInfo(t, tokens.Access), "the last access token lives on")
	require.Empty(t, p.ended(t), "it was over by itself")
}

func TestRefreshAfterTheIdleEnd(t *testing.T) {
	p, tokens := signedIn(t)
	p.clock.Advance(limits.Idle - time.Hour)
	_, err := p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	p.Limits.Idle, p.Limits.Absolute = 0, 0
	_, err = p.refresh(t, "app", tokens.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken, "what was over stays so when a limit is raised")
	require.Empty(t, p.ended(t))
}

// What is issued is on record until its end: userinfo answers it, and an end of the session reaches it.
func TestNoAccessTokenOutlivesItsSession(t *testing.T) {
	for name, steps := range map[string][]time.Duration{
		"a repeat":                  {20 * time.Second},
		"late repeats, one counted": {2 * time.Minute, 7 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
			p.Limits.Absolute = time.Hour
			first := p.signIn(t, "app", alice)
			p.clock.Advance(50 * time.Minute)
			newest := p.refreshed(t, "app", first.Refresh)
			for _, pause := range steps {
				p.clock.Advance(pause)
				newest = p.refreshed(t, "app", first.Refresh)
			}
			require.LessOrEqual(t, claims(t, newest.Access)["exp"], float64(p.session(t, first.SessionID).ExpiresAt.Unix()))
			require.Equal(t, float64(p.clock.Now().Add(newest.ExpiresIn).Unix()), claims(t, newest.Access)["exp"])
			p.clock.Advance(newest.ExpiresIn - time.Second)
			require.Equal(t, true, p.inspect(t, p.client(t, "app"), newest.Access)["active"])
			p.staff(t, person(t, "2", bob, ""))
			require.Contains(t, reasons(p.ended(t)), "user_left", "services learn of it in the status list")
			require.Equal(t, inactive, p.inspect(t, p.client(t, "app"), newest.Access))
		})
	}
}

// Clients take no token that lives for no time at all (wire contract 4).
func TestARepeatInTheLastMoment(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	p.Limits.Absolute = time.Hour
	first := p.signIn(t, "app", alice)
	for _, pause := range []time.Duration{30 * time.Minute, 10 * time.Minute, 19 * time.Minute} {
		p.clock.Advance(pause)
		p.refreshed(t, "app", first.Refresh)
	}
	p.clock.Advance(time.Minute - time.Millisecond)
	tokens, err := p.refresh(t, "app", first.Refresh)
	if err == nil {
		require.GreaterOrEqual(t, tokens.ExpiresIn, time.Second)
		return
	}
	require.ErrorIs(t, err, login.ErrRefreshToken)
}
