package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"
)

// File is an Arrow IPC file or stream, open for random access. It is safe for
// concurrent use after Select.
type File struct {
	path    string
	r       io.ReaderAt
	closer  io.Closer // nil: nothing to close
	size    int64
	stream  bool // not a file
	version int
	fields  []arrowField
	batches []arrowBlock
	first   []int64 // row number of each batch's first row, and the sum of all
	dicts   []dictBlock
	columns []int  // that are read, numbers of fields
	picks   []pick // of them; nil: they as they are
	cache   *Cache
	most    bound
	skips   *Skips // nil: invalid UTF-8 is an error

	mu         sync.Mutex
	dictionary map[dictKey]*dictionary // decoded, see window.dictionary
}

type dictBlock struct {
	block arrowBlock
	id    int64
	delta bool
}

// Close closes the file.
func (a *File) Close() error {
	if a.closer == nil {
		return nil
	}
	return a.closer.Close()
}

// Path returns the name that the file was opened by.
func (a *File) Path() string { return a.path }

// Size returns the size of the file in bytes.
func (a *File) Size() int64 { return a.size }

// Rows returns the number of rows.
func (a *File) Rows() int64 { return a.first[len(a.first)-1] }

// Batches returns the number of record batches.
func (a *File) Batches() int { return len(a.batches) }

// Cached lets Row keep decoded batches in a cache.
func (a *File) Cached(c *Cache) { a.cache = c }

// Limit sets how many bytes the decoded columns of a record batch may have; 0: a
// gibibyte.
func (a *File) Limit(maxBatch int64) { a.most = bound(maxBatch).or() }

// SkipInvalid makes text that is not UTF-8 null and counts it, instead of failing.
func (a *File) SkipInvalid(s *Skips) { a.skips = s }

// RandomAccess reports whether a row can be read without decompressing its neighbours.
func (a *File) RandomAccess() bool {
	return !slices.ContainsFunc(a.batches, func(b arrowBlock) bool { return b.codec != codecNone })
}

// read returns n bytes at an offset that has been checked against the size.
func (a *File) read(offset, n int64) ([]byte, error) {
	b := make([]byte, n)
	return b, a.readInto(b, offset)
}

func (a *File) readInto(b []byte, offset int64) error {
	_, err := a.r.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		return errors.New("truncated: the file became shorter while it was read")
	}
	return err
}

func (a *File) indexFile() error {
	const trailer = 4 + 6 // size of the footer, magic
	if a.size < 8+trailer {
		return fmt.Errorf("truncated Arrow file: only %d bytes", a.size)
	}
	tail, err := a.read(a.size-trailer, trailer)
	if err != nil {
		return err
	}
	if !bytes.Equal(tail[4:], arrowMagic) {
		return errors.New("truncated Arrow file: it does not end with the mark ARROW1")
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n < 4 || n > a.size-trailer-8 {
		return fmt.Errorf("damaged Arrow file: a footer of %d bytes in a file of %d", n, a.size)
	}
	end := a.size - trailer - n
	footer, err := a.read(end, n)
	if err != nil {
		return err
	}
	fields, dicts, records, err := parseFooter(footer, a.size)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	a.fields = fields
	for i, b := range dicts {
		m, err := a.message(b, end)
		if err == nil && m.kind != headerDictionary {
			err = errors.New("damaged metadata: no dictionary where the footer has one")
		}
		if err != nil {
			return fmt.Errorf("dictionary %d: %w", i, err)
		}
		a.dicts = append(a.dicts, dictBlock{b, m.dictID, m.delta})
	}
	for i, b := range records {
		m, err := a.message(b, end)
		if err == nil && m.kind != headerRecord {
			err = errors.New("damaged metadata: no record batch where the footer has one")
		}
		if err == nil {
			err = a.addBatch(b, &m)
		}
		if err != nil {
			return fmt.Errorf("record batch %d: %w", i, err)
		}
	}
	return nil
}

func (a *File) addBatch(b arrowBlock, m *arrowMessage) error {
	if a.version == 0 {
		a.version = m.version
	}
	if m.version != a.version {
		return errors.New("damaged metadata: messages of several versions")
	}
	var l layout
	for i := range a.fields {
		at := l
		if err := l.skip(&a.fields[i], &m.batch, m.version); err != nil {
			return err
		}
		if m.batch.nodes[at.node].rows != m.batch.rows {
			return fmt.Errorf("damaged metadata: column %q has %d rows, the batch %d", a.fields[i].name, m.batch.nodes[at.node].rows, m.batch.rows)
		}
	}
	if l.node != len(m.batch.nodes) || l.buffer != len(m.batch.buffers) {
		return errors.New("damaged metadata: more buffers than the columns need")
	}
	if m.batch.rows > math.MaxInt32 {
		return fmt.Errorf("damaged metadata: %d rows in one batch", m.batch.rows)
	}
	b.codec = m.batch.codec
	a.batches = append(a.batches, b)
	a.first = append(a.first, a.Rows()+m.batch.rows)
	return nil
}

// message reads and verifies the header of the message in a block, which must
// end before limit.
func (a *File) message(b arrowBlock, limit int64) (m arrowMessage, err error) {
	if b.offset < 8 || b.offset%8 != 0 || b.meta < 8 || b.body < 0 ||
		b.offset > limit || int64(b.meta) > limit-b.offset || b.body > limit-b.offset-int64(b.meta) {
		return m, fmt.Errorf("truncated or damaged: a message of %d+%d bytes at %d, of %d bytes", b.meta, b.body, b.offset, limit)
	}
	meta, err := a.read(b.offset, int64(b.meta))
	if err != nil {
		return m, err
	}
	n, body := binary.LittleEndian.Uint32(meta), meta[4:]
	if n == 0xffffffff { // files before Arrow 0.15 lack the mark
		n, body = binary.LittleEndian.Uint32(meta[4:]), meta[8:]
	}
	if int64(n) > int64(len(body)) {
		return m, errors.New("damaged metadata: a header longer than its message")
	}
	if m, err = parseMessage(body[:n], a.size); err != nil {
		return m, err
	}
	if m.body != b.body {
		return m, fmt.Errorf("damaged metadata: a body of %d bytes, or of %d", m.body, b.body)
	}
	return m, nil
}

func (a *File) indexStream() error {
	a.stream = true
	for pos := int64(0); ; {
		if a.size-pos < 8 {
			return fmt.Errorf("truncated Arrow stream: it ends at byte %d without the end mark", a.size)
		}
		head, err := a.read(pos, 8)
		if err != nil {
			return err
		}
		if !bytes.Equal(head[:4], continuation) {
			return fmt.Errorf("damaged Arrow stream: no message at byte %d", pos)
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		if n == 0 {
			if a.fields == nil {
				return errors.New("damaged Arrow stream: no schema")
			}
			if rest := a.size - pos - 8; rest != 0 {
				return fmt.Errorf("damaged Arrow stream: %d bytes after its end mark", rest)
			}
			break
		}
		if n > a.size-pos-8 {
			return fmt.Errorf("truncated Arrow stream: a header of %d bytes at byte %d of %d", n, pos, a.size)
		}
		meta, err := a.read(pos+8, n)
		if err != nil {
			return err
		}
		where := fmt.Sprintf("record batch %d", len(a.batches))
		if a.fields == nil {
			where = "schema"
		}
		m, err := parseMessage(meta, a.size)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if m.body > a.size-pos-8-n {
			return fmt.Errorf("%s: truncated Arrow stream: a body of %d bytes at byte %d of %d", where, m.body, pos, a.size)
		}
		b := arrowBlock{offset: pos, meta: int(8 + n), body: m.body}
		switch {
		case (m.kind == headerSchema) != (a.fields == nil):
			return fmt.Errorf("%s: damaged Arrow stream: the schema is not its first message, alone", where)
		case m.kind == headerSchema:
			if a.fields = m.fields; a.fields == nil {
				a.fields = []arrowField{}
			}
		case m.kind == headerDictionary:
			a.dicts = append(a.dicts, dictBlock{b, m.dictID, m.delta})
		default:
			if err := a.addBatch(b, &m); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
		pos += 8 + n + m.body
	}
	return nil
}

// Batch reads record batch k: of the file, only the buffers of the selected
// columns. All text is verified to be UTF-8; where it is not, the error names
// the record batch and the row in it.
func (a *File) Batch(k int) (*Batch, error) {
	w, err := a.window(k)
	if err != nil {
		return nil, err
	}
	return w.batch(0, w.rows())
}

// Row returns the batch that holds a row, and the row's number in it. Of a batch
// that is not compressed, only that row is read.
func (a *File) Row(i int64) (*Batch, int, error) {
	if i < 0 || i >= a.Rows() {
		return nil, 0, fmt.Errorf("data: %s: row %d of %d", a.path, i, a.Rows())
	}
	k := sort.Search(len(a.batches), func(k int) bool { return a.first[k+1] > i })
	if a.batches[k].codec == codecNone {
		w, err := a.window(k)
		if err != nil {
			return nil, 0, err
		}
		b, err := w.batch(i-a.first[k], 1)
		return b, 0, err
	}
	b, err := a.cache.batch(a, k)
	if err != nil {
		return nil, 0, err
	}
	return b, int(i - b.First), nil
}
