package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

const undeliverableColumns = "n.phone, n.class, n.code, n.reason, n.provider, n.hits, n.first_at, n.last_at, n.until"

// Recipient returns what has to be known of a number before it is sent a text, in one statement. It is read by
// hand, as sign-ins are: it is asked for each text.
func (s *Store) Recipient(ctx context.Context, to phone.Number) (sms.Recipient, error) {
	failed := func(err error) (sms.Recipient, error) {
		return sms.Recipient{}, translate(fmt.Errorf("read recipient: %w", err))
	}
	rows, err := s.db.WithContext(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM users WHERE active AND phone = always.phone) AS known,
    n.class, n.code, n.reason, n.provider, n.hits, n.first_at, n.last_at, n.until
FROM (SELECT CAST(? AS TEXT) AS phone) AS always
LEFT JOIN undeliverable n ON n.phone = always.phone AND n.until > `+s.clock(), to.E164()).Rows()
	if err != nil {
		return failed(err)
	}
	defer func() { _ = rows.Close() }() // a failed read shows in rows.Err
	if !rows.Next() {
		return failed(cmp.Or(rows.Err(), stdsql.ErrNoRows))
	}
	var recipient sms.Recipient
	var class *sms.Class
	var code, hits *int
	var reason, provider *string
	var first, last, until *micros
	if err := rows.Scan(&recipient.Known, &class, &code, &reason, &provider, &hits, &first, &last, &until); err != nil {
		return failed(err)
	}
	if class != nil {
		recipient.Undeliverable = &sms.Undeliverable{
			To: to, Class: *class, Code: *code, Reason: *reason, Provider: *provider, Hits: *hits,
			FirstAt: first.time(), LastAt: last.time(), Until: until.orNever(),
		}
	}
	return recipient, rows.Err()
}

// BlockedNumbers returns at most limit numbers that are sent nothing now, those first that are so longest.
func (s *Store) BlockedNumbers(ctx context.Context, limit int) ([]sms.Undeliverable, error) {
	var rows []undeliverableRow
	err := s.db.WithContext(ctx).Raw("SELECT "+undeliverableColumns+" FROM undeliverable n WHERE n.until > "+s.clock()+
		" ORDER BY n.until DESC LIMIT ?", limit).Scan(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("list numbers that are sent nothing: %w", err))
	}
	var numbers []sms.Undeliverable
	for _, row := range rows {
		u, err := row.undeliverable()
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, u)
	}
	return numbers, nil
}

// UndeliverableNumbers returns numbers that are sent nothing, or were in the last 30 days and have not had a
// text since, with the people of HR's who have them: at most limit numbers after after, in their order. With staff
// it leaves strangers' out, as a report to HR does.
func (s *Store) UndeliverableNumbers(ctx context.Context, limit int, after phone.Number, staff bool) ([]sms.UndeliverableNumber, error) {
	of := ""
	if staff {
		// As EXISTS it would be a join, for which PostgreSQL may read all users in order.
		of = " AND (SELECT MIN(id) FROM users WHERE active AND phone = u.phone) IS NOT NULL"
	}
	var rows []struct {
		Row    undeliverableRow `gorm:"embedded"`
		Holder sms.Holder       `gorm:"embedded"`
	}
	err := s.db.WithContext(ctx).Raw(`
SELECT `+undeliverableColumns+`, COALESCE(h.id, '') AS user_id, COALESCE(h.source, '') AS source,
    COALESCE(h.external_id, '') AS external_id, COALESCE(h.name, '') AS name
FROM (SELECT * FROM undeliverable u WHERE until > 0 AND phone > ?`+of+` ORDER BY phone LIMIT ?) n
LEFT JOIN users h ON h.active AND h.phone = n.phone
ORDER BY n.phone, h.source, h.external_id`, after.E164(), limit).Scan(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("list numbers that get no texts: %w", err))
	}
	var numbers []sms.UndeliverableNumber
	for _, row := range rows {
		if n := len(numbers); n == 0 || numbers[n-1].To.E164() != row.Row.Phone {
			u, err := row.Row.undeliverable()
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, sms.UndeliverableNumber{Undeliverable: u})
		}
		if row.Holder.UserID != "" {
			last := &numbers[len(numbers)-1]
			last.Holders = append(last.Holders, row.Holder)
		}
	}
	return numbers, nil
}
