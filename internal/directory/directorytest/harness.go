package directorytest

import (
	"fmt"
	"iter"
	"testing"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/phone"
)

const source = "hr"

type harness struct {
	t     *testing.T
	store directory.Store
}

// apply applies the change set that plan makes of the source's users, by external id.
func (h harness) apply(source string, plan func(users map[string]directory.User) directory.ChangeSet) directory.Applied {
	h.t.Helper()
	return h.run(source, false, plan)
}

func (h harness) run(source string, dryRun bool, plan func(map[string]directory.User) directory.ChangeSet) directory.Applied {
	h.t.Helper()
	applied, err := h.store.Apply(h.t.Context(), source, "test", dryRun, func(current iter.Seq2[directory.User, error]) (directory.ChangeSet, error) {
		users, err := collect(current)
		if err != nil {
			return directory.ChangeSet{}, err
		}
		changes := plan(users)
		changes.Source = source
		return changes, nil
	})
	if err != nil {
		h.t.Fatalf("Apply: %v", err)
	}
	return applied
}

func (h harness) enter(source string, people ...directory.Person) directory.Applied {
	h.t.Helper()
	return h.apply(source, func(map[string]directory.User) directory.ChangeSet {
		return directory.ChangeSet{Enter: people}
	})
}

// users reads what is stored, by external id.
func (h harness) users(source string) map[string]directory.User {
	h.t.Helper()
	var stored map[string]directory.User
	h.run(source, true, func(users map[string]directory.User) directory.ChangeSet {
		stored = users
		return directory.ChangeSet{}
	})
	return stored
}

func collect(current iter.Seq2[directory.User, error]) (map[string]directory.User, error) {
	users := map[string]directory.User{}
	for user, err := range current {
		if err != nil {
			return nil, err
		}
		if _, twice := users[user.ExternalID]; twice {
			return nil, fmt.Errorf("plan was handed %s twice", user.ExternalID)
		}
		users[user.ExternalID] = user
	}
	return users, nil
}

func number(t *testing.T, e164 string) phone.Number {
	t.Helper()
	n, err := phone.Stored(e164)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func person(t *testing.T, id, e164 string) directory.Person {
	p := directory.Person{ExternalID: id, Name: "Name of " + id, Active: true}
	if e164 != "" {
		p.Phone = number(t, e164)
	}
	return p
}

// changed is a Change of user by edit.
func changed(user directory.User, edit func(*directory.Person)) directory.Change {
	next := user.Person
	edit(&next)
	return directory.Change{User: user, Person: next, Fields: user.Changed(next)}
}

func leaving(user directory.User) directory.Leaving {
	return directory.Leaving{User: user, Reason: directory.Missing}
}

func (h harness) same(got, want directory.User) {
	h.t.Helper()
	h.samePerson(got, want.Person)
	if got.ID != want.ID || got.Source != want.Source || !got.CreatedAt.Equal(want.CreatedAt) || !got.UpdatedAt.Equal(want.UpdatedAt) {
		h.t.Errorf("user = %+v, want %+v", got, want)
	}
}

func (h harness) samePerson(got directory.User, want directory.Person) {
	h.t.Helper()
	if got.ExternalID != want.ExternalID || len(got.Changed(want)) > 0 {
		h.t.Errorf("user %s differs in %v: got %+v, want %+v", got.ExternalID, got.Changed(want), got.Person, want)
	}
}

func (h harness) unchanged(before map[string]directory.User) {
	h.t.Helper()
	after := h.users(source)
	if len(after) != len(before) {
		h.t.Errorf("%d users, want %d", len(after), len(before))
	}
	for id, user := range before {
		h.same(after[id], user)
	}
}
