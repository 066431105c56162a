package hrfeed

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
)

// errRecordTooLong means that a record is over the limit. What follows is not read: a quotation
// mark that is never closed looks just the same.
var errRecordTooLong = errors.New("too long")

// lineReader hands a csv.Reader one line for each Read. The csv.Reader buffers no further than
// the line that it needs, so between two records line numbers and sizes are exact, and a record
// that never ends can be stopped.
type lineReader struct {
	src *bufio.Reader
	// rest is what the caller's buffer had no room for; it is valid until the next src call.
	rest []byte
	max  int

	lines int // completely or partly delivered
	start int // line on which the current record begins
	size  int // bytes of the current record
	open  bool

	// ended means that the file's end has been reached within the current record: it has no
	// line break after it, or an open quotation mark in it.
	ended bool
	err   error
}

func newLineReader(r io.Reader, maxRecord int) *lineReader {
	return &lineReader{src: bufio.NewReaderSize(r, 64<<10), max: maxRecord}
}

// begin says that the next line starts a record.
func (l *lineReader) begin() { l.start, l.size = l.lines+1, 0 }

// first and last are the lines of the current record, 1-based.
func (l *lineReader) first() int { return l.start }
func (l *lineReader) last() int  { return l.lines }

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if err := l.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *lineReader) fill() error {
	if l.err != nil {
		l.ended = true
		return l.err
	}
	chunk, err := l.src.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		l.err = err // after what was read before it
		if len(chunk) == 0 {
			return l.fill()
		}
	}
	if !l.open {
		l.lines++
	}
	l.open = chunk[len(chunk)-1] != '\n'
	if l.size == 0 && l.lines == l.start && blank(chunk) {
		l.start++ // csv skips empty lines between records
	} else {
		l.size += len(chunk)
	}
	if l.size > l.max {
		return errRecordTooLong
	}
	l.rest = chunk
	return nil
}

func blank(line []byte) bool { return string(line) == "\n" || string(line) == "\r\n" }

// delimiter looks ahead to the header line and returns the delimiter that makes most sense of it.
func (l *lineReader) delimiter() rune {
	ahead, _ := l.src.Peek(l.src.Size()) // a short file is an error here and none to us
	ahead = bytes.TrimLeft(ahead, "\r\n")
	if end := bytes.IndexByte(ahead, '\n'); end >= 0 {
		ahead = ahead[:end]
	}
	best, bestKnown, bestCells := ',', -1, 0
	for _, candidate := range []rune{',', ';', '\t'} {
		reader := csv.NewReader(bytes.NewReader(ahead))
		reader.Comma = candidate
		reader.LazyQuotes = true
		cells, _ := reader.Read() // the real reader reports what is wrong
		known := 0
		for _, cell := range cells {
			if _, ok := columnOf(cell); ok {
				known++
			}
		}
		if known > bestKnown || known == bestKnown && len(cells) > bestCells {
			best, bestKnown, bestCells = candidate, known, len(cells)
		}
	}
	return best
}
