package sql

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// maxReport is the longest time that a report may cover: more than texts are kept by default.
const maxReport = 100 * 24 * time.Hour

// TextReport sums up the texts from from until before to, by day (UTC) and country, in that order. It covers
// 100 days at most.
func (s *Store) TextReport(ctx context.Context, from, to time.Time) ([]sms.ReportRow, error) {
	if to.Sub(from) > maxReport {
		return nil, fmt.Errorf("report of texts: %s to %s is too long: ask for at most 100 days", from.Format(time.DateOnly), to.Format(time.DateOnly))
	}
	var groups []reportGroup
	err := s.db.WithContext(ctx).Raw(`
SELECT t.at / 86400000000 AS day, t.country, t.class, t.rule, COALESCE(d.status, '') AS status, COALESCE(d.class, '') AS status_class,
    COUNT(*) AS texts, COUNT(r.challenge) AS redeemed, SUM(CASE WHEN t.stranger THEN 1 ELSE 0 END) AS strangers,
    SUM(t.segments) AS segments, CAST(SUM(t.cost) AS BIGINT) AS cost
FROM texts t `+whatCameOfIt+`
WHERE t.at >= ? AND t.at < ? GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2`, toMicros(from), toMicros(to)).Scan(&groups).Error
	if err != nil {
		return nil, translate(fmt.Errorf("report of texts: %w", err))
	}
	var rows []sms.ReportRow
	for _, g := range groups {
		day := time.Unix(g.Day*24*60*60, 0).UTC()
		if n := len(rows); n == 0 || !rows[n-1].Day.Equal(day) || rows[n-1].Country != g.Country {
			rows = append(rows, sms.ReportRow{Day: day, Country: g.Country, Failed: map[sms.Class]int{}, Withheld: map[rule.Name]int{}})
		}
		g.addTo(&rows[len(rows)-1])
	}
	return rows, nil
}

// reportGroup are texts of one day to one country that came to the same end.
type reportGroup struct {
	Day         int64 // since 1970
	Country     string
	Class       sms.Class
	Rule        rule.Name
	Status      sms.Status
	StatusClass sms.Class

	Texts, Redeemed, Strangers, Segments int
	Cost                                 sms.Micros
}

func (g reportGroup) addTo(row *sms.ReportRow) {
	row.Redeemed += g.Redeemed
	row.Cost += g.Cost
	switch {
	case g.Class == sms.Withheld:
		row.Withheld[g.Rule] += g.Texts
		return
	case g.Class != "":
		row.Failed[g.Class] += g.Texts
		if !g.Class.Definite() {
			row.Segments += g.Segments
		}
		return
	}
	row.Sent += g.Texts
	row.Strangers += g.Strangers
	row.Segments += g.Segments
	switch {
	case g.Status == sms.Delivered:
		row.Delivered += g.Texts
	case g.Status.Bad():
		row.Failed[g.StatusClass] += g.Texts
	}
}
