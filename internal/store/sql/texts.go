package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// RecordTexts writes what became of texts: all of them or none. A text that is there already, by its
// provider's name for it, is left as it is, so a batch may be written again.
func (s *Store) RecordTexts(ctx context.Context, texts []sms.Record) error {
	if len(texts) == 0 {
		return nil
	}
	err := s.transaction(ctx, func(tx *work) error {
		for some := range slices.Chunk(texts, batch) {
			var args []any
			for _, t := range some {
				args = append(args, toMicros(t.At), t.To.E164(), t.Country, t.Kind, t.Challenge, t.ClientID, t.Stranger,
					t.Segments, t.Cost, t.Provider, t.ProviderID, t.Class, t.Code, t.Rule)
			}
			err := tx.Exec(`INSERT INTO texts (at, phone, country, kind, challenge, client_id, stranger,
    segments, cost, provider, provider_id, class, code, rule)
VALUES `+tuples(len(some), 14)+` ON CONFLICT (provider, provider_id) WHERE provider_id <> '' DO NOTHING`, args...).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record texts: %w", err)
	}
	return nil
}

// tuples are n tuples of values, to be inserted.
func tuples(n, values int) string {
	return repeated(", ("+strings.Repeat("?, ", values-1)+"?)", n)
}

// repeated is one n times; it begins with the comma that the first goes without.
func repeated(one string, n int) string { return strings.Repeat(one, n)[2:] }

// TextsTo returns the last texts to a number and what became of them, the newest first, at most limit.
func (s *Store) TextsTo(ctx context.Context, to phone.Number, limit int) ([]sms.Tracked, error) {
	var rows []trackedRow
	err := s.db.WithContext(ctx).Raw(`
SELECT `+textColumns+`, COALESCE(d.status, '') AS status, COALESCE(d.code, 0) AS status_code,
    COALESCE(d.class, '') AS status_class, COALESCE(d.at, 0) AS status_at, COALESCE(r.at, 0) AS redeemed_at
FROM (SELECT * FROM texts WHERE phone = ? ORDER BY at DESC, id DESC LIMIT ?) t `+whatCameOfIt+`
ORDER BY t.at DESC, t.id DESC`, to.E164(), limit).Scan(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read texts to a number: %w", err))
	}
	texts := make([]sms.Tracked, len(rows))
	for i, row := range rows {
		if texts[i].Record, err = row.Text.record(); err != nil {
			return nil, err
		}
		texts[i].Status, texts[i].StatusCode, texts[i].StatusClass = row.Status, row.StatusCode, row.StatusClass
		texts[i].StatusAt, texts[i].RedeemedAt = row.StatusAt.orNever(), row.RedeemedAt.orNever()
	}
	return texts, nil
}

// whatCameOfIt adds to texts t how far each has come, d, and whether its code was used, r. Both are
// joined by their keys: no text is there twice.
const whatCameOfIt = `
LEFT JOIN deliveries d ON d.provider = t.provider AND d.provider_id = t.provider_id
LEFT JOIN redemptions r ON r.challenge = t.challenge`

// textColumns are what textRow reads.
const textColumns = `t.at, t.phone, t.country, t.kind, t.challenge, t.client_id, t.stranger, t.segments, t.cost,
    t.provider, t.provider_id, t.class, t.code, t.rule`

type textRow struct {
	At         micros
	Phone      string
	Country    string
	Kind       sms.Kind
	Challenge  string
	ClientID   string
	Stranger   bool
	Segments   int
	Cost       sms.Micros
	Provider   string
	ProviderID string
	Class      sms.Class
	Code       int
	Rule       string
}

type trackedRow struct {
	Text        textRow `gorm:"embedded"`
	Status      sms.Status
	StatusCode  int
	StatusClass sms.Class
	StatusAt    micros
	RedeemedAt  micros
}

func (r textRow) record() (sms.Record, error) {
	to, err := phone.Stored(r.Phone)
	if err != nil {
		return sms.Record{}, fmt.Errorf("text of %s: %w", r.At.time(), err)
	}
	return sms.Record{
		At: r.At.time(), To: to, Country: r.Country, Kind: r.Kind, Challenge: r.Challenge, ClientID: r.ClientID,
		Stranger: r.Stranger, Segments: r.Segments, Cost: r.Cost, Provider: r.Provider, ProviderID: r.ProviderID,
		Class: r.Class, Code: r.Code, Rule: r.Rule,
	}, nil
}
