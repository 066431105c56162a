package sql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/verifier"
)

const (
	// forgetVerifiers is after how long a verifier is forgotten that was not seen.
	forgetVerifiers = 90 * 24 * time.Hour
	// clockSlack is how far ahead of the record's clock a time may be that another replica has just written. What
	// is further ahead was written before the clock was put back.
	clockSlack = time.Minute
)

// SaveFetches adds a batch, in which each verifier is there once, to what the record knows: fetches
// add up, the earliest is the first, the latest is the last and brings its revision. Their times are by the
// caller's clock, which says now, and are kept by the record's. It keeps at most keep verifiers. Known ones are
// always updated; once there is no room, those unknown, the busiest first, replace such as have fetched once,
// the longest unseen first, and are forgotten if there are none. Whoever was not seen for 90 days goes,
// whenever there is a batch.
func (s *Store) SaveFetches(ctx context.Context, fetched []verifier.Fetched, now time.Time, keep int) error {
	if len(fetched) == 0 {
		return nil
	}
	clock, err := s.Clock(ctx) // once, and before any wait for others: that is not time in which nobody fetched
	if err != nil {
		return fmt.Errorf("save fetches: %w", err)
	}
	rows := newVerifierRows(fetched, now, clock)
	err = s.transaction(ctx, func(tx *work) error {
		if err := s.lockVerifiers(tx); err != nil {
			return err
		}
		if err := tx.Exec("DELETE FROM verifiers WHERE last_at < ?", toMicros(clock.Add(-forgetVerifiers))).Error; err != nil {
			return err
		}
		unknown, err := updateVerifiers(tx, rows, clock)
		if err != nil || len(unknown) == 0 {
			return err
		}
		places, err := makeRoom(tx, len(unknown), keep)
		if err != nil {
			return err
		}
		slices.SortStableFunc(unknown, func(a, b verifierRow) int { return cmp.Compare(b.Fetches, a.Fetches) })
		return addVerifiers(tx, unknown[:places])
	})
	if err != nil {
		return fmt.Errorf("save fetches: %w", err)
	}
	return nil
}

// lockVerifiers lets one replica at a time save, so that none counts room that another takes, and no
// two wait for rows of each other's. Readers do not wait.
func (s *Store) lockVerifiers(tx *work) error {
	if s.dialect == onSQLite { // BEGIN has taken the one lock
		return nil
	}
	if err := s.impatient(tx); err != nil {
		return err
	}
	return tx.Exec("LOCK TABLE verifiers IN SHARE ROW EXCLUSIVE MODE").Error
}

// updateVerifiers adds to those that are known, and returns the others.
func updateVerifiers(tx *work, rows []verifierRow, clock time.Time) (unknown []verifierRow, err error) {
	// If the clock was put back, a time in its future would win over all fetches until then.
	const later = "f.last_at >= verifiers.last_at OR verifiers.last_at > ?"
	ahead := toMicros(clock.Add(clockSlack))
	type id struct{ Name, Source string }
	for some := range slices.Chunk(rows, batch) {
		values, args := verifierValues(some)
		var known []id
		err := tx.Raw(`WITH f (name, source, first_at, last_at, fetches, revision) AS (VALUES `+values+`)
UPDATE verifiers SET
    first_at = CASE WHEN f.first_at < verifiers.first_at THEN f.first_at ELSE verifiers.first_at END,
    last_at  = CASE WHEN `+later+` THEN f.last_at ELSE verifiers.last_at END,
    revision = CASE WHEN `+later+` THEN f.revision ELSE verifiers.revision END,
    fetches  = verifiers.fetches + f.fetches
FROM f WHERE verifiers.name = f.name AND verifiers.source = f.source
RETURNING verifiers.name, verifiers.source`, append(args, ahead, ahead)...).Scan(&known).Error
		if err != nil {
			return nil, err
		}
		is := make(map[id]bool, len(known))
		for _, k := range known {
			is[k] = true
		}
		for _, row := range some {
			if !is[id{row.Name, row.Source}] {
				unknown = append(unknown, row)
			}
		}
	}
	return unknown, nil
}

// makeRoom returns how many of n rows may be added, at the expense of others that have fetched once.
func makeRoom(tx *work, n, keep int) (int, error) {
	var have int
	if err := tx.Raw("SELECT COUNT(*) FROM verifiers").Scan(&have).Error; err != nil {
		return 0, err
	}
	if have+n > keep {
		replaced := tx.Exec(`DELETE FROM verifiers WHERE (name, source) IN (
    SELECT name, source FROM verifiers WHERE fetches <= 1 ORDER BY last_at, name, source LIMIT ?)`, min(have+n-keep, have))
		if replaced.Error != nil {
			return 0, replaced.Error
		}
		have -= int(replaced.RowsAffected)
	}
	return min(n, max(0, keep-have)), nil
}

func addVerifiers(tx *work, rows []verifierRow) error {
	for some := range slices.Chunk(rows, batch) {
		values, args := verifierValues(some)
		err := tx.Exec("INSERT INTO verifiers (name, source, first_at, last_at, fetches, revision) VALUES "+values, args...).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// Verifiers returns those that are known, the most recently seen first, at most limit, and the record's clock.
func (s *Store) Verifiers(ctx context.Context, limit int) ([]verifier.Verifier, time.Time, error) {
	var rows []struct {
		Now micros
		// Name and all that follows are nil in the one row that there is when nobody is known.
		Name, Source                       *string
		FirstAt, LastAt, Fetches, Revision *int64
	}
	err := s.db.WithContext(ctx).Raw(`
SELECT always.now, v.name, v.source, v.first_at, v.last_at, v.fetches, v.revision FROM (SELECT `+s.clock()+` AS now) AS always
LEFT JOIN (SELECT name, source, first_at, last_at, fetches, revision FROM verifiers ORDER BY last_at DESC, name, source LIMIT ?) v ON TRUE
ORDER BY v.last_at DESC, v.name, v.source`, limit).Scan(&rows).Error
	if err != nil {
		return nil, time.Time{}, translate(fmt.Errorf("read verifiers: %w", err))
	}
	var all []verifier.Verifier
	var now time.Time
	for _, row := range rows {
		now = row.Now.time()
		if row.Name != nil {
			all = append(all, verifier.Verifier{
				Name: *row.Name, Source: *row.Source, FirstAt: micros(*row.FirstAt).time(), LastAt: micros(*row.LastAt).time(),
				Fetches: *row.Fetches, Revision: *row.Revision,
			})
		}
	}
	return all, now, nil
}

type verifierRow struct {
	Name, Source      string
	FirstAt, LastAt   micros
	Fetches, Revision int64
}

// newVerifierRows turns the caller's times into the record's, by how long ago they were, in the order of the key.
func newVerifierRows(fetched []verifier.Fetched, now, clock time.Time) []verifierRow {
	rows := make([]verifierRow, len(fetched))
	for i, f := range fetched {
		last := max(0, now.Sub(f.Last)) // nobody fetches in the future
		first := max(last, now.Sub(f.First))
		rows[i] = verifierRow{
			Name: f.Name, Source: f.Source, FirstAt: toMicros(clock.Add(-first)), LastAt: toMicros(clock.Add(-last)),
			Fetches: f.Count, Revision: f.Revision,
		}
	}
	slices.SortFunc(rows, func(a, b verifierRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source))
	})
	return rows
}

// verifierValues are rows as a VALUES list. PostgreSQL would take parameters for text there if it were not told better.
func verifierValues(rows []verifierRow) (string, []any) {
	const one = ", (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))"
	args := make([]any, 0, 6*len(rows))
	for _, r := range rows {
		args = append(args, r.Name, r.Source, r.FirstAt, r.LastAt, r.Fetches, r.Revision)
	}
	return strings.Repeat(one, len(rows))[2:], args
}
