package sql

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// Deliver writes providers' news of texts, and returns that which brought a text further: never the same
// twice, whatever is repeated, late or shuffled and on however many replicas. Of several pieces of news of one
// text the furthest counts. News of a text that the record does not have is kept too: its row may come later. News
// without a name for the text, or with a status that we do not know, is passed over.
func (s *Store) Deliver(ctx context.Context, news []sms.Delivery) ([]sms.Moved, error) {
	furthest := merge(news)
	if len(furthest) == 0 {
		return nil, nil
	}
	var moved []sms.Moved
	err := s.transaction(ctx, func(tx *work) error {
		moved = nil
		for some := range slices.Chunk(furthest, batch) {
			further, err := s.moveForward(tx, some)
			if err != nil {
				return err
			}
			known, err := textsByID(tx, further)
			if err != nil {
				return err
			}
			for _, d := range further {
				moved = append(moved, sms.Moved{Delivery: d, Text: known[idOf(d)]})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("write deliveries: %w", err)
	}
	return moved, nil
}

// textID is a text's name.
type textID struct{ Provider, ProviderID string }

func idOf(d sms.Delivery) textID { return textID{d.Provider, d.ProviderID} }

// merge leaves the furthest news of each text, in the order of the key: who writes the same texts at the same
// time then waits, and never in a circle.
func merge(news []sms.Delivery) []sms.Delivery {
	furthest := map[textID]sms.Delivery{}
	for _, d := range news {
		if d.ProviderID != "" && d.Status.Rank() > furthest[idOf(d)].Status.Rank() {
			furthest[idOf(d)] = d
		}
	}
	merged := make([]sms.Delivery, 0, len(furthest))
	for _, d := range furthest {
		merged = append(merged, d)
	}
	slices.SortFunc(merged, func(a, b sms.Delivery) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.ProviderID, b.ProviderID))
	})
	return merged
}

// moveForward writes news of different texts and returns those that it brought further.
func (s *Store) moveForward(tx *work, news []sms.Delivery) ([]sms.Delivery, error) {
	var args []any
	for _, d := range news {
		args = append(args, d.Provider, d.ProviderID, d.Status, d.Status.Rank(), d.Code, d.Class)
	}
	now := s.clock()
	one := ", (?, ?, ?, ?, ?, ?, " + now + ", " + now + ")"
	var ids []textID
	err := tx.Raw(`INSERT INTO deliveries (provider, provider_id, status, rank, code, class, first_at, at)
VALUES `+repeated(one, len(news))+`
ON CONFLICT (provider, provider_id) DO UPDATE SET
    status = excluded.status, rank = excluded.rank, code = excluded.code, class = excluded.class, at = excluded.at
WHERE deliveries.rank < excluded.rank RETURNING provider, provider_id`, args...).Scan(&ids).Error
	if err != nil {
		return nil, err
	}
	is := make(map[textID]bool, len(ids))
	for _, id := range ids {
		is[id] = true
	}
	return slices.DeleteFunc(slices.Clone(news), func(d sms.Delivery) bool { return !is[idOf(d)] }), nil
}

// textsByID reads the texts that news is of, as far as they are there.
func textsByID(tx *work, news []sms.Delivery) (map[textID]*sms.Record, error) {
	if len(news) == 0 {
		return nil, nil
	}
	var args []any
	for _, d := range news {
		args = append(args, d.Provider, d.ProviderID)
	}
	var rows []textRow
	err := tx.Raw("SELECT "+textColumns+" FROM texts t WHERE t.provider_id <> '' AND (t.provider, t.provider_id) IN (VALUES "+
		tuples(len(news), 2)+")", args...).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	known := make(map[textID]*sms.Record, len(rows))
	for _, row := range rows {
		record, err := row.record()
		if err != nil {
			return nil, err
		}
		known[textID{row.Provider, row.ProviderID}] = &record
	}
	return known, nil
}
