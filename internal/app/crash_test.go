package app_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/app"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

// childVariable makes the test binary be the program, so that a test can kill it.
const childVariable = "LATCHKEY_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(app.Run(ctx, os.Args[1:], app.Env{
		Version: "test", Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}

// child starts a server in a process of its own and waits until it answers.
func child(t *testing.T, s stores, twilio string) (*program, *exec.Cmd) {
	t.Helper()
	return childOf(t, s.environ(twilio))
}

func childOf(t *testing.T, environ []string) (*program, *exec.Cmd) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "serve", "--config", settingsFile(t))
	cmd.Env = append(slices.Clone(environ), childVariable+"=1", "PATH="+os.Getenv("PATH"))
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if found := servingLine.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() { // or it would block on a full pipe
				}
			}()
			return &program{t: t, base: "http://" + found[1], ops: "http://" + found[2]}, cmd
		}
	}
	t.Fatal("the server did not start")
	return nil, nil
}

// Killed at any moment, a server leaves no half-made account, and the people it was about to sign
// in sign in at the next one.
func TestKillLeavesNothingHalfMade(t *testing.T) {
	s := stores{testservers.Postgres(t), testservers.Redis(t), "test:" + t.Name() + ":"}
	twilio, base := standIn(t)
	importSample(t, s)
	const rounds, people = 4, 12
	for round := range rounds {
		p, cmd := child(t, s, base)
		codes := make([]string, people)
		number := func(i int) string { return fmt.Sprintf("+447700900%03d", 800+20*round+i) }
		for i := range people {
			require.Equal(t, http.StatusOK, p.start("app", number(i)).status)
			codes[i] = code(t, twilio, number(i), 0)
		}
		var done sync.WaitGroup
		finished := make(chan struct{}, people)
		for i := range people {
			done.Go(func() {
				body := formOf(tokenRequest("app", number(i), codes[i]))
				_, _ = p.send(http.MethodPost, "/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(body))
				finished <- struct{}{}
			})
		}
		for range round * 3 { // the more rounds, the later it dies
			<-finished
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		_ = cmd.Wait()
		done.Wait()
	}
	db, err := pgx.Connect(t.Context(), s.database)
	require.NoError(t, err)
	defer func() { _ = db.Close(context.Background()) }()
	for what, query := range map[string]string{
		"accounts without an identity":      `SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM identities i WHERE i.subject = a.subject)`,
		"accounts without a session":        `SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.subject = a.subject)`,
		"sessions without their audit":      `SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.sid = s.sid AND e.kind = 'signin.succeeded')`,
		"audit of sessions that are not":    `SELECT count(*) FROM audit_events e WHERE e.sid <> '' AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.sid = e.sid)`,
		"accounts without their audit":      `SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.subject = a.subject AND e.kind = 'account.created')`,
		"signing keys beyond one algorithm": `SELECT count(*) - count(DISTINCT algorithm) FROM signing_keys`,
	} {
		var n int
		require.NoError(t, db.QueryRow(t.Context(), query).Scan(&n))
		require.Zero(t, n, what)
	}
	var accounts int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM accounts`).Scan(&accounts))
	require.Positive(t, accounts, "nobody was signed in before a kill: the test shows nothing")
	p := serve(t, s, base)
	require.Equal(t, http.StatusOK, p.signIn(twilio, "app", employee).status)
}
