package testservers

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdVariable makes the test binary a process that holds both servers and waits for its end.
const holdVariable = "LATCHKEY_TEST_HOLD"

// The ways to end a holder that are not a signal's own doing.
const (
	endNormally = syscall.SIGUSR1
	endInPanic  = syscall.SIGUSR2
)

// TestNothingOutlivesTheProcess ends a process that holds both servers in every way there is, and
// waits for the servers and their folders to go.
func TestNothingOutlivesTheProcess(t *testing.T) {
	if os.Getenv(holdVariable) != "" {
		hold(t)
		return
	}
	NeedReal(t)
	for name, end := range map[string]syscall.Signal{
		"normal end": endNormally,
		"panic":      endInPanic,
		"SIGTERM":    syscall.SIGTERM,
		"SIGQUIT":    syscall.SIGQUIT, // what go test sends at its time limit
		"SIGKILL":    syscall.SIGKILL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holder, held := startHolder(t)
			if err := holder.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			if err := holder.Wait(); (err == nil) != (end == endNormally) {
				t.Errorf("the holder ended with %v", err)
			}
			for _, server := range held {
				awaitGone(t, server)
			}
		})
	}
}

// held is a server of another process.
type held struct {
	pid    int
	folder string
}

// hold starts both servers, prints a line for each and one more, and waits for a signal.
func hold(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endNormally, endInPanic)
	for _, get := range []func() (sharedServer, error){sharedPostgres, sharedRedis} {
		server, err := get()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("HELD", server.in.pid, server.in.folder.path)
	}
	for range 3 { // the servers must not go the way of garbage while the process lives
		runtime.GC()
	}
	fmt.Println("READY")
	if <-signals == endInPanic {
		panic("as the test asked")
	}
}

// startHolder runs this test binary as a holder and waits until it has its servers.
func startHolder(t *testing.T) (*exec.Cmd, []held) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingOutlivesTheProcess$")
	// Without addresses from outside: it must start servers of its own.
	cmd.Env = append(os.Environ(), holdVariable+"=1", postgresVariable+"=", redisVariable+"=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var servers []held
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "READY" {
		if word := strings.Fields(lines.Text()); len(word) == 3 && word[0] == "HELD" {
			pid, err := strconv.Atoi(word[1])
			if err != nil {
				t.Fatal(err)
			}
			servers = append(servers, held{pid: pid, folder: word[2]})
		}
	}
	if len(servers) < 2 {
		t.Fatalf("the holder ended early: %v", errors.Join(lines.Err(), cmd.Wait()))
	}
	for _, server := range servers {
		if !running(server.pid) {
			t.Errorf("process %d of a living holder is gone", server.pid)
		}
	}
	return cmd, servers
}

func awaitGone(t *testing.T, server held) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollInterval) {
		_, err := os.Stat(server.folder)
		if errors.Is(err, fs.ErrNotExist) && !running(server.pid) {
			return
		}
	}
	t.Errorf("process %d or its folder %s is still there", server.pid, server.folder)
}

// running reports whether there is such a process and it is no zombie: an orphan stays one for as
// long as the machine's first process does not collect it.
func running(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ") // no /proc: not Linux
}
