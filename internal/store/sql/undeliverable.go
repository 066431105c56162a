package sql

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// NoteUndeliverable counts a failure that speaks of the number, and passes over any other. It reports
// whether the number is sent nothing from now on and was until then: that is audited, with the person of HR's
// behind it, and happens once however many replicas note failures (X2).
func (s *Store) NoteUndeliverable(ctx context.Context, to phone.Number, f sms.Failure, now time.Time) (blocked bool, err error) {
	if to.IsZero() || !f.Class.AboutNumber() {
		return false, nil
	}
	err = s.transaction(ctx, func(tx *work) error {
		blocked = false
		before, err := heldUndeliverable(tx, to)
		if err != nil {
			return err
		}
		after := before.After(f, now)
		row := newUndeliverableRow(after)
		if err := tx.Model(&row).Select("*").Omit("phone").Updates(&row).Error; err != nil {
			return err
		}
		if blocked = after.Blocked(now) && !before.Blocked(now); !blocked {
			return nil
		}
		return recordNumber(tx, to, audit.Event{
			At: now, Kind: audit.NumberUndeliverable, Actor: audit.System, Reason: string(after.Class),
			Detail: map[string]any{"code": after.Code, "provider": after.Provider, "hits": after.Hits, "until": after.Until.UTC().Format(time.RFC3339)},
		})
	})
	if err != nil {
		return false, fmt.Errorf("note a number that gets no texts: %w", err)
	}
	return blocked, nil
}

// heldUndeliverable reads what is known of a number, and keeps others from writing it until the end of tx. An
// insert that changes nothing where there is a row locks also what was not there.
func heldUndeliverable(tx *work, to phone.Number) (sms.Undeliverable, error) {
	var row undeliverableRow
	err := tx.Raw(`INSERT INTO undeliverable (phone, class, code, reason, provider, hits, first_at, last_at, until)
VALUES (?, '', 0, '', '', 0, 0, 0, 0) ON CONFLICT (phone) DO UPDATE SET hits = undeliverable.hits
RETURNING phone, class, code, reason, provider, hits, first_at, last_at, until`, to.E164()).Scan(&row).Error
	if err != nil {
		return sms.Undeliverable{}, err
	}
	return row.undeliverable()
}

// Deliverable forgets failures of numbers at which a text has arrived. It looks for them all at once, and writes
// only where there are any: hardly ever.
func (s *Store) Deliverable(ctx context.Context, numbers ...phone.Number) error {
	for some := range slices.Chunk(numbers, batch) {
		var e164s, failed []string
		for _, to := range some {
			e164s = append(e164s, to.E164())
		}
		err := s.db.WithContext(ctx).Raw("SELECT phone FROM undeliverable WHERE phone IN ?", e164s).Scan(&failed).Error
		if err != nil {
			return translate(fmt.Errorf("look for numbers that got no texts: %w", err))
		}
		for _, to := range some {
			if !slices.Contains(failed, to.E164()) {
				continue
			}
			if _, err := s.lift(ctx, to, audit.System, "delivered"); err != nil {
				return err
			}
		}
	}
	return nil
}

// LiftUndeliverable forgets failures of a number, for an actor who knows better. It reports whether
// there were any.
func (s *Store) LiftUndeliverable(ctx context.Context, to phone.Number, actor string) (bool, error) {
	return s.lift(ctx, to, actor, "lifted")
}

// lift writes an event if the number was sent nothing until now.
func (s *Store) lift(ctx context.Context, to phone.Number, actor, reason string) (bool, error) {
	lifted := false
	err := s.transaction(ctx, func(tx *work) error {
		lifted = false
		var rows []struct{ Until, Now micros }
		err := tx.Raw("DELETE FROM undeliverable WHERE phone = ? RETURNING until, "+s.clock()+" AS now", to.E164()).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		lifted = true
		if rows[0].Until <= rows[0].Now {
			return nil
		}
		return recordNumber(tx, to, audit.Event{At: rows[0].Now.time(), Kind: audit.NumberDeliverable, Actor: actor, Reason: reason})
	})
	if err != nil {
		return false, fmt.Errorf("lift a number that got no texts: %w", err)
	}
	return lifted, nil
}

// recordNumber writes an event about a number for each of HR's active people who has it, so that HR finds it by
// person, and one without a person for a stranger's.
func recordNumber(tx *work, to phone.Number, event audit.Event) error {
	event.Phone = to.Masked()
	var holders []sms.Holder
	err := tx.Raw("SELECT id AS user_id, source, external_id FROM users WHERE active AND phone = ? ORDER BY id", to.E164()).Scan(&holders).Error
	if err != nil {
		return err
	}
	if len(holders) == 0 {
		return record(tx.DB, []audit.Event{event})
	}
	var events []audit.Event
	for _, h := range holders {
		e := event
		e.UserID = h.UserID
		e.Detail = map[string]any{"source": h.Source, "external_id": h.ExternalID}
		maps.Copy(e.Detail, event.Detail)
		events = append(events, e)
	}
	return record(tx.DB, events)
}

type undeliverableRow struct {
	Phone    string `gorm:"primaryKey"`
	Class    sms.Class
	Code     int
	Reason   string
	Provider string
	Hits     int
	FirstAt  micros
	LastAt   micros
	Until    micros
}

func (undeliverableRow) TableName() string { return "undeliverable" }

func newUndeliverableRow(u sms.Undeliverable) undeliverableRow {
	return undeliverableRow{
		Phone: u.To.E164(), Class: u.Class, Code: u.Code, Reason: u.Reason, Provider: u.Provider, Hits: u.Hits,
		FirstAt: toMicros(u.FirstAt), LastAt: toMicros(u.LastAt), Until: orZero(u.Until),
	}
}

func (r undeliverableRow) undeliverable() (sms.Undeliverable, error) {
	to, err := phone.Stored(r.Phone)
	if err != nil {
		return sms.Undeliverable{}, fmt.Errorf("undeliverable number: %w", err)
	}
	return sms.Undeliverable{
		To: to, Class: r.Class, Code: r.Code, Reason: r.Reason, Provider: r.Provider, Hits: r.Hits,
		FirstAt: r.FirstAt.time(), LastAt: r.LastAt.time(), Until: r.Until.orNever(),
	}, nil
}
