package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// A Key is one to be written. Value is a string, bool, uint32, int32, uint64, int64, float32, or
// a []string, []int32 or []float32.
type Key struct {
	Name  string
	Value any
}

// Write writes a file of version 3: keys in their order, then the tensors, of which Name, Shape
// and Type are given. write is called for each in turn and writes its bytes, Type.Bytes of
// its elements.
func Write(w io.Writer, keys []Key, tensors []Tensor, write func(w io.Writer, t *Tensor) error) error {
	out := &writer{w: bufio.NewWriterSize(w, 1<<16)}
	out.bytes([]byte(Magic))
	out.number(uint32(3))
	out.number(uint64(len(tensors)))
	out.number(uint64(len(keys)))
	seen := map[string]bool{}
	once := func(what, name string) error {
		if seen[what+name] {
			return fmt.Errorf("gguf: %s %q comes twice", what, name)
		}
		seen[what+name] = true
		return nil
	}
	for _, k := range keys {
		if err := once("key", k.Name); err != nil {
			return err
		}
		out.text(k.Name)
		if err := out.value(k.Value); err != nil {
			return fmt.Errorf("gguf: key %q: %w", k.Name, err)
		}
	}
	const align = 32
	up := func(n int64) int64 { return (n + align - 1) / align * align }
	at := int64(0)
	tensors = slices.Clone(tensors)
	for i := range tensors {
		t := &tensors[i]
		if err := once("tensor", t.Name); err != nil {
			return err
		}
		const longest = 63 // llama.cpp's GGML_MAX_NAME, less the zero at its end
		if b := t.Type.Block(); len(t.Name) > longest || len(t.Shape) < 1 || len(t.Shape) > 4 || slices.Min(t.Shape) < 1 || b == 0 || t.Shape[len(t.Shape)-1]%b != 0 {
			return fmt.Errorf("gguf: tensor %q of shape %v and %v cannot be written", t.Name, t.Shape, t.Type)
		}
		t.Bytes, t.offset = t.Type.Bytes(t.Elems()), at
		at = up(at + t.Bytes)
		out.text(t.Name)
		out.number(uint32(len(t.Shape)))
		for _, d := range slices.Backward(t.Shape) {
			out.number(uint64(d))
		}
		out.number(uint32(t.Type))
		out.number(uint64(t.offset))
	}
	out.pad(up(out.n) - out.n)
	for i := range tensors {
		t := &tensors[i]
		before := out.n
		if out.err == nil {
			if err := write(out, t); err != nil {
				return fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
			}
			if out.n-before != t.Bytes {
				return fmt.Errorf("gguf: tensor %q: %d bytes written, want %d", t.Name, out.n-before, t.Bytes)
			}
		}
		out.pad(up(t.Bytes) - t.Bytes)
	}
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("gguf: %w", out.err)
	}
	return nil
}

// A writer counts bytes and keeps the first error.
type writer struct {
	w   *bufio.Writer
	n   int64
	err error
}

func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(b)
	w.n += int64(n)
	w.err = err
	return n, err
}

func (w *writer) bytes(b []byte) { w.Write(b) }

func (w *writer) pad(n int64) { w.bytes(make([]byte, n)) }

func (w *writer) text(s string) {
	w.number(uint64(len(s)))
	w.bytes([]byte(s))
}

func (w *writer) number(v any) {
	var b [8]byte
	le := binary.LittleEndian
	switch v := v.(type) {
	case uint32:
		le.PutUint32(b[:], v)
		w.bytes(b[:4])
	case int32:
		le.PutUint32(b[:], uint32(v))
		w.bytes(b[:4])
	case float32:
		le.PutUint32(b[:], math.Float32bits(v))
		w.bytes(b[:4])
	case uint64:
		le.PutUint64(b[:], v)
		w.bytes(b[:])
	case int64:
		le.PutUint64(b[:], uint64(v))
		w.bytes(b[:])
	}
}

func (w *writer) value(v any) error {
	as := func(k kind) { w.number(uint32(k)) }
	array := func(of kind, n int) {
		as(kindArray)
		as(of)
		w.number(uint64(n))
	}
	switch v := v.(type) {
	case string:
		as(kindString)
		w.text(v)
	case bool:
		as(kindBool)
		if v {
			w.bytes([]byte{1})
		} else {
			w.bytes([]byte{0})
		}
	case uint32:
		as(kindUint32)
		w.number(v)
	case int32:
		as(kindInt32)
		w.number(v)
	case float32:
		as(kindFloat32)
		w.number(v)
	case uint64:
		as(kindUint64)
		w.number(v)
	case int64:
		as(kindInt64)
		w.number(v)
	case []string:
		array(kindString, len(v))
		for _, s := range v {
			w.text(s)
		}
	case []int32:
		array(kindInt32, len(v))
		for _, x := range v {
			w.number(x)
		}
	case []float32:
		array(kindFloat32, len(v))
		for _, x := range v {
			w.number(x)
		}
	default:
		return fmt.Errorf("a value of Go's type %T is not written", v)
	}
	return nil
}
