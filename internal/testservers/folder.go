package testservers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// folder is the home of one server, with the keeper that outlives this process for a moment.
type folder struct {
	path   string
	keeper *exec.Cmd
	// line is the keeper's standard input; its closing is the sign that this process is done.
	line io.WriteCloser
}

// keeperScript reads the server's process id, line by line as it changes, until standard input
// closes. Then it ends the server, if there is one still, and removes the folder $0. It gives the server
// one second: that is ample for SIGQUIT, and in a container whose first process collects no orphans
// the server, a zombie, never seems to go. The last loop is for the server's own children, which may
// write one more file.
const keeperScript = `
pid=0
while read -r line; do pid=$line; done
if [ "$pid" -gt 0 ] && kill -QUIT "$pid"; then
	n=0
	while kill -0 "$pid" && [ $n -lt 10 ]; do sleep 0.1; n=$((n+1)); done
	kill -KILL "$pid"
fi 2>/dev/null
n=0
until rm -rf "$0" 2>/dev/null || [ $n -ge 30 ]; do sleep 0.1; n=$((n+1)); done
`

// newFolder makes a folder that this process's end removes. It is in /tmp and not in TMPDIR: that may
// be closed to the user whom PostgreSQL runs as, or too long for a socket's path (about 100 bytes).
func newFolder() (*folder, error) {
	path, err := os.MkdirTemp("/tmp", "latchkey-test-")
	if err != nil {
		return nil, fmt.Errorf("testservers: %w", err)
	}
	keeper := exec.Command("/bin/sh", "-c", keeperScript, path)
	keeper.Dir = "/"
	// Out of reach of Ctrl-C, or it would be gone before it is needed.
	keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	line, err := keeper.StdinPipe()
	if err == nil {
		err = keeper.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("testservers: start the keeper: %w", err), os.RemoveAll(path))
	}
	return &folder{path: path, keeper: keeper, line: line}, nil
}

// keep tells the keeper which process to end: 0 for none.
func (f *folder) keep(pid int) error {
	if _, err := fmt.Fprintln(f.line, pid); err != nil {
		return fmt.Errorf("testservers: the keeper of %s is gone: %w", f.path, err)
	}
	return nil
}

// remove ends the keeper, which removes the folder.
func (f *folder) remove() error {
	if err := errors.Join(f.line.Close(), f.keeper.Wait()); err != nil {
		return fmt.Errorf("testservers: remove %s: %w", f.path, err)
	}
	return nil
}

func (f *folder) log() string { return filepath.Join(f.path, "log") }

// logTail is the end of the server's log, for an error message.
func (f *folder) logTail() string {
	const enough = 2000
	text, err := os.ReadFile(f.log())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}
