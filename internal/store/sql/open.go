package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// dialect is the engine's name as gorm and goose have it.
type dialect string

const (
	onPostgres dialect = "postgres"
	onSQLite   dialect = "sqlite"
)

// InMemory is the address of a database that is gone with the process.
const InMemory = "sqlite::memory:"

// maxAttempts bounds how often a transaction that lost a race starts again. Each attempt sees what
// beat the last, so even a crowd signing in with one number is through in a few.
const maxAttempts = 10

// Options tune the connections.
type Options struct {
	// MaxOpenConns bounds connections to PostgreSQL.
	MaxOpenConns int
	// TransactionPooler is for PgBouncer in transaction mode, where a prepared statement is
	// not there any more in the next transaction.
	TransactionPooler bool
	Now               func() time.Time
}

// Store is the record. It is safe for concurrent use.
type Store struct {
	db      *gorm.DB
	dialect dialect
	now     func() time.Time
}

// Open returns the store at address, postgres://… or sqlite:PATH. PostgreSQL is not connected to
// before the first call. Errors never hold the password.
func Open(address string, opts Options) (*Store, error) {
	var engine gorm.Dialector
	var on dialect
	conns := opts.MaxOpenConns
	switch scheme, rest, _ := strings.Cut(address, ":"); scheme {
	case "postgres", "postgresql":
		dsn, err := withConnectTimeout(address)
		if err != nil {
			return nil, err
		}
		on, engine = onPostgres, postgres.New(postgres.Config{DSN: dsn, PreferSimpleProtocol: opts.TransactionPooler})
	case "sqlite":
		on, engine = onSQLite, sqlite.Open(sqliteDSN(rest))
		if address == InMemory {
			conns = 1 // each further connection would have a database of its own
		}
	default:
		return nil, errors.New("sql: want postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:PATH")
	}
	db, err := gorm.Open(engine, &gorm.Config{
		Logger:                 logger.Discard, // it would print numbers
		SkipDefaultTransaction: true,           // we say where transactions are
		TranslateError:         true,
		DisableAutomaticPing:   true,
		NowFunc:                opts.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return &Store{db: db, dialect: on, now: opts.Now}, nil
}

// withConnectTimeout checks a PostgreSQL address and sees that connecting gives up in time for a
// person who waits.
func withConnectTimeout(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("sql: the database address is not a URL; escape special characters of the password")
	}
	if _, err := pgx.ParseConfig(address); err != nil {
		return "", errors.New("sql: PostgreSQL does not understand the database address: want postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=…")
	}
	query := u.Query()
	if !query.Has("connect_timeout") {
		query.Set("connect_timeout", "3")
		u.RawQuery = query.Encode()
	}
	return u.String(), nil
}

// sqliteDSN opens with the write lock taken at BEGIN (else two readers that both go on to write
// fail as busy), a log that survives kill -9, and foreign keys checked.
func sqliteDSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(3000)" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)"
}

// Close closes the connections.
func (s *Store) Close() error {
	pool, err := s.db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Ping reports whether the database answers and can write; the error is an outage.
func (s *Store) Ping(ctx context.Context) error {
	return translate(s.db.WithContext(ctx).Exec("UPDATE sources SET applied_at = applied_at WHERE name = ''").Error)
}

// Clock returns the server's time; SQLite's is our own.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	if s.dialect == onSQLite {
		return s.now(), nil
	}
	var now time.Time
	err := s.db.WithContext(ctx).Raw("SELECT clock_timestamp()").Scan(&now).Error
	return now, translate(err)
}

// Version describes the engine to an operator.
func (s *Store) Version(ctx context.Context) (string, error) {
	query := "SELECT 'SQLite ' || sqlite_version()"
	if s.dialect == onPostgres {
		query = "SELECT 'PostgreSQL ' || current_setting('server_version')"
	}
	var version string
	err := s.db.WithContext(ctx).Raw(query).Scan(&version).Error
	return version, translate(err)
}

// transaction runs f in one transaction, again from the start while it loses races.
func (s *Store) transaction(ctx context.Context, f func(tx *gorm.DB) error) error {
	var err error
	for range maxAttempts {
		if err = s.db.WithContext(ctx).Transaction(f, &sql.TxOptions{}); !raced(err) {
			break
		}
	}
	return translate(err)
}
