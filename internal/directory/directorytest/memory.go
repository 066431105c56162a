package directorytest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// Memory is a directory.Store without sessions. It is safe for concurrent use; a Plan must not
// call it.
type Memory struct {
	now func() time.Time

	mu    sync.Mutex
	users map[string]directory.User // by ID
}

// NewMemory returns an empty store.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, users: map[string]directory.User{}}
}

// Users returns a source's users, active or not, in order of external id.
func (m *Memory) Users(source string) []directory.User {
	m.mu.Lock()
	defer m.mu.Unlock()
	var users []directory.User
	for _, u := range m.users {
		if u.Source == source {
			users = append(users, u)
		}
	}
	slices.SortFunc(users, order)
	return users
}

// Apply implements directory.Store. One lock for all sources keeps more than is promised.
func (m *Memory) Apply(ctx context.Context, source, _ string, dryRun bool, plan directory.Plan) (directory.Applied, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return directory.Applied{}, err
	}
	changes, err := plan(m.current(source))
	if err != nil {
		return directory.Applied{}, err
	}
	next := maps.Clone(m.users)
	if err := write(next, source, changes, m.now()); err != nil {
		return directory.Applied{}, err
	}
	if !dryRun {
		m.users = next
	}
	return directory.Applied{Conflicts: conflicts(next, source)}, nil
}

func (m *Memory) current(source string) iter.Seq2[directory.User, error] {
	return func(yield func(directory.User, error) bool) {
		for _, u := range m.users {
			if u.Source == source && !yield(u, nil) {
				return
			}
		}
	}
}

func write(users map[string]directory.User, source string, changes directory.ChangeSet, now time.Time) error {
	for _, person := range changes.Enter {
		user := directory.User{ID: directory.NewUserID(), Source: source, Person: person, CreatedAt: now, UpdatedAt: now}
		users[user.ID] = user
	}
	update := func(id string, edit func(*directory.User)) error {
		user, ok := users[id]
		if !ok || user.Source != source {
			return fmt.Errorf("source %q has no user %q", source, id)
		}
		edit(&user)
		user.UpdatedAt = now
		users[id] = user
		return nil
	}
	for _, change := range changes.Change {
		if err := update(change.User.ID, func(u *directory.User) { u.Person = change.Person }); err != nil {
			return err
		}
	}
	for _, leaving := range changes.Leave {
		if err := update(leaving.User.ID, func(u *directory.User) { u.Active = false }); err != nil {
			return err
		}
	}
	return nil
}

func conflicts(users map[string]directory.User, source string) []directory.Conflict {
	holders := map[phone.Number][]directory.User{}
	for _, u := range users {
		if u.Active && !u.Phone.IsZero() {
			holders[u.Phone] = append(holders[u.Phone], u)
		}
	}
	var found []directory.Conflict
	for number, sharing := range holders {
		ours := slices.ContainsFunc(sharing, func(u directory.User) bool { return u.Source == source })
		if ours && len(sharing) > 1 {
			slices.SortFunc(sharing, order)
			found = append(found, directory.Conflict{Phone: number, Users: sharing})
		}
	}
	slices.SortFunc(found, func(a, b directory.Conflict) int { return cmp.Compare(a.Phone.E164(), b.Phone.E164()) })
	return found
}

func order(a, b directory.User) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ExternalID, b.ExternalID))
}
