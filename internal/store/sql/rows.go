package sql

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
)

// micros is a time as both engines keep it: Unix microseconds.
type micros int64

func toMicros(t time.Time) micros { return micros(t.UnixMicro()) }

func (m micros) time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Value implements driver.Valuer.
func (m micros) Value() (driver.Value, error) { return int64(m), nil }

// list is a JSON array of strings in a TEXT column.
type list []string

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) {
	if len(l) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal([]string(l))
	return string(text), err
}

// Scan implements sql.Scanner.
func (l *list) Scan(value any) error {
	switch text := value.(type) {
	case nil:
		*l = nil
		return nil
	case string:
		return l.parse([]byte(text))
	case []byte:
		return l.parse(text)
	}
	return fmt.Errorf("sql: cannot read %T as a list", value)
}

func (l *list) parse(text []byte) error {
	*l = nil
	if string(text) == "[]" {
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

type userRow struct {
	ID             string `gorm:"primaryKey"`
	Source         string
	ExternalID     string
	Name           string
	Phone          *string
	Email          string
	Department     string
	Title          string
	EmploymentType string
	Groups         list
	Active         bool
	CreatedAt      micros `gorm:"autoCreateTime:false"`
	UpdatedAt      micros `gorm:"autoUpdateTime:false"`
}

func (userRow) TableName() string { return "users" }

func newUserRow(u directory.User) userRow {
	row := userRow{
		ID: u.ID, Source: u.Source, ExternalID: u.ExternalID, Name: u.Name, Email: u.Email,
		Department: u.Department, Title: u.Title, EmploymentType: u.EmploymentType, Groups: u.Groups,
		Active: u.Active, CreatedAt: toMicros(u.CreatedAt), UpdatedAt: toMicros(u.UpdatedAt),
	}
	if !u.Phone.IsZero() {
		number := u.Phone.E164()
		row.Phone = &number
	}
	return row
}

func (r userRow) user() (directory.User, error) {
	u := directory.User{
		ID: r.ID, Source: r.Source, CreatedAt: r.CreatedAt.time(), UpdatedAt: r.UpdatedAt.time(),
		Person: directory.Person{
			ExternalID: r.ExternalID, Name: r.Name, Email: r.Email, Department: r.Department, Title: r.Title,
			EmploymentType: r.EmploymentType, Groups: r.Groups, Active: r.Active,
		},
	}
	var err error
	if r.Phone != nil {
		if u.Phone, err = phone.Stored(*r.Phone); err != nil {
			return u, fmt.Errorf("user %s: %w", r.ID, err)
		}
	}
	return u, nil
}

type accountRow struct {
	Subject   string `gorm:"primaryKey"`
	UserID    *string
	CreatedAt micros `gorm:"autoCreateTime:false"`
}

func (accountRow) TableName() string { return "accounts" }

func newAccountRow(a account.Account, now time.Time) accountRow {
	return accountRow{Subject: a.Subject, UserID: nullable(a.UserID), CreatedAt: toMicros(now)}
}

type identityRow struct {
	Method     string `gorm:"primaryKey"`
	Identifier string `gorm:"primaryKey"`
	Subject    string
	AttachedAt micros
}

func (identityRow) TableName() string { return "identities" }

type sessionRow struct {
	SID        string
	Subject    string
	ClientID   string
	CodeUse    string
	Method     string
	Identifier string
	Scope      string
	Tier       string
	Device     string
	Address    string
	AuthTime   micros
	ExpiresAt  micros
}

func newSessionRow(s session.Session) sessionRow {
	return sessionRow{
		SID: s.SID, Subject: s.Subject, ClientID: s.ClientID, CodeUse: s.CodeUse, Method: s.Method, Identifier: s.Identifier,
		Scope: s.Scope.String(), Tier: s.Tier, Device: s.Device, Address: s.Address,
		AuthTime: toMicros(s.AuthTime), ExpiresAt: toMicros(s.ExpiresAt),
	}
}

type keyRow struct {
	KID         string `gorm:"column:kid;primaryKey"`
	Algorithm   string
	State       keyring.State
	Sealed      []byte
	CreatedAt   micros `gorm:"autoCreateTime:false"`
	PublishedAt micros
	ActivatedAt micros
}

func (keyRow) TableName() string { return "signing_keys" }

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
