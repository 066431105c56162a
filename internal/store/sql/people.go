package sql

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/session"
)

// Known is somebody the record knows: a User of HR's, an account, or both.
type Known struct {
	// User is nil for the account of a number that HR does not know.
	User *directory.User
	// Subject is empty for a User who has never signed in.
	Subject string
	// Number is what an account without a User was proven by, E.164.
	Number string
}

// known selects people by a filter's Subject, Phone, Email and ExternalID, at most limit.
const known = `
SELECT COALESCE(u.id, '') AS id, COALESCE(a.subject, '') AS subject, '' AS number
FROM users u LEFT JOIN accounts a ON a.user_id = u.id WHERE %[1]s
UNION
SELECT '', a.subject, COALESCE(MIN(i.identifier), '')
FROM accounts a LEFT JOIN identities i ON i.subject = a.subject AND i.method = 'sms' WHERE a.user_id IS NULL AND %[2]s GROUP BY a.subject
ORDER BY id, subject LIMIT @limit`

// People returns who a filter's Subject, Phone, Email or ExternalID (one of them) names, leavers too, at most
// limit.
func (s *Store) People(ctx context.Context, f session.Filter, limit int) ([]Known, error) {
	ofUser, ofAccount, value := "FALSE", "FALSE", ""
	switch {
	case f.Subject != "":
		ofUser, ofAccount, value = "a.subject = @value", "a.subject = @value", f.Subject
	case f.Phone != "":
		ofUser, ofAccount, value = "u.phone = @value", "i.method = 'sms' AND i.identifier = @value", f.Phone
	case f.Email != "":
		ofUser, value = "LOWER(u.email) = LOWER(@value)", f.Email
	case f.ExternalID != "":
		ofUser, value = "u.external_id = @value", f.ExternalID
	}
	var rows []struct{ ID, Subject, Number string }
	db := s.db.WithContext(ctx)
	err := db.Raw(fmt.Sprintf(known, ofUser, ofAccount), map[string]any{"value": value, "limit": limit}).Scan(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("find people: %w", err))
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	users, err := usersByID(db, ids)
	if err != nil {
		return nil, translate(err)
	}
	people := make([]Known, len(rows))
	for i, row := range rows {
		people[i] = Known{User: users[row.ID], Subject: row.Subject, Number: row.Number}
	}
	return people, nil
}

func usersByID(db *gorm.DB, ids []string) (map[string]*directory.User, error) {
	var rows []userRow
	if err := db.Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	users := map[string]*directory.User{}
	for _, row := range rows {
		user, err := row.user()
		if err != nil {
			return nil, err
		}
		users[row.ID] = &user
	}
	return users, nil
}

// WhoIsBehind returns what a sign-in with an identity would find now.
func (s *Store) WhoIsBehind(ctx context.Context, id account.Identity) (login.Found, error) {
	facts, _, err := s.whoIsBehind(s.db.WithContext(ctx), id, "")
	return facts, translate(err)
}
