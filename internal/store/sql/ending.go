package sql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/session"
)

// end revokes the live sessions that where selects, with an event each, and returns how many. It
// is the only way in which a session is revoked, and costs a few statements for any number.
//
// The tick of the clock comes first. Its row stays locked until the transaction ends, so a tick
// is visible only when all before it are: whoever reads on from the last tick misses nothing. And
// what is selected is as of after the wait for it.
func (s *Store) end(tx *work, how session.Ending, where string, args ...any) (int, error) {
	if err := s.impatient(tx); err != nil {
		return 0, err
	}
	var tick int64
	if err := tx.Raw("UPDATE revocation_clock SET tick = tick + 1 RETURNING tick").Scan(&tick).Error; err != nil {
		return 0, fmt.Errorf("take a tick: %w", err)
	}
	if tick == 0 {
		return 0, errors.New("sql: the table revocation_clock has lost its row: insert (1, a tick above every revoked_tick of sessions)")
	}
	now := s.clock()
	values := append([]any{how.Reason, tick}, args...)
	ended := tx.Exec(fmt.Sprintf(`UPDATE sessions SET revoked_at = %[1]s, revoked_reason = ?, revoked_tick = ?
WHERE revoked_at IS NULL AND expires_at > %[1]s AND %[2]s`, now, where), values...)
	if ended.Error != nil || ended.RowsAffected == 0 {
		return 0, ended.Error
	}
	detail, err := detailText(how.Detail)
	if err != nil {
		return 0, err
	}
	err = tx.Exec(`
INSERT INTO audit_events (at, kind, actor, subject, user_id, client_id, sid, address, phone, reason, detail)
SELECT s.revoked_at, ?, ?, s.subject, COALESCE(a.user_id, ''), s.client_id, s.sid, ?, '', ?, ?
FROM sessions s JOIN accounts a ON a.subject = s.subject WHERE s.revoked_tick = ? AND s.revoked_tick > 0`,
		audit.SessionEnded, how.Actor, how.Address, how.Reason, detail, tick).Error
	if err != nil {
		return 0, fmt.Errorf("record ended sessions: %w", err)
	}
	n := int(ended.RowsAffected)
	tx.ended += n
	return n, nil
}

// wouldEnd counts what end would revoke.
func (s *Store) wouldEnd(tx *work, _ session.Ending, where string, args ...any) (int, error) {
	var n int
	err := tx.Raw("SELECT COUNT(*) FROM sessions WHERE revoked_at IS NULL AND expires_at > "+s.clock()+" AND "+where, args...).Scan(&n).Error
	return n, err
}

// impatient sees that nobody waits for ever for what all have to take, such as the clock's row, nor keeps
// it: a holder who has stopped in the middle, as a suspended machine does, is thrown out by the server.
func (s *Store) impatient(tx *work) error {
	if s.dialect == onSQLite {
		return nil
	}
	wait := "3s"
	if tx.patient {
		wait = "60s"
	}
	err := tx.Exec("SELECT set_config('lock_timeout', ?, TRUE), set_config('idle_in_transaction_session_timeout', '30s', TRUE)", wait).Error
	if err != nil {
		return fmt.Errorf("limit the wait for a lock: %w", err)
	}
	return nil
}

// endOldest ends what an account has beyond keep live sessions, the oldest first. Sign-ins of one
// account at the same moment do not count each other's, so that for a while there may be one more for
// each: the next sign-in ends what is too many.
func (s *Store) endOldest(tx *work, subject string, keep int) error {
	how := session.Ending{Reason: session.TooMany, Actor: audit.System, Detail: map[string]any{"limit": keep}}
	_, err := s.end(tx, how, fmt.Sprintf(`sid IN (
    SELECT sid FROM sessions WHERE subject = ? AND revoked_at IS NULL AND expires_at > %s
    ORDER BY auth_time DESC, sid LIMIT 1000 OFFSET ?)`, s.clock()), subject, keep)
	if err != nil {
		return fmt.Errorf("end the oldest sessions: %w", err)
	}
	return nil
}

// endProvenBefore ends an account's sessions that were proven before then. It has locked the account,
// and so may look whether there are any before it queues for the clock with everybody else.
func (s *Store) endProvenBefore(tx *work, subject string, then time.Time) error {
	how := session.Ending{Reason: session.ProofTooOld, Actor: audit.System}
	const old = "subject = ? AND auth_time < ?"
	n, err := s.wouldEnd(tx, how, old, subject, toMicros(then))
	if err == nil && n > 0 {
		_, err = s.end(tx, how, old, subject, toMicros(then))
	}
	return err
}

// EndSessions implements login.Store.
func (s *Store) EndSessions(ctx context.Context, filter session.Filter, how session.Ending, limit int) ([]session.Listed, error) {
	if !filter.Named() {
		return nil, errors.New("sql: end whose sessions? The filter names nobody")
	}
	filter.Ended = false
	var ended []session.Listed
	err := s.transaction(ctx, func(tx *work) error {
		ended = nil
		where, args := s.where(filter)
		n, err := s.end(tx, how, "sid IN (SELECT s.sid FROM sessions s WHERE "+where+" ORDER BY s.sid LIMIT ?)", append(args, limit)...)
		if err != nil || n == 0 {
			return err
		}
		ended, err = listSessions(tx.DB, "s.revoked_tick > 0 AND s.revoked_tick = (SELECT tick FROM revocation_clock)", nil, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	return ended, nil
}

// listSessions reads sessions with whose they are, the newest first.
func listSessions(db *gorm.DB, where string, args []any, limit int) ([]session.Listed, error) {
	rows, err := db.Raw("SELECT "+sessionColumns+`, COALESCE(u.id, ''), COALESCE(u.name, '')
FROM sessions s JOIN accounts a ON a.subject = s.subject LEFT JOIN users u ON u.id = a.user_id
WHERE `+where+" ORDER BY s.auth_time DESC, s.sid LIMIT ?", append(args, limit)...).Rows()
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failed read shows in rows.Err
	var all []session.Listed
	for rows.Next() {
		var row sessionRow
		var listed session.Listed
		if err := rows.Scan(append(row.scan(), &listed.UserID, &listed.Name)...); err != nil {
			return nil, fmt.Errorf("read session: %w", err)
		}
		listed.Session = row.session()
		all = append(all, listed)
	}
	return all, rows.Err()
}
