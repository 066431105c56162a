package sql_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

const (
	alpha = "+447700900001"
	beta  = "+447700900002"
)

// entered is who a sign-in turned out to be.
type entered struct {
	subject string
	sid     string
	userID  string // empty for anonymous
}

// signIn does what login does, less codes and tokens.
func signIn(ctx context.Context, store *sql.Store, e164 string) (entered, error) {
	var who entered
	err := store.SignIn(ctx, account.Identity{Method: account.SMS, Identifier: e164}, func(found login.Found) (login.Entry, error) {
		facts := account.Facts{Holder: found.Holder}
		if len(found.Users) == 1 {
			facts.UserID, facts.UserAccount = found.Users[0].ID, found.UserAccount
		}
		decision := account.Match(facts, account.NewSubject)
		who = entered{decision.Account.Subject, session.NewSID(), facts.UserID}
		now := time.Now()
		return login.Entry{
			Decision: decision,
			Session: &session.Session{SID: who.sid, Subject: who.subject, ClientID: "app", CodeUse: rand.Text(), Method: account.SMS,
				Identifier: e164, AuthTime: now, ExpiresAt: now.Add(time.Hour)},
			Events: []audit.Event{{At: now, Kind: audit.SignInSucceeded, Subject: who.subject}},
		}, nil
	})
	return who, err
}

func mustSignIn(t *testing.T, store *sql.Store, e164 string) entered {
	t.Helper()
	who, err := signIn(t.Context(), store, e164)
	require.NoError(t, err)
	return who
}

// live reports whether a session still is.
func live(t *testing.T, store *sql.Store, who entered) bool {
	t.Helper()
	_, err := store.Person(t.Context(), who.sid)
	if err != nil {
		require.ErrorIs(t, err, login.ErrSessionEnded)
	}
	return err == nil
}

// The rows of the matching table, each from the first sign-in to the one that the row is about.
func TestMatching(t *testing.T) {
	t.Run("an active User's, who has an account", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			hr(t, store, person("1", alpha))
			first := mustSignIn(t, store, alpha)
			require.NotEmpty(t, first.userID)
			require.Equal(t, first.subject, mustSignIn(t, store, alpha).subject)
			hr(t, store, person("1", beta))
			require.False(t, live(t, store, first), "the old number's session ends")
			second := mustSignIn(t, store, beta)
			require.Equal(t, first.subject, second.subject, "a new number, the same person")
			require.NotEqual(t, first.subject, mustSignIn(t, store, alpha).subject)
		})
	})
	t.Run("an active User's, who has none; a waiting account's identity", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			waiting := mustSignIn(t, store, alpha)
			require.Empty(t, waiting.userID)
			hr(t, store, person("1", alpha))
			upgraded := mustSignIn(t, store, alpha)
			require.Equal(t, waiting.subject, upgraded.subject)
			require.NotEmpty(t, upgraded.userID)
			require.Equal(t, waiting.subject, mustSignIn(t, store, alpha).subject)
		})
	})
	t.Run("an active User's, but another User's account's identity", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			hr(t, store, person("1", alpha))
			former := mustSignIn(t, store, alpha)
			hr(t, store, person("1", beta), person("2", alpha))
			next := mustSignIn(t, store, alpha)
			require.NotEqual(t, former.subject, next.subject, "a recycled number never opens its former owner's account")
			require.NotEqual(t, former.userID, next.userID)
			require.Equal(t, former.subject, mustSignIn(t, store, beta).subject)
		})
	})
	t.Run("no active User's; a linked account's identity", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			hr(t, store, person("1", alpha), person("2", beta))
			employee := mustSignIn(t, store, alpha)
			hr(t, store, person("2", beta))
			require.False(t, live(t, store, employee), "a leaver's session ends")
			leaver := mustSignIn(t, store, alpha)
			require.Empty(t, leaver.userID)
			require.NotEqual(t, employee.subject, leaver.subject)
			require.Equal(t, leaver.subject, mustSignIn(t, store, alpha).subject)
			hr(t, store, person("1", alpha), person("2", beta))
			rehired := mustSignIn(t, store, alpha)
			require.Equal(t, employee.subject, rehired.subject, "a re-hired person is who they were")
			require.Equal(t, employee.userID, rehired.userID)
			require.False(t, live(t, store, employee), "but none of the old sessions comes back")
		})
	})
	t.Run("no active User's, otherwise", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			stranger := mustSignIn(t, store, alpha)
			require.Equal(t, stranger.subject, mustSignIn(t, store, alpha).subject)
			require.NotEqual(t, stranger.subject, mustSignIn(t, store, beta).subject)
		})
	})
	t.Run("two active Users match nobody", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			hr(t, store, person("1", alpha))
			owner := mustSignIn(t, store, alpha)
			report := hr(t, store, person("1", alpha), person("2", alpha))
			require.Len(t, report.Conflicts, 1)
			nobody := mustSignIn(t, store, alpha)
			require.Empty(t, nobody.userID)
			require.NotEqual(t, owner.subject, nobody.subject)
			hr(t, store, person("1", alpha), person("2", beta))
			require.Equal(t, owner.subject, mustSignIn(t, store, alpha).subject)
		})
	})
	t.Run("a stranger's number is given to somebody with an account", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			hr(t, store, person("1", beta))
			owner := mustSignIn(t, store, beta)
			former := mustSignIn(t, store, alpha)
			hr(t, store, person("1", alpha))
			require.Equal(t, owner.subject, mustSignIn(t, store, alpha).subject)
			require.False(t, live(t, store, former), "a later look at the directory would take the stranger for the owner")
		})
	})
	t.Run("two people swap numbers", func(t *testing.T) {
		onEachEngine(t, func(t *testing.T, store *sql.Store) {
			hr(t, store, person("1", alpha), person("2", beta))
			one, two := mustSignIn(t, store, alpha), mustSignIn(t, store, beta)
			hr(t, store, person("1", beta), person("2", alpha))
			require.False(t, live(t, store, one))
			require.False(t, live(t, store, two))
			require.Equal(t, one.subject, mustSignIn(t, store, beta).subject)
			require.Equal(t, two.subject, mustSignIn(t, store, alpha).subject)
		})
	})
}

// before brings the number alpha into the state that a row of the table is about.
var before = map[string]func(t *testing.T, store *sql.Store){
	"first sign-in of a User": func(t *testing.T, store *sql.Store) { hr(t, store, person("1", alpha)) },
	"returning User": func(t *testing.T, store *sql.Store) {
		hr(t, store, person("1", alpha))
		mustSignIn(t, store, alpha)
	},
	"waiting person": func(t *testing.T, store *sql.Store) {
		mustSignIn(t, store, alpha)
		hr(t, store, person("1", alpha))
	},
	"recycled number": func(t *testing.T, store *sql.Store) {
		hr(t, store, person("2", alpha))
		mustSignIn(t, store, alpha)
		hr(t, store, person("2", beta), person("1", alpha))
	},
	"leaver": func(t *testing.T, store *sql.Store) {
		hr(t, store, person("1", alpha), person("2", beta))
		mustSignIn(t, store, alpha)
		hr(t, store, person("2", beta))
	},
	"stranger": func(*testing.T, *sql.Store) {},
}

func TestSignInsRaceEachOther(t *testing.T) {
	for name, prepare := range before {
		t.Run(name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, store *sql.Store) {
				prepare(t, store)
				subjects := sync.Map{}
				together(t, 20, func(int) error {
					who, err := signIn(t.Context(), store, alpha)
					subjects.Store(who.subject, true)
					return err
				})
				count := 0
				subjects.Range(func(any, any) bool { count++; return true })
				require.Equal(t, 1, count, "one number at once is one account")
			})
		})
	}
}

// Whatever order a sign-in and a change by HR take, nobody is left with a session that the change
// should have ended, and the next sign-in is matched by the rules.
func TestSignInsRaceHR(t *testing.T) {
	staff := person("9", "+447700900009")
	changes := map[string]struct {
		people []directory.Person
		// check gets those who raced, and one who came after.
		check func(t *testing.T, store *sql.Store, raced []entered, after entered)
	}{
		"the person leaves": {[]directory.Person{staff}, func(t *testing.T, store *sql.Store, raced []entered, after entered) {
			require.Empty(t, after.userID)
			for _, who := range raced {
				require.False(t, who.userID != "" && live(t, store, who), "a leaver kept a session")
			}
		}},
		"the number goes to somebody else": {[]directory.Person{staff, person("1", beta), person("3", alpha)},
			func(t *testing.T, store *sql.Store, raced []entered, after entered) {
				require.NotEmpty(t, after.userID)
				for _, who := range raced {
					require.False(t, who.userID != "" && who.userID != after.userID && live(t, store, who),
						"the former owner kept a session by the number")
					require.False(t, who.subject == after.subject && who.userID != "" && who.userID != after.userID,
						"the number opened its former owner's account")
				}
			}},
		"the number is taken away": {[]directory.Person{staff, person("1", "")},
			func(t *testing.T, store *sql.Store, raced []entered, after entered) {
				require.Empty(t, after.userID)
				for _, who := range raced {
					require.False(t, who.userID != "" && live(t, store, who), "a session outlived its number")
				}
			}},
		"the person enters": {[]directory.Person{staff, person("1", alpha)},
			func(t *testing.T, store *sql.Store, raced []entered, after entered) {
				require.NotEmpty(t, after.userID)
			}},
		"a second person gets the number": {[]directory.Person{staff, person("1", alpha), person("4", alpha)},
			func(t *testing.T, store *sql.Store, raced []entered, after entered) {
				require.Empty(t, after.userID)
			}},
	}
	for state, prepare := range before {
		for change, tc := range changes {
			t.Run(state+"/"+change, func(t *testing.T) {
				onEachEngine(t, func(t *testing.T, store *sql.Store) {
					prepare(t, store)
					const n = 8
					raced := make([]entered, n+1)
					together(t, n+1, func(i int) error {
						if i == n/2 {
							hr(t, store, tc.people...)
							return nil
						}
						var err error
						raced[i], err = signIn(t.Context(), store, alpha)
						return err
					})
					tc.check(t, store, raced, mustSignIn(t, store, alpha))
				})
			})
		}
	}
}

// together calls f n times at once.
func together(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		done.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	done.Wait()
	for i, err := range errs {
		require.NoError(t, err, fmt.Sprint("call ", i))
	}
}

func TestARefusalWritesOnlyItsEvents(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		err := store.SignIn(t.Context(), account.Identity{Method: account.SMS, Identifier: alpha}, func(found login.Found) (login.Entry, error) {
			return login.Entry{
				Events: []audit.Event{{At: time.Now(), Kind: audit.SignInRefused, Reason: "tier_not_admitted"}},
			}, nil
		})
		require.NoError(t, err)
		err = store.SignIn(t.Context(), account.Identity{Method: account.SMS, Identifier: alpha}, func(found login.Found) (login.Entry, error) {
			require.Nil(t, found.Holder, "the refusal made no account")
			return login.Entry{}, errNotMine
		})
		require.ErrorIs(t, err, errNotMine)
	})
}

var errNotMine = fmt.Errorf("an error of the caller")

func TestASignInSeesTheUserWhole(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		want := directory.Person{
			ExternalID: "1", Name: "Zoë O'Neill", Phone: number(alpha), Email: "zoe@example.com", Department: "Sales",
			Title: "Head", EmploymentType: "contractor", Groups: []string{"a", "b"}, Active: true,
		}
		hr(t, store, want)
		who := mustSignIn(t, store, alpha)
		err := store.SignIn(t.Context(), account.Identity{Method: account.SMS, Identifier: alpha}, func(found login.Found) (login.Entry, error) {
			require.Len(t, found.Users, 1)
			user := found.Users[0]
			require.Equal(t, want, user.Person)
			require.Equal(t, "hr", user.Source)
			require.WithinDuration(t, time.Now(), user.UpdatedAt, time.Minute)
			require.Equal(t, &account.Account{Subject: who.subject, UserID: user.ID}, found.UserAccount)
			require.Equal(t, found.UserAccount, found.Holder)
			return login.Entry{}, errNotMine
		})
		require.ErrorIs(t, err, errNotMine)
		behind, err := store.Person(t.Context(), who.sid)
		require.NoError(t, err)
		require.Equal(t, want.Name, behind.User.Name)
		require.Equal(t, want.Email, behind.User.Email)
		require.Equal(t, want.Phone, behind.Phone)
	})
}

// A Redis that loses its last writes has forgotten that a code was used; the record has not (C3).
func TestOneUseOfACodeOpensOneSession(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		open := func(use string) error {
			return store.SignIn(t.Context(), account.Identity{Method: account.SMS, Identifier: alpha}, func(found login.Found) (login.Entry, error) {
				decision := account.Match(account.Facts{Holder: found.Holder}, account.NewSubject)
				return login.Entry{Decision: decision, Session: &session.Session{
					SID: session.NewSID(), Subject: decision.Account.Subject, ClientID: "app", CodeUse: use,
					Method: account.SMS, Identifier: alpha, AuthTime: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
				}}, nil
			})
		}
		require.NoError(t, open("one"))
		require.ErrorIs(t, open("one"), otp.ErrInvalidCode)
		require.NoError(t, open("two"))
	})
}
