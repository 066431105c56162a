package sql

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/session"
)

// found is one row of whoIsBehind: a User, or one without an id for none, with the accounts around
// the identity.
type found struct {
	User         userRow
	OwnSubject   *string
	HeldSubject  *string
	HeldByUserID *string
	// Sessions is how many live ones the account has that probably signs in.
	Sessions int
	Now      micros
}

// whoIsBehind reads everything that a sign-in asks in one statement. The two LEFT JOINs on TRUE
// keep a row for a number that nobody has.
const whoIsBehind = `
WITH person AS (
    SELECT id, source, external_id, name, phone, email, department, title, employment_type, groups, active, created_at, updated_at
    FROM users WHERE phone = ? AND active ORDER BY id LIMIT 2 %[1]s
)
SELECT COALESCE(person.id, '') AS id, COALESCE(person.source, '') AS source, COALESCE(person.external_id, '') AS external_id,
    COALESCE(person.name, '') AS name, person.phone, COALESCE(person.email, '') AS email,
    COALESCE(person.department, '') AS department, COALESCE(person.title, '') AS title,
    COALESCE(person.employment_type, '') AS employment_type, COALESCE(person.groups, '[]') AS groups,
    COALESCE(person.active, FALSE) AS active, COALESCE(person.created_at, 0) AS created_at,
    COALESCE(person.updated_at, 0) AS updated_at,
    own.subject AS own_subject, held.subject AS held_subject, held.user_id AS held_by_user_id,
    (SELECT COUNT(*) FROM sessions WHERE subject = COALESCE(own.subject, held.subject) AND revoked_at IS NULL AND expires_at > %[2]s),
    %[2]s
FROM (SELECT 1) AS always
LEFT JOIN person ON TRUE
LEFT JOIN accounts own ON own.user_id = person.id
LEFT JOIN identities i ON i.method = ? AND i.identifier = ?
LEFT JOIN accounts held ON held.subject = i.subject`

// SignIn implements login.Store.
func (s *Store) SignIn(ctx context.Context, id account.Identity, decide func(login.Found) (login.Entry, error)) error {
	return s.transaction(ctx, func(tx *work) error {
		facts, sessions, err := s.whoIsBehind(tx.DB, id, s.heldStill())
		if err != nil {
			return err
		}
		entry, err := decide(facts)
		if err != nil {
			return err
		}
		if err := s.settle(tx, id, facts, entry.Decision); err != nil {
			return err
		}
		if entry.Session != nil {
			if err := openSession(tx.DB, newSessionRow(*entry.Session)); err != nil {
				return fmt.Errorf("open session: %w", err)
			}
		}
		if err := record(tx.DB, entry.Events); err != nil {
			return err
		}
		if entry.Decision.Link {
			if err := s.endProvenBefore(tx, entry.Decision.Account.Subject, entry.EndProvenBefore); err != nil {
				return fmt.Errorf("end sessions proven long ago: %w", err)
			}
		}
		if entry.Session == nil || entry.KeepSessions == 0 || sessions < entry.KeepSessions {
			return nil
		}
		return s.endOldest(tx, entry.Session.Subject, entry.KeepSessions)
	})
}

// heldStill locks the User whom a sign-in finds until it is done; SQLite holds everybody still by itself.
func (s *Store) heldStill() string {
	if s.dialect == onPostgres {
		return "FOR SHARE"
	}
	return ""
}

// whoIsBehind also returns how many live sessions the account has.
func (s *Store) whoIsBehind(tx *gorm.DB, id account.Identity, hold string) (login.Found, int, error) {
	rows, err := scanFound(tx.Raw(fmt.Sprintf(whoIsBehind, hold, s.clock()), id.Identifier, id.Method, id.Identifier))
	if err != nil {
		return login.Found{}, 0, fmt.Errorf("find who is behind a number: %w", err)
	}
	var facts login.Found
	sessions := 0
	for _, row := range rows {
		facts.Now, sessions = row.Now.time(), row.Sessions
		if row.HeldSubject != nil {
			facts.Holder = &account.Account{Subject: *row.HeldSubject, UserID: deref(row.HeldByUserID)}
		}
		if row.User.ID == "" {
			continue
		}
		user, err := row.User.user()
		if err != nil {
			return login.Found{}, 0, err
		}
		facts.Users = append(facts.Users, user)
		if row.OwnSubject != nil {
			facts.UserAccount = &account.Account{Subject: *row.OwnSubject, UserID: user.ID}
		}
	}
	return facts, sessions, nil
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
			&f.OwnSubject, &f.HeldSubject, &f.HeldByUserID, &f.Sessions, &f.Now); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, rows.Err()
}

func openSession(tx *gorm.DB, s sessionRow) error {
	opened := tx.Exec(`
INSERT INTO sessions (sid, subject, client_id, code_use, method, identifier, scope, audience, tier, device, address, last_address,
    auth_time, last_used_at, expires_at, rotated_at, status_list, status_index)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		s.SID, s.Subject, s.ClientID, s.CodeUse, s.Method, s.Identifier, s.Scope, s.Audience, s.Tier, s.Device, s.Address, s.LastAddress,
		s.AuthTime, s.LastUsedAt, s.ExpiresAt, s.RotatedAt, s.StatusList, s.StatusIndex)
	if opened.Error != nil || opened.RowsAffected == 1 {
		return opened.Error
	}
	var used int
	if err := tx.Raw("SELECT COUNT(*) FROM sessions WHERE code_use = ?", s.CodeUse).Scan(&used).Error; err != nil {
		return err
	}
	if used == 0 {
		return login.ErrPlaceTaken
	}
	return otp.ErrInvalidCode
}

// settle writes what a decision does to accounts. Every write names what it expects to find; when
// that is not there any more, the sign-in starts again.
func (s *Store) settle(tx *work, id account.Identity, facts login.Found, d account.Decision) error {
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
	how := session.Ending{Reason: session.NumberMoved, Actor: audit.System}
	if _, err := s.end(tx, how, "subject = ? AND method = ? AND identifier = ?", facts.Holder.Subject, id.Method, id.Identifier); err != nil {
		return fmt.Errorf("end the former holder's sessions: %w", err)
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

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
