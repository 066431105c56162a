package testservers

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The variables that name servers which are running already, as URLs. The PostgreSQL user must be
// allowed to create databases.
const (
	postgresVariable = "LATCHKEY_TEST_POSTGRES"
	redisVariable    = "LATCHKEY_TEST_REDIS"
)

// The servers that the tests of one process share. They run until the process ends.
var (
	sharedPostgres = sync.OnceValues(func() (sharedServer, error) { return shared(postgresVariable, newPostgres) })
	sharedRedis    = sync.OnceValues(func() (sharedServer, error) { return shared(redisVariable, newRedis) })
)

// sharedServer holds on to the instance, if this process started one: once it were garbage, the
// pipe to its keeper would be closed, and the keeper would end the server.
type sharedServer struct {
	dsn string
	in  *instance
}

// NeedReal skips t under -short and does nothing otherwise. The functions of this package that
// give out a server call it themselves; a test calls it to skip before other costly work.
func NeedReal(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: this test needs real PostgreSQL or Redis; make test runs it")
	}
}

// Postgres returns the postgres:// URL of a fresh, empty database that belongs to t alone. When t
// ends it is dropped, with whatever is still connected to it. Its user is a superuser. Safe for
// concurrent use.
func Postgres(t testing.TB) string {
	t.Helper()
	NeedReal(t)
	server, err := sharedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	name := "latchkey_test_" + strings.ToLower(rand.Text())
	dsn, err := withDatabase(server.dsn, name)
	if err != nil {
		t.Fatal(err)
	}
	// template0 takes no connections, so a copy of it never fails because somebody holds one.
	if err := execute(server.dsn, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execute(server.dsn, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return dsn
}

// Redis returns the redis:// URL of a server that all tests share: each must keep to a key prefix
// of its own, and none may flush it. Safe for concurrent use.
func Redis(t testing.TB) string {
	t.Helper()
	NeedReal(t)
	server, err := sharedRedis()
	if err != nil {
		t.Fatal(err)
	}
	return server.dsn
}

// ForCommand starts the shared servers on behalf of a command that runs many test processes, so
// that they need not start their own. It returns the environment settings that point them there
// and a function that stops the servers. A server that the environment names already is left to it.
func ForCommand() (settings []string, stop func() error, err error) {
	var running []*instance
	stop = func() error { return closeAll(running) }
	for _, server := range []struct {
		variable string
		create   func(*folder) (kind, error)
	}{{postgresVariable, newPostgres}, {redisVariable, newRedis}} {
		if os.Getenv(server.variable) != "" {
			continue
		}
		in, err := open(server.create)
		if err != nil {
			return nil, nil, fmt.Errorf("%w%s", err, failedToo(stop()))
		}
		running = append(running, in)
		settings = append(settings, server.variable+"="+in.dsn())
	}
	return settings, stop, nil
}

// shared returns the server that the variable names, or one that it starts.
func shared(variable string, create func(*folder) (kind, error)) (sharedServer, error) {
	if address := os.Getenv(variable); address != "" {
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			return sharedServer{}, fmt.Errorf("testservers: %s must be a URL such as postgres://user@host:5432/postgres or redis://host:6379/0", variable)
		}
		return sharedServer{dsn: address}, nil
	}
	in, err := open(create)
	if err != nil {
		return sharedServer{}, err
	}
	return sharedServer{dsn: in.dsn(), in: in}, nil
}

// withDatabase returns server's address with another database in it.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("testservers: server address: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// execute runs one statement on a connection of its own.
func execute(dsn, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("testservers: connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("testservers: %s: %w", statement, err)
	}
	return nil
}

// patience bounds every wait for a server. It is long because the machine may be compiling the
// next ten packages with the race detector at the same time.
const patience = time.Minute
