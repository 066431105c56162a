package sql

import (
	"context"
	"fmt"
	"time"
)

// Sweep deletes sessions that were over for longer than grace, unless a replica has done so in the
// last every. It looks at the next limit sessions, in the order of sid, and leaves the rest for the
// next time: a run is short however many there are, and no index on the end of sessions makes each
// refresh dearer. A status list whose places are all given out goes with its last session. It
// returns how many sessions went; the audit stays.
func (s *Store) Sweep(ctx context.Context, every, grace time.Duration, limit int) (int, error) {
	swept := 0
	err := s.transaction(ctx, func(tx *work) error {
		swept = 0
		now := s.clock()
		var cursors []string
		err := tx.Raw(fmt.Sprintf("UPDATE jobs SET due_at = %[1]s + ? WHERE name = 'sweep' AND due_at <= %[1]s RETURNING cursor", now),
			every.Microseconds()).Scan(&cursors).Error
		if err != nil || len(cursors) == 0 {
			return err
		}
		var upTo []string
		err = tx.Raw("SELECT sid FROM sessions WHERE sid > ? ORDER BY sid LIMIT 1 OFFSET ?", cursors[0], limit-1).Scan(&upTo).Error
		if err != nil {
			return err
		}
		next := "" // after the last session comes the first
		within, args := "sid > ?", []any{cursors[0]}
		if len(upTo) > 0 {
			next = upTo[0]
			within, args = "sid > ? AND sid <= ?", append(args, next)
		}
		deleted := tx.Exec("DELETE FROM sessions WHERE "+within+" AND expires_at < "+now+" - ?", append(args, grace.Microseconds())...)
		if deleted.Error != nil {
			return deleted.Error
		}
		swept = int(deleted.RowsAffected)
		if err := tx.Exec("UPDATE jobs SET cursor = ? WHERE name = 'sweep'", next).Error; err != nil || next != "" {
			return err
		}
		return s.closeLists(tx.DB)
	})
	if err != nil {
		return 0, fmt.Errorf("sweep sessions: %w", err)
	}
	return swept, nil
}
