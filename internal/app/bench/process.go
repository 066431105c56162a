package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// readyTimeout bounds how long a process may take until it answers.
	readyTimeout = 30 * time.Second
	// stopTimeout is when a process that was asked to stop is killed.
	stopTimeout = 10 * time.Second
)

// process is a running child.
type process struct {
	cmd  *exec.Cmd
	said *bytes.Buffer // standard error; to be read once the process has ended
}

// start runs a program in an environment of its own: whatever the caller's holds of Latchkey's
// settings must not change what is measured.
func start(program string, args, settings []string, stdin io.Reader) (*process, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC"}, settings...)
	cmd.Stdin = stdin
	p := &process{cmd: cmd, said: &bytes.Buffer{}}
	cmd.Stderr = p.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the bench, which stops it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (make build builds it)", err)
	}
	return p, nil
}

// ready returns p once GET url is answered; on an error p is gone.
func (p *process) ready(ctx context.Context, url string) (*process, error) {
	if err := awaitAnswer(ctx, url); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// stop ends the process in good order.
func (p *process) stop() error {
	timer := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which wait tells
	return p.wait()
}

// wait returns when the process has ended; the error holds what it had to say.
func (p *process) wait() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, strings.TrimSpace(p.said.String()))
	}
	return nil
}

// awaitAnswer returns when GET url is answered with 200. It asks at once and often: start-up time is
// measured with it.
func awaitAnswer(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		_, err := ask(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s: %w", url, err)
		case <-time.After(time.Millisecond):
		}
	}
}

// prober keeps a connection for each of many who ask at once.
var prober = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// ask fetches url, and returns how much came.
func ask(ctx context.Context, url string) (size int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	answer, err := prober.Do(request)
	if err != nil {
		return 0, err
	}
	size, err = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(answer.Status))
	}
	return size, errors.Join(err, answer.Body.Close())
}

// tick is the unit of CPU times in /proc. Linux has it at 100 Hz for programs whatever the kernel's own
// is (proc_pid_stat(5), USER_HZ).
const tick = 10 * time.Millisecond

// cpu returns the CPU time that the process has used, in user and kernel mode.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(stat))
}

// parseStat adds fields 14 and 15, utime and stime. It counts from the last bracket, for the name
// before it may hold blanks.
func parseStat(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(userErr, systemErr)
}

// resident returns the resident memory in bytes.
func (p *process) resident() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(status), "\nVmRSS:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	if !found || err != nil {
		return 0, errors.New("/proc/PID/status has no VmRSS")
	}
	return n << 10, nil
}

// freeAddresses returns loopback addresses that nobody listened on a moment ago.
func freeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all are held until the last is chosen
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}
