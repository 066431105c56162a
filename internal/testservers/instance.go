package testservers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// kind is what an instance needs to know about the program that it runs.
type kind interface {
	// command is the program's path and arguments.
	command(port int) []string
	// runAs is the user to run as, nil for the present one.
	runAs() *syscall.Credential
	// ready returns nil when the process pid itself answers at port: another process may have won
	// the port and be answering there.
	ready(ctx context.Context, port, pid int) error
	// stopSignal ends the program in good order without waiting for its clients.
	stopSignal() syscall.Signal
	// dsn is the URL for clients.
	dsn(port int) string
}

// instance is one server process, or the place where it was and can be again.
//
//	open ─► up ─ stop, kill ─► down ─ start ─► up
//	        └──────── close ────┴─► gone, folder and all
type instance struct {
	kind   kind
	folder *folder
	port   int
	pid    int // 0 while down
}

const (
	// Ports come from below the range that the kernel hands out for outgoing connections, or one of
	// those could sit on the port of a server that is down for a moment. A Redis Cluster node also
	// takes port+10000, which must stay below that range too.
	firstPort, ports, clusterBusOffset = 12000, 10000, 10000

	// openTries is how many ports are tried, startTries how often a server is started again on the
	// port that is its own: after a SIGKILL PostgreSQL refuses until the last orphaned backend is gone.
	openTries, startTries = 5, 50

	pollInterval = 20 * time.Millisecond
)

// open starts a server of the kind in a new folder.
func open(create func(*folder) (kind, error)) (*instance, error) {
	f, err := newFolder()
	if err != nil {
		return nil, err
	}
	k, err := create(f)
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, failedToo(f.remove()))
	}
	in := &instance{kind: k, folder: f}
	for range openTries {
		if in.port, err = freePort(); err != nil {
			break
		}
		if err = in.launch(); err == nil {
			return in, nil
		}
	}
	return nil, fmt.Errorf("%w%s", err, failedToo(f.remove()))
}

func (in *instance) addr() string { return loopback(in.port) }

func (in *instance) dsn() string { return in.kind.dsn(in.port) }

func (in *instance) start() error {
	if in.pid != 0 {
		return nil
	}
	var err error
	for range startTries {
		if err = in.launch(); !errors.Is(err, errEnded) {
			return err
		}
		time.Sleep(5 * pollInterval)
	}
	return err
}

func (in *instance) stop() error { return in.end(in.kind.stopSignal()) }

func (in *instance) kill() error { return in.end(syscall.SIGKILL) }

func (in *instance) close() error {
	return errors.Join(in.stop(), in.folder.remove())
}

// errEnded means that the server ended by itself before it was ready.
var errEnded = errors.New("ended at once")

// launch starts the process and waits until it answers.
func (in *instance) launch() error {
	if err := in.spawn(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := in.kind.ready(ctx, in.port, in.pid)
		if err == nil {
			return nil
		}
		if ended, waitErr := in.reap(); ended || waitErr != nil {
			return fmt.Errorf("testservers: %s: %w%s: %s", in.program(), errEnded, failedToo(waitErr), in.folder.logTail())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("testservers: %s does not answer: %w%s: %s", in.program(), err, failedToo(in.kill()), in.folder.logTail())
		}
		time.Sleep(pollInterval)
	}
}

// spawn starts the process. It goes below os/exec because that needs a goroutine for a process's
// whole life to notice its end.
func (in *instance) spawn() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("testservers: %w", err)
	}
	defer func() { _ = null.Close() }()
	log, err := os.OpenFile(in.folder.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("testservers: %w", err)
	}
	defer func() { _ = log.Close() }()

	command := in.kind.command(in.port)
	pid, err := syscall.ForkExec(command[0], command, &syscall.ProcAttr{
		Dir:   in.folder.path,
		Env:   serverEnv(),
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		// A process group of its own: Ctrl-C must reach the tests, not the server under them.
		Sys: &syscall.SysProcAttr{Credential: in.kind.runAs(), Setpgid: true},
	})
	if err != nil {
		return fmt.Errorf("testservers: start %s: %w", command[0], err)
	}
	in.pid = pid
	return in.folder.keep(pid)
}

// end sends the signal and waits until the process is gone; one that does not obey is killed.
func (in *instance) end(signal syscall.Signal) error {
	if in.pid == 0 {
		return nil
	}
	var orphans []int
	if signal == syscall.SIGKILL {
		orphans = children(in.pid)
	}
	if err := syscall.Kill(in.pid, signal); err != nil {
		return fmt.Errorf("testservers: signal %s: %w", in.program(), err)
	}
	for _, pid := range orphans {
		_ = syscall.Kill(pid, signal) // it may have seen that its parent is gone
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollInterval / 4) {
		if ended, err := in.reap(); ended || err != nil {
			return err
		}
	}
	if signal == syscall.SIGKILL {
		return fmt.Errorf("testservers: %s outlives SIGKILL", in.program())
	}
	return in.end(syscall.SIGKILL)
}

// children returns the processes that a process has started. PostgreSQL's go on answering for a moment
// when their parent is killed, which a machine that loses power does not.
func children(of int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // it fails on a bad pattern only
	var pids []int
	for _, file := range stats {
		stat, err := os.ReadFile(file) // #nosec G304 -- of /proc
		if err != nil {                // it has ended meanwhile
			continue
		}
		var pid, parent int
		var state string
		// The name, in brackets, may hold anything; state and parent follow it (proc_pid_stat(5)).
		rest := stat[bytes.LastIndexByte(stat, ')')+1:]
		_, failed := fmt.Sscan(string(stat), &pid)
		if _, err := fmt.Sscan(string(rest), &state, &parent); err == nil && failed == nil && parent == of {
			pids = append(pids, pid)
		}
	}
	return pids
}

// reap reports whether the process has ended, and if so forgets it.
func (in *instance) reap() (bool, error) {
	pid, err := syscall.Wait4(in.pid, nil, syscall.WNOHANG, nil)
	switch {
	case errors.Is(err, syscall.EINTR), err == nil && pid == 0:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("testservers: wait for %s: %w", in.program(), err)
	}
	in.pid = 0
	return true, in.folder.keep(0)
}

func (in *instance) program() string { return filepath.Base(in.kind.command(in.port)[0]) }

// freePort returns a loopback port that nobody listened on a moment ago, nor on its cluster bus.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(ports)
		if err = errors.Join(tryListen(port), tryListen(port+clusterBusOffset)); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("testservers: no free port: %w", err)
}

func tryListen(port int) error {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return err
	}
	return l.Close()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// serverEnv is the whole environment of a server: the caller's locale or PG settings must not
// decide whether a test passes.
func serverEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
