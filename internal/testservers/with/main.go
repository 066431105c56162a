package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/latchkey-id/latchkey/internal/testservers"
)

func main() {
	// Before anything starts: a signal during start-up waits here until there is a command for it.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)

	command := os.Args[1:]
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		fmt.Fprintln(os.Stderr, "usage: with [--] command [argument ...]")
		os.Exit(2)
	}
	code, err := run(command, signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run starts the servers, runs the command to its end and stops the servers. It returns the
// command's exit code: 128 and the signal's number if a signal ended it, as shells have it.
func run(command []string, signals <-chan os.Signal) (code int, err error) {
	settings, stop, err := testservers.ForCommand()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), settings...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it fails only when the command has just ended
		}
	}()
	return exitCode(cmd.Wait())
}

// exitCode reads the outcome of a command's Wait.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
