package sql

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migration is one step of the schema.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// AppliedAt is zero while pending.
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

// Migrate applies what is pending and returns it. Each step is one transaction, and a lock in the
// database lets one replica at a time do it; the others wait, and find nothing left to do.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	applied := make([]Migration, 0, len(results))
	for _, r := range results {
		if r.Error == nil {
			applied = append(applied, Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: s.now()})
		}
	}
	if err != nil {
		return applied, translate(fmt.Errorf("migrate: %w", err))
	}
	return applied, nil
}

// Migrations returns every step this version knows, applied or pending, in order.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	status, err := provider.Status(ctx)
	if err != nil {
		return nil, translate(fmt.Errorf("read migrations: %w", err))
	}
	all := make([]Migration, len(status))
	for i, step := range status {
		all[i] = Migration{Version: step.Source.Version, Name: step.Source.Path}
		if step.State == goose.StateApplied {
			all[i].AppliedAt = step.AppliedAt
		}
	}
	return all, nil
}

// Pending returns the steps that have not been applied, in order.
func (s *Store) Pending(ctx context.Context) ([]Migration, error) {
	all, err := s.Migrations(ctx)
	return slices.DeleteFunc(all, func(m Migration) bool { return !m.AppliedAt.IsZero() }), err
}

func (s *Store) provider() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations/"+string(s.dialect))
	if err != nil {
		return nil, err
	}
	pool, err := s.db.DB()
	if err != nil {
		return nil, err
	}
	opts := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	on := goose.DialectSQLite3
	if s.dialect == onPostgres {
		on = goose.DialectPostgres
		// A table, not a session's advisory lock: that one does not survive a transaction pooler.
		table, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(500*time.Millisecond, 240))
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithLocker(table))
	}
	return goose.NewProvider(on, pool, folder, opts...)
}
