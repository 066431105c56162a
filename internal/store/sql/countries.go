package sql

import (
	"context"
	"fmt"
	"strings"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// PeopleByCountry returns how many active people have a number, and how many in each country; country says
// which one a number is of. People whose number is of none are in the total only. The database counts them by the
// first 7 digits, which tell all countries apart that share a calling code, so country is asked a few thousand times.
func (s *Store) PeopleByCountry(ctx context.Context, country func(phone.Number) string) (total int, byCountry map[string]int, err error) {
	var rows []struct {
		First, Last string
		People      int
	}
	err = s.db.WithContext(ctx).Raw(`SELECT MIN(phone) AS first, MAX(phone) AS last, COUNT(*) AS people
FROM users WHERE active AND phone IS NOT NULL GROUP BY SUBSTR(phone, 1, 8)`).Scan(&rows).Error
	if err != nil {
		return 0, nil, translate(fmt.Errorf("count people by country: %w", err))
	}
	byCountry = map[string]int{}
	for _, row := range rows {
		total += row.People
		in, err := countryOfEither(country, row.First, row.Last)
		if err != nil {
			return 0, nil, fmt.Errorf("count people by country: %w", err)
		}
		if in != "" {
			byCountry[in] += row.People
		}
	}
	return total, byCountry, nil
}

// countryOfEither is the first one's country or, where that is a number of none, the second one's.
func countryOfEither(country func(phone.Number) string, e164s ...string) (string, error) {
	for _, e164 := range e164s {
		n, err := phone.Stored(e164)
		if err != nil {
			return "", err
		}
		if in := country(n); in != "" {
			return in, nil
		}
	}
	return "", nil
}

// DirectoryRevision changes with every change of HR's people, and is the same while there is none.
func (s *Store) DirectoryRevision(ctx context.Context) (string, error) {
	var sources []struct {
		Name      string
		AppliedAt micros
	}
	err := s.db.WithContext(ctx).Raw("SELECT name, applied_at FROM sources ORDER BY name").Scan(&sources).Error
	if err != nil {
		return "", translate(fmt.Errorf("read revision of the directory: %w", err))
	}
	var revision strings.Builder
	for _, source := range sources {
		fmt.Fprintf(&revision, "%s=%d ", source.Name, source.AppliedAt)
	}
	return revision.String(), nil
}
