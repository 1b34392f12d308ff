package source

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// newlines replaces every line end of a text, \r\n, \r or \n, by \n.
type newlines struct {
	r  io.Reader
	cr bool // the last byte was \r
}

func (n *newlines) Read(b []byte) (int, error) {
	for {
		k, err := n.r.Read(b)
		rest := b[:k]
		if k > 0 && n.cr && rest[0] == '\n' {
			rest = rest[1:]
		} else if bytes.IndexByte(rest, '\r') < 0 {
			n.cr = n.cr && k == 0
			return k, err
		}
		n.cr = false
		to := 0
		for len(rest) > 0 {
			i := bytes.IndexByte(rest, '\r')
			if i < 0 {
				to += copy(b[to:], rest)
				break
			}
			to += copy(b[to:], rest[:i])
			b[to] = '\n'
			to++
			rest = rest[i+1:]
			if n.cr = len(rest) == 0; !n.cr && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		if to > 0 || err != nil {
			return to, err
		}
	}
}

// lineReader reads lines of any length up to that of a record, with any line ends.
type lineReader struct {
	r    *bufio.Reader
	most bound
	line int64 // number of the last line, from 1
	long []byte
}

func newLineReader(r io.Reader, most bound) *lineReader {
	return &lineReader{most: most, r: bufio.NewReaderSize(&newlines{r: r}, 1<<18)}
}

// next returns a line without its end; io.EOF after the last. It is overwritten
// by the next call.
func (l *lineReader) next() ([]byte, error) {
	b, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long[:0], b...)
		for errors.Is(err, bufio.ErrBufferFull) {
			b, err = l.r.ReadSlice('\n')
			if l.long = append(l.long, b...); len(l.long) > l.most.record() {
				l.line++
				return nil, l.most.errRecord()
			}
		}
		b = l.long
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(b) == 0 {
		return nil, io.EOF
	}
	if l.line++; l.line == 1 {
		b = bytes.TrimPrefix(b, []byte("\ufeff"))
	}
	return bytes.TrimSuffix(b, []byte("\n")), nil
}
