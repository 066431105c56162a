package sql

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Keys implements keyring.Store.
func (s *Store) Keys(ctx context.Context) ([]keyring.Key, error) {
	var rows []keyRow
	err := s.db.WithContext(ctx).
		Where("state IN ?", []keyring.State{keyring.Next, keyring.Current, keyring.Previous}).
		Order("published_at, kid").Find(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	keys := make([]keyring.Key, len(rows))
	for i, row := range rows {
		keys[i] = keyring.Key{
			KID: row.KID, Algorithm: row.Algorithm, State: row.State, Sealed: row.Sealed,
			CreatedAt: row.CreatedAt.time(), PublishedAt: row.PublishedAt.time(), ActivatedAt: row.ActivatedAt.time(),
		}
	}
	return keys, nil
}

// AddCurrent implements keyring.Store: the unique index on current keys picks the winner.
func (s *Store) AddCurrent(ctx context.Context, key keyring.Key) error {
	return s.transaction(ctx, func(tx *work) error {
		row := keyRow{
			KID: key.KID, Algorithm: key.Algorithm, State: keyring.Current, Sealed: key.Sealed,
			CreatedAt: toMicros(key.CreatedAt), PublishedAt: toMicros(key.PublishedAt), ActivatedAt: toMicros(key.ActivatedAt),
		}
		added := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if added.Error != nil || added.RowsAffected == 0 {
			return added.Error
		}
		err := record(tx.DB, []audit.Event{{
			At: key.CreatedAt, Kind: audit.KeyCreated, Actor: audit.System,
			Detail: map[string]any{"kid": key.KID, "algorithm": key.Algorithm},
		}})
		if err != nil {
			return fmt.Errorf("add key: %w", err)
		}
		return nil
	})
}
