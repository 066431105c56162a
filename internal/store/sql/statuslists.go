package sql

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

// Lists implements statuslist.Store.
func (s *Store) Lists(ctx context.Context) ([]statuslist.List, time.Time, error) {
	var rows []struct {
		ID     *string
		Leased *int
		Now    micros
	}
	err := s.db.WithContext(ctx).Raw("SELECT l.id, l.leased, always.now FROM (SELECT " + s.clock() +
		" AS now) AS always LEFT JOIN status_lists l ON TRUE ORDER BY l.opened_at, l.id").Scan(&rows).Error
	if err != nil {
		return nil, time.Time{}, translate(fmt.Errorf("read status lists: %w", err))
	}
	var lists []statuslist.List
	var now time.Time
	for _, row := range rows {
		now = row.Now.time()
		if row.ID != nil {
			lists = append(lists, statuslist.List{ID: *row.ID, Leased: *row.Leased})
		}
	}
	return lists, now, nil
}

// OpenList implements statuslist.Store.
func (s *Store) OpenList(ctx context.Context, id string, below int) error {
	err := s.db.WithContext(ctx).Exec(fmt.Sprintf(`INSERT INTO status_lists (id, leased, leased_at, opened_at)
SELECT CAST(? AS TEXT), 0, %[1]s, %[1]s WHERE NOT EXISTS (SELECT 1 FROM status_lists WHERE leased < ?)`, s.clock()), id, below).Error
	if err != nil {
		return translate(fmt.Errorf("open status list: %w", err))
	}
	return nil
}

// Lease implements statuslist.Store.
func (s *Store) Lease(ctx context.Context, n int) (statuslist.Lease, error) {
	var rows []struct {
		ID     string
		Leased int
	}
	err := s.transaction(ctx, func(tx *work) error {
		rows = nil
		var open []string
		err := tx.Raw("SELECT id FROM status_lists WHERE leased + ? <= ? ORDER BY opened_at, id LIMIT 1", n, statuslist.Size).Scan(&open).Error
		if err != nil || len(open) == 0 {
			return err
		}
		// Whoever waited for another replica's lease finds out here whether that left enough.
		err = tx.Raw("UPDATE status_lists SET leased = leased + ?, leased_at = "+s.clock()+" WHERE id = ? AND leased + ? <= ? RETURNING id, leased",
			n, open[0], n, statuslist.Size).Scan(&rows).Error
		if err == nil && len(rows) == 0 {
			return errRaced
		}
		return err
	})
	switch {
	case err != nil:
		return statuslist.Lease{}, fmt.Errorf("lease places: %w", err)
	case len(rows) == 0:
		return statuslist.Lease{}, statuslist.ErrNoRoom
	}
	return statuslist.Lease{List: rows[0].ID, From: rows[0].Leased - n, To: rows[0].Leased}, nil
}

// Revocations implements statuslist.Store: the index sessions_revoked holds them in this order.
func (s *Store) Revocations(ctx context.Context, after statuslist.Cursor, limit int) ([]statuslist.Cursor, error) {
	rows, err := s.db.WithContext(ctx).Raw(`
SELECT revoked_tick, status_list, status_index FROM sessions
WHERE revoked_tick > 0 AND status_list <> '' AND (revoked_tick, status_list, status_index) > (?, ?, ?)
ORDER BY revoked_tick, status_list, status_index LIMIT ?`, after.Tick, after.Place.List, after.Place.Index, limit).Rows()
	if err != nil {
		return nil, translate(fmt.Errorf("read revocations: %w", err))
	}
	defer func() { _ = rows.Close() }() // a failed read shows in rows.Err
	var all []statuslist.Cursor
	for rows.Next() {
		var c statuslist.Cursor
		if err := rows.Scan(&c.Tick, &c.Place.List, &c.Place.Index); err != nil {
			return nil, translate(fmt.Errorf("read revocation: %w", err))
		}
		all = append(all, c)
	}
	return all, translate(rows.Err())
}

// closeLists removes the lists whose places are all given out, to replicas that have used or dropped
// them since, and whose sessions are all gone.
func (s *Store) closeLists(tx *gorm.DB) error {
	err := tx.Exec(`DELETE FROM status_lists WHERE leased >= ? AND leased_at < `+s.clock()+` - ?
AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.status_list = status_lists.id AND sessions.status_list <> '')`,
		statuslist.Size, (2 * statuslist.MaxBlockAge).Microseconds()).Error
	if err != nil {
		return fmt.Errorf("close status lists: %w", err)
	}
	return nil
}
