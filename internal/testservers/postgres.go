package testservers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// install is the advice when a program is missing.
const install = "apt-get install postgresql redis-server"

// postgres runs PostgreSQL, 13 or later, as the superuser "postgres" with a password: without one
// every local user could run programs as this one, by COPY … TO PROGRAM, while tests run.
type postgres struct {
	folder   string
	server   string
	password string
	as       *syscall.Credential
}

// newPostgres makes a database cluster in the folder.
func newPostgres(f *folder) (kind, error) {
	server, err := findPostgres()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	p := postgres{folder: f.path, server: server, password: rand.Text(), as: as}
	if err := p.initdb(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p postgres) initdb() error {
	passwordFile := filepath.Join(p.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(p.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("testservers: %w", err)
	}
	if p.as != nil {
		for _, path := range []string{p.folder, passwordFile} {
			if err := os.Chown(path, int(p.as.Uid), int(p.as.Gid)); err != nil {
				return fmt.Errorf("testservers: %w", err)
			}
		}
	}
	initdb := exec.Command(filepath.Join(filepath.Dir(p.server), "initdb"), "--no-sync", "--pgdata="+p.data(),
		"--username=postgres", "--auth=password", "--pwfile="+passwordFile, "--encoding=UTF8", "--locale="+locale())
	initdb.Dir = p.folder
	initdb.Env = serverEnv()
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setpgid: true}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("testservers: initdb: %w: %s", err, output)
	}
	return nil
}

func (p postgres) data() string { return filepath.Join(p.folder, "data") }

// command leaves synchronous_commit on: without fsync it costs one write to the page cache, and
// with it a commit survives Kill, which tests of recovery rely on.
func (p postgres) command(port int) []string {
	return []string{p.server, "-D", p.data(), "-k", p.folder, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"}
}

func (p postgres) runAs() *syscall.Credential { return p.as }

// stopSignal is PostgreSQL's fast shutdown, which does not wait for clients.
func (p postgres) stopSignal() syscall.Signal { return syscall.SIGINT }

// ready relies on the password: nobody else's server takes it.
func (p postgres) ready(ctx context.Context, port, _ int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.dsn(port))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (p postgres) dsn(port int) string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", p.password),
		Host:     loopback(port),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}).String()
}

// findPostgres returns the path of the server program. Debian keeps it out of PATH, in a folder per
// version, of which the highest is taken.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return path, nil
	}
	paths, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", fmt.Errorf("testservers: %w", err)
	}
	newest, found := 0, ""
	for _, path := range paths {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && version > newest {
			newest, found = version, path
		}
	}
	if found == "" {
		return "", errors.New("testservers: PostgreSQL is not installed: " + install)
	}
	return found, nil
}

// unprivileged returns whom to run PostgreSQL as: nil for the present user, unless that is root, for
// whom PostgreSQL refuses to run.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("testservers: user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("testservers: PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

// locale is one that folds the case of all letters, as a production database does, and that every
// glibc has without a package of locales. Elsewhere only C is sure to be there.
func locale() string {
	if runtime.GOOS == "linux" {
		return "C.UTF-8"
	}
	return "C"
}
