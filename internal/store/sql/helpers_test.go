package sql_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

const (
	gamma = "+447700900003"
	delta = "+447700900004"
)

// onEachEngineWith runs a test on stores with options of its own.
func onEachEngineWith(t *testing.T, opts func() sql.Options, test func(t *testing.T, store *sql.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, openWith(t, "sqlite:"+filepath.Join(t.TempDir(), "latchkey.db"), opts()))
	})
	t.Run("postgres", func(t *testing.T) { test(t, openWith(t, testservers.Postgres(t), opts())) })
}

// onEachEngineAt runs a test whose clock stands still until the test moves it.
func onEachEngineAt(t *testing.T, test func(t *testing.T, store *sql.Store, clock *otptest.Clock)) {
	var clock *otptest.Clock
	onEachEngineWith(t, func() sql.Options {
		clock = otptest.NewClock()
		return sql.Options{MaxOpenConns: 10, Now: clock.Now}
	}, func(t *testing.T, store *sql.Store) { test(t, store, clock) })
}

func openWith(t *testing.T, address string, opts sql.Options) *sql.Store {
	t.Helper()
	store, err := sql.Open(address, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return store
}

// execute runs a statement behind a store's back.
func execute(t *testing.T, store *sql.Store, statement string, values ...any) {
	t.Helper()
	require.NoError(t, sql.Database(store).WithContext(t.Context()).Exec(statement, values...).Error)
}

// query reads one number behind a store's back.
func query(t *testing.T, store *sql.Store, statement string, values ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, sql.Database(store).WithContext(t.Context()).Raw(statement, values...).Scan(&n).Error)
	return n
}

// newSession is one that lives for an hour from now.
func newSession(subject string, now time.Time) session.Session {
	now = now.UTC()
	return session.Session{
		SID: session.NewSID(), Subject: subject, ClientID: "app", CodeUse: rand.Text(), Method: account.SMS, Identifier: alpha,
		Scope: scope.Set{}, AuthTime: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour), Family: session.Family{RotatedAt: now},
	}
}

func plant(t *testing.T, store *sql.Store, sessions ...session.Session) {
	t.Helper()
	require.NoError(t, sql.Plant(store, sessions...))
}

// opening signs in with a number as login does; edit has the last word on the session.
func opening(ctx context.Context, store *sql.Store, e164 string, keep int, edit func(*session.Session)) (session.Session, error) {
	var opened session.Session
	err := store.SignIn(ctx, account.Identity{Method: account.SMS, Identifier: e164}, func(found login.Found) (login.Entry, error) {
		facts := account.Facts{Holder: found.Holder}
		if len(found.Users) == 1 {
			facts.UserID, facts.UserAccount = found.Users[0].ID, found.UserAccount
		}
		decision := account.Match(facts, account.NewSubject)
		opened = newSession(decision.Account.Subject, found.Now)
		opened.Identifier = e164
		if edit != nil {
			edit(&opened)
		}
		events := []audit.Event{{At: found.Now, Kind: audit.SignInSucceeded, Subject: opened.Subject, SID: opened.SID}}
		return login.Entry{Decision: decision, Session: &opened, KeepSessions: keep, Events: events}, nil
	})
	return opened, err
}

func open(t *testing.T, store *sql.Store, e164 string, edit func(*session.Session)) session.Session {
	t.Helper()
	opened, err := opening(t.Context(), store, e164, 0, edit)
	require.NoError(t, err)
	return opened
}

// untilFree tries again while a database is busy: SQLite has no queue for its lock, and gives up on
// a caller who is out of luck for three seconds.
func untilFree(call func() error) error {
	for {
		if err := call(); !outage.Is(err) {
			return err
		}
	}
}

func standing(t *testing.T, store *sql.Store, sid string) login.Standing {
	t.Helper()
	st, err := store.Standing(t.Context(), sid)
	require.NoError(t, err)
	return st
}

// liveSIDs are the sids of the live sessions that a filter selects, the newest first.
func liveSIDs(t *testing.T, store *sql.Store, filter session.Filter) []string {
	t.Helper()
	listed, total, err := store.Sessions(t.Context(), filter, 10_000)
	require.NoError(t, err)
	require.Len(t, listed, total)
	return sids(listed)
}

func sids(listed []session.Listed) []string {
	all := []string{}
	for _, l := range listed {
		all = append(all, l.SID)
	}
	return all
}

// event is a row of the audit.
type event struct {
	At       int64
	Kind     audit.Kind
	Actor    string
	Subject  string
	UserID   string
	ClientID string
	SID      string `gorm:"column:sid"`
	Address  string
	Phone    string
	Reason   string
	Detail   string
}

// events are those of a kind, in the order in which they were written.
func events(t *testing.T, store *sql.Store, kind audit.Kind) []event {
	t.Helper()
	var all []event
	err := sql.Database(store).Raw(`SELECT at, kind, actor, subject, user_id, client_id, sid, address, phone, reason, detail
FROM audit_events WHERE kind = ? ORDER BY id`, kind).Scan(&all).Error
	require.NoError(t, err)
	return all
}
