package login_test

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/session"
)

// faulty is the record with outages that a test orders.
type faulty struct {
	login.Store
	// before and after make SignIn fail before anything is written, or once all is.
	before, after func() error
	record        error
	decided       atomic.Int32
	// standing, live and end make these fail; beforeAdvance and afterAdvance are as before and after.
	standing, live, end         func() error
	beforeAdvance, afterAdvance func() error
	// loses makes Advance come too late each time; advanced counts its calls.
	loses    bool
	advanced atomic.Int32
}

var errOut = outage.Wrap("database", stdsql.ErrConnDone)

func fails() error { return errOut }

// does calls what a test has ordered, if anything.
func does(ordered func() error) error {
	if ordered == nil {
		return nil
	}
	return ordered()
}

func (f *faulty) SignIn(ctx context.Context, id account.Identity, decide func(login.Found) (login.Entry, error)) error {
	if err := does(f.before); err != nil {
		return err
	}
	err := f.Store.SignIn(ctx, id, func(found login.Found) (login.Entry, error) {
		f.decided.Add(1)
		return decide(found)
	})
	if err != nil {
		return err
	}
	return does(f.after)
}

func (f *faulty) Record(ctx context.Context, event audit.Event) error {
	if f.record != nil {
		return f.record
	}
	return f.Store.Record(ctx, event)
}

func (f *faulty) Standing(ctx context.Context, sid string) (login.Standing, error) {
	if err := does(f.standing); err != nil {
		return login.Standing{}, err
	}
	return f.Store.Standing(ctx, sid)
}

func (f *faulty) Live(ctx context.Context, sid string) (bool, error) {
	if err := does(f.live); err != nil {
		return false, err
	}
	return f.Store.Live(ctx, sid)
}

func (f *faulty) Advance(ctx context.Context, before, after session.Session, events []audit.Event) (bool, error) {
	f.advanced.Add(1)
	if err := does(f.beforeAdvance); err != nil {
		return false, err
	}
	if f.loses {
		return false, nil
	}
	written, err := f.Store.Advance(ctx, before, after, events)
	if err != nil {
		return false, err
	}
	return written, does(f.afterAdvance)
}

func (f *faulty) EndSessions(ctx context.Context, filter session.Filter, how session.Ending, limit int) ([]session.Listed, error) {
	if err := does(f.end); err != nil {
		return nil, err
	}
	return f.Store.EndSessions(ctx, filter, how, limit)
}

// places is a login.Places over a counter.
type places struct {
	next      []session.Place // what comes first, before new ones
	given     int
	discarded int
	err       error
}

func (p *places) Take(context.Context) (session.Place, error) {
	if p.err != nil {
		return session.Place{}, p.err
	}
	p.given++
	if len(p.next) > 0 {
		place := p.next[0]
		p.next = p.next[1:]
		return place, nil
	}
	return session.Place{List: "list", Index: 1000 + p.given}, nil
}

func (p *places) Discard() { p.discarded++ }

// session is a session as it is on record, also one that is over.
func (p *parts) session(t *testing.T, sid string) session.Session {
	t.Helper()
	standing, err := p.hr.Standing(t.Context(), sid)
	require.NoError(t, err)
	return standing.Session
}

// live are the sessions that live, in no order.
func (p *parts) live(t *testing.T) []string {
	t.Helper()
	listed, _, err := p.hr.Sessions(t.Context(), session.Filter{}, 100)
	require.NoError(t, err)
	var sids []string
	for _, l := range listed {
		sids = append(sids, l.SID)
	}
	return sids
}

// exec changes the record behind everybody's back.
func (p *parts) exec(t *testing.T, statement string, values ...any) {
	t.Helper()
	changed, err := p.raw.ExecContext(t.Context(), statement, values...)
	require.NoError(t, err)
	n, err := changed.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, n, statement)
}

// ended are the audit entries of sessions that ended and of refreshes that came late, oldest first.
func (p *parts) ended(t *testing.T) []event {
	t.Helper()
	return p.audit(t, fmt.Sprintf("kind IN ('%s', '%s')", audit.SessionEnded, audit.RefreshRepeated))
}

func reasons(events []event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.reason)
	}
	return all
}
