package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"regexp"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/hrfeed"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

type hrCommand struct {
	Import hrImport `cmd:"" help:"Make the people of a source what a CSV file says."`
}

type hrImport struct {
	File   string `arg:"" help:"Staff list in CSV, or - for standard input. configs/staff.example.csv shows the columns."`
	Source string `default:"hr" help:"Which HR system the file is of. A source never touches another's people."`
	Delta  bool   `help:"The file is a part of the staff: nobody leaves by being missing from it."`
	DryRun bool   `help:"Show what would change and change nothing."`
	Strict bool   `help:"Refuse the file for any bad line, and change nothing."`
	Yes    bool   `help:"Go on though unusually many people leave or lose their number."`
	where
	output
}

var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Run imports the file and reports by name and reason. The file is applied whole or not at all.
func (cmd hrImport) Run(ctx context.Context, env Env) error {
	if !sourceName.MatchString(cmd.Source) {
		return usageError{errors.New("--source: want up to 64 letters, digits, dots, dashes or underscores")}
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	mode := directory.Full
	if cmd.Delta {
		mode = directory.Delta
	}
	in, err := cmd.open(env)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	feed, err := hrfeed.Read(bufio.NewReader(in), hrfeed.Options{Source: cmd.Source, Mode: mode, Phone: newParser(c)})
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.File, err)
	}
	var report directory.Report
	err = withRecord(ctx, c, func(store *sql.Store) (err error) {
		report, err = directory.Reconcile(ctx, store, feed, directory.Options{
			DryRun: cmd.DryRun, Strict: cmd.Strict, Confirmed: cmd.Yes, Actor: operator(),
			Guard: directory.Guard{MaxLeaversPercent: c.HR.MaxLeaversPercent, Floor: c.HR.MaxLeaversFloor},
		})
		return err
	})
	if err != nil && report.Refused == nil {
		return err
	}
	printed := report.WriteText
	if cmd.json() {
		printed = func(w io.Writer) error { return writeJSON(w, report) }
	}
	if failed := printed(env.Stdout); failed != nil {
		return failed
	}
	if err != nil {
		return errReported
	}
	return nil
}

func (cmd hrImport) open(env Env) (io.ReadCloser, error) {
	if cmd.File == "-" {
		return io.NopCloser(env.Stdin), nil
	}
	return os.Open(cmd.File)
}

// migrated refuses to write beside a schema that this version does not fit.
func migrated(ctx context.Context, store *sql.Store) error {
	pending, err := store.Pending(ctx)
	if err == nil && len(pending) > 0 {
		err = fmt.Errorf("the database lacks migration %s: run latchkey migrate up first", pending[0].Name)
	}
	return err
}

// operator names who runs the command, for the audit log.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}
