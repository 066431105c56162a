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
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
)

// micros is a time as both engines keep it: Unix microseconds.
type micros int64

func toMicros(t time.Time) micros { return micros(t.UnixMicro()) }

func (m micros) time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// orZero and orNever are for times that may not have come: 0 in the database.
func orZero(t time.Time) micros {
	if t.IsZero() {
		return 0
	}
	return toMicros(t)
}

func (m micros) orNever() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return m.time()
}

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
	SID            string
	Subject        string
	ClientID       string
	CodeUse        string
	Method         string
	Identifier     string
	Scope          string
	Audience       string
	Tier           string
	Device         string
	Address        string
	LastAddress    string
	AuthTime       micros
	LastUsedAt     micros
	ExpiresAt      micros
	Generation     int64
	RotatedAt      micros
	LateGeneration int64
	LateStreak     int
	StatusList     string
	StatusIndex    int
	RevokedAt      *micros
	RevokedReason  session.Reason
}

func newSessionRow(s session.Session) sessionRow {
	return sessionRow{
		SID: s.SID, Subject: s.Subject, ClientID: s.ClientID, CodeUse: s.CodeUse, Method: s.Method, Identifier: s.Identifier,
		Scope: s.Scope.String(), Audience: s.Audience, Tier: s.Tier, Device: s.Device, Address: s.Address, LastAddress: s.LastAddress,
		AuthTime: toMicros(s.AuthTime), LastUsedAt: toMicros(s.LastUsedAt), ExpiresAt: toMicros(s.ExpiresAt),
		Generation: s.Generation, RotatedAt: toMicros(s.RotatedAt), LateGeneration: s.LateGeneration, LateStreak: s.LateStreak,
		StatusList: s.Place.List, StatusIndex: s.Place.Index,
	}
}

// sessionColumns are what session reads, in the order of sessionRow.scan.
const sessionColumns = `s.sid, s.subject, s.client_id, s.code_use, s.method, s.identifier, s.scope, s.audience, s.tier,
    s.device, s.address, s.last_address, s.auth_time, s.last_used_at, s.expires_at, s.generation, s.rotated_at,
    s.late_generation, s.late_streak, s.status_list, s.status_index, s.revoked_at, s.revoked_reason`

// scan are the places that sessionColumns go to.
func (r *sessionRow) scan() []any {
	return []any{
		&r.SID, &r.Subject, &r.ClientID, &r.CodeUse, &r.Method, &r.Identifier, &r.Scope, &r.Audience, &r.Tier,
		&r.Device, &r.Address, &r.LastAddress, &r.AuthTime, &r.LastUsedAt, &r.ExpiresAt, &r.Generation, &r.RotatedAt,
		&r.LateGeneration, &r.LateStreak, &r.StatusList, &r.StatusIndex, &r.RevokedAt, &r.RevokedReason,
	}
}

func (r *sessionRow) session() session.Session {
	s := session.Session{
		SID: r.SID, Subject: r.Subject, ClientID: r.ClientID, CodeUse: r.CodeUse, Method: r.Method, Identifier: r.Identifier,
		Scope: scope.Parse(r.Scope), Audience: r.Audience, Tier: r.Tier, Device: r.Device, Address: r.Address, LastAddress: r.LastAddress,
		AuthTime: r.AuthTime.time(), LastUsedAt: r.LastUsedAt.time(), ExpiresAt: r.ExpiresAt.time(),
		Family: session.Family{
			Generation: r.Generation, RotatedAt: r.RotatedAt.time(), LateGeneration: r.LateGeneration, LateStreak: r.LateStreak,
		},
		Place: session.Place{List: r.StatusList, Index: r.StatusIndex}, RevokedReason: r.RevokedReason,
	}
	if r.RevokedAt != nil {
		s.RevokedAt = r.RevokedAt.time()
	}
	if r.LastUsedAt == 0 { // opened by a version before refreshing
		s.LastUsedAt, s.RotatedAt, s.LastAddress = s.AuthTime, s.AuthTime, s.Address
	}
	return s
}

type keyRow struct {
	KID         string `gorm:"column:kid;primaryKey"`
	Algorithm   string
	State       keyring.State
	Sealed      []byte
	WrappedBy   string
	Origin      keyring.Origin
	Longest     int64
	Revision    int64
	Reason      string
	CreatedAt   micros `gorm:"autoCreateTime:false"`
	PublishedAt micros
	ActivatedAt micros
	StoppedAt   micros
	EndedAt     micros
}

func (keyRow) TableName() string { return "signing_keys" }

func newKeyRow(k keyring.Key) keyRow {
	return keyRow{
		KID: k.KID, Algorithm: k.Algorithm, State: k.State, Sealed: append([]byte{}, k.Sealed...), WrappedBy: k.WrappedBy, Origin: k.Origin,
		Longest: k.Longest.Microseconds(), Revision: k.Revision, Reason: k.Reason,
		CreatedAt: orZero(k.CreatedAt), PublishedAt: orZero(k.PublishedAt), ActivatedAt: orZero(k.ActivatedAt),
		StoppedAt: orZero(k.StoppedAt), EndedAt: orZero(k.EndedAt),
	}
}

func (r keyRow) key() keyring.Key {
	return keyring.Key{
		KID: r.KID, Algorithm: r.Algorithm, State: r.State, Sealed: r.Sealed, WrappedBy: r.WrappedBy, Origin: r.Origin,
		Longest: time.Duration(r.Longest) * time.Microsecond, Revision: r.Revision, Reason: r.Reason,
		CreatedAt: r.CreatedAt.orNever(), PublishedAt: r.PublishedAt.orNever(), ActivatedAt: r.ActivatedAt.orNever(),
		StoppedAt: r.StoppedAt.orNever(), EndedAt: r.EndedAt.orNever(),
	}
}

type replicaRow struct {
	ID        string
	Version   string
	StartedAt micros
	SeenAt    micros
	Revision  int64
}

func (replicaRow) TableName() string { return "replicas" }

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
