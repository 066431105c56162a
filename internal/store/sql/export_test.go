package sql

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/session"
)

// Limit keeps the SQLite file from growing by more than pages, as a full disk would.
func Limit(s *Store, pages int) error {
	var have int
	if err := s.db.Raw("PRAGMA page_count").Scan(&have).Error; err != nil {
		return err
	}
	return s.db.Raw(fmt.Sprintf("PRAGMA max_page_count = %d", have+pages)).Scan(&have).Error
}

// Database is what lies behind a store.
func Database(s *Store) *gorm.DB { return s.db }

// MigrateTo brings the schema up or down to a version.
func MigrateTo(ctx context.Context, s *Store, version int64) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	at, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if at > version {
		_, err = provider.DownTo(ctx, version)
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}

// Plant writes sessions as sign-ins leave them, with accounts for those whose subject has none.
func Plant(s *Store, sessions ...session.Session) error {
	return s.db.Transaction(func(tx *gorm.DB) error {
		for _, of := range sessions {
			err := tx.Exec("INSERT INTO accounts (subject, created_at) VALUES (?, 0) ON CONFLICT DO NOTHING", of.Subject).Error
			if err != nil {
				return err
			}
			if err := openSession(tx, newSessionRow(of)); err != nil {
				return err
			}
		}
		return nil
	})
}
