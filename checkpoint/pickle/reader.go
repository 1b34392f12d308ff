package pickle

import (
	"fmt"
	"hash/crc32"
	"io"
)

// Reader gives the bytes of tensor i as if it lay in memory by itself: row-major,
// little-endian. The checksum of its storage is verified first.
func (f *File) Reader(i int) (io.Reader, error) {
	t := f.views[i]
	fail := func(err error) (io.Reader, error) {
		return nil, fmt.Errorf("%s: tensor %q: %w", f.name, f.tensors[i].Name, err)
	}
	if err := f.verify(t.storage.key); err != nil {
		return fail(err)
	}
	n, size, at := t.elems(), t.storage.of.size, f.places[t.storage.key]
	if n == 0 {
		return io.LimitReader(nil, 0), nil
	}
	shape, stride := t.layout()
	first := at + t.offset*size
	if len(shape) == 1 && stride[0] == 1 {
		return io.NewSectionReader(f.archive.r, first, n*size), nil
	}
	g := &gather{r: f.archive.r, base: first, size: size, shape: shape, stride: stride, index: make([]int64, len(shape)), run: 1, left: n}
	// One that is only turned round comes into memory, it alone; a part of something larger
	// is read where it lies.
	span := int64(1)
	for k, d := range shape {
		span += (d - 1) * stride[k]
	}
	if k := len(shape) - 1; stride[k] == 1 {
		g.run = shape[k]
	} else if span <= 2*n {
		whole := make([]byte, span*size)
		if _, err := io.ReadFull(io.NewSectionReader(f.archive.r, first, span*size), whole); err != nil {
			return fail(err)
		}
		g.whole = whole
	}
	return g, nil
}

// verify reads a storage once to compare its checksum.
func (f *File) verify(key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.archive.entries["data/"+key]
	if f.checked[key] || e.crc == 0 {
		return nil
	}
	h := crc32.NewIEEE()
	if _, err := io.CopyBuffer(h, io.NewSectionReader(f.archive.r, f.places[key], e.size), make([]byte, 1<<20)); err != nil {
		return fmt.Errorf("storage %q: %w", key, err)
	}
	if h.Sum32() != e.crc {
		return fmt.Errorf("storage %q: %w", key, errDamaged)
	}
	f.checked[key] = true
	return nil
}

// A gather reads runs of elements, the last index first.
type gather struct {
	r             io.ReaderAt
	whole         []byte // all that lies between, where that is in memory
	base, size    int64
	shape, stride []int64
	index         []int64
	run           int64 // elements that lie together
	within        int64 // bytes of the run that were read
	left          int64 // elements
}

func (g *gather) Read(p []byte) (n int, err error) {
	for len(p) > 0 {
		if g.left == 0 {
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		}
		at := int64(0)
		for k, i := range g.index {
			at += i * g.stride[k]
		}
		at = at*g.size + g.within
		part := p[:min(int64(len(p)), g.run*g.size-g.within)]
		if g.whole != nil {
			copy(part, g.whole[at:])
		} else if _, err := g.r.ReadAt(part, g.base+at); err != nil {
			return n, err
		}
		p, n = p[len(part):], n+len(part)
		if g.within += int64(len(part)); g.within < g.run*g.size {
			continue
		}
		g.within = 0
		g.left -= g.run
		last := len(g.index) - 1
		if g.run > 1 {
			last--
		}
		for k := last; k >= 0; k-- {
			if g.index[k]++; g.index[k] < g.shape[k] {
				break
			}
			g.index[k] = 0
		}
	}
	return n, nil
}
