package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey-id/latchkey/internal/testservers"
)

// stores are the servers, and the databases made there for this run.
type stores struct {
	postgres  string
	redis     string
	databases []string
	stop      func() error
}

// openStores starts the servers, or takes those that LATCHKEY_TEST_POSTGRES and LATCHKEY_TEST_REDIS name.
func openStores() (*stores, error) {
	settings, stop, err := testservers.ForCommand()
	if err != nil {
		return nil, err
	}
	lookup := func(name string) string {
		for _, setting := range settings {
			if value, ok := strings.CutPrefix(setting, name+"="); ok {
				return value
			}
		}
		return os.Getenv(name)
	}
	return &stores{postgres: lookup("LATCHKEY_TEST_POSTGRES"), redis: lookup("LATCHKEY_TEST_REDIS"), stop: stop}, nil
}

// database returns the address of a fresh database.
func (s *stores) database(ctx context.Context) (string, error) {
	name := "latchkey_bench_" + strings.ToLower(rand.Text())
	if err := execute(ctx, s.postgres, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", err
	}
	s.databases = append(s.databases, name)
	address, err := url.Parse(s.postgres)
	if err != nil {
		return "", errors.New("the address of PostgreSQL is not a URL")
	}
	address.Path = "/" + name
	return address.String(), nil
}

// close drops the databases and stops the servers. Keys in Redis expire by themselves.
func (s *stores) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var failed []error
	for _, name := range s.databases {
		failed = append(failed, execute(ctx, s.postgres, "DROP DATABASE "+name+" WITH (FORCE)"))
	}
	return errors.Join(append(failed, s.stop())...)
}

func execute(ctx context.Context, address, statement string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", strings.Fields(statement)[0], err)
	}
	return nil
}
