package directory

import (
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Person is what a source says about somebody.
type Person struct {
	// ExternalID is the source's own, permanent key for the person (RFC 7643 §3.1).
	ExternalID string
	Name       string
	// Phone is the mobile number; zero if HR has none that can receive a text.
	Phone          phone.Number
	Email          string
	Department     string
	Title          string
	EmploymentType string
	// Groups are sorted and without repeats.
	Groups []string
	Active bool
}

// User is one person as the directory keeps them.
type User struct {
	// ID is ours, random and permanent.
	ID string
	// Source names the HR system that owns this user.
	Source string
	Person
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Attribute returns the values that tier rules compare; see tier.Attributes.
func (u User) Attribute(name string) []string {
	switch name {
	case "department":
		return present(u.Department)
	case "email":
		return present(u.Email)
	case "email_domain":
		_, domain, _ := strings.Cut(u.Email, "@")
		return present(domain)
	case "employment_type":
		return present(u.EmploymentType)
	case "groups":
		return u.Groups
	case "source":
		return present(u.Source)
	case "title":
		return present(u.Title)
	}
	return nil
}

func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// Field names a part of a Person that changed, as HR's own columns name it.
type Field string

// The fields of a Person, in the order in which changes are shown.
const (
	FieldName           Field = "name"
	FieldPhone          Field = "phone"
	FieldEmail          Field = "email"
	FieldDepartment     Field = "department"
	FieldTitle          Field = "title"
	FieldEmploymentType Field = "employment_type"
	FieldGroups         Field = "groups"
	FieldActive         Field = "active"
)

// Changed returns the fields in which p and other differ.
func (p Person) Changed(other Person) []Field {
	var fields []Field
	add := func(f Field, differs bool) {
		if differs {
			fields = append(fields, f)
		}
	}
	add(FieldName, p.Name != other.Name)
	add(FieldPhone, p.Phone != other.Phone)
	add(FieldEmail, p.Email != other.Email)
	add(FieldDepartment, p.Department != other.Department)
	add(FieldTitle, p.Title != other.Title)
	add(FieldEmploymentType, p.EmploymentType != other.EmploymentType)
	add(FieldGroups, !slices.Equal(p.Groups, other.Groups))
	add(FieldActive, p.Active != other.Active)
	return fields
}

// keeping returns p with some fields as in stored.
func (p Person) keeping(fields []Field, stored Person) Person {
	for _, field := range fields {
		switch field {
		case FieldName:
			p.Name = stored.Name
		case FieldPhone:
			p.Phone = stored.Phone
		case FieldEmail:
			p.Email = stored.Email
		case FieldDepartment:
			p.Department = stored.Department
		case FieldTitle:
			p.Title = stored.Title
		case FieldEmploymentType:
			p.EmploymentType = stored.EmploymentType
		case FieldGroups:
			p.Groups = stored.Groups
		case FieldActive:
			p.Active = stored.Active
		}
	}
	return p
}
