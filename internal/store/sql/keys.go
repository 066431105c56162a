package sql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// KeySet implements keyring.Store. The revision is read first: if the keys change before they are read,
// they are newer than it says, and a change planned on it finds out.
func (s *Store) KeySet(ctx context.Context) (keyring.Snapshot, error) {
	var snapshot keyring.Snapshot
	db := s.db.WithContext(ctx)
	var head struct {
		Revision int64
		Now      micros
	}
	if err := db.Raw("SELECT revision, " + s.clock() + " AS now FROM key_set").Scan(&head).Error; err != nil {
		return snapshot, translate(fmt.Errorf("read revision of keys: %w", err))
	}
	if head.Revision == 0 {
		return snapshot, errors.New("sql: the table key_set has lost its row: insert (1, 1)")
	}
	snapshot.Revision, snapshot.Now = head.Revision, head.Now.time()
	var err error
	snapshot.Keys, err = s.keys(ctx, -1, "state IN ('next', 'current', 'previous') OR ended_at > ?", toMicros(snapshot.Now.Add(-keyring.Remembered)))
	if err != nil {
		return snapshot, err
	}
	var replicas []replicaRow
	if err := db.Order("started_at, id").Find(&replicas).Error; err != nil {
		return snapshot, translate(fmt.Errorf("read replicas: %w", err))
	}
	for _, row := range replicas {
		snapshot.Replicas = append(snapshot.Replicas, keyring.Replica{
			ID: row.ID, Version: row.Version, StartedAt: row.StartedAt.time(), SeenAt: row.SeenAt.time(), Revision: row.Revision,
		})
	}
	return snapshot, nil
}

// maxKeys bounds what is read of keys that are long gone: 28 years of three algorithms by the month.
const maxKeys = 1000

// KeyHistory returns the newest keys, also those that are gone.
func (s *Store) KeyHistory(ctx context.Context) ([]keyring.Key, error) {
	return s.keys(ctx, maxKeys, "TRUE")
}

func (s *Store) keys(ctx context.Context, limit int, where string, args ...any) ([]keyring.Key, error) {
	var rows []keyRow
	err := s.db.WithContext(ctx).Where(where, args...).Order("published_at DESC, kid").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read signing keys: %w", err))
	}
	keys := make([]keyring.Key, len(rows))
	for i, row := range rows {
		keys[i] = row.key()
	}
	return keys, nil
}

// KeyRevision implements keyring.Record.
func (s *Store) KeyRevision(ctx context.Context) (int64, error) {
	var revision int64
	err := s.db.WithContext(ctx).Raw("SELECT revision FROM key_set").Scan(&revision).Error
	return revision, translate(err)
}

// ChangeKeys implements keyring.Store. The one row of key_set makes changes wait for one another.
func (s *Store) ChangeKeys(ctx context.Context, c keyring.Change) error {
	err := s.transaction(ctx, func(tx *work) error {
		if err := s.impatient(tx); err != nil {
			return err
		}
		next := tx.Exec("UPDATE key_set SET revision = revision + 1 WHERE revision = ?", c.From)
		if next.Error != nil {
			return next.Error
		}
		if next.RowsAffected == 0 {
			return keyring.ErrChanged
		}
		for _, k := range c.Changed {
			row := newKeyRow(k)
			updated := tx.Model(&row).Select("*").Omit("kid", "algorithm", "created_at").Updates(&row)
			if updated.Error != nil {
				return collided(updated.Error)
			}
			if updated.RowsAffected == 0 {
				return keyring.ErrChanged
			}
		}
		for _, k := range c.Added {
			var known int64
			if err := tx.Model(&keyRow{}).Where("kid = ?", k.KID).Count(&known).Error; err != nil {
				return err
			}
			if known > 0 {
				return keyring.ErrKnown
			}
			row := newKeyRow(k)
			if err := tx.Create(&row).Error; err != nil {
				return collided(err)
			}
		}
		return record(tx.DB, c.Events)
	})
	if err != nil {
		return fmt.Errorf("change signing keys: %w", err)
	}
	s.changed()
	return nil
}

// collided says of a second key where there may be one that the keys are not as they were: a version
// before revisions has added it.
func collided(err error) error {
	if raced(err) {
		return keyring.ErrChanged
	}
	return err
}

// Attend implements keyring.Record.
func (s *Store) Attend(ctx context.Context, r keyring.Replica) error {
	now := s.clock()
	err := s.db.WithContext(ctx).Exec(`INSERT INTO replicas (id, version, started_at, seen_at, revision) VALUES (?, ?, `+now+`, `+now+`, ?)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, revision = excluded.revision`, r.ID, r.Version, r.Revision).Error
	return translate(err)
}

// Leave implements keyring.Record. It takes those along that went without leaving, a day ago.
func (s *Store) Leave(ctx context.Context, id string) error {
	return translate(s.db.WithContext(ctx).Exec("DELETE FROM replicas WHERE id = ? OR seen_at < "+s.clock()+" - ?",
		id, (24 * time.Hour).Microseconds()).Error)
}

// ClaimKeys implements keyring.Record. A claim that ends later than any can was made before the clock was
// set back.
func (s *Store) ClaimKeys(ctx context.Context, length time.Duration) (bool, error) {
	claimed := s.db.WithContext(ctx).Exec(fmt.Sprintf(`INSERT INTO jobs (name, due_at, cursor) VALUES ('keys', %[1]s + ?, '')
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE jobs.due_at <= %[1]s OR jobs.due_at > %[1]s + ?`, s.clock()),
		length.Microseconds(), length.Microseconds())
	return claimed.RowsAffected > 0, translate(claimed.Error)
}

// ReleaseKeys implements keyring.Record.
func (s *Store) ReleaseKeys(ctx context.Context) error {
	return translate(s.db.WithContext(ctx).Exec("UPDATE jobs SET due_at = 0 WHERE name = 'keys'").Error)
}
