// Package pickle reads the tensors of a file that torch.save wrote: a zip file of storages and
// a pickle, which is a program that makes tensors of them. The program is not run as Python
// would: of its instructions those are followed that files of weights have, and of what it
// names, functions that make tensors; anything else is refused by its name.
package pickle

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"sync"

	"hone/checkpoint/file"
)

// A File is an open file of torch.save. Its errors name it, and the entry, the place in the
// pickle or the tensor at fault; they are the user's to mend.
type File struct {
	name    string
	archive *archive
	tensors []Tensor
	views   []tensor
	places  map[string]int64 // of storages, by key
	close   func() error

	mu      sync.Mutex
	checked map[string]bool // storages whose checksum was right
}

// A Tensor is the description of one.
type Tensor struct {
	Name  string
	DType string // F32, F64, F16, BF16, I64, I32, I16, I8, U8, BOOL, C64: safetensors' names
	Shape []int
}

// Open opens a file. It takes no more memory than its directory and its pickle have bytes, and
// 16 MiB. The caller closes it.
func Open(path string) (*File, error) {
	return file.OpenWith(path, func(f *os.File, size int64) (*File, error) {
		p, err := read(path, f, size)
		if err != nil {
			return nil, err
		}
		p.close = f.Close
		return p, nil
	})
}

// Close closes the file.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Tensors are the tensors in their order in the file.
func (f *File) Tensors() []Tensor { return f.tensors }

func read(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, places: map[string]int64{}, checked: map[string]bool{}}
	if err := f.read(r, size); err != nil {
		return nil, fmt.Errorf("%s: not a file of weights that torch.save wrote: %w", name, err)
	}
	return f, nil
}

const pickleEntry = "data.pkl"

func (f *File) read(r io.ReaderAt, size int64) (err error) {
	head := make([]byte, min(size, 16))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		// A long integer, the magic number of what torch.save wrote before version 1.6.
		if bytes.HasPrefix(head, []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9")) {
			return errors.New("it has the form from before PyTorch 1.6, which is not read (hint: load it with torch.load(FILE, weights_only=True) and save it again, better with safetensors)")
		}
		return fmt.Errorf("no zip file: it begins with %q", head)
	}
	if f.archive, err = readArchive(r, size); err != nil {
		return err
	}
	if _, ok := f.archive.entries["constants.pkl"]; ok {
		return errors.New("it is a program of TorchScript (hint: save the model's state_dict)")
	}
	order, err := f.entry("byteorder", 16)
	if err != nil {
		return err
	}
	if order != nil && string(order) != "little" {
		return fmt.Errorf("its byte order is %q; little is read", order)
	}
	program, err := f.entry(pickleEntry, math.MaxInt32)
	if err != nil {
		return err
	}
	if program == nil {
		return fmt.Errorf("it has no entry %s", pickleEntry)
	}
	m := newMachine(program, f.storage)
	top, err := m.run()
	if err != nil {
		return fmt.Errorf("%s: %w", pickleEntry, err)
	}
	if err := f.collect(top, m.charge); err != nil {
		return fmt.Errorf("%s: %w", pickleEntry, err)
	}
	return f.apart()
}

// entry reads a small entry; nil where it is not there.
func (f *File) entry(name string, most int64) ([]byte, error) {
	e, ok := f.archive.entries[name]
	if !ok {
		return nil, nil
	}
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("entry %q: %w", name, err) }
	if e.size > most {
		return fail(fmt.Errorf("%d bytes; at most %d are read", e.size, most))
	}
	at, err := f.archive.data(e)
	if err != nil {
		return fail(err)
	}
	data := make([]byte, e.size)
	if _, err := io.ReadFull(io.NewSectionReader(f.archive.r, at, e.size), data); err != nil {
		return fail(err)
	}
	if e.crc != 0 && crc32.ChecksumIEEE(data) != e.crc {
		return fail(errDamaged)
	}
	return data, nil
}

var errDamaged = errors.New("does not match its checksum: damaged")

// storage finds what a pickle calls ("storage", class, key, location, elements).
func (f *File) storage(id tuple) (storage, error) {
	fail := func(format string, args ...any) (storage, error) { return storage{}, fmt.Errorf(format, args...) }
	if len(id) != 5 || id[0] != "storage" {
		return fail("no name of a storage")
	}
	c, _ := id[1].(class)
	of, ok := storages[c]
	if !ok {
		return fail("a storage of no known type")
	}
	key, ok := id[2].(string)
	if !ok {
		return fail("a storage whose key is no string")
	}
	n, ok := id[4].(int64)
	if !ok || n < 0 {
		return fail("storage %q: its number of elements is none", key)
	}
	name := "data/" + key
	e, ok := f.archive.entries[name]
	if !ok {
		return fail("storage %q: there is no entry %q", key, name)
	}
	if n > e.size/of.size || n*of.size != e.size {
		return fail("storage %q: %d elements of %s, but entry %q has %d bytes", key, n, of.dtype, name, e.size)
	}
	if _, ok := f.places[key]; !ok {
		at, err := f.archive.data(e)
		if err != nil {
			return fail("storage %q: entry %q: %w", key, name, err)
		}
		f.places[key] = at
	}
	return storage{key: key, of: of, elems: n}, nil
}

// collect takes the tensors of a state_dict; charge counts the memory that it takes.
func (f *File) collect(top any, charge func(int64) error) error {
	state, ok := top.(*dict)
	if !ok {
		return fmt.Errorf("%s, not a dict of tensors", kind(top))
	}
	if err := charge(256 * int64(len(state.keys))); err != nil {
		return err
	}
	f.tensors, f.views = make([]Tensor, 0, len(state.keys)), make([]tensor, 0, len(state.keys))
	seen := make(map[string]bool, len(state.keys))
	for i, key := range state.keys {
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("a name of a tensor is %s, not a string", kind(key))
		}
		t, ok := state.values[i].(tensor)
		if !ok {
			hint := ""
			if _, ok := state.values[i].(*dict); ok {
				hint = " (hint: a training program's own checkpoint; save the model's state_dict alone)"
			}
			return fmt.Errorf("%q is %s, not a tensor%s", name, kind(state.values[i]), hint)
		}
		if seen[name] {
			return fmt.Errorf("tensor %q comes twice", name)
		}
		seen[name] = true
		if err := charge(8 * int64(len(t.shape))); err != nil {
			return err
		}
		shape := make([]int, len(t.shape))
		for k, d := range t.shape {
			shape[k] = int(d)
			if int64(shape[k]) != d {
				return fmt.Errorf("tensor %q: size %v is larger than any memory", name, t.shape)
			}
		}
		f.tensors = append(f.tensors, Tensor{Name: name, DType: t.storage.of.dtype, Shape: shape})
		f.views = append(f.views, t)
	}
	return nil
}

// apart says that no storage lies in another one, or in the pickle.
func (f *File) apart() error {
	type place struct {
		name     string
		at, size int64
	}
	e := f.archive.entries[pickleEntry]
	at, err := f.archive.data(e)
	if err != nil {
		return err
	}
	places := make([]place, 0, len(f.places)+1)
	places = append(places, place{pickleEntry, at, e.size})
	for key, at := range f.places {
		name := "data/" + key
		places = append(places, place{name, at, f.archive.entries[name].size})
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.name, b.name)) })
	for i, p := range places[1:] {
		if q := places[i]; p.at < q.at+q.size {
			return fmt.Errorf("entry %q lies in entry %q", p.name, q.name)
		}
	}
	return nil
}
