package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// output is how a command prints data.
type output struct {
	Output string `enum:"table,json" default:"table" placeholder:"table|json" help:"How to print: table or json."`
}

func (o output) json() bool { return o.Output == "json" }

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply the migrations that are pending. Safe beside running servers and other migrations."`
	Status migrateStatus `cmd:"" help:"Show which migrations are applied and which are pending."`
}

type migrateUp struct {
	where
	output
}

// Run applies pending migrations.
func (cmd migrateUp) Run(ctx context.Context, env Env) error {
	return cmd.withStore(env, func(store *sql.Store) error {
		applied, err := store.Migrate(ctx)
		if err != nil {
			return err
		}
		if cmd.json() {
			return writeJSON(env.Stdout, applied)
		}
		for _, step := range applied {
			fmt.Fprintln(env.Stdout, "applied", step.Name)
		}
		fmt.Fprintln(env.Stdout, "The schema is up to date.")
		return nil
	})
}

type migrateStatus struct {
	where
	output
}

// Run lists migrations.
func (cmd migrateStatus) Run(ctx context.Context, env Env) error {
	return cmd.withStore(env, func(store *sql.Store) error {
		all, err := store.Migrations(ctx)
		if err != nil {
			return err
		}
		if cmd.json() {
			return writeJSON(env.Stdout, all)
		}
		table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "MIGRATION\tAPPLIED")
		for _, step := range all {
			applied := "pending: run latchkey migrate up"
			if !step.AppliedAt.IsZero() {
				applied = step.AppliedAt.UTC().Format("2006-01-02 15:04:05 UTC")
			}
			fmt.Fprintf(table, "%s\t%s\n", step.Name, applied)
		}
		return table.Flush()
	})
}

// withStore opens the database of the settings for one command.
func (w where) withStore(env Env, use func(store *sql.Store) error) error {
	c, err := w.load(env)
	if err != nil {
		return err
	}
	store, err := openStore(c, nil)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	return use(store)
}
