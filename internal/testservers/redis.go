package testservers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// redis runs Redis without persistence.
type redis struct {
	folder string
	server string
	extra  []string
}

func newRedis(f *folder) (kind, error) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("testservers: Redis is not installed: " + install)
	}
	return redis{folder: f.path, server: server}, nil
}

func (r redis) command(port int) []string {
	return append([]string{r.server, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", r.folder,
		"--save", "", "--appendonly", "no"}, r.extra...)
}

func (r redis) runAs() *syscall.Credential { return nil }

func (r redis) stopSignal() syscall.Signal { return syscall.SIGTERM }

func (r redis) ready(ctx context.Context, port, pid int) error {
	info, err := ask(ctx, port, "INFO", "server")
	if err != nil {
		return err
	}
	if !strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", pid)) {
		return errors.New("another server has the port")
	}
	return nil
}

func (r redis) dsn(port int) string { return "redis://" + loopback(port) + "/0" }

// ask sends one command to the Redis at port and returns its reply, which must not be an array.
func ask(ctx context.Context, port int, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", loopback(port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(conn))
}

// readReply reads a simple string, an error, an integer or a bulk string (the RESP2 protocol).
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	rest := strings.TrimRight(line[1:], "\r\n")
	switch line[0] {
	case '+', ':':
		return rest, nil
	case '$':
		size, err := strconv.Atoi(rest)
		if err != nil || size < 0 {
			return "", fmt.Errorf("bulk reply of length %q", rest)
		}
		bulk := make([]byte, size)
		_, err = io.ReadFull(r, bulk)
		return string(bulk), err
	default:
		return "", fmt.Errorf("reply %q", strings.TrimSpace(line))
	}
}
