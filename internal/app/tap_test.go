package app

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// tap is a proxy before a store that notes what clients ask. What it cannot read it does not pass
// on, so nothing goes by uncounted.
type tap struct {
	address string // the store's URL, by way of the tap

	mu    sync.Mutex
	notes []string
}

// newTap starts a tap before the store at address. read is called for each connection; it reads the
// client's requests to their end and notes each.
func newTap(t *testing.T, address string, read func(r io.Reader, note func(string)) error) *tap {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	store := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host = listener.Addr().String()
	p := &tap{address: u.String()}
	var open sync.WaitGroup
	t.Cleanup(func() { // clients close before: they are cleaned up first
		_ = listener.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { p.pass(t, client, store, read) })
		}
	})
	return p
}

func (p *tap) pass(t *testing.T, client net.Conn, store string, read func(io.Reader, func(string)) error) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", store)
	if err != nil {
		t.Errorf("tap: %v", err)
		return
	}
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(client, server) })
	err = read(bufio.NewReader(&relay{from: client, to: server}), func(what string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.notes = append(p.notes, what)
	})
	if err != nil {
		t.Errorf("tap: %v", err)
	}
	_ = server.Close()
	back.Wait()
}

// relay passes on what was read when more is asked for: a request is noted before the store has
// the end of it, and so before its answer.
type relay struct {
	from    io.Reader
	to      io.Writer
	pending []byte
}

// Read implements io.Reader.
func (b *relay) Read(p []byte) (int, error) {
	if _, err := b.to.Write(b.pending); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	b.pending = append(b.pending[:0], p[:n]...)
	return n, err
}

// take returns what was noted since the last call.
func (p *tap) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	notes := p.notes
	p.notes = nil
	return notes
}

// redisCommands notes the name of each command: an array of bulk strings (RESP2 and 3).
func redisCommands(r io.Reader, note func(string)) error {
	in := bufio.NewReader(r)
	for {
		words, err := redisLength(in, '*')
		if err != nil {
			return unlessClosed(err)
		}
		var name string
		for i := range words {
			size, err := redisLength(in, '$')
			if err != nil {
				return err
			}
			word := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(in, word); err != nil {
				return err
			}
			if i == 0 {
				name = strings.ToUpper(string(word[:size]))
			}
		}
		note(name)
	}
}

func redisLength(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("not a Redis command: %q", line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// postgresStatements notes each statement that is run, as its verb and first table (PostgreSQL
// documentation, "Message Formats"): a simple Query, or an Execute of what Parse and Bind have named.
func postgresStatements(r io.Reader, note func(string)) error {
	if _, err := postgresBody(r); err != nil { // the first message has no type
		return unlessClosed(err)
	}
	prepared, bound := map[string]string{}, map[string]string{}
	for {
		var kind [1]byte
		if _, err := io.ReadFull(r, kind[:]); err != nil {
			return unlessClosed(err)
		}
		body, err := postgresBody(r)
		if err != nil {
			return err
		}
		first, rest, _ := bytes.Cut(body, []byte{0})
		second, _, _ := bytes.Cut(rest, []byte{0})
		switch kind[0] {
		case 'Q':
			// The driver's own, to a connection that has been idle for a second: on a slow
			// machine that happens within a test, and it is no cost of a busy server.
			if string(first) != "-- ping" {
				note(summary(string(first)))
			}
		case 'P':
			prepared[string(first)] = string(second)
		case 'B':
			bound[string(first)] = prepared[string(second)]
		case 'E':
			note(summary(bound[string(first)]))
		}
	}
}

func postgresBody(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
	_, err := io.ReadFull(r, body)
	return body, err
}

var firstTable = regexp.MustCompile(`(?i)\b(?:FROM|INTO|UPDATE)\s+"?([a-z_]+)`)

// summary of a statement: "INSERT SESSIONS". Of WITH it is that of the query within.
func summary(statement string) string {
	verb := strings.ToUpper(strings.TrimRight(strings.Fields(statement + " ?")[0], ";"))
	if verb == "WITH" {
		verb = "SELECT"
	}
	if table := firstTable.FindStringSubmatch(statement); table != nil {
		return verb + " " + strings.ToUpper(table[1])
	}
	return verb
}

// unlessClosed forgives a client that has hung up between two requests.
func unlessClosed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}
