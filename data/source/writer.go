package source

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"hone/checkpoint/file"
)

// A record batch is closed when it has this many rows or bytes: small enough that one row
// costs one small read, large enough that its header does not matter.
const (
	batchRows  = 256
	batchBytes = 256 << 10
)

// DefaultShardBytes is the size at which Shards begins the next file.
const DefaultShardBytes = 256 << 20

// Value is a text or null.
type Value struct {
	Text string
	Null bool
}

// Shard describes a finished file.
type Shard struct {
	File   string `json:"file"` // name within its directory
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Shards writes rows of text columns as uncompressed Arrow IPC files of one
// split, NAME-00000-of-0000N.arrow. The same rows give the same bytes.
type Shards struct {
	dir, name string
	limit     int64
	schema    *arrow.Schema
	builder   *array.RecordBuilder
	rows      int // in the builder
	bytes     int

	file    *os.File
	out     *hashWriter
	writer  *ipc.FileWriter
	current int64 // rows of the shard
	shards  []Shard
	err     error
}

// NewShards starts to write files into a directory. shardBytes is the approximate size of
// a file; 0: DefaultShardBytes.
func NewShards(dir, name string, shardBytes int64, columns ...string) *Shards {
	if shardBytes == 0 {
		shardBytes = DefaultShardBytes
	}
	s := &Shards{dir: dir, name: name, limit: shardBytes, schema: arrowSchema(textColumns(columns...))}
	s.builder = array.NewRecordBuilder(memory.NewGoAllocator(), s.schema)
	return s
}

// NewTypedShards is NewShards for columns of any readable type.
func NewTypedShards(dir, name string, shardBytes int64, columns []Column) *Shards {
	s := NewShards(dir, name, shardBytes)
	s.schema = arrowSchema(columns)
	s.builder = array.NewRecordBuilder(memory.NewGoAllocator(), s.schema)
	return s
}

// AppendRow adds a row of a batch: column i has the value of the batch's column
// from[i], or null where that is -1. Where the types differ, the value is
// converted, if need be to text.
func (s *Shards) AppendRow(b *Batch, row int, from []int) { s.AppendText(b, row, from, -1, "") }

// AppendText is AppendRow with text as the value of the column at, which must be one of
// text; -1: none.
func (s *Shards) AppendText(b *Batch, row int, from []int, at int, text string) {
	if s.err != nil {
		return
	}
	if len(from) != len(s.schema.Fields()) {
		s.err = fmt.Errorf("%d values for %d columns", len(from), len(s.schema.Fields()))
		return
	}
	for i, c := range from {
		if i == at {
			s.builder.Field(i).(*array.StringBuilder).Append(text)
			s.bytes += len(text)
		} else if c < 0 {
			s.builder.Field(i).AppendNull()
		} else if s.err = copyValue(s.builder.Field(i), b, c, row, &s.bytes); s.err != nil {
			return
		}
	}
	if s.rows++; s.rows == batchRows || s.bytes >= batchBytes {
		s.flush()
	}
}

// Append adds a row, a value for each column. After an error it does nothing;
// Close returns the error.
func (s *Shards) Append(row ...Value) {
	if s.err != nil {
		return
	}
	if len(row) != len(s.schema.Fields()) {
		s.err = fmt.Errorf("%d values for %d columns", len(row), len(s.schema.Fields()))
		return
	}
	for i, v := range row {
		b := s.builder.Field(i).(*array.StringBuilder)
		if v.Null {
			b.AppendNull()
		} else {
			b.Append(v.Text)
			s.bytes += len(v.Text)
		}
	}
	if s.rows++; s.rows == batchRows || s.bytes >= batchBytes {
		s.flush()
	}
}

// flush writes the rows of the builder as a record batch.
func (s *Shards) flush() {
	if s.err != nil {
		return
	}
	if s.file == nil {
		if s.err = s.begin(); s.err != nil {
			return
		}
	}
	rec := s.builder.NewRecord()
	s.err = s.writer.Write(rec)
	rec.Release()
	s.current += int64(s.rows)
	s.rows, s.bytes = 0, 0
	if s.out.n >= s.limit {
		s.end()
	}
}

func (s *Shards) temporary(i int) string {
	return filepath.Join(s.dir, fmt.Sprintf(".%s-%05d.tmp", s.name, i))
}

func (s *Shards) begin() (err error) {
	if s.file, err = os.Create(s.temporary(len(s.shards))); err != nil {
		return err
	}
	s.out = newHashWriter(s.file)
	s.writer, err = ipc.NewFileWriter(s.out, ipc.WithSchema(s.schema))
	return err
}

// end closes the current file.
func (s *Shards) end() {
	if s.err == nil {
		s.err = s.writer.Close()
	}
	if s.err == nil {
		s.err = s.out.buf.Flush()
	}
	if s.err == nil {
		s.err = s.file.Sync()
	}
	if err := s.file.Close(); s.err == nil {
		s.err = err
	}
	s.shards = append(s.shards, Shard{Rows: s.current, Bytes: s.out.n, SHA256: hex.EncodeToString(s.out.h.Sum(nil))})
	s.file, s.current = nil, 0
}

// Close finishes the last file and gives all of them their names. Without rows
// there is one file without record batches.
func (s *Shards) Close() ([]Shard, error) {
	if s.rows > 0 {
		s.flush()
	}
	if s.err == nil && s.file == nil && len(s.shards) == 0 {
		s.err = s.begin()
	}
	if s.file != nil {
		s.end()
	}
	s.builder.Release()
	for i := range s.shards {
		if s.err == nil {
			s.shards[i].File = fmt.Sprintf("%s-%05d-of-%05d.arrow", s.name, i, len(s.shards))
			s.err = os.Rename(s.temporary(i), filepath.Join(s.dir, s.shards[i].File))
		}
	}
	if s.err == nil {
		s.err = file.SyncDir(s.dir)
	}
	if s.err != nil {
		for i := range len(s.shards) + 1 {
			os.Remove(s.temporary(i))
		}
		return nil, fmt.Errorf("data: writing %s: %w", filepath.Join(s.dir, s.name), s.err)
	}
	return s.shards, nil
}

// hashWriter hashes what it writes.
type hashWriter struct {
	position
	buf *bufio.Writer
	h   hash.Hash
}

func newHashWriter(w io.Writer) *hashWriter {
	h := &hashWriter{buf: bufio.NewWriterSize(w, 1<<20), h: sha256.New()}
	h.position.w = io.MultiWriter(h.buf, h.h)
	return h
}
