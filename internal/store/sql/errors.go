package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/glebarez/go-sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/latchkey-id/latchkey/internal/outage"
)

// errRaced means that what a transaction had read was changed before it wrote; it starts again.
var errRaced = errors.New("sql: changed in between")

// translate turns the errors of an engine that is out into outages and leaves the rest alone.
func translate(err error) error {
	if err == nil || outage.Is(err) || !out(err) {
		return err
	}
	return outage.Wrap("database", err)
}

func out(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return outCode(refused.Code)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff { // primary result code
		case 5, 6, 8, 10, 13, 14: // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded)
}

// outCode knows the SQLSTATEs of a server that serves nobody just now.
func outCode(state string) bool {
	switch state[:min(2, len(state))] {
	case "08", "53", "57", "58": // connection, resources, operator intervention, system
		return true
	}
	// Read-only: a standby in mid-failover. A lock that others keep, or we kept too long.
	return state == "25006" || state == "55P03" || state == "25P03"
}

// raced reports whether a transaction failed only because of another one.
func raced(err error) bool {
	if errors.Is(err, errRaced) || errors.Is(err, gorm.ErrDuplicatedKey) {
		return true
	}
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "40001" || refused.Code == "40P01" || refused.Code == "23505")
}
