package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/latchkey-id/latchkey/internal/testservers"
)

// alone makes run start servers of its own even if these tests run under with themselves.
func alone(t *testing.T) {
	t.Helper()
	testservers.NeedReal(t)
	t.Setenv("LATCHKEY_TEST_POSTGRES", "")
	t.Setenv("LATCHKEY_TEST_REDIS", "")
}

func TestRun(t *testing.T) {
	alone(t)
	for _, tc := range []struct {
		name, script string
		want         int
	}{
		{"success", `test -n "$LATCHKEY_TEST_POSTGRES" && test -n "$LATCHKEY_TEST_REDIS"`, 0},
		{"the command's own code", "exit 7", 7},
		{"ended by a signal", "kill -KILL $$", 137},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, err := run([]string{"sh", "-c", tc.script}, nil)
			if code != tc.want || err != nil {
				t.Errorf("run(%q) = %d, %v, want %d", tc.script, code, err, tc.want)
			}
		})
	}
}

func TestRunReportsACommandThatCannotStart(t *testing.T) {
	alone(t)
	if _, err := run([]string{"/nowhere/at/all"}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run = %v, want ErrNotExist", err)
	}
}

func TestRunPassesSignalsOn(t *testing.T) {
	alone(t)
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	// Whichever comes first, the trap or the signal, the shell does not end with 0.
	code, err := run([]string{"sh", "-c", "trap 'kill $!; exit 9' TERM; sleep 30 & wait"}, signals)
	if err != nil || (code != 9 && code != 128+int(syscall.SIGTERM)) {
		t.Errorf("run = %d, %v, want the signal to have reached the command", code, err)
	}
}

func TestMainWithoutCommandIsWrongUsage(t *testing.T) {
	if os.Getenv("LATCHKEY_TEST_MAIN") != "" {
		os.Args = []string{"with", "--"}
		main()
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "LATCHKEY_TEST_MAIN=1")
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.HasPrefix(string(output), "usage:") {
		t.Errorf("with no command: %v, %q, want exit code 2 and the usage", err, output)
	}
}
