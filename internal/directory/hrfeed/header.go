package hrfeed

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/directory"
)

// column is what a header means, by the name that our documentation uses.
type column string

const (
	colExternalID     column = "external_id"
	colName           column = "name"
	colFirstName      column = "first_name"
	colLastName       column = "last_name"
	colPhone          column = "phone"
	colCountry        column = "country"
	colEmail          column = "email"
	colDepartment     column = "department"
	colTitle          column = "title"
	colGroups         column = "groups"
	colEmploymentType column = "employment_type"
	colStatus         column = "status"
)

// headers are the spellings of each column, folded as by fold.
var headers = map[column][]string{
	colExternalID: {"externalid", "id", "employeeid", "employeenumber", "employeeno", "staffid", "staffnumber",
		"personnelnumber", "personid", "workerid"},
	colName:           {"name", "fullname", "displayname"},
	colFirstName:      {"firstname", "givenname", "forename"},
	colLastName:       {"lastname", "familyname", "surname"},
	colPhone:          {"phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "mobilephonenumber", "cellphone"},
	colCountry:        {"country", "countrycode"},
	colEmail:          {"email", "emailaddress", "workemail", "mail"},
	colDepartment:     {"department", "dept"},
	colTitle:          {"title", "jobtitle"},
	colGroups:         {"groups", "group"},
	colEmploymentType: {"employmenttype", "workertype", "contracttype"},
	colStatus:         {"status", "active", "employmentstatus"},
}

// fields are what optional columns tell of a person. A file without a status column still tells:
// who is listed is on the staff.
var fields = []struct {
	column column
	field  directory.Field
}{
	{colEmail, directory.FieldEmail},
	{colDepartment, directory.FieldDepartment},
	{colTitle, directory.FieldTitle},
	{colEmploymentType, directory.FieldEmploymentType},
	{colGroups, directory.FieldGroups},
}

const expected = "external_id, phone, and name or first_name with last_name (optional: country, email, department, title, groups, employment_type, status)"

// columnOf returns the column that a header means: case, blanks, underscores, hyphens and other
// punctuation do not count.
func columnOf(header string) (column, bool) {
	folded := fold(header)
	for col, spellings := range headers {
		if slices.Contains(spellings, folded) {
			return col, true
		}
	}
	return "", false
}

func fold(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, header)
}

// layout is where a file keeps what.
type layout struct {
	index   map[column]int
	headers []string
	used    []bool
	ignored []string
	// groupSeparators are the characters between values of one groups cell.
	groupSeparators string
}

// newLayout reads the header line, or says with ErrHeader what is wrong with it.
func newLayout(cells []string, delimiter rune, line int) (layout, error) {
	l := layout{index: map[column]int{}, groupSeparators: "|;"}
	if delimiter == ';' {
		l.groupSeparators = "|"
	}
	fail := func(format string, args ...any) (layout, error) {
		return layout{}, fmt.Errorf("%w (line %d): %s", ErrHeader, line, fmt.Sprintf(format, args...))
	}
	for i, cell := range cells {
		if strings.ContainsRune(cell, '\r') {
			return fail("lines end in a carriage return alone, as old Macintosh programs wrote: save the file as \"CSV UTF-8\"")
		}
		header, damage := clean(cell)
		if damage != "" {
			return fail("the name of column %d %s", i+1, damage)
		}
		l.headers = append(l.headers, header)
		col, known := columnOf(header)
		earlier, twice := l.index[col]
		switch {
		case !known && header != "":
			l.ignored = append(l.ignored, masked(header))
		case known && twice:
			return fail("columns %d (%s) and %d (%s) both mean %s: rename or delete one", earlier+1, l.headers[earlier], i+1, header, col)
		case known:
			l.index[col] = i
		}
	}
	if len(l.index) == 0 {
		return fail("no column names. Found: %s. Expected: %s", list(l.headers), expected)
	}
	if missing := l.missing(); len(missing) > 0 {
		return fail("no column for %s. Found: %s. Expected: %s", strings.Join(missing, ", nor for "), list(l.headers), expected)
	}
	l.preferWholeName()
	l.used = make([]bool, len(l.headers))
	for _, i := range l.index {
		l.used[i] = true
	}
	return l, nil
}

func (l *layout) missing() []string {
	var missing []string
	for _, col := range []column{colExternalID, colPhone} {
		if !l.has(col) {
			missing = append(missing, string(col))
		}
	}
	if !l.has(colName) && !(l.has(colFirstName) && l.has(colLastName)) {
		missing = append(missing, string(colName))
	}
	return missing
}

// preferWholeName drops the parts of the name where HR also says how the whole is written.
func (l *layout) preferWholeName() {
	if !l.has(colName) {
		return
	}
	for _, col := range []column{colFirstName, colLastName} {
		if l.has(col) {
			l.ignored = append(l.ignored, l.header(col))
			delete(l.index, col)
		}
	}
}

// silent returns the fields for which there is no column.
func (l layout) silent() []directory.Field {
	var silent []directory.Field
	for _, f := range fields {
		if !l.has(f.column) {
			silent = append(silent, f.field)
		}
	}
	return silent
}

func (l layout) has(col column) bool {
	_, ok := l.index[col]
	return ok
}

// header returns the column's name as the file writes it.
func (l layout) header(col column) string { return l.headers[l.index[col]] }

// list names what stands in the header line. It may be a person's line, so numbers are masked.
func list(cells []string) string {
	const named = 20
	var quoted []string
	for _, cell := range cells[:min(len(cells), named)] {
		quoted = append(quoted, quote(cell))
	}
	if len(cells) > named {
		quoted = append(quoted, "…")
	}
	return strings.Join(quoted, ", ")
}
