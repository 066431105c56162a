package testservers

import (
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	var inner string
	t.Run("inner", func(t *testing.T) {
		inner = Postgres(t)
		mustExec(t, inner, "CREATE TABLE mine (id int)")
	})
	outer := Postgres(t)
	mustExec(t, outer, "CREATE TABLE mine (id int)")

	if err := execute(inner, "SELECT 1"); err == nil {
		t.Error("the database of a test that ended is still there")
	}
}

func TestPostgresDropsADatabaseInUse(t *testing.T) {
	t.Run("leaves a connection behind", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPostgresFoldsTheCaseOfAllLetters(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux is sure to have the locale C.UTF-8")
	}
	mustExec(t, StartPostgres(t).DSN(), "DO $$ BEGIN ASSERT lower('ÉŁ') = 'éł'; END $$")
}

func TestServersNeedNoGoroutine(t *testing.T) {
	NeedReal(t)
	before := goleak.IgnoreCurrent()
	for _, create := range []func(*folder) (kind, error){newPostgres, newRedis} {
		in, err := open(create)
		if err != nil {
			t.Fatal(err)
		}
		goleak.VerifyNone(t, before)
		if err := in.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSharedAddressIsChecked(t *testing.T) {
	t.Setenv(redisVariable, "localhost:6379")
	if _, err := shared(redisVariable, newRedis); err == nil {
		t.Error("an address that is not a URL was accepted")
	}
}

func TestPostgresServerKeepsCommitsOverStopAndKill(t *testing.T) {
	s := StartPostgres(t)
	mustExec(t, s.DSN(), "CREATE TABLE commits (of text)")
	for name, takeDown := range map[string]func(){"Stop": s.Stop, "Kill": s.Kill} {
		mustExec(t, s.DSN(), "INSERT INTO commits VALUES ('"+name+"')")
		takeDown()
		takeDown() // down already: nothing to do
		if err := execute(s.DSN(), "SELECT 1"); err == nil {
			t.Fatalf("%s: the server still answers", name)
		}
		s.Start()
		s.Start() // up already: nothing to do
		mustExec(t, s.DSN(), "DO $$ BEGIN ASSERT EXISTS (SELECT FROM commits WHERE of = '"+name+"'); END $$")
	}
}

// A backend that is busy does not see at once that its postmaster is gone, and the next one
// refuses to start beside it.
func TestPostgresServerStartsAfterKillUnderLoad(t *testing.T) {
	s := StartPostgres(t)
	conn, err := pgx.Connect(t.Context(), s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	busy := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT count(*) FROM generate_series(1, 3000000)")
		busy <- err
	}()
	s.Kill()
	s.Start()
	mustExec(t, s.DSN(), "SELECT 1")
	<-busy
}

func TestRedisServerComesBackEmptyOnItsPort(t *testing.T) {
	s := StartRedis(t)
	for name, takeDown := range map[string]func(){"Stop": s.Stop, "Kill": s.Kill} {
		mustAsk(t, s, "OK", "SET", "key", "value")
		takeDown()
		if _, err := ask(t.Context(), s.in.port, "PING"); err == nil {
			t.Fatalf("%s: the server still answers", name)
		}
		s.Start()
		mustAsk(t, s, "0", "EXISTS", "key")
	}
}

func TestRedisIsShared(t *testing.T) {
	if first, second := Redis(t), Redis(t); first != second {
		t.Errorf("two servers, %s and %s; want one", first, second)
	}
}

func TestRedisClusterServesAndSurvivesANode(t *testing.T) {
	c := StartRedisCluster(t)
	if got := len(c.Addrs()); got != masters {
		t.Fatalf("%d addresses, want %d", got, masters)
	}
	const slotOfFoo = 12182 // in the last third
	mustAsk(t, c.Nodes[2], "OK", "SET", "foo", "bar")
	if _, err := ask(t.Context(), c.Nodes[0].in.port, "GET", "foo"); err == nil || !strings.Contains(err.Error(), "MOVED 12182 "+c.Addrs()[2]) {
		t.Errorf("GET at a node without slot %d: %v, want MOVED to %s", slotOfFoo, err, c.Addrs()[2])
	}
	c.Nodes[2].Kill()
	c.Nodes[2].Start()
	if err := awaitComplete(t.Context(), c.Nodes[2].in.port); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, c.Nodes[2], "OK", "SET", "foo", "bar")
}

func mustExec(t *testing.T, dsn, statement string) {
	t.Helper()
	if err := execute(dsn, statement); err != nil {
		t.Fatal(err)
	}
}

func mustAsk(t *testing.T, s *Server, want string, command ...string) {
	t.Helper()
	if got, err := ask(t.Context(), s.in.port, command...); err != nil || got != want {
		t.Fatalf("%q = %q, %v, want %q", command, got, err, want)
	}
}
