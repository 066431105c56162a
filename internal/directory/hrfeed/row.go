package hrfeed

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// row reads one record, and adds a person or a rejected line to the feed.
func (f *file) row(cells []string) {
	if !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
		return // spreadsheets export cleared rows as delimiters alone
	}
	line := f.lines.first()
	if len(cells) != len(f.layout.headers) {
		f.wrongCount(cells, line)
		return
	}
	r := row{layout: f.layout, cells: cells, line: line}
	person := r.person(f.phone)
	for i := range r.problems {
		r.problems[i].ExternalID = person.ExternalID
		r.problems[i].Rejected = r.rejected
	}
	f.feed.Problems = append(f.feed.Problems, r.problems...)
	f.note(person.ExternalID, line)
	if !r.rejected {
		f.feed.People = append(f.feed.People, person)
	}
}

// wrongCount rejects a record with too few or too many cells.
func (f *file) wrongCount(cells []string, line int) {
	want := len(f.layout.headers)
	reason := fmt.Sprintf("%d cells where the header has %d", len(cells), want)
	switch {
	case len(cells) > want:
		reason += ": is a cell with a delimiter in it not quoted?"
	case f.lines.ended:
		reason += ": the file breaks off here"
	}
	id := ""
	// As long as two records, it may be two.
	if len(cells) > 1 && len(cells) < 2*want-1 {
		id = f.soleID(cells)
	}
	f.reject(line, id, reason)
}

// soleID returns the external id of a record that is at fault, if it is certain that the record
// is about this person and hides nobody else: the id comes first, so that no fault before it can
// have shifted it, no lines are swallowed, and the file does not break off here.
func (f *file) soleID(cells []string) string {
	if f.layout.index[colExternalID] != 0 || len(cells) == 0 || f.lines.last() > f.lines.first() || f.lines.ended {
		return ""
	}
	id, _ := externalID(cells[0])
	return id
}

// row is one record of the right length, and what is wrong with it.
type row struct {
	layout   layout
	cells    []string
	line     int
	problems []directory.Problem
	rejected bool
}

// person reads every cell, so that HR sees all that is wrong with a line at once.
func (r *row) person(numbers phone.Parser) directory.Person {
	person := directory.Person{
		ExternalID:     r.id(),
		Name:           r.name(),
		Phone:          r.phone(r.region(numbers)),
		Email:          r.email(),
		Department:     r.text(colDepartment),
		Title:          r.text(colTitle),
		EmploymentType: r.text(colEmploymentType),
		Groups:         r.groups(),
		Active:         r.active(),
	}
	r.unused()
	return person
}

// reject reports a cell for which the whole line is left out.
func (r *row) reject(header, reason string) {
	r.rejected = true
	r.problems = append(r.problems, directory.Problem{Line: r.line, Column: header, Reason: reason})
}

// fault reports a cell without which the person can be kept.
func (r *row) fault(col column, reason string) {
	r.problems = append(r.problems, directory.Problem{Line: r.line, Column: r.layout.header(col), Reason: reason})
}

// text returns a cell's text, empty if the file has no such column. A damaged cell rejects the
// line: half a department is another department, and may be another tier.
func (r *row) text(col column) string {
	if !r.layout.has(col) {
		return ""
	}
	text, damage := clean(r.cells[r.layout.index[col]])
	switch {
	case damage != "":
	case slices.Contains(sheetErrors, text):
		damage = sheetDamage(text)
	case looksDialled(text):
		damage = "holds a telephone number: are the columns swapped?"
	}
	if damage != "" {
		r.reject(r.layout.header(col), "the cell "+damage)
		return ""
	}
	return unprefixed(text)
}

func (r *row) id() string {
	id, damage := externalID(r.cells[r.layout.index[colExternalID]])
	if damage != "" {
		r.reject(r.layout.header(colExternalID), "the cell "+damage)
	}
	return id
}

func (r *row) name() string {
	columns := []column{colName}
	if !r.layout.has(colName) {
		columns = []column{colFirstName, colLastName}
	}
	var parts []string
	for _, col := range columns {
		parts = append(parts, r.text(col))
	}
	name := strings.TrimSpace(strings.Join(parts, " "))
	header := r.layout.header(columns[len(columns)-1])
	switch {
	case r.rejected: // perhaps for this very cell
	case name == "":
		r.reject(header, "the cell is empty: every person needs a name")
	case !strings.ContainsFunc(name, unicode.IsLetter):
		r.reject(header, "the cell holds no name: are the columns swapped?")
	}
	return name
}

// region gives the parser the row's country. An unknown country is not replaced by the default:
// the same digits are another person's number there.
func (r *row) region(numbers phone.Parser) phone.Parser {
	code := strings.ToUpper(r.text(colCountry))
	switch {
	case code == "":
		return numbers
	case code == "UK": // reserved for GB, and what people write
		return numbers.In("GB")
	case len(code) == 2 && phone.KnownRegion(code):
		return numbers.In(code)
	}
	r.fault(colCountry, quote(code)+" is no two-letter country code (ISO 3166-1) such as GB: only a number with + can be read")
	return numbers.In("")
}

func (r *row) phone(numbers phone.Parser) phone.Number {
	raw := r.cells[r.layout.index[colPhone]]
	text, damage := plain(raw)
	if damage != "" {
		r.reject(r.layout.header(colPhone), "the cell "+damage)
		return phone.Number{}
	}
	reason := ""
	switch {
	case text == "":
		return phone.Number{}
	case strings.ContainsAny(strings.TrimSpace(raw), "\r\n"):
		reason = "more than one line"
	case sheetDamage(text) != "":
		reason = "the cell " + sheetDamage(text)
	default:
		number, err := numbers.Parse(text)
		if err == nil {
			return number
		}
		reason = strings.TrimPrefix(err.Error(), "phone: ")
	}
	r.fault(colPhone, reason)
	return phone.Number{}
}

func (r *row) email() string {
	email := r.text(colEmail)
	if email == "" || isAddress(email) {
		return email
	}
	r.fault(colEmail, quote(email)+" is no e-mail address")
	return ""
}

// groups returns the cell's values sorted and without repeats, nil if there are none.
func (r *row) groups() []string {
	var groups []string
	for _, group := range strings.FieldsFunc(r.text(colGroups), func(c rune) bool { return strings.ContainsRune(r.layout.groupSeparators, c) }) {
		if group = strings.TrimSpace(group); group != "" {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

func (r *row) active() bool {
	status := r.text(colStatus)
	active, known := activeStatus(status)
	if !known {
		r.reject(r.layout.header(colStatus), quote(status)+" says neither active nor inactive: write one of these words")
	}
	return active
}

// unused checks the columns that mean nothing to us for bytes that are no text: where one is,
// the file is not in the encoding that it was read in, and no cell of the line can be trusted.
func (r *row) unused() {
	for i, cell := range r.cells {
		if r.layout.used[i] {
			continue
		}
		if !utf8.ValidString(cell) || strings.ContainsRune(cell, utf8.RuneError) {
			_, damage := clean(cell)
			r.reject(r.layout.headers[i], "the cell "+damage)
		}
	}
}
