package login_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
)

// A phone whose refresh failed through no fault of its own sends the same token again.
func TestAnOutageLeavesTheTokenGood(t *testing.T) {
	for name, tc := range map[string]struct {
		order   func(f *faulty)
		written bool
	}{
		"at the look":              {func(f *faulty) { f.standing = fails }, false},
		"nothing written":          {func(f *faulty) { f.beforeAdvance = fails }, false},
		"written, the answer lost": {func(f *faulty) { f.afterAdvance = fails }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, first := signedIn(t)
			inner := p.store.Store
			tc.order(p.store)
			got, err := p.refresh(t, "app", first.Refresh)
			require.True(t, outage.Is(err), "%v", err)
			require.NotErrorIs(t, err, login.ErrRefreshToken, "an outage logs nobody out")
			require.Equal(t, login.Tokens{SessionID: first.SessionID}, got)
			require.Equal(t, tc.written, p.session(t, first.SessionID).Generation == 1)

			p.store = &faulty{Store: inner}
			p.Store = p.store
			p.clock.Advance(time.Second)
			second := p.refreshed(t, "app", first.Refresh)
			require.True(t, second.Refresh == p.RefreshTokens.Token(first.SessionID, 1), "one generation on, either way")
			p.refreshed(t, "app", second.Refresh)
			require.Empty(t, p.ended(t))
		})
	}
}

func TestAnOutageDuringALateRepeat(t *testing.T) {
	for name, order := range map[string]func(f *faulty){
		"nothing written":          func(f *faulty) { f.beforeAdvance = fails },
		"written, the answer lost": func(f *faulty) { f.afterAdvance = fails },
	} {
		t.Run(name, func(t *testing.T) {
			p, first := signedIn(t)
			second := p.refreshed(t, "app", first.Refresh)
			p.clock.Advance(time.Hour)
			order(p.store)
			_, err := p.refresh(t, "app", first.Refresh)
			require.True(t, outage.Is(err), "%v", err)
			p.store.beforeAdvance, p.store.afterAdvance = nil, nil
			require.True(t, second.Refresh == p.refreshed(t, "app", first.Refresh).Refresh)
			require.Equal(t, []string{"refresh.repeated"}, kinds(p.ended(t)), "counted once")
			require.Equal(t, 1, p.session(t, first.SessionID).LateStreak)
		})
	}
}

func TestRefreshedTokensThatCannotBeSigned(t *testing.T) {
	p, first := signedIn(t)
	r := p.refreshRequest(t, "app", first.Refresh)
	keyless := *r.Client
	keyless.Algorithm = keyring.RS256 // the ring of these tests has no RSA key
	r.Client = &keyless
	got, err := p.Refresh(t.Context(), r)
	require.ErrorContains(t, err, "mint tokens")
	require.NotErrorIs(t, err, login.ErrRefreshToken)
	require.Equal(t, login.Tokens{SessionID: first.SessionID}, got)
	second := p.refreshed(t, "app", first.Refresh)
	require.True(t, second.Refresh == p.RefreshTokens.Token(first.SessionID, 1))
}

func TestARefreshThatTheCallerGaveUp(t *testing.T) {
	p, first := signedIn(t)
	for name, order := range map[string]func(cancel func()){
		"before the look":  func(cancel func()) { cancel() },
		"before the write": func(cancel func()) { p.store.beforeAdvance = func() error { cancel(); return nil } },
		"after the write":  func(cancel func()) { p.store.afterAdvance = func() error { cancel(); return nil } },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		order(cancel)
		_, err := p.Refresh(ctx, p.refreshRequest(t, "app", first.Refresh))
		require.True(t, err == nil || errors.Is(err, context.Canceled), "%s: %v", name, err)
		require.NotErrorIs(t, err, login.ErrRefreshToken, name)
		p.store.beforeAdvance, p.store.afterAdvance = nil, nil
	}
	require.True(t, p.refreshed(t, "app", first.Refresh).Refresh == p.RefreshTokens.Token(first.SessionID, 1))
	require.Empty(t, p.ended(t))
}

// A refresh that loses race after race is told to come again; it never loops for ever.
func TestARefreshThatLosesEveryRace(t *testing.T) {
	p, first := signedIn(t)
	p.store.loses = true
	got, err := p.refresh(t, "app", first.Refresh)
	require.True(t, outage.Is(err), "%v", err)
	require.Equal(t, login.Tokens{SessionID: first.SessionID}, got)
	require.Equal(t, int32(10), p.store.advanced.Load())
	p.store.loses = false
	p.refreshed(t, "app", first.Refresh)
}

// A session that is revoked between the look and the write is refused.
func TestASignOutDuringARefresh(t *testing.T) {
	p, first := signedIn(t)
	p.store.beforeAdvance = func() error {
		p.store.beforeAdvance = nil
		return p.Revoke(t.Context(), login.RevokeRequest{Client: p.client(t, "app"), Token: string(first.Refresh)})
	}
	got, err := p.refresh(t, "app", first.Refresh)
	require.ErrorIs(t, err, login.ErrRefreshToken)
	require.Zero(t, got.Minted)
	require.Zero(t, p.session(t, first.SessionID).Generation)
	require.Equal(t, []string{"signed_out"}, reasons(p.ended(t)))
}

// A leaver whose session is ended between the look and the write gets nothing either.
func TestALeaverDuringARefresh(t *testing.T) {
	p, first := signedIn(t)
	p.store.beforeAdvance = func() error {
		p.store.beforeAdvance = nil
		p.staff(t, person(t, "2", bob, ""))
		return nil
	}
	_, err := p.refresh(t, "app", first.Refresh)
	require.ErrorIs(t, err, login.ErrUserGone)
}
