package sql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/audit"
)

// Record implements login.Store.
func (s *Store) Record(ctx context.Context, event audit.Event) error {
	return translate(record(s.db.WithContext(ctx), []audit.Event{event}))
}

// RecordMany writes events: all of them or none.
func (s *Store) RecordMany(ctx context.Context, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	return s.transaction(ctx, func(tx *work) error { return record(tx.DB, events) })
}

// record writes events, all in one statement but for feeds of thousands.
func record(tx *gorm.DB, events []audit.Event) error {
	for some := range slices.Chunk(events, batch) {
		statement := "INSERT INTO audit_events (at, kind, actor, subject, user_id, client_id, sid, address, phone, reason, detail) VALUES " +
			strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), ", len(some))
		var values []any
		for _, event := range some {
			detail, err := detailText(event.Detail)
			if err != nil {
				return err
			}
			values = append(values, toMicros(event.At), event.Kind, event.Actor, event.Subject, event.UserID,
				event.ClientID, event.SID, event.Address, event.Phone, event.Reason, detail)
		}
		if err := tx.Exec(strings.TrimSuffix(statement, ", "), values...).Error; err != nil {
			return fmt.Errorf("write audit: %w", err)
		}
	}
	return nil
}

// detailText is JSON, or nothing.
func detailText(detail map[string]any) (string, error) {
	if len(detail) == 0 {
		return "", nil
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return "", fmt.Errorf("audit detail: %w", err)
	}
	return string(text), nil
}
