package sql

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/directory"
)

// batch is how many rows one statement carries: far below both engines' limits of parameters.
const batch = 500

// errDryRun rolls a dry run back.
var errDryRun = errors.New("sql: dry run")

// Apply implements directory.Store.
func (s *Store) Apply(ctx context.Context, source, actor string, dryRun bool, plan directory.Plan) (directory.Applied, error) {
	var applied directory.Applied
	err := s.transaction(ctx, func(tx *work) error {
		if err := s.lockSource(tx.DB, source); err != nil {
			return err
		}
		changes, err := plan(usersOf(tx.DB, source))
		if err != nil {
			return err
		}
		tx.patient = true
		a := application{store: s, tx: tx, source: source, actor: actor, now: s.now(), dryRun: dryRun}
		if err := a.write(changes); err != nil {
			return err
		}
		conflicts, err := conflictsOf(tx.DB, source)
		if err != nil {
			return err
		}
		if err := a.finish(changes); err != nil {
			return err
		}
		applied = directory.Applied{Conflicts: conflicts, SessionsEnded: a.sessionsEnded}
		if dryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return directory.Applied{}, err
	}
	return applied, nil
}

// lockSource makes two feeds of one source run one after the other.
func (s *Store) lockSource(tx *gorm.DB, source string) error {
	if err := tx.Exec("INSERT INTO sources (name) VALUES (?) ON CONFLICT DO NOTHING", source).Error; err != nil {
		return fmt.Errorf("register source: %w", err)
	}
	err := tx.Exec("UPDATE sources SET applied_at = ? WHERE name = ?", toMicros(s.now()), source).Error
	if err != nil {
		return fmt.Errorf("lock source: %w", err)
	}
	return nil
}

// usersOf streams the users of a source.
func usersOf(tx *gorm.DB, source string) iter.Seq2[directory.User, error] {
	return func(yield func(directory.User, error) bool) {
		rows, err := tx.Model(&userRow{}).Where("source = ?", source).Rows()
		if err != nil {
			yield(directory.User{}, fmt.Errorf("read users: %w", err))
			return
		}
		defer func() { _ = rows.Close() }() // a failed read shows in rows.Err
		for rows.Next() {
			var row userRow
			if err := tx.ScanRows(rows, &row); err != nil {
				yield(directory.User{}, fmt.Errorf("read user: %w", err))
				return
			}
			if user, err := row.user(); !yield(user, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(directory.User{}, fmt.Errorf("read users: %w", err))
		}
	}
}

// conflictsOf returns the numbers that two active users share, one of them of source.
func conflictsOf(tx *gorm.DB, source string) ([]directory.Conflict, error) {
	var rows []userRow
	err := tx.Where(`active AND phone IN (
    SELECT phone FROM users WHERE active AND phone IS NOT NULL
    GROUP BY phone HAVING COUNT(*) > 1 AND SUM(CASE WHEN source = ? THEN 1 ELSE 0 END) > 0
)`, source).Order("phone, source, external_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find shared numbers: %w", err)
	}
	var conflicts []directory.Conflict
	for _, row := range rows {
		user, err := row.user()
		if err != nil {
			return nil, err
		}
		if n := len(conflicts); n > 0 && conflicts[n-1].Phone == user.Phone {
			conflicts[n-1].Users = append(conflicts[n-1].Users, user)
			continue
		}
		conflicts = append(conflicts, directory.Conflict{Phone: user.Phone, Users: []directory.User{user}})
	}
	return conflicts, nil
}

// Users returns the users of a source, at most limit, in order of name.
func (s *Store) Users(ctx context.Context, source string, limit int) ([]directory.User, error) {
	var rows []userRow
	err := s.db.WithContext(ctx).Where("source = ?", source).Order("name, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	users := make([]directory.User, len(rows))
	for i, row := range rows {
		if users[i], err = row.user(); err != nil {
			return nil, err
		}
	}
	return users, nil
}
