package login_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The number of somebody else's account goes to a new account: that is a move, and worth more
// in the log than any. A first number of an account is none.
func TestAMovedNumberIsOnRecord(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""), person(t, "2", bob, ""))
	p.signIn(t, "app", alice)
	p.staff(t, person(t, "2", bob, ""), person(t, "3", alice, ""))
	before := len(p.events(t))
	p.signIn(t, "app", alice)
	require.Equal(t, []string{"account.created", "identity.moved", "signin.succeeded"}, kinds(p.events(t)[before:]))
}

func TestANewNumberIsNotAMove(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	p.signIn(t, "app", alice)
	p.staff(t, person(t, "1", stranger, ""))
	before := len(p.events(t))
	p.signIn(t, "app", stranger)
	require.NotContains(t, kinds(p.events(t)[before:]), "identity.moved", "nobody had the number before")
}
