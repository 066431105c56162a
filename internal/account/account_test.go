package account_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
)

func TestMatch(t *testing.T) {
	own := &account.Account{Subject: "own", UserID: "user"}
	waiting := &account.Account{Subject: "waiting"}
	others := &account.Account{Subject: "others", UserID: "other"}
	for name, tc := range map[string]struct {
		facts account.Facts
		want  account.Decision
	}{
		"user with an account, own identity": {
			account.Facts{UserID: "user", UserAccount: own, Holder: own},
			account.Decision{Account: *own},
		},
		"user with an account, new identity": {
			account.Facts{UserID: "user", UserAccount: own},
			account.Decision{Account: *own, Attach: true},
		},
		"user with an account, identity of a waiting account": {
			account.Facts{UserID: "user", UserAccount: own, Holder: waiting},
			account.Decision{Account: *own, Attach: true},
		},
		"user with an account, identity of another User": {
			account.Facts{UserID: "user", UserAccount: own, Holder: others},
			account.Decision{Account: *own, Attach: true},
		},
		"user without an account, identity of a waiting account": {
			account.Facts{UserID: "user", Holder: waiting},
			account.Decision{Account: account.Account{Subject: "waiting", UserID: "user"}, Link: true},
		},
		"user without an account, identity of another User": {
			account.Facts{UserID: "user", Holder: others},
			account.Decision{Account: account.Account{Subject: "new", UserID: "user"}, Create: true, Attach: true},
		},
		"user without an account, no identity": {
			account.Facts{UserID: "user"},
			account.Decision{Account: account.Account{Subject: "new", UserID: "user"}, Create: true, Attach: true},
		},
		"nobody, identity of a linked account": {
			account.Facts{Holder: own},
			account.Decision{Account: account.Account{Subject: "new"}, Create: true, Attach: true},
		},
		"nobody, identity of a waiting account": {
			account.Facts{Holder: waiting},
			account.Decision{Account: *waiting},
		},
		"nobody, no identity": {
			account.Facts{},
			account.Decision{Account: account.Account{Subject: "new"}, Create: true, Attach: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, account.Match(tc.facts, func() string { return "new" }))
		})
	}
}
