package login_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
)

// Whatever happens, neither the log nor the audit tells a token, a code or a whole number.
func TestNothingIsToldOfTokens(t *testing.T) {
	p := newParts(t)
	p.Log = slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p.Places = &places{}
	p.staff(t, person(t, "1", alice, "Manager"), person(t, "2", bob, ""))
	secrets := []string{alice[1:], bob[1:], stranger[1:], "7700900001", "7700900002", "7700900099"}
	keep := func(tokens login.Tokens) login.Tokens {
		for _, raw := range []string{tokens.Access, tokens.ID} {
			if raw != "" {
				secrets = append(secrets, raw, raw[strings.LastIndex(raw, "."):])
			}
		}
		for generation := range int64(12) {
			secrets = append(secrets, string(p.RefreshTokens.Token(tokens.SessionID, generation))[3:])
		}
		return tokens
	}
	failed := func(_ login.Tokens, err error) error {
		t.Helper()
		require.Error(t, err)
		return err
	}

	var errs []error
	tokens := keep(p.signIn(t, "app", alice))
	secrets = append(secrets, p.texts.last(t, alice))
	keep(p.signIn(t, "app", stranger))
	first := tokens.Refresh
	for range 3 { // late in each
		p.clock.Advance(time.Hour)
		last := tokens.Refresh
		tokens = keep(p.refreshed(t, "app", last))
		p.clock.Advance(time.Minute)
		if again, err := p.refresh(t, "app", last); err != nil {
			errs = append(errs, err)
		} else {
			keep(again)
		}
	}
	require.Len(t, errs, 1)
	errs = append(errs, failed(p.refresh(t, "app", first)), failed(p.refresh(t, "app", "v1.nonsense")))

	for _, then := range []func(){
		func() { p.exec(t, "UPDATE sessions SET generation = 0 WHERE sid = ?", tokens.SessionID) },
		func() { p.store.beforeAdvance = fails },
		func() { p.store.standing = fails },
		func() { p.store.loses = true },
		func() { p.store.end = fails },
	} {
		tokens = keep(p.signIn(t, "app", bob))
		tokens = keep(p.refreshed(t, "app", p.refreshed(t, "app", tokens.Refresh).Refresh))
		then()
		got, err := p.refresh(t, "app", tokens.Refresh)
		keep(got)
		errs = append(errs, err, failed(p.refresh(t, "staff", tokens.Refresh)))
		p.store.beforeAdvance, p.store.standing, p.store.end, p.store.loses = nil, nil, nil, false
		require.NoError(t, p.Revoke(t.Context(), login.RevokeRequest{Client: p.client(t, "app"), Token: tokens.Access}))
	}
	code := p.code(t, "app", bob)
	secrets = append(secrets, code)
	p.store.before = fails
	errs = append(errs, failed(p.SignIn(t.Context(), p.request(t, "app", bob, code))))

	require.NotEmpty(t, p.log.String())
	require.Greater(t, len(p.ended(t)), 5)
	told := p.log.String() + fmt.Sprintf("%+v %+v %v", p.audit(t, "TRUE"), errs, tokens.Refresh)
	for i, secret := range secrets {
		require.False(t, strings.Contains(told, secret), "secret %d is told", i)
	}
}
