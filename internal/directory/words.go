package directory

import (
	"fmt"
	"strconv"
	"strings"
)

// describe puts a change into words: "phone ***123 → ***456, department Sales → Support".
func (c Change) describe() string {
	var parts []string
	for _, d := range c.deltas() {
		text := fmt.Sprintf("%s %s → %s", d.Field, or(d.Before, "none"), or(d.After, "none"))
		if d.Before == d.After { // two numbers that end alike
			text += " (another number)"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// show returns a field's value as a reader of reports may see it, numbers masked.
func (p Person) show(field Field) string {
	value := ""
	switch field {
	case FieldName:
		value = p.Name
	case FieldPhone:
		value = p.Phone.Masked()
	case FieldEmail:
		value = p.Email
	case FieldDepartment:
		value = p.Department
	case FieldTitle:
		value = p.Title
	case FieldEmploymentType:
		value = p.EmploymentType
	case FieldGroups:
		value = strings.Join(p.Groups, "|")
	case FieldActive:
		value = "inactive"
		if p.Active {
			value = "active"
		}
	}
	return value
}

func (r Reason) text() string {
	switch r {
	case Missing:
		return "missing from the file"
	case MarkedInactive:
		return "marked inactive by HR"
	}
	return string(r)
}

func (p Problem) place() string {
	if p.Column == "" {
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("line %d, %s", p.Line, p.Column)
}

// lineList names a few lines: "line 3", "lines 3, 9 and 4 more".
func lineList(lines []int) string {
	const named = 5
	var words []string
	for _, line := range lines[:min(len(lines), named)] {
		words = append(words, strconv.Itoa(line))
	}
	list := strings.Join(words, ", ")
	if more := len(lines) - named; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return noun(len(lines), "line ", "lines ") + list
}

func or(value, instead string) string {
	if value == "" {
		return instead
	}
	return value
}

func noun(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func plural(n int, one, many string) string { return strconv.Itoa(n) + " " + noun(n, one, many) }
