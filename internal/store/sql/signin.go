package sql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
)

// found is one row of whoIsBehind: a User, or one without an id for none, with the accounts around
// the identity.
type found struct {
	User         userRow
	OwnSubject   *string
	HeldSubject  *string
	HeldByUserID *string
}

// whoIsBehind reads everything that a sign-in asks in one statement. The two LEFT JOINs on TRUE
// keep a row for a number that nobody has.
const whoIsBehind = `
WITH person AS (
    SELECT id, source, external_id, name, phone, email, department, title, employment_type, groups, active, created_at, updated_at
    FROM users WHERE phone = ? AND active ORDER BY id LIMIT 2 %s
)
SELECT COALESCE(person.id, '') AS id, COALESCE(person.source, '') AS source, COALESCE(person.external_id, '') AS external_id,
    COALESCE(person.name, '') AS name, person.phone, COALESCE(person.email, '') AS email,
    COALESCE(person.department, '') AS department, COALESCE(person.title, '') AS title,
    COALESCE(person.employment_type, '') AS employment_type, COALESCE(person.groups, '[]') AS groups,
    COALESCE(person.active, FALSE) AS active, COALESCE(person.created_at, 0) AS created_at,
    COALESCE(person.updated_at, 0) AS updated_at,
    own.subject AS own_subject, held.subject AS held_subject, held.user_id AS held_by_user_id
FROM (SELECT 1) AS always
LEFT JOIN person ON TRUE
LEFT JOIN accounts own ON own.user_id = person.id
LEFT JOIN identities i ON i.method = ? AND i.identifier = ?
LEFT JOIN accounts held ON held.subject = i.subject`

// SignIn implements login.Store.
func (s *Store) SignIn(ctx context.Context, id account.Identity, decide func(login.Found) (login.Entry, error)) error {
	return s.transaction(ctx, func(tx *gorm.DB) error {
		facts, err := s.whoIsBehind(tx, id)
		if err != nil {
			return err
		}
		entry, err := decide(facts)
		if err != nil {
			return err
		}
		if entry.Session != nil {
			if err := s.settle(tx, id, facts, entry.Decision); err != nil {
				return err
			}
			if err := openSession(tx, newSessionRow(*entry.Session)); err != nil {
				return fmt.Errorf("open session: %w", err)
			}
		}
		return record(tx, entry.Events)
	})
}

func (s *Store) whoIsBehind(tx *gorm.DB, id account.Identity) (login.Found, error) {
	hold := "" // SQLite holds everybody still by itself
	if s.dialect == onPostgres {
		hold = "FOR SHARE"
	}
	rows, err := scanFound(tx.Raw(fmt.Sprintf(whoIsBehind, hold), id.Identifier, id.Method, id.Identifier))
	if err != nil {
		return login.Found{}, fmt.Errorf("find who is behind a number: %w", err)
	}
	var facts login.Found
	for _, row := range rows {
		if row.HeldSubject != nil {
			facts.Holder = &account.Account{Subject: *row.HeldSubject, UserID: deref(row.HeldByUserID)}
		}
		if row.User.ID == "" {
			continue
		}
		user, err := row.User.user()
		if err != nil {
			return login.Found{}, err
		}
		facts.Users = append(facts.Users, user)
		if row.OwnSubject != nil {
			facts.UserAccount = &account.Account{Subject: *row.OwnSubject, UserID: user.ID}
		}
	}
	return facts, nil
}

// scanFound reads by hand, and openSession and record write so: on the one path that is taken at
// every sign-in, gorm's reflection costs as much as the database does.
func scanFound(query *gorm.DB) ([]found, error) {
	rows, err := query.Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // a failed read shows in rows.Err
	var all []found
	for rows.Next() {
		var f found
		u := &f.User
		if err := rows.Scan(&u.ID, &u.Source, &u.ExternalID, &u.Name, &u.Phone, &u.Email, &u.Department, &u.Title,
			&u.EmploymentType, &u.Groups, &u.Active, &u.CreatedAt, &u.UpdatedAt,
			&f.OwnSubject, &f.HeldSubject, &f.HeldByUserID); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, rows.Err()
}

func openSession(tx *gorm.DB, s sessionRow) error {
	opened := tx.Exec(`
INSERT INTO sessions (sid, subject, client_id, code_use, method, identifier, scope, tier, device, address, auth_time, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (code_use) DO NOTHING`,
		s.SID, s.Subject, s.ClientID, s.CodeUse, s.Method, s.Identifier, s.Scope, s.Tier, s.Device, s.Address, s.AuthTime, s.ExpiresAt)
	if opened.Error == nil && opened.RowsAffected == 0 {
		return otp.ErrInvalidCode
	}
	return opened.Error
}

// settle writes what a decision does to accounts. Every write names what it expects to find; when
// that is not there any more, the sign-in starts again.
func (s *Store) settle(tx *gorm.DB, id account.Identity, facts login.Found, d account.Decision) error {
	now := s.now()
	if d.Create {
		row := newAccountRow(d.Account, now)
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("create account: %w", err)
		}
	}
	if d.Link {
		linked := tx.Exec("UPDATE accounts SET user_id = ? WHERE subject = ? AND user_id IS NULL", d.Account.UserID, d.Account.Subject)
		if err := oneRow(linked); err != nil {
			return fmt.Errorf("link account: %w", err)
		}
	}
	if !d.Attach {
		return nil
	}
	if facts.Holder == nil {
		row := identityRow{Method: id.Method, Identifier: id.Identifier, Subject: d.Account.Subject, AttachedAt: toMicros(now)}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("create identity: %w", err)
		}
		return nil
	}
	// Whoever held the identity was somebody else: no session of theirs outlives it, or a later
	// look at the directory would take them for its new owner.
	ended := tx.Exec("UPDATE sessions SET revoked_at = ?, revoked_reason = ? WHERE subject = ? AND method = ? AND identifier = ? AND revoked_at IS NULL",
		toMicros(now), session.NumberMoved, facts.Holder.Subject, id.Method, id.Identifier)
	if ended.Error != nil {
		return fmt.Errorf("end the former holder's sessions: %w", ended.Error)
	}
	moved := tx.Exec("UPDATE identities SET subject = ?, attached_at = ? WHERE method = ? AND identifier = ? AND subject = ?",
		d.Account.Subject, toMicros(now), id.Method, id.Identifier, facts.Holder.Subject)
	if err := oneRow(moved); err != nil {
		return fmt.Errorf("move identity: %w", err)
	}
	return nil
}

func oneRow(result *gorm.DB) error {
	if result.Error != nil {
		return result.Error
	}
	if result.RowsAffected != 1 {
		return errRaced
	}
	return nil
}

// Record implements login.Store.
func (s *Store) Record(ctx context.Context, event audit.Event) error {
	return translate(record(s.db.WithContext(ctx), []audit.Event{event}))
}

// record writes events, all in one statement but for feeds of thousands.
func record(tx *gorm.DB, events []audit.Event) error {
	for some := range slices.Chunk(events, batch) {
		statement := "INSERT INTO audit_events (at, kind, actor, subject, user_id, client_id, sid, address, phone, reason, detail) VALUES " +
			strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), ", len(some))
		var values []any
		for _, event := range some {
			detail, err := detailText(event.Detail)
			if err != nil {
				return err
			}
			values = append(values, toMicros(event.At), event.Kind, event.Actor, event.Subject, event.UserID,
				event.ClientID, event.SID, event.Address, event.Phone, event.Reason, detail)
		}
		if err := tx.Exec(strings.TrimSuffix(statement, ", "), values...).Error; err != nil {
			return fmt.Errorf("write audit: %w", err)
		}
	}
	return nil
}

// detailText is JSON, or nothing.
func detailText(detail map[string]any) (string, error) {
	if len(detail) == 0 {
		return "", nil
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return "", fmt.Errorf("audit detail: %w", err)
	}
	return string(text), nil
}

const whoseSession = `
SELECT s.subject, s.identifier, u.id, u.name, u.email, u.updated_at
FROM sessions s
JOIN accounts a ON a.subject = s.subject
LEFT JOIN users u ON u.id = a.user_id AND u.active
WHERE s.sid = ? AND s.revoked_at IS NULL AND s.expires_at > ?`

// Person implements login.Store.
func (s *Store) Person(ctx context.Context, sid string, now time.Time) (login.Person, error) {
	var rows []struct {
		Subject    string
		Identifier string
		ID         *string
		Name       *string
		Email      *string
		UpdatedAt  *micros
	}
	if err := s.db.WithContext(ctx).Raw(whoseSession, sid, toMicros(now)).Scan(&rows).Error; err != nil {
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

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
