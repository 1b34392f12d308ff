// Package gguf reads and writes GGUF, the file of models that llama.cpp runs: keys with
// values, and tensors of types that are often quantised in blocks. It knows no model.
//
// Versions 2 and 3, little-endian (ggml's docs/gguf.md). As llama.cpp does, it wants each tensor
// where the one before it ends, rounded up; so a file has neither gaps nor overlaps.
package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"hone/checkpoint/file"
)

// Magic is what a file begins with.
const Magic = "GGUF"

// What a file may have at most: many times what any has, and little memory.
const (
	maxKeys    = 1 << 16
	maxTensors = 1 << 16
	maxName    = 1 << 16 // bytes of the name of a key or a tensor
)

// A File is an open GGUF file. Its errors name the key or the tensor at fault; those of its
// content are the user's to mend.
type File struct {
	Keys    map[string]Value
	Tensors []Tensor // in the order of the file

	r      io.ReaderAt
	data   int64 // where the tensors begin
	closer io.Closer
}

// A Tensor is where one lies in a file.
type Tensor struct {
	Name   string
	Shape  []int // as in PyTorch: the last dimension is contiguous
	Type   Type
	Bytes  int64
	offset int64 // from the first tensor on
}

// Elems is the number of its elements.
func (t *Tensor) Elems() int64 { return elems(t.Shape) }

func elems(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

// Open opens a file. It takes no more memory than the keys and names of tensors have in it,
// and a few megabytes.
func Open(path string) (*File, error) {
	f, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("gguf: %w", err)
	}
	g, err := Read(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g.closer = f
	return g, nil
}

// Close closes the file that Open has opened.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Read is Open of what r holds, size bytes.
func Read(r io.ReaderAt, size int64) (*File, error) {
	f := &File{Keys: map[string]Value{}, r: r}
	if err := f.read(size); err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return f, nil
}

// read goes over the head twice: to find its end, then to keep it, in one piece.
func (f *File) read(size int64) error {
	skim := &cursor{r: bufio.NewReaderSize(io.NewSectionReader(f.r, 0, size), 1<<16), left: size}
	if err := f.head(skim, false); err != nil {
		return err
	}
	end := size - skim.left
	kept := make([]byte, end)
	if _, err := io.ReadFull(io.NewSectionReader(f.r, 0, end), kept); err != nil {
		return fmt.Errorf("the file cannot be read: %w", err)
	}
	if err := f.head(&cursor{kept: kept, left: size}, true); err != nil {
		return err
	}
	align := int64(32)
	if v, ok := f.Keys["general.alignment"]; ok {
		n, ok := v.Int()
		if !ok || n < 1 || n > 1<<20 || n&(n-1) != 0 {
			return errors.New("key general.alignment: not a power of two up to 2^20")
		}
		align = int64(n)
	}
	up := func(n int64) int64 { return (n + align - 1) / align * align }
	f.data = up(end)
	at := int64(0)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.offset != at {
			return fmt.Errorf("tensor %q: begins at %d, not where the one before it ends, %d", t.Name, t.offset, at)
		}
		if t.Bytes > size-f.data-at {
			return fmt.Errorf("tensor %q: the file ends within it (it is cut short)", t.Name)
		}
		at = up(at + t.Bytes)
	}
	return nil
}

// head reads the head: the keys, and where the tensors lie; keep says whether for good.
func (f *File) head(c *cursor, keep bool) error {
	head, err := c.take(24)
	if err != nil {
		return fmt.Errorf("no GGUF file: %w", err)
	}
	if string(head[:4]) != Magic {
		return errors.New("no GGUF file: it does not begin with GGUF")
	}
	switch v := binary.LittleEndian.Uint32(head[4:]); {
	case v == 2, v == 3:
	case v&0xffff == 0:
		return errors.New("a big-endian file, which is not read")
	default:
		return fmt.Errorf("version %d is not supported (known: 2, 3)", v)
	}
	tensors, keys := binary.LittleEndian.Uint64(head[8:]), binary.LittleEndian.Uint64(head[16:])
	if keys > maxKeys {
		return fmt.Errorf("%d keys; at most %d are read", keys, maxKeys)
	}
	if tensors > maxTensors {
		return fmt.Errorf("%d tensors; at most %d are read", tensors, maxTensors)
	}
	for i := range keys {
		key, err := c.name()
		if err != nil {
			return fmt.Errorf("key %d: %w", i, err)
		}
		v, err := c.value()
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		if !keep {
			continue
		}
		if _, dup := f.Keys[key]; dup {
			return fmt.Errorf("key %q comes twice", key)
		}
		f.Keys[key] = v
	}
	seen := map[string]bool{}
	for i := range tensors {
		t, err := c.tensor()
		if err != nil {
			return fmt.Errorf("tensor %d: %w", i, err)
		}
		if !keep {
			continue
		}
		if seen[t.Name] {
			return fmt.Errorf("tensor %q comes twice", t.Name)
		}
		seen[t.Name] = true
		f.Tensors = append(f.Tensors, *t)
	}
	return nil
}

// A cursor reads the head: past what it says, or as views of what is kept.
type cursor struct {
	r    *bufio.Reader
	kept []byte // the rest; nil: past all
	left int64  // bytes of the file
	buf  [8 * 8]byte
}

var errEnds = errors.New("the file ends within it")

// take gives the next few bytes, good until the next call where nothing is kept.
func (c *cursor) take(n int) ([]byte, error) {
	if int64(n) > c.left {
		return nil, errEnds
	}
	c.left -= int64(n)
	if c.r == nil {
		b := c.kept[:n:n]
		c.kept = c.kept[n:]
		return b, nil
	}
	_, err := io.ReadFull(c.r, c.buf[:n])
	return c.buf[:n], err
}

// skip goes past n bytes: a view of them, where they are kept.
func (c *cursor) skip(n int64) ([]byte, error) {
	if n > c.left {
		return nil, errEnds
	}
	c.left -= n
	if c.r == nil {
		b := c.kept[:n:n]
		c.kept = c.kept[n:]
		return b, nil
	}
	for n > 0 { // Discard takes an int
		part := min(n, 1<<30)
		if _, err := c.r.Discard(int(part)); err != nil {
			return nil, err
		}
		n -= part
	}
	return nil, nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// text goes past a string.
func (c *cursor) text() ([]byte, error) {
	n, err := c.uint64()
	if err != nil {
		return nil, err
	}
	if n > uint64(c.left) {
		return nil, errors.New("a string is longer than the file")
	}
	return c.skip(int64(n))
}

// name reads that of a key or tensor.
func (c *cursor) name() (string, error) {
	n, err := c.uint64()
	if err != nil {
		return "", err
	}
	if n > maxName {
		return "", fmt.Errorf("a name of %d bytes; at most %d are read", n, maxName)
	}
	if c.r == nil {
		b, err := c.take(int(n))
		return string(b), err
	}
	if int64(n) > c.left {
		return "", errEnds
	}
	c.left -= int64(n)
	b := make([]byte, n)
	_, err = io.ReadFull(c.r, b)
	return string(b), err
}

func (c *cursor) value() (v Value, err error) {
	k, err := c.uint32()
	if err != nil {
		return v, err
	}
	switch v.kind = kind(k); {
	case int(k) >= len(kindNames):
		return v, fmt.Errorf("unknown %v", v.kind)
	case v.kind == kindString:
		v.raw, err = c.text()
		return v, err
	case v.kind != kindArray:
		v.raw, err = c.skip(kindSizes[k])
		return v, err
	}
	of, err := c.uint32()
	if err != nil {
		return v, err
	}
	n, err := c.uint64()
	if err != nil {
		return v, err
	}
	if v.of = kind(of); int(of) >= len(kindNames) || v.of == kindArray {
		return v, fmt.Errorf("an array of %v", v.of)
	}
	size := kindSizes[of]
	least := size
	if v.of == kindString {
		least = 8 // its length
	}
	if n > uint64(c.left/least) {
		return v, errors.New("an array is longer than the file")
	}
	v.n = int(n)
	if size > 0 {
		v.raw, err = c.skip(int64(n) * size)
		return v, err
	}
	whole := c.kept
	for range n {
		if _, err := c.text(); err != nil {
			return v, err
		}
	}
	if c.r == nil {
		v.raw = whole[: len(whole)-len(c.kept) : len(whole)-len(c.kept)]
	}
	return v, nil
}

func (c *cursor) tensor() (*Tensor, error) {
	name, err := c.name()
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*Tensor, error) {
		return nil, fmt.Errorf("%q: %w", name, fmt.Errorf(format, args...))
	}
	dims, err := c.uint32()
	if err != nil {
		return fail("%w", err)
	}
	if dims < 1 || dims > 4 {
		return fail("%d dimensions; 1 to 4 are read", dims)
	}
	t := &Tensor{Name: name, Shape: make([]int, dims)}
	n := int64(1)
	for i := range dims {
		d, err := c.uint64()
		if err != nil {
			return fail("%w", err)
		}
		if d < 1 || d > math.MaxInt64/uint64(n)/32 { // the bytes must be a number as well
			return fail("dimension %d is of size %d", dims-1-i, d)
		}
		n *= int64(d)
		t.Shape[dims-1-i] = int(d)
	}
	k, err := c.uint32()
	if err != nil {
		return fail("%w", err)
	}
	at, err := c.uint64()
	if err != nil {
		return fail("%w", err)
	}
	t.Type, t.offset = Type(k), int64(min(at, math.MaxInt64))
	switch last := t.Shape[dims-1]; {
	case t.Type.Block() == 0:
		return fail("unknown %v", t.Type)
	case last%t.Type.Block() != 0:
		return fail("rows of %d are not whole blocks of %v, %d each", last, t.Type, t.Type.Block())
	}
	t.Bytes = t.Type.Bytes(n)
	return t, nil
}

// Tensor finds one by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i], true
		}
	}
	return nil, false
}

// Blocks reads the bytes of a tensor from an element on, which begins a block, as many as dst
// has.
func (f *File) Blocks(t *Tensor, first int64, dst []byte) error {
	at := t.Type.Bytes(first)
	if first < 0 || first%int64(t.Type.Block()) != 0 || at+int64(len(dst)) > t.Bytes {
		return fmt.Errorf("gguf: tensor %q: no %d bytes from element %d on", t.Name, len(dst), first)
	}
	if _, err := f.r.ReadAt(dst, f.data+t.offset+at); err != nil {
		return fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
	}
	return nil
}

// Reader reads the bytes of a tensor, block after block.
func (f *File) Reader(t *Tensor) io.Reader {
	return io.NewSectionReader(f.r, f.data+t.offset, t.Bytes)
}

// readElems is how many elements Floats reads at a time: whole blocks.
const readElems = 1 << 16

// Floats reads elements of a tensor, from one on that begins a block, as many as dst has:
// whole blocks.
func (f *File) Floats(t *Tensor, first int64, dst []float32) error {
	if len(dst)%t.Type.Block() != 0 {
		return fmt.Errorf("gguf: tensor %q: %d elements are not whole blocks of %v", t.Name, len(dst), t.Type)
	}
	buf := make([]byte, t.Type.Bytes(int64(min(len(dst), readElems))))
	for len(dst) > 0 {
		part := dst[:min(len(dst), readElems)]
		b := buf[:t.Type.Bytes(int64(len(part)))]
		if err := f.Blocks(t, first, b); err != nil {
			return err
		}
		if err := Dequantize(t.Type, part, b); err != nil {
			return fmt.Errorf("%w (tensor %q)", err, t.Name)
		}
		first += int64(len(part))
		dst = dst[len(part):]
	}
	return nil
}
