package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/latchkey-id/latchkey/internal/outage"
)

// dialect is the engine's name as gorm and goose have it.
type dialect string

const (
	onPostgres dialect = "postgres"
	onSQLite   dialect = "sqlite"
)

// Temporary is the address of a database that is gone when it is closed. It is a file, not SQLite's
// ":memory:": there the database goes with its one connection, and database/sql drops a connection
// whenever somebody hangs up in the middle of a transaction.
const Temporary = "sqlite::temporary:"

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
	// Now stands for every clock, the database's too, in tests. Without it, what replicas have to
	// agree on is told by PostgreSQL's clock.
	Now func() time.Time
	// Changed is called after something was changed that other replicas have to notice soon: sessions
	// were revoked, however that came about, or signing keys moved. It must not wait.
	Changed func()
}

// Store is the record. It is safe for concurrent use.
type Store struct {
	db      *gorm.DB
	dialect dialect
	now     func() time.Time
	// clock is an SQL expression for now, in microseconds: one value in all of a statement.
	clock   func() string
	changed func()
	// folder is removed at the end; empty for a database that stays.
	folder string
}

// Open returns the store at address, postgres://… or sqlite:PATH. PostgreSQL is not connected to
// before the first call. Errors never hold the password.
func Open(address string, opts Options) (*Store, error) {
	var engine gorm.Dialector
	var on dialect
	var folder string
	conns := opts.MaxOpenConns
	switch scheme, rest, _ := strings.Cut(address, ":"); scheme {
	case "postgres", "postgresql":
		dsn, err := withConnectTimeout(address)
		if err != nil {
			return nil, err
		}
		on, engine = onPostgres, postgres.New(postgres.Config{DSN: dsn, PreferSimpleProtocol: opts.TransactionPooler})
	case "sqlite":
		if address == Temporary {
			var err error
			if folder, err = os.MkdirTemp("", "latchkey-"); err != nil {
				return nil, fmt.Errorf("make a temporary database: %w", err)
			}
			rest = filepath.Join(folder, "latchkey.db")
		}
		if err := touch(rest); err != nil {
			return nil, err
		}
		on, engine = onSQLite, sqlite.Open(sqliteDSN(rest))
	default:
		return nil, errors.New("sql: want postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:PATH")
	}
	db, err := gorm.Open(engine, &gorm.Config{
		Logger:                 logger.Discard, // it would print numbers
		SkipDefaultTransaction: true,           // we say where transactions are
		TranslateError:         true,
		DisableAutomaticPing:   true,
		// Columns by name: a migration that adds one must not break the statements that a
		// replica of the version before has prepared.
		QueryFields: true,
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
	s := &Store{db: db, dialect: on, now: opts.Now, changed: opts.Changed, folder: folder}
	s.setClock()
	return s, nil
}

// setClock makes PostgreSQL's clock the one that counts, so that replicas whose own differ agree;
// beside SQLite there is only ours.
func (s *Store) setClock() {
	ours := s.now != nil || s.dialect == onSQLite
	if s.now == nil {
		s.now = time.Now
	}
	s.clock = func() string { return "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)" }
	if ours {
		s.clock = func() string { return strconv.FormatInt(s.now().UnixMicro(), 10) }
	}
	if s.changed == nil {
		s.changed = func() {}
	}
}

// touch makes a SQLite file that nobody else can read: it holds people's numbers.
func touch(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- the operator names it
	if err != nil {
		return fmt.Errorf("open the database file: %w", err)
	}
	return file.Close()
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
// fail as busy), a log that survives a crash of the machine, a leaver's revocation in it, and
// foreign keys checked.
func sqliteDSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(3000)" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
}

// Close closes the connections, and removes a temporary database.
func (s *Store) Close() error {
	pool, err := s.db.DB()
	if err != nil {
		return err
	}
	err = pool.Close()
	if s.folder != "" {
		err = errors.Join(err, os.RemoveAll(s.folder))
	}
	return err
}

// Ping reports whether the database answers and, on PostgreSQL, is no standby; the error is an
// outage. On SQLite it takes no lock, so that a long import does not look like one.
func (s *Store) Ping(ctx context.Context) error {
	if s.dialect == onSQLite {
		return translate(s.db.WithContext(ctx).Exec("SELECT 1").Error)
	}
	return translate(s.db.WithContext(ctx).Exec("UPDATE sources SET applied_at = applied_at WHERE name = ''").Error)
}

// Clock returns the server's time; beside SQLite it is our own.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var now micros
	err := s.db.WithContext(ctx).Raw("SELECT " + s.clock()).Scan(&now).Error
	return now.time(), translate(err)
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

// work is one attempt at a transaction.
type work struct {
	*gorm.DB
	// ended is how many sessions it revokes.
	ended int
	// patient work waits a minute for other revocations, where a request waits seconds.
	patient bool
}

// transaction runs f in one transaction, again from the start while it loses races.
func (s *Store) transaction(ctx context.Context, f func(tx *work) error) error {
	var err error
	for range maxAttempts {
		var tx work
		err = s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
			tx = work{DB: db}
			return f(&tx)
		}, &sql.TxOptions{})
		if err == nil && tx.ended > 0 {
			s.changed()
		}
		if !raced(err) {
			break
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		// What the engine says of a transaction that was cut short varies; why it was does not.
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	case raced(err):
		err = outage.Wrap("database", err)
	}
	return translate(err)
}
