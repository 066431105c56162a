package login_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
)

// status is where an access token says that its status stands.
func status(t *testing.T, raw string) (session.Place, bool) {
	t.Helper()
	said, ok := claims(t, raw)["status"].(map[string]any)
	if !ok {
		return session.Place{}, false
	}
	list := said["status_list"].(map[string]any)
	require.Contains(t, list["uri"], issuer+"status-lists/")
	return session.Place{List: list["uri"].(string)[len(issuer+"status-lists/"):], Index: int(list["idx"].(float64))}, true
}

func TestASessionKeepsItsPlace(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	given := &places{}
	p.Places = given
	tokens := p.signIn(t, "app", alice)
	place := p.session(t, tokens.SessionID).Place
	require.Equal(t, session.Place{List: "list", Index: 1001}, place)
	for range 3 {
		said, ok := status(t, tokens.Access)
		require.True(t, ok)
		require.Equal(t, place, said)
		tokens = p.refreshed(t, "app", tokens.Refresh)
	}
	require.Equal(t, place, p.session(t, tokens.SessionID).Place)
	require.Equal(t, 1, given.given)
	require.NotContains(t, claims(t, tokens.ID), "status")
}

// Lists may be switched on while people are signed in.
func TestASessionWithoutAPlaceGetsOne(t *testing.T) {
	p, first := signedIn(t)
	second := p.refreshed(t, "app", first.Refresh)
	_, ok := status(t, second.Access)
	require.False(t, ok)

	given := &places{}
	p.Places = given
	again := p.refreshed(t, "app", first.Refresh)
	_, ok = status(t, again.Access)
	require.False(t, ok, "a repeat writes nothing, so it has none to give")
	require.Zero(t, given.given)

	third := p.refreshed(t, "app", second.Refresh)
	want := session.Place{List: "list", Index: 1001}
	said, ok := status(t, third.Access)
	require.True(t, ok)
	require.Equal(t, want, said)
	require.Equal(t, want, p.session(t, first.SessionID).Place)
	said, _ = status(t, p.refreshed(t, "app", third.Refresh).Access)
	require.Equal(t, want, said)
	require.Equal(t, 1, given.given)
}

func TestALateRepeatGetsAPlaceToo(t *testing.T) {
	p, first := signedIn(t)
	p.refreshed(t, "app", first.Refresh)
	p.clock.Advance(time.Hour)
	p.Places = &places{}
	said, ok := status(t, p.refreshed(t, "app", first.Refresh).Access)
	require.True(t, ok)
	require.Equal(t, said, p.session(t, first.SessionID).Place)
}

// Lists that are switched off leave what is on record where it is.
func TestASessionKeepsItsPlaceWhileListsAreOff(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	p.Places = &places{}
	tokens := p.signIn(t, "app", alice)
	place := p.session(t, tokens.SessionID).Place
	p.Places = nil
	p.refreshed(t, "app", tokens.Refresh)
	require.Equal(t, place, p.session(t, tokens.SessionID).Place)
}

func TestAPlaceThatIsTaken(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	given := &places{}
	p.Places = given
	alices := p.session(t, p.signIn(t, "app", alice).SessionID)

	given.next = []session.Place{alices.Place, alices.Place, {List: "list", Index: 7}}
	tokens := p.signIn(t, "app", bob)
	want := session.Place{List: "list", Index: 7}
	require.Equal(t, 2, given.discarded)
	require.Equal(t, want, p.session(t, tokens.SessionID).Place)
	said, _ := status(t, tokens.Access)
	require.Equal(t, want, said)
	require.Equal(t, alices, p.session(t, alices.SID), "nobody is robbed of theirs")
	require.Len(t, p.live(t), 2)
	require.Equal(t, []string{"account.created", "signin.succeeded", "account.created", "signin.succeeded"}, kinds(p.events(t)))

	given.next = []session.Place{alices.Place, alices.Place, alices.Place, {List: "list", Index: 8}}
	code := p.code(t, "app", bob)
	got, err := p.SignIn(t.Context(), p.request(t, "app", bob, code))
	require.ErrorIs(t, err, login.ErrPlaceTaken, "three are enough")
	require.Zero(t, got.Minted)
	require.Len(t, p.live(t), 2)
	_, err = p.SignIn(t.Context(), p.request(t, "app", bob, code))
	require.NoError(t, err, "and the code was given back")
}

// As at the sign-in: a refresh that finds its new place taken takes another.
func TestAPlaceThatIsTakenAtARefresh(t *testing.T) {
	for name, late := range map[string]time.Duration{"of the newest token": 0, "of the one before, late": time.Hour} {
		t.Run(name, func(t *testing.T) {
			p, first := signedIn(t)
			second := p.refreshed(t, "app", first.Refresh)
			given := &places{}
			p.Places = given
			bobs := p.session(t, p.signIn(t, "app", bob).SessionID)
			shown := second.Refresh
			if p.clock.Advance(late); late > 0 {
				shown = first.Refresh
			}
			given.next = []session.Place{bobs.Place}
			tokens, err := p.refresh(t, "app", shown)
			require.NoError(t, err)
			require.Equal(t, 1, given.discarded, "what else was reserved may be taken too")
			said, _ := status(t, tokens.Access)
			require.Equal(t, said, p.session(t, first.SessionID).Place)
			require.NotEqual(t, bobs.Place, said)
		})
	}
}

func TestNoPlaceToBeHad(t *testing.T) {
	p, first := signedIn(t)
	p.Places = &places{err: errOut}
	_, err := p.refresh(t, "app", first.Refresh)
	require.True(t, outage.Is(err), "%v", err)
	require.Zero(t, p.session(t, first.SessionID).Generation, "nothing is used up")

	code := p.code(t, "app", bob)
	_, err = p.SignIn(t.Context(), p.request(t, "app", bob, code))
	require.True(t, outage.Is(err), "%v", err)
	p.Places = &places{}
	_, err = p.SignIn(t.Context(), p.request(t, "app", bob, code))
	require.NoError(t, err)
	said, ok := status(t, p.refreshed(t, "app", first.Refresh).Access)
	require.True(t, ok)
	require.NotZero(t, said)
}
