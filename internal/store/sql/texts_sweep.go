package sql

import (
	"context"
	"fmt"
	"time"
)

// forgetUndeliverable is after how long without a failure a number is forgotten that could not get texts: it
// was blocked for a day of that at most, and 30 days are left to tell HR.
const forgetUndeliverable = 31 * 24 * time.Hour

// SweepTexts deletes texts that are older than keep, what became of them, and numbers that have not failed for
// long, unless a replica has done so in the last every. Of each table the oldest limit rows go, and the rest the
// next time. It returns how many rows went; the audit stays.
func (s *Store) SweepTexts(ctx context.Context, every, keep time.Duration, limit int) (int, error) {
	swept := 0
	err := s.transaction(ctx, func(tx *work) error {
		swept = 0
		now := s.clock()
		// A job that is due later than any can be was done before the clock was set back.
		claimed := tx.Exec(fmt.Sprintf("UPDATE jobs SET due_at = %[1]s + ? WHERE name = 'texts' AND (due_at <= %[1]s OR due_at > %[1]s + ?)", now),
			every.Microseconds(), every.Microseconds())
		if claimed.Error != nil || claimed.RowsAffected == 0 {
			return claimed.Error
		}
		for _, old := range []struct {
			table, key, age string
			after           time.Duration
		}{
			{"texts", "id", "at", keep},
			{"deliveries", "provider, provider_id", "first_at", keep},
			{"redemptions", "challenge", "at", keep},
			{"undeliverable", "phone", "last_at", forgetUndeliverable},
		} {
			deleted := tx.Exec(fmt.Sprintf("DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < %[4]s - ? ORDER BY %[3]s LIMIT ?)",
				old.table, old.key, old.age, now), old.after.Microseconds(), limit)
			if deleted.Error != nil {
				return deleted.Error
			}
			swept += int(deleted.RowsAffected)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep texts: %w", err)
	}
	return swept, nil
}
