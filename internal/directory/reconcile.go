package directory

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Options say how Reconcile treats a feed.
type Options struct {
	// DryRun finds out what would change and writes nothing.
	DryRun bool
	// Strict refuses a feed with any problem, however small.
	Strict bool
	// Confirmed means that a person has looked: the guard does not hold the feed back.
	Confirmed bool
	Guard     Guard
	// Actor is who asked, for the audit log.
	Actor string
}

// StrictError says that a feed was refused for its problems.
type StrictError struct {
	Problems int
}

// Error counts the problems.
func (e *StrictError) Error() string {
	return fmt.Sprintf("%s in the feed, and none is allowed", plural(e.Problems, "problem", "problems"))
}

// Reconcile makes the users of the feed's source what the feed says, or with DryRun finds out
// what that would take. A refused feed changes nothing: the error is then a *StrictError or a
// *GuardError. The report is filled as far as the run came, also with an error.
//
// A dry run does what it was asked even for a feed that the guard would refuse: that is no error,
// but stands in Report.Refused.
func Reconcile(ctx context.Context, store Store, feed Feed, opts Options) (Report, error) {
	report := Report{
		Source:   feed.Source,
		Mode:     feed.Mode,
		DryRun:   opts.DryRun,
		Problems: feed.Problems,
		Ignored:  feed.Ignored,
	}
	if opts.Strict && len(feed.Problems) > 0 {
		report.Refused = &StrictError{Problems: len(feed.Problems)}
		return report, report.Refused
	}
	plan := func(current iter.Seq2[User, error]) (ChangeSet, error) {
		changes, err := Diff(current, feed)
		report.Changes, report.Refused = changes, nil
		if err != nil || opts.Confirmed {
			return changes, err
		}
		report.Refused = opts.Guard.Check(changes)
		if opts.DryRun {
			return changes, nil
		}
		return changes, report.Refused
	}
	applied, err := store.Apply(ctx, feed.Source, opts.Actor, opts.DryRun, plan)
	if err != nil {
		if refused := (*GuardError)(nil); errors.As(err, &refused) {
			return report, err
		}
		return report, fmt.Errorf("reconcile source %q: %w", feed.Source, err)
	}
	report.Applied = !opts.DryRun
	report.Conflicts, report.SessionsEnded = applied.Conflicts, applied.SessionsEnded
	return report, nil
}
