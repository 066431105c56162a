package login_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/phone"
)

func (p *parts) start(t *testing.T, app, connection, number string) (login.Started, error) {
	t.Helper()
	return p.Start(t.Context(), login.StartRequest{Client: p.client(t, app), Connection: connection, Phone: number, Origin: home})
}

// Nobody can learn from a start whom HR knows (U1).
func TestStartSaysTheSameToEverybody(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	p.staff(t, person(t, "1", alice, ""))
	p.store.before = func() error { t.Error("a start looked somebody up"); return nil }
	for name, number := range map[string]string{"employee": alice, "leaver": bob, "stranger": stranger} {
		texts := len(p.texts.texts)
		started, err := p.start(t, "app", "sms", number)
		require.NoError(t, err, name)
		require.Regexp(t, `\A[0-9a-f]{24}\z`, started.ID, name)
		require.Equal(t, number, started.Phone.E164(), name)
		require.Len(t, p.texts.texts, texts+1, name)
		newest := p.texts.texts[texts]
		require.Equal(t, number, newest.to.E164())
		require.Equal(t, otptest.Limits.Lifetime, newest.left)

		again, err := p.start(t, "app", "sms", number)
		require.NoError(t, err, name)
		require.Equal(t, started, again, name)
		require.Len(t, p.texts.texts, texts+1, "no second text within the gap")
	}
	require.Empty(t, p.events(t), "a start writes nothing to the record")
	require.Empty(t, p.log.String())
}

func TestStartReadsSpellings(t *testing.T) {
	p := newParts(t)
	first, err := p.start(t, "app", "sms", alice)
	require.NoError(t, err)
	for _, spelled := range []string{"07700 900001", "0044 7700 900 001", " +44 (0)7700-900001 "} {
		again, err := p.start(t, "app", "sms", spelled)
		require.NoError(t, err, spelled)
		require.Equal(t, first, again, spelled)
	}
	require.Len(t, p.texts.texts, 1, "one number has one budget, however it is spelled (P1)")
}

func TestStartRefuses(t *testing.T) {
	p := newParts(t)
	for name, tc := range map[string]struct {
		app, connection, number string
		want                    error
	}{
		"another connection":         {"app", "email", alice, login.ErrConnection},
		"no connection":              {"app", "", alice, login.ErrConnection},
		"a connection in capitals":   {"app", "SMS", alice, login.ErrConnection},
		"a client without the grant": {"none", "sms", alice, login.ErrConnection},
		"no number":                  {"app", "sms", "", phone.ErrNotANumber},
		"text":                       {"app", "sms", "alice", phone.ErrNotANumber},
		"a landline":                 {"app", "sms", "020 7946 0958", phone.ErrNotMobile},
		"premium rate":               {"app", "sms", "+449098790000", phone.ErrNotMobile},
	} {
		t.Run(name, func(t *testing.T) {
			started, err := p.start(t, tc.app, tc.connection, tc.number)
			require.ErrorIs(t, err, tc.want)
			require.Empty(t, started.ID)
		})
	}
	require.Empty(t, p.texts.texts)
	_, err := p.start(t, "old", "sms", alice)
	require.NoError(t, err, "an app of the legacy endpoint starts here too")
	require.True(t, p.client(t, "old").May(client.LegacyRO))
}

func TestStartThrottles(t *testing.T) {
	p := newParts(t)
	_, err := p.start(t, "app", "sms", alice)
	require.NoError(t, err)
	_, err = p.start(t, "staff", "sms", alice)
	var throttled *otp.ThrottledError
	require.ErrorAs(t, err, &throttled, "another client's code has to wait for the number's gap")
	require.Equal(t, otptest.Limits.ResendGap, throttled.RetryAfter)
	require.Len(t, p.texts.texts, 1)
}

// A text that surely was not sent costs the person no wait (M9).
func TestABusyQueueFreesTheGap(t *testing.T) {
	p := newParts(t)
	p.texts.err = login.ErrBusy
	for range 3 {
		started, err := p.start(t, "app", "sms", alice)
		require.ErrorIs(t, err, login.ErrBusy)
		require.Empty(t, started.ID)
	}
	p.texts.err = nil
	_, err := p.start(t, "app", "sms", alice)
	require.NoError(t, err)
	require.Len(t, p.texts.texts, 1)
	tokens, err := p.SignIn(t.Context(), p.request(t, "app", alice, p.texts.last(t, alice)))
	require.NoError(t, err)
	require.NotEmpty(t, tokens.Access)
}

func TestAResendIsTheSameCode(t *testing.T) {
	p := newParts(t)
	first := p.code(t, "app", alice)
	p.clock.Advance(otptest.Limits.ResendGap)
	require.Equal(t, first, p.code(t, "app", alice))
	require.Len(t, p.texts.texts, 2)
	require.Equal(t, p.texts.texts[0].left-30*time.Second, p.texts.texts[1].left, "the same end")
	p.clock.Advance(otptest.Limits.Lifetime - otptest.Limits.RenewBelow + time.Second)
	p.code(t, "app", alice)
	require.Equal(t, otptest.Limits.Lifetime, p.texts.texts[2].left, "near its end there is a new one")
}

func TestStartWithoutRedis(t *testing.T) {
	p := newParts(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Start(ctx, login.StartRequest{Client: p.client(t, "app"), Connection: "sms", Phone: alice, Origin: home})
	require.True(t, outage.Is(err), "never \"ok\" for want of an answer (X5): %v", err)
	require.True(t, errors.Is(err, context.Canceled))
	require.Empty(t, p.texts.texts)
}
