package hrfeed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
)

// decode returns r's text as UTF-8 without a byte order mark. UTF-16 needs its mark. Bytes that
// are no text stay invalid or become U+FFFD; a cell with either is refused.
func decode(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		_, _ = buffered.Discard(3) // peeked above
		return buffered, nil
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(buffered), nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, fmt.Errorf("%w: this is a workbook, not a CSV file: save it as \"CSV UTF-8\"", ErrHeader)
	case bytes.IndexByte(head, 0) >= 0:
		return nil, fmt.Errorf("%w: this is no UTF-8 text, perhaps UTF-16 without a byte order mark: save it as \"CSV UTF-8\"", ErrHeader)
	}
	return buffered, nil
}

// limitedReader fails, rather than ends, where the limit is passed: half a staff list must not
// look like a whole one.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("%w: over the limit of bytes", ErrTooLarge)
	}
	return n, err
}
