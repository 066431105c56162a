package directory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// shownPerKind bounds a section of the text: a first import of thousands should not scroll the
// reason for a refusal off the screen.
const shownPerKind = 20

// WriteText writes the report for people: who, what and why, then a summary and, if the feed was
// refused, what to do next. Numbers are masked. The error is w's.
func (r Report) WriteText(w io.Writer) error {
	var out bytes.Buffer
	t := textReport{Report: r, out: &out}
	t.opening()
	t.people()
	t.faults()
	t.conflicts()
	t.closing()
	_, err := w.Write(out.Bytes())
	return err
}

type textReport struct {
	Report
	out *bytes.Buffer
}

func (t textReport) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// section writes a heading and at most shownPerKind rows, their cells in columns.
func (t textReport) section(heading string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	t.printf("%s (%d)\n", heading, len(rows))
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, row := range rows[:min(len(rows), shownPerKind)] {
		// Empty cells at the end would become trailing blanks.
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		_, _ = fmt.Fprintf(table, "  %s\n", strings.Join(row, "\t")) // a bytes.Buffer takes everything
	}
	_ = table.Flush()
	if more := len(rows) - shownPerKind; more > 0 {
		t.printf("  … and %d more (see --output json)\n", more)
	}
	t.printf("\n")
}

func (t textReport) opening() {
	if t.DryRun {
		t.printf("Dry run for source %q: nothing has been written.\n\n", t.Source)
	}
}

// verb picks the heading that is true: what was done, or what would have been.
func (t textReport) verb(done, would string) string {
	if t.Applied {
		return done
	}
	return would
}

func (t textReport) people() {
	var entered, changed, rehired, left [][]string
	for _, p := range t.Changes.Enter {
		note := ""
		if !p.Active {
			note = "inactive: kept on record, cannot sign in"
		}
		entered = append(entered, []string{p.ExternalID, p.Name, or(p.Department, "—"), or(p.Phone.Masked(), "no number"), note})
	}
	for _, c := range t.Changes.Change {
		row := []string{c.User.ExternalID, c.User.Name, c.describe()}
		if c.Rehired() {
			rehired = append(rehired, row)
		} else {
			changed = append(changed, row)
		}
	}
	for _, l := range t.Changes.Leave {
		left = append(left, []string{l.User.ExternalID, l.User.Name, or(l.User.Department, "—"), l.Reason.text()})
	}
	t.section(t.verb("Entered", "Would enter"), entered)
	t.section(t.verb("Changed", "Would change"), changed)
	t.section(t.verb("Came back", "Would come back"), rehired)
	t.section(t.verb("Left", "Would leave"), left)
}

func (t textReport) faults() {
	var rejected, kept [][]string
	for _, p := range t.Problems {
		row := []string{p.place(), or(p.ExternalID, "—"), p.Reason}
		if p.Rejected {
			rejected = append(rejected, row)
		} else {
			kept = append(kept, row)
		}
	}
	t.section("Left out: lines that cannot be used", rejected)
	t.section("Read only in part: the person is kept without the faulty part", kept)
	if n := t.Changes.LeaversWithheld; n > 0 {
		t.printf("Nobody leaves by being missing in this run: %s cannot be read, and may be anybody's.\n", lineList(t.Changes.WithheldLines))
		t.printf("Correct that, and import the file again: %s missing from it.\n\n", plural(n, "active person is", "active people are"))
	}
	if len(t.Ignored) > 0 {
		t.printf("Columns that are not used: %s.\n\n", strings.Join(t.Ignored, ", "))
	}
}

func (t textReport) conflicts() {
	var rows [][]string
	for _, c := range t.Conflicts {
		var names []string
		for _, u := range c.Users {
			name := u.Name + " (" + u.ExternalID
			if u.Source != t.Source {
				name += ", source " + u.Source
			}
			names = append(names, name+")")
		}
		rows = append(rows, []string{c.Phone.Masked(), strings.Join(names, ", ")})
	}
	t.section("Numbers of several people: they sign in none of them until HR corrects them", rows)
}

func (t textReport) closing() {
	c := t.Counts()
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+what)
		}
	}
	add(c.Entered, t.verb("entered", "would enter"))
	add(c.Changed, t.verb("changed", "would change"))
	add(c.Rehired, t.verb("came back", "would come back"))
	add(c.Left, t.verb("left", "would leave"))
	add(c.Unchanged, "unchanged")
	add(c.RejectedLines, noun(c.RejectedLines, "line left out", "lines left out"))
	add(c.SessionsEnded, t.verb(noun(c.SessionsEnded, "session ended", "sessions ended"), noun(c.SessionsEnded, "session would end", "sessions would end")))
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	if t.strictly() == nil {
		t.printf("%s: %s.\n", t.verb("Done", "Summary"), strings.Join(parts, ", "))
		if t.Refused != nil {
			t.printf("\n")
		}
	}
	t.refusal()
}

func (t textReport) strictly() *StrictError {
	strict := (*StrictError)(nil)
	errors.As(t.Refused, &strict)
	return strict
}

// refusal says why nothing was written and what a person at HR does now.
func (t textReport) refusal() {
	if t.Refused == nil {
		return
	}
	verdict := "Refused, nothing has been written"
	if t.DryRun {
		verdict = "This import would be refused"
	}
	t.printf("%s: %s.\n", verdict, t.Refused)
	var guard *GuardError
	switch {
	case errors.As(t.Refused, &guard) && guard.Empty:
		t.printf("  Is it the right file, and is it complete? Export it again.\n")
		t.printf("  Has everybody of source %q really left? Repeat the import with --yes.\n", t.Source)
	case guard != nil && guard.Leavers == 0:
		t.printf("  Is the phone column damaged, or of another country? Export the file again.\n")
		t.printf("  Have these numbers really changed? Repeat the import with --yes.\n")
	case guard != nil:
		t.printf("  Is the file only a part of the staff? Repeat the import with --delta.\n")
		t.printf("  Is it from another HR system than %q? Give it a name of its own with --source.\n", t.Source)
		t.printf("  Have these people really left? Repeat the import with --yes.\n")
	default:
		t.printf("  Correct the lines above, or repeat the import without --strict to take the rest.\n")
	}
}
