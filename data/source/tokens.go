package source

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"hone/checkpoint/file"
)

// A record batch of tokens is closed when it has this many tokens or rows.
const (
	tokenBatchTokens = 1 << 20
	tokenBatchRows   = 1 << 16
)

// TokenShard describes a file of tokens and the places of its record batches, which are not
// compressed, so that a document is one small read.
type TokenShard struct {
	Shard
	Tokens  int64        `json:"tokens"`
	Batches []TokenBatch `json:"batches"`
}

// TokenBatch is a record batch: the places of its Rows+1 offsets and of its values.
type TokenBatch struct {
	Rows    int64 `json:"rows"`
	Offsets int64 `json:"offsets"`
	Values  int64 `json:"values"`
}

// TokenShards writes documents of token ids as Arrow IPC files with one column, tokens:
// list<int32>. The same documents give the same bytes.
type TokenShards struct {
	dir, name string
	limit     int64
	offsets   []int32
	values    []int32

	file   *os.File
	out    *hashWriter
	writer *ipc.FileWriter
	now    TokenShard
	shards []TokenShard
	err    error
}

var tokenSchema = arrow.NewSchema([]arrow.Field{{Name: "tokens", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int32)}}, nil)

// NewTokenShards starts to write files into a directory; shardBytes is as for NewShards.
func NewTokenShards(dir, name string, shardBytes int64) *TokenShards {
	if shardBytes == 0 {
		shardBytes = DefaultShardBytes
	}
	return &TokenShards{dir: dir, name: name, limit: shardBytes, offsets: []int32{0}}
}

// Append adds a document, which may be empty. After an error it does nothing; Close
// returns the error.
func (s *TokenShards) Append(ids []int32) {
	if s.err != nil {
		return
	}
	if len(s.values)+len(ids) > 1<<31-1 {
		s.err = fmt.Errorf("a document of %d tokens", len(ids))
		return
	}
	s.values = append(s.values, ids...)
	s.offsets = append(s.offsets, int32(len(s.values)))
	if len(s.values) >= tokenBatchTokens || len(s.offsets) > tokenBatchRows {
		s.flush()
	}
}

func (s *TokenShards) flush() {
	rows := len(s.offsets) - 1
	if s.err != nil || rows == 0 {
		return
	}
	if s.file == nil {
		if s.file, s.err = os.Create(filepath.Join(s.dir, s.temporary(len(s.shards)))); s.err != nil {
			return
		}
		s.out = newHashWriter(s.file)
		s.now = TokenShard{}
		if s.writer, s.err = ipc.NewFileWriter(s.out, ipc.WithSchema(tokenSchema)); s.err != nil {
			return
		}
	}
	values := array.NewInt32Data(array.NewData(arrow.PrimitiveTypes.Int32, len(s.values), []*memory.Buffer{nil, memory.NewBufferBytes(int32Bytes(s.values))}, nil, 0, 0))
	lists := array.NewListData(array.NewData(tokenSchema.Field(0).Type, rows,
		[]*memory.Buffer{nil, memory.NewBufferBytes(int32Bytes(s.offsets))}, []arrow.ArrayData{values.Data()}, 0, 0))
	rec := array.NewRecord(tokenSchema, []arrow.Array{lists}, int64(rows))
	s.err = s.writer.Write(rec)
	if s.err != nil {
		return
	}
	// The body ends the message: offsets, then values, each padded to 8 bytes.
	pad := func(n int) int64 { return (int64(n)*4 + 7) &^ 7 }
	at := s.out.n - pad(len(s.values))
	s.now.Batches = append(s.now.Batches, TokenBatch{Rows: int64(rows), Offsets: at - pad(len(s.offsets)), Values: at})
	s.now.Rows += int64(rows)
	s.now.Tokens += int64(len(s.values))
	s.offsets, s.values = s.offsets[:1], s.values[:0]
	if s.out.n >= s.limit {
		s.end()
	}
}

func (s *TokenShards) temporary(i int) string { return fmt.Sprintf(".%s-%05d.tmp", s.name, i) }

func (s *TokenShards) end() {
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
	s.now.Bytes, s.now.SHA256 = s.out.n, hex.EncodeToString(s.out.h.Sum(nil))
	s.shards = append(s.shards, s.now)
	s.file = nil
}

// Close finishes the last file and gives all of them their names.
func (s *TokenShards) Close() ([]TokenShard, error) {
	s.flush()
	if s.file != nil {
		s.end()
	}
	for i := range s.shards {
		if s.err == nil {
			s.shards[i].File = fmt.Sprintf("%s-%05d-of-%05d.arrow", s.name, i, len(s.shards))
			s.err = os.Rename(filepath.Join(s.dir, s.temporary(i)), filepath.Join(s.dir, s.shards[i].File))
		}
	}
	if s.err == nil {
		s.err = file.SyncDir(s.dir)
	}
	if s.err != nil {
		for i := range len(s.shards) + 1 {
			os.Remove(filepath.Join(s.dir, s.temporary(i)))
		}
		return nil, fmt.Errorf("data: writing %s: %w", filepath.Join(s.dir, s.name), s.err)
	}
	return s.shards, nil
}

// Tokens reads token shards. It is safe for concurrent use.
type Tokens struct {
	files []*os.File
	index []tokenRange
	rows  int64
}

// tokenRange is a record batch, and the first of its rows among all.
type tokenRange struct {
	first int64
	file  int
	TokenBatch
}

// OpenTokens opens token shards and verifies their hashes. progress counts bytes and may
// be nil.
func OpenTokens(ctx context.Context, dir string, shards []TokenShard, progress func(done, total int64)) (_ *Tokens, err error) {
	t := &Tokens{}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	var done, total int64
	for _, s := range shards {
		total += s.Bytes
	}
	for i, s := range shards {
		if s.File != filepath.Base(s.File) {
			return nil, fmt.Errorf("data: %s: shard %q is not in its directory", dir, s.File)
		}
		path := filepath.Join(dir, s.File)
		sum, size, err := Hash(ctx, path)
		if err != nil {
			return nil, err
		}
		if sum != s.SHA256 || size != s.Bytes {
			return nil, fmt.Errorf("data: %s: damaged: its SHA-256 is %s, not %s", path, sum, s.SHA256)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		t.files = append(t.files, f)
		for _, b := range s.Batches {
			if b.Rows < 1 || b.Offsets < 0 || b.Offsets+4*(b.Rows+1) > b.Values || b.Values > size {
				return nil, fmt.Errorf("data: %s: a record batch at %+v", path, b)
			}
			t.index = append(t.index, tokenRange{t.rows, i, b})
			t.rows += b.Rows
		}
		if done += size; progress != nil {
			progress(done, total)
		}
	}
	return t, nil
}

// Rows is the number of documents.
func (t *Tokens) Rows() int64 { return t.rows }

// Row appends the tokens of document i to dst.
func (t *Tokens) Row(dst []int32, i int64) ([]int32, error) {
	if i < 0 || i >= t.rows {
		return dst, fmt.Errorf("data: tokens: document %d of %d", i, t.rows)
	}
	b := &t.index[sort.Search(len(t.index), func(k int) bool { return t.index[k].first > i })-1]
	f := t.files[b.file]
	fail := func(err error) ([]int32, error) {
		return dst, fmt.Errorf("data: %s: document %d: %w", f.Name(), i-b.first, err)
	}
	var ends [8]byte
	if _, err := f.ReadAt(ends[:], b.Offsets+4*(i-b.first)); err != nil {
		return fail(err)
	}
	lo, hi := int64(binary.LittleEndian.Uint32(ends[:])), int64(binary.LittleEndian.Uint32(ends[4:]))
	if lo > hi || hi > 1<<31-1 {
		return fail(fmt.Errorf("damaged data: tokens %d to %d", lo, hi))
	}
	if lo == hi {
		return dst, nil
	}
	at := len(dst)
	dst = slices.Grow(dst, int(hi-lo))[:at+int(hi-lo)]
	if _, err := f.ReadAt(int32Bytes(dst[at:]), b.Values+4*lo); err != nil && err != io.EOF {
		return fail(err)
	}
	return dst, nil
}

// Close closes the files.
func (t *Tokens) Close() error {
	var first error
	for _, f := range t.files {
		if err := f.Close(); first == nil {
			first = err
		}
	}
	t.files = nil
	return first
}

// int32Bytes gives the memory of x, which is little-endian on all machines that hone runs on.
func int32Bytes(x []int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
