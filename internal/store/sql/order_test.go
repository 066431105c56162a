package sql_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

func TestRevocationsAreReadPageByPage(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		sessions := map[session.Place]session.Session{}
		for _, place := range []session.Place{{List: "b", Index: 7}, {List: "a", Index: 70}, {List: "a", Index: 8}, {List: "c", Index: 0}, {}} {
			sessions[place] = newSession("somebody", time.Now())
			s := sessions[place]
			s.Place = place
			s.ClientID = "client " + place.List
			plant(t, store, s)
		}
		end := func(filter session.Filter) {
			_, err := store.EndSessions(t.Context(), filter, session.Ending{Reason: session.Operator}, 10)
			require.NoError(t, err)
		}
		none, err := store.Revocations(t.Context(), statuslist.Cursor{}, 10)
		require.NoError(t, err)
		require.Empty(t, none, "nobody was revoked")
		end(session.Filter{ClientID: "client c"})
		end(session.Filter{ClientID: "nobody's"})
		end(session.Filter{All: true}) // in one transaction, and one without a place
		at := func(tick int64, list string, index int) statuslist.Cursor {
			return statuslist.Cursor{Tick: tick, Place: statuslist.Place{List: list, Index: index}}
		}
		all, err := store.Revocations(t.Context(), statuslist.Cursor{}, 10)
		require.NoError(t, err)
		require.Len(t, all, 4)
		first, second := all[0].Tick, all[1].Tick
		require.Less(t, first, second)
		want := []statuslist.Cursor{at(first, "c", 0), at(second, "a", 8), at(second, "a", 70), at(second, "b", 7)}
		require.Equal(t, want, all)
		for limit := 1; limit < 5; limit++ {
			for from := range want {
				page, err := store.Revocations(t.Context(), want[from], limit)
				require.NoError(t, err)
				rest := want[from+1:]
				require.Equal(t, append([]statuslist.Cursor(nil), rest[:min(limit, len(rest))]...), page)
			}
		}
	})
}

// Whoever revokes, however long it takes and whether or not it comes to anything: a reader who goes on from
// the last place it saw has seen each in the end, and in order.
func TestAReaderMissesNoRevocation(t *testing.T) {
	onEachEngine(t, func(t *testing.T, store *sql.Store) {
		const writers, rounds, crowd = 8, 6, 10
		plan := revocations{store: store, rounds: rounds, crowd: crowd}
		plan.prepare(t, writers)
		reading, stop := context.WithCancel(t.Context())
		var reader sync.WaitGroup
		var seen []statuslist.Cursor
		var failed error
		reader.Go(func() { seen, failed = follow(t.Context(), store, reading.Done()) })
		together(t, writers, func(writer int) error { return plan.write(t.Context(), writer) })
		stop()
		reader.Wait()
		require.NoError(t, failed)

		got := map[session.Place]bool{}
		for i, c := range seen {
			got[session.Place{List: c.Place.List, Index: c.Place.Index}] = true
			require.True(t, i == 0 || seen[i-1].Tick <= c.Tick, "ticks go down")
		}
		require.Len(t, got, len(seen), "a place was seen twice")
		all, total, err := store.Sessions(t.Context(), session.Filter{Ended: true}, 10_000)
		require.NoError(t, err)
		require.Len(t, all, total)
		revoked := 0
		for _, s := range all {
			if !s.Revoked() {
				continue
			}
			revoked++
			require.True(t, got[s.Place], "the reader has missed %v, revoked as %s", s.Place, s.RevokedReason)
		}
		require.Len(t, seen, revoked, "the reader has seen what was not revoked")
		require.Equal(t, plan.revoked(writers), revoked)
	})
}

// follow reads revocations in small pages, each from the last one's end, until done and there are no more.
func follow(ctx context.Context, store *sql.Store, done <-chan struct{}) ([]statuslist.Cursor, error) {
	var all []statuslist.Cursor
	var cursor statuslist.Cursor
	for last := false; ; {
		page, err := store.Revocations(ctx, cursor, 7)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) > 0 {
			cursor = page[len(page)-1]
			continue
		}
		if last {
			return all, nil
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
}

// revocations is what a number of writers do at once. In each round, one after the other, a writer
// ends a single session, a crowd of them, and a crowd in vain; and odd ones have a person leave and
// another's number move, in one transaction.
type revocations struct {
	store         *sql.Store
	rounds, crowd int
}

func (r revocations) name(writer, round int, kind string) string {
	return fmt.Sprintf("%s of %d in %d", kind, writer, round)
}

func (r revocations) prepare(t *testing.T, writers int) {
	var sessions []session.Session
	add := func(subject string) {
		s := newSession(subject, time.Now())
		s.Method, s.Identifier = account.SMS, alpha
		s.Place = session.Place{List: fmt.Sprint("list ", len(sessions)%2), Index: len(sessions)}
		sessions = append(sessions, s)
	}
	for writer := range writers {
		var staff []directory.Person
		for round := range r.rounds {
			add(r.name(writer, round, "one"))
			for range r.crowd {
				add(r.name(writer, round, "crowd"))
			}
			for _, kind := range []string{"leaver", "mover"} {
				id := r.name(writer, round, kind)
				add(id)
				add(id)
				staff = append(staff, person(id, alpha))
			}
		}
		_, err := directory.Reconcile(t.Context(), r.store, r.feed(writer, staff...), directory.Options{Confirmed: true})
		require.NoError(t, err)
	}
	plant(t, r.store, sessions...)
	execute(t, r.store, "UPDATE accounts SET user_id = (SELECT id FROM users WHERE external_id = subject)")
}

// feed is one of the writer's own source, so that no two wait for each other anywhere but at the clock.
func (r revocations) feed(writer int, people ...directory.Person) directory.Feed {
	return directory.Feed{Source: fmt.Sprint("source ", writer), Mode: directory.Delta, People: people}
}

func (r revocations) write(ctx context.Context, writer int) error {
	end := func(subject string, detail map[string]any) error {
		how := session.Ending{Reason: session.Operator, Detail: detail}
		return untilFree(func() error {
			_, err := r.store.EndSessions(ctx, session.Filter{Subject: subject}, how, 100)
			return err
		})
	}
	for round := range r.rounds {
		one, crowd := r.name(writer, round, "one"), r.name(writer, round, "crowd")
		if err := end(crowd, unwritable); err == nil {
			return errors.New("an end that cannot be recorded came through")
		}
		if err := errors.Join(end(one, nil), end(crowd, nil)); err != nil {
			return err
		}
		if writer%2 == 0 {
			continue
		}
		leaver, mover := person(r.name(writer, round, "leaver"), alpha), person(r.name(writer, round, "mover"), beta)
		leaver.Active = false
		err := untilFree(func() error {
			_, err := directory.Reconcile(ctx, r.store, r.feed(writer, leaver, mover), directory.Options{Confirmed: true})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// revoked is how many sessions that are.
func (r revocations) revoked(writers int) int {
	return writers*r.rounds*(1+r.crowd) + writers/2*r.rounds*4
}
