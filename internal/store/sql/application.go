package sql

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm/clause"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/session"
)

// application carries out one change set inside a transaction. A person enters, changes and leaves
// through enter, change and leave, whatever brought it about; each takes any number of people and
// costs a handful of statements per batch.
type application struct {
	store         *Store
	tx            *work
	source        string
	actor         string
	now           time.Time
	sessionsEnded int
	// dryRun counts the sessions that would end, and holds up nobody's.
	dryRun bool
	// left and moved are the users whose sessions end with it: all of them, or those that a
	// number proved which is not theirs any more.
	left, moved []string
}

// write makes the people what the change set says.
func (a *application) write(changes directory.ChangeSet) error {
	if err := a.leave(changes.Leave); err != nil {
		return fmt.Errorf("people leave: %w", err)
	}
	if err := a.change(changes.Change); err != nil {
		return fmt.Errorf("people change: %w", err)
	}
	if err := a.enter(changes.Enter); err != nil {
		return fmt.Errorf("people enter: %w", err)
	}
	return nil
}

// finish ends the sessions that hung on what has changed, and writes the summary. It comes last:
// once it has begun, no other revocation commits before this one (see end).
func (a *application) finish(changes directory.ChangeSet) error {
	if changes.Empty() {
		return nil
	}
	if err := a.personLeft(); err != nil {
		return fmt.Errorf("end sessions of people who left: %w", err)
	}
	if err := a.numberMoved(); err != nil {
		return fmt.Errorf("end sessions of moved numbers: %w", err)
	}
	return record(a.tx.DB, []audit.Event{{At: a.now, Kind: audit.FeedApplied, Actor: a.actor, Detail: map[string]any{
		"source": a.source, "entered": len(changes.Enter), "changed": len(changes.Change), "left": len(changes.Leave),
		"sessions_ended": a.sessionsEnded,
	}}})
}

// enter adds people.
func (a *application) enter(people []directory.Person) error {
	rows := make([]userRow, len(people))
	events := make([]audit.Event, len(people))
	for i, person := range people {
		user := directory.User{ID: directory.NewUserID(), Source: a.source, Person: person, CreatedAt: a.now, UpdatedAt: a.now}
		rows[i] = newUserRow(user)
		events[i] = a.event(audit.UserEntered, user)
	}
	if len(rows) == 0 {
		return nil
	}
	if err := a.tx.CreateInBatches(rows, batch).Error; err != nil {
		return err
	}
	return record(a.tx.DB, events)
}

// change writes what HR now says. The sessions that hung on what it said before will end: those of
// a number that was taken away, and whatever is left from before a re-hire.
func (a *application) change(changes []directory.Change) error {
	rows := make([]userRow, len(changes))
	events := make([]audit.Event, len(changes))
	for i, c := range changes {
		user := c.User
		user.Person, user.UpdatedAt = c.Person, a.now
		rows[i] = newUserRow(user)
		events[i] = a.event(audit.UserChanged, c.User)
		events[i].Detail = differences(c)
		if c.PhoneChanged() {
			a.moved = append(a.moved, user.ID)
		}
		if c.Rehired() {
			a.left = append(a.left, user.ID)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	if err := a.own(ids); err != nil {
		return err
	}
	overwrite := clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, UpdateAll: true}
	if err := a.tx.Clauses(overwrite).CreateInBatches(rows, batch).Error; err != nil {
		return err
	}
	return record(a.tx.DB, events)
}

// leave deactivates people. All their sessions will end (P4).
func (a *application) leave(leavers []directory.Leaving) error {
	ids := make([]string, len(leavers))
	events := make([]audit.Event, len(leavers))
	for i, l := range leavers {
		ids[i] = l.User.ID
		events[i] = a.event(audit.UserLeft, l.User)
		events[i].Reason = string(l.Reason)
	}
	if err := a.own(ids); err != nil {
		return err
	}
	for some := range slices.Chunk(ids, batch) {
		err := a.tx.Exec("UPDATE users SET active = FALSE, updated_at = ? WHERE id IN ?", toMicros(a.now), some).Error
		if err != nil {
			return err
		}
	}
	a.left = append(a.left, ids...)
	return record(a.tx.DB, events)
}

// own refuses users that are not the source's: no source may touch another's people.
func (a *application) own(userIDs []string) error {
	var count int64
	for some := range slices.Chunk(userIDs, batch) {
		var n int64
		if err := a.tx.Model(&userRow{}).Where("source = ? AND id IN ?", a.source, some).Count(&n).Error; err != nil {
			return err
		}
		count += n
	}
	if count != int64(len(userIDs)) {
		return fmt.Errorf("%d of %d users are not of source %q, or named twice", int64(len(userIDs))-count, len(userIDs), a.source)
	}
	return nil
}

// personLeft ends all sessions of users who left (P4), and whatever is left from before a re-hire.
func (a *application) personLeft() error {
	return a.end(a.left, session.UserLeft, `sid IN (
    SELECT s.sid FROM accounts a JOIN sessions s ON s.subject = a.subject WHERE a.user_id IN ? AND s.revoked_at IS NULL)`)
}

// numberMoved ends the sessions of users that were proven by a number which is not theirs any
// more (P5). Who signs in with the old number from now on is matched anew.
func (a *application) numberMoved() error {
	return a.end(a.moved, session.NumberMoved, `sid IN (
    SELECT s.sid FROM users u JOIN accounts a ON a.user_id = u.id JOIN sessions s ON s.subject = a.subject
    WHERE u.id IN ? AND s.revoked_at IS NULL AND s.method = 'sms' AND COALESCE(u.phone, '') <> s.identifier)`)
}

func (a *application) end(userIDs []string, reason session.Reason, where string) error {
	how := session.Ending{Reason: reason, Actor: a.actor, Detail: map[string]any{"source": a.source}}
	for some := range slices.Chunk(userIDs, batch) {
		end := a.store.end
		if a.dryRun {
			end = a.store.wouldEnd
		}
		n, err := end(a.tx, how, where, some)
		if err != nil {
			return err
		}
		a.sessionsEnded += n
	}
	return nil
}

func (a *application) event(kind audit.Kind, user directory.User) audit.Event {
	return audit.Event{
		At: a.now, Kind: kind, Actor: a.actor, UserID: user.ID, Phone: user.Phone.Masked(),
		Detail: map[string]any{"source": a.source, "external_id": user.ExternalID},
	}
}

// differences are a change field by field, before and after, with phones masked.
func differences(c directory.Change) map[string]any {
	before, after := values(c.User.Person), values(c.Person)
	detail := map[string]any{}
	for _, field := range c.Fields {
		detail[string(field)] = []any{before[field], after[field]}
	}
	return detail
}

func values(p directory.Person) map[directory.Field]any {
	return map[directory.Field]any{
		directory.FieldName: p.Name, directory.FieldPhone: p.Phone.Masked(), directory.FieldEmail: p.Email,
		directory.FieldDepartment: p.Department, directory.FieldTitle: p.Title,
		directory.FieldEmploymentType: p.EmploymentType, directory.FieldGroups: p.Groups, directory.FieldActive: p.Active,
	}
}
