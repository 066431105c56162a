package hrfeed

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// Limits of a file, for Options that leave them zero.
const (
	DefaultMaxBytes     = 256 << 20
	DefaultMaxRows      = 2_000_000
	DefaultMaxLineBytes = 1 << 20
)

var (
	// ErrHeader means that the first line does not name the columns that a staff list needs.
	ErrHeader = errors.New("header line")
	// ErrTooLarge means that the file is over MaxBytes or MaxRows.
	ErrTooLarge = errors.New("file too large")
)

// Options say what is read. Zero limits take the defaults.
type Options struct {
	// Source and Mode pass into the feed as they are: a file does not say whose it is, nor
	// whether it is whole.
	Source string
	Mode   directory.Mode
	// Phone reads the numbers; a row's country takes the place of its region.
	Phone phone.Parser
	// MaxBytes bounds the file as it is delivered, MaxRows its people, and MaxLineBytes one
	// record in UTF-8, quoted line breaks included.
	MaxBytes     int64
	MaxRows      int
	MaxLineBytes int
}

// Read reads a staff list in CSV. Lines that cannot be used are Problems of the feed, which is
// not an error. Errors are ErrHeader and ErrTooLarge, wrapped in what was found and what is
// expected, and those of r. An empty file, and one with only a header, is a feed without people.
//
// Memory is bounded by the people and problems read, never by the length of a line.
func Read(r io.Reader, opts Options) (directory.Feed, error) {
	text, err := decode(&limitedReader{r: r, left: cmp.Or(opts.MaxBytes, DefaultMaxBytes)})
	if err != nil {
		return directory.Feed{}, err
	}
	f := &file{
		phone:   opts.Phone,
		maxRows: cmp.Or(opts.MaxRows, DefaultMaxRows),
		lines:   newLineReader(text, cmp.Or(opts.MaxLineBytes, DefaultMaxLineBytes)),
		feed:    directory.Feed{Source: opts.Source, Mode: opts.Mode},
		first:   map[string]int{},
		repeats: map[string][]int{},
	}
	delimiter := f.lines.delimiter()
	f.csv = csv.NewReader(f.lines)
	f.csv.Comma = delimiter
	f.csv.FieldsPerRecord = -1 // checked in row, which knows what a wrong count may hide
	f.csv.ReuseRecord = true
	// Blanks before a quotation mark are common and harmless, but a tab is a delimiter.
	f.csv.TrimLeadingSpace = delimiter != '\t'
	if err := f.read(); err != nil {
		return directory.Feed{}, err
	}
	f.rejectRepeats()
	return f.feed, nil
}

// file is the state of one Read.
type file struct {
	phone   phone.Parser
	maxRows int
	lines   *lineReader
	csv     *csv.Reader
	layout  layout
	feed    directory.Feed

	// first is the line on which an external id stood first, repeats all its lines if several.
	first   map[string]int
	repeats map[string][]int
}

func (f *file) read() error {
	f.lines.begin()
	header, err := f.csv.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, errRecordTooLong), errors.As(err, new(*csv.ParseError)):
		return fmt.Errorf("%w: %w", ErrHeader, err)
	case err != nil:
		return err
	}
	if f.layout, err = newLayout(header, f.csv.Comma, f.lines.first()); err != nil {
		return err
	}
	f.feed.Ignored, f.feed.Silent = f.layout.ignored, f.layout.silent()
	for rows := 1; ; rows++ {
		f.lines.begin()
		cells, err := f.csv.Read()
		var malformed *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errRecordTooLong):
			f.reject(f.lines.first(), "", fmt.Sprintf("this line is longer than %d bytes, or a quotation mark in it is never closed: it and everything after it could not be read", f.lines.max))
			return nil
		case errors.As(err, &malformed):
			f.malformed(malformed, cells)
		case err != nil:
			return err
		default:
			f.row(cells)
		}
		if rows > f.maxRows {
			return fmt.Errorf("%w: more than %d rows", ErrTooLarge, f.maxRows)
		}
	}
}

// malformed rejects a record whose quotation marks do not pair. If it swallowed lines, or the
// rest of the file, whose they were is not known.
func (f *file) malformed(fault *csv.ParseError, cells []string) {
	first, last := f.lines.first(), f.lines.last()
	opened := first
	for _, cell := range cells {
		opened += strings.Count(cell, "\n")
	}
	switch {
	case f.lines.ended && errors.Is(fault, csv.ErrQuote):
		f.reject(opened, "", "the quotation mark that opens on this line is never closed: nothing after it could be read")
	case last > first:
		f.reject(opened, "", fmt.Sprintf("the quotation mark that opens on this line is not closed at the end of its cell: lines %d to %d could not be read", first, last))
	default:
		f.reject(first, f.soleID(cells), fmt.Sprintf("a stray quotation mark at byte %d: a cell is quoted as a whole, and a quotation mark inside it is written twice", fault.Column))
	}
}

func (f *file) reject(line int, id, reason string) {
	f.feed.Problems = append(f.feed.Problems, directory.Problem{Line: line, Reason: reason, ExternalID: id, Rejected: true})
	f.note(id, line)
}

// note remembers on which lines an external id stands, good or rejected.
func (f *file) note(id string, line int) {
	if id == "" {
		return
	}
	first, again := f.first[id]
	switch {
	case !again:
		f.first[id] = line
	case f.repeats[id] == nil:
		f.repeats[id] = []int{first, line}
	default:
		f.repeats[id] = append(f.repeats[id], line)
	}
}

// rejectRepeats takes out everybody who stands on several lines: which of them is right only HR
// can say.
func (f *file) rejectRepeats() {
	if len(f.repeats) > 0 {
		f.feed.People = slices.DeleteFunc(f.feed.People, func(p directory.Person) bool { return f.repeats[p.ExternalID] != nil })
	}
	for id, lines := range f.repeats {
		for i, line := range lines {
			f.feed.Problems = append(f.feed.Problems, directory.Problem{
				Line:       line,
				Column:     f.layout.header(colExternalID),
				Reason:     "the same person stands on " + otherLines(lines, i) + ": leave one line for each",
				ExternalID: id,
				Rejected:   true,
			})
		}
	}
	slices.SortStableFunc(f.feed.Problems, func(a, b directory.Problem) int { return cmp.Compare(a.Line, b.Line) })
}

// otherLines names lines without the i-th, a few of them if they are many.
func otherLines(lines []int, i int) string {
	const named = 5
	var text bytes.Buffer
	others := 0
	for j, line := range lines {
		if j == i {
			continue
		}
		if others++; others > named {
			fmt.Fprintf(&text, " and %d more", len(lines)-1-named)
			break
		}
		if others > 1 {
			text.WriteString(", ")
		}
		fmt.Fprint(&text, line)
	}
	if len(lines) == 2 {
		return "line " + text.String()
	}
	return "lines " + text.String()
}
