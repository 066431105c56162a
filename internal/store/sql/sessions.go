package sql

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
)

// standing reads everything that a refresh asks in one statement. A user without an id is none.
const standing = `
SELECT ` + sessionColumns + `, COALESCE(a.user_id, ''), COALESCE(u.id, ''), COALESCE(u.source, ''), COALESCE(u.external_id, ''),
    COALESCE(u.name, ''), u.phone, COALESCE(u.email, ''), COALESCE(u.department, ''), COALESCE(u.title, ''),
    COALESCE(u.employment_type, ''), COALESCE(u.groups, '[]'), COALESCE(u.active, FALSE), COALESCE(u.created_at, 0),
    COALESCE(u.updated_at, 0),
    CASE WHEN a.user_id IS NULL AND s.method IN ('sms', 'reviewer')
        THEN (SELECT COUNT(*) FROM users n WHERE n.phone = s.identifier AND n.active) ELSE 0 END,
    %s
FROM sessions s JOIN accounts a ON a.subject = s.subject LEFT JOIN users u ON u.id = a.user_id AND u.active
WHERE s.sid = ?`

// Standing implements login.Store.
func (s *Store) Standing(ctx context.Context, sid string) (login.Standing, error) {
	var st login.Standing
	var row sessionRow
	var u userRow
	var now micros
	rows, err := s.db.WithContext(ctx).Raw(fmt.Sprintf(standing, s.clock()), sid).Rows()
	if err != nil {
		return st, translate(fmt.Errorf("find session: %w", err))
	}
	defer func() { _ = rows.Close() }() // a failed read shows in rows.Err
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return st, translate(fmt.Errorf("find session: %w", err))
		}
		return st, login.ErrSessionEnded
	}
	if err := rows.Scan(append(row.scan(), &st.UserID, &u.ID, &u.Source, &u.ExternalID, &u.Name, &u.Phone, &u.Email, &u.Department,
		&u.Title, &u.EmploymentType, &u.Groups, &u.Active, &u.CreatedAt, &u.UpdatedAt, &st.Entered, &now)...); err != nil {
		return st, translate(fmt.Errorf("read session: %w", err))
	}
	st.Session, st.Now = row.session(), now.time()
	if u.ID == "" {
		return st, nil
	}
	user, err := u.user()
	if err != nil {
		return st, err
	}
	st.User = &user
	return st, nil
}

// Advance implements login.Store. One UPDATE finds out whether it came in time.
func (s *Store) Advance(ctx context.Context, before, after session.Session, events []audit.Event) (bool, error) {
	row := newSessionRow(after)
	const advance = `
UPDATE sessions SET tier = ?, last_address = ?, last_used_at = ?, expires_at = ?, generation = ?, rotated_at = ?,
    late_generation = ?, late_streak = ?, status_list = ?, status_index = ?
WHERE sid = ? AND generation = ? AND late_generation = ? AND revoked_at IS NULL`
	values := []any{
		row.Tier, row.LastAddress, row.LastUsedAt, row.ExpiresAt, row.Generation, row.RotatedAt,
		row.LateGeneration, row.LateStreak, row.StatusList, row.StatusIndex,
		before.SID, before.Generation, before.LateGeneration,
	}
	if len(events) == 0 {
		advanced := s.db.WithContext(ctx).Exec(advance, values...)
		return advanced.RowsAffected == 1, notAdvanced(advanced.Error)
	}
	var written bool
	err := s.transaction(ctx, func(tx *work) error {
		advanced := tx.Exec(advance, values...)
		if written = advanced.RowsAffected == 1; !written {
			return notAdvanced(advanced.Error)
		}
		return record(tx.DB, events)
	})
	return written && err == nil, err
}

// notAdvanced is what went wrong with an UPDATE. The one index that it can offend is that of places.
func notAdvanced(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return login.ErrPlaceTaken
	}
	return translate(fmt.Errorf("advance session: %w", err))
}

// Live implements login.Store.
func (s *Store) Live(ctx context.Context, sid string) (bool, error) {
	var live int
	err := s.db.WithContext(ctx).
		Raw("SELECT COUNT(*) FROM sessions WHERE sid = ? AND revoked_at IS NULL AND expires_at > "+s.clock(), sid).Scan(&live).Error
	if err != nil {
		return false, translate(fmt.Errorf("find session: %w", err))
	}
	return live == 1, nil
}

const whoseSession = `
SELECT s.subject, s.identifier, u.id, u.name, u.email, u.updated_at
FROM sessions s
JOIN accounts a ON a.subject = s.subject
LEFT JOIN users u ON u.id = a.user_id AND u.active
WHERE s.sid = ? AND s.revoked_at IS NULL AND s.expires_at > `

// Person implements login.Store.
func (s *Store) Person(ctx context.Context, sid string) (login.Person, error) {
	var rows []struct {
		Subject    string
		Identifier string
		ID         *string
		Name       *string
		Email      *string
		UpdatedAt  *micros
	}
	if err := s.db.WithContext(ctx).Raw(whoseSession+s.clock(), sid).Scan(&rows).Error; err != nil {
		return login.Person{}, translate(fmt.Errorf("find session: %w", err))
	}
	if len(rows) == 0 {
		return login.Person{}, login.ErrSessionEnded
	}
	row := rows[0]
	number, err := phone.Stored(row.Identifier)
	if err != nil {
		return login.Person{}, fmt.Errorf("session's number: %w", err)
	}
	person := login.Person{Subject: row.Subject, Phone: number}
	if row.ID != nil {
		person.User = &directory.User{ID: *row.ID, UpdatedAt: row.UpdatedAt.time(),
			Person: directory.Person{Name: *row.Name, Email: *row.Email, Active: true}}
	}
	return person, nil
}

// where is a filter as a condition on sessions s.
func (s *Store) where(f session.Filter) (string, []any) {
	condition := "TRUE"
	var args []any
	add := func(given bool, text string, values ...any) {
		if given {
			condition += " AND " + text
			args = append(args, values...)
		}
	}
	add(!f.Ended, "s.revoked_at IS NULL AND s.expires_at > "+s.clock())
	add(f.SID != "", "s.sid = ?", f.SID)
	add(f.AfterSID != "", "s.sid > ?", f.AfterSID)
	add(f.ClientID != "", "s.client_id = ?", f.ClientID)
	add(f.Subject != "", "s.subject = ?", f.Subject)
	add(f.Phone != "", `s.subject IN (SELECT i.subject FROM identities i JOIN accounts a ON a.subject = i.subject
        WHERE i.method = 'sms' AND i.identifier = ? AND a.user_id IS NULL
    UNION SELECT a.subject FROM accounts a JOIN users u ON u.id = a.user_id WHERE u.phone = ?)`, f.Phone, f.Phone)
	add(f.Email != "", "s.subject IN (SELECT accounts.subject FROM accounts JOIN users ON users.id = accounts.user_id WHERE LOWER(users.email) = LOWER(?))", f.Email)
	add(f.ExternalID != "", "s.subject IN (SELECT accounts.subject FROM accounts JOIN users ON users.id = accounts.user_id WHERE users.external_id = ?)", f.ExternalID)
	add(!f.OpenedUntil.IsZero(), "s.auth_time <= ?", toMicros(f.OpenedUntil))
	return condition, args
}

// Sessions returns the sessions that filter selects, the newest first, at most limit, and how many there are
// in all.
func (s *Store) Sessions(ctx context.Context, filter session.Filter, limit int) ([]session.Listed, int, error) {
	where, args := s.where(filter)
	var total int
	err := s.db.WithContext(ctx).Raw("SELECT COUNT(*) FROM sessions s WHERE "+where, args...).Scan(&total).Error
	if err != nil {
		return nil, 0, translate(fmt.Errorf("count sessions: %w", err))
	}
	all, err := listSessions(s.db.WithContext(ctx), where, args, limit)
	return all, total, translate(err)
}
