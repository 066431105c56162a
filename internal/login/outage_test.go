package login_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/outage"
)

// A person whose code was right and who got no tokens can type the same code again.
func TestAnOutageGivesTheCodeBack(t *testing.T) {
	for name, order := range map[string]func(f *faulty){
		"nothing written":          func(f *faulty) { f.before = fails },
		"written, the answer lost": func(f *faulty) { f.after = fails },
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, ""))
			code := p.code(t, "app", alice)
			order(p.store)
			for range otptest.Limits.Guesses + 1 { // an outage is nobody's wrong guess
				tokens, err := p.SignIn(t.Context(), p.request(t, "app", alice, code))
				require.True(t, outage.Is(err), "%v", err)
				require.Zero(t, tokens.Minted)
			}
			p.store.before, p.store.after = nil, nil
			tokens, err := p.SignIn(t.Context(), p.request(t, "app", alice, code))
			require.NoError(t, err)
			require.Equal(t, "employee", tokens.Tier)
			_, err = p.SignIn(t.Context(), p.request(t, "app", alice, code))
			require.ErrorIs(t, err, otp.ErrInvalidCode, "and is used up by the success")
		})
	}
}

func TestACallerWhoGaveUpKeepsTheirCode(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	code := p.code(t, "app", alice)
	ctx, cancel := context.WithCancel(t.Context())
	p.store.before = func() error { cancel(); return nil }
	_, err := p.SignIn(ctx, p.request(t, "app", alice, code))
	require.ErrorIs(t, err, context.Canceled)
	p.store.before = nil
	_, err = p.SignIn(t.Context(), p.request(t, "app", alice, code))
	require.NoError(t, err)
}

func TestTokensThatCannotBeSigned(t *testing.T) {
	p := newParts(t)
	code := p.code(t, "keyless", alice) // the ring of these tests has no RSA key
	for range 2 {
		_, err := p.SignIn(t.Context(), p.request(t, "keyless", alice, code))
		require.ErrorContains(t, err, "mint tokens")
		require.NotErrorIs(t, err, otp.ErrInvalidCode)
	}
}

// Who is behind a code is decided when it is redeemed, not when it was sent (P5).
func TestHRChangesWhileTheCodeIsOnItsWay(t *testing.T) {
	bobsOnly := func(t *testing.T) []directory.Person { return []directory.Person{person(t, "2", bob, "")} }
	for name, tc := range map[string]struct {
		before, between func(t *testing.T) []directory.Person
		tier, name      string
	}{
		"the person leaves": {func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, "Manager"))
		}, bobsOnly, "anonymous", ""},
		"the person enters": {bobsOnly, func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, ""))
		}, "employee", "Person 1"},
		"the number goes to a colleague": {func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, "Manager"))
		}, func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", stranger, "Manager"), person(t, "3", alice, ""))
		}, "employee", "Person 3"},
		"the person is promoted": {func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, ""))
		}, func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, "Manager"))
		}, "manager", "Person 1"},
		"a second person gets the number": {func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, "Manager"))
		}, func(t *testing.T) []directory.Person {
			return append(bobsOnly(t), person(t, "1", alice, "Manager"), person(t, "3", alice, ""))
		}, "anonymous", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, tc.before(t)...)
			code := p.code(t, "app", alice)
			p.staff(t, tc.between(t)...)
			tokens, err := p.SignIn(t.Context(), p.request(t, "app", alice, code))
			require.NoError(t, err)
			require.Equal(t, tc.tier, tokens.Tier)
			name, _ := claims(t, tokens.ID)["name"].(string)
			require.Equal(t, tc.name, name)
		})
	}
}

func TestOnePersonIsOneSubject(t *testing.T) {
	p := newParts(t)
	subject := func(tokens login.Tokens) string { return claims(t, tokens.Access)["sub"].(string) }
	waiting := p.signIn(t, "app", alice)
	require.Equal(t, "anonymous", waiting.Tier)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	upgraded := p.signIn(t, "app", alice)
	require.Equal(t, "employee", upgraded.Tier)
	require.Equal(t, subject(waiting), subject(upgraded), "the waiting person stays who they are")
	require.Equal(t, []string{"account.created", "signin.succeeded", "account.linked", "signin.succeeded"}, kinds(p.events(t)))
	require.Equal(t, subject(upgraded), subject(p.signIn(t, "staff", alice)), "for every client")
	require.NotEqual(t, subject(upgraded), subject(p.signIn(t, "app", bob)))
	require.NotEqual(t, upgraded.SessionID, waiting.SessionID)

	p.staff(t, person(t, "1", bob, ""), person(t, "3", alice, "")) // person 1 changes number; theirs goes to person 3
	require.Equal(t, subject(upgraded), subject(p.signIn(t, "app", bob)), "with another number")
	require.NotEqual(t, subject(upgraded), subject(p.signIn(t, "app", alice)), "and the number opens nothing of theirs")
	require.NotContains(t, subject(upgraded), "7700900001", "P2")
}

// C3: whoever knows a used code must not be able to make it live again. A caller who hangs up
// makes Redeem fail as an outage before it ran; that must restore nothing.
func TestHangingUpDoesNotReviveAUsedCode(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, "Manager"))
	code := p.code(t, "app", alice)
	_, err := p.SignIn(t.Context(), p.request(t, "app", alice, code))
	require.NoError(t, err)

	replay := p.request(t, "app", alice, code)
	replay.Origin = origin.Origin{Source: "198.51.100.7", Network: "198.51.100.0/24"}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.SignIn(gone, replay)
	require.Error(t, err)
	_, err = p.SignIn(t.Context(), replay)
	require.ErrorIs(t, err, otp.ErrInvalidCode)
}
