package sql

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// Redeemed notes whose codes were used, and when. A challenge may be noted before its text is, and more than
// once: the first time stays.
func (s *Store) Redeemed(ctx context.Context, challenges []string, at time.Time) error {
	challenges = slices.DeleteFunc(slices.Clone(challenges), func(c string) bool { return c == "" })
	slices.Sort(challenges) // two who note the same then never wait in a circle
	challenges = slices.Compact(challenges)
	for some := range slices.Chunk(challenges, batch) {
		var args []any
		for _, challenge := range some {
			args = append(args, challenge, toMicros(at))
		}
		err := s.db.WithContext(ctx).Exec("INSERT INTO redemptions (challenge, at) VALUES "+tuples(len(some), 2)+" ON CONFLICT DO NOTHING", args...).Error
		if err != nil {
			return translate(fmt.Errorf("note used codes: %w", err))
		}
	}
	return nil
}

// strangers are the texts by which strangers' use of codes is judged: codes that a provider took. The
// index texts_strangers holds just these.
const strangers = "stranger AND kind = '" + string(sms.KindCode) + "' AND class = ''"

// StrangerSends returns how many code texts strangers in a country were sent from since until before before,
// the last limit of them, and how many of those codes were used (M7).
func (s *Store) StrangerSends(ctx context.Context, country string, since, before time.Time, limit int) (sent, redeemed int, err error) {
	var row struct{ Sent, Redeemed int }
	err = s.db.WithContext(ctx).Raw(`SELECT COUNT(*) AS sent, COUNT(r.challenge) AS redeemed
FROM (SELECT challenge FROM texts WHERE `+strangers+` AND country = ? AND at >= ? AND at < ? ORDER BY at DESC LIMIT ?) t
LEFT JOIN redemptions r ON r.challenge = t.challenge`, country, toMicros(since), toMicros(before), limit).Scan(&row).Error
	if err != nil {
		return 0, 0, translate(fmt.Errorf("count texts to strangers: %w", err))
	}
	return row.Sent, row.Redeemed, nil
}

// StrangerCountries returns the countries in which strangers were sent codes from since until before before,
// sorted. It steps from country to country in the index, however many texts each has; with EXISTS, PostgreSQL
// would read them all.
func (s *Store) StrangerCountries(ctx context.Context, since, before time.Time) ([]string, error) {
	var countries []string
	err := s.db.WithContext(ctx).Raw(`WITH RECURSIVE each (country) AS (
    SELECT MIN(country) FROM texts WHERE `+strangers+`
    UNION ALL
    SELECT (SELECT MIN(t.country) FROM texts t WHERE `+strangers+` AND t.country > each.country)
    FROM each WHERE each.country IS NOT NULL
)
SELECT country FROM each WHERE country IS NOT NULL AND (
    SELECT MAX(t.at) FROM texts t WHERE `+strangers+` AND t.country = each.country AND t.at >= ? AND t.at < ?) IS NOT NULL
ORDER BY country`, toMicros(since), toMicros(before)).Scan(&countries).Error
	if err != nil {
		return nil, translate(fmt.Errorf("list strangers' countries: %w", err))
	}
	return countries, nil
}
