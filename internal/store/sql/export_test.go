package sql

import "fmt"

// Limit keeps the SQLite file from growing by more than pages, as a full disk would.
func Limit(s *Store, pages int) error {
	var have int
	if err := s.db.Raw("PRAGMA page_count").Scan(&have).Error; err != nil {
		return err
	}
	return s.db.Raw(fmt.Sprintf("PRAGMA max_page_count = %d", have+pages)).Scan(&have).Error
}
