package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// booleanPages reads the pages of a column of booleans. parquet-go v0.32.0 reads runs of
// them wrongly: runs whose length is not a multiple of 8, and runs of true.
type booleanPages struct {
	pages    *parquetPages
	rep, def int // the highest levels
	column   int

	// The state of the current page.
	left       int64 // values, those that are absent too
	reps, defs hybrid
	truths     hybrid
}

var errBooleans = errors.New("damaged data: a page of truth values")

// ReadValues implements parquet.ValueReader.
func (p *booleanPages) ReadValues(list []parquet.Value) (n int, err error) {
	for p.left == 0 {
		if err := p.page(); err != nil {
			return 0, err
		}
	}
	for n < len(list) && p.left > 0 {
		rep, repOK := p.reps.next()
		def, defOK := p.defs.next()
		if !repOK || !defOK || rep > p.rep || def > p.def {
			return n, errBooleans
		}
		var v parquet.Value // null
		if def == p.def {
			truth, ok := p.truths.next()
			if !ok {
				return n, errBooleans
			}
			v = parquet.BooleanValue(truth != 0)
		}
		list[n] = v.Level(rep, def, p.column)
		n++
		p.left--
	}
	return n, nil
}

// page opens the next page; io.EOF.
func (p *booleanPages) page() error {
	page, err := p.pages.next()
	if err != nil {
		return err
	}
	b := page.body
	cut := func(n int64) []byte { // what comes first in b
		if n < 0 || n > int64(len(b)) {
			err = errBooleans
			return nil
		}
		first := b[:n]
		b = b[n:]
		return first
	}
	sized := func() []byte {
		n := cut(4)
		if err != nil {
			return nil
		}
		return cut(int64(binary.LittleEndian.Uint32(n)))
	}
	var reps, defs []byte
	switch page.kind {
	case format.DataPage:
		if p.rep > 0 && page.reps != int64(format.RLE) || p.def > 0 && page.defs != int64(format.RLE) {
			return errors.New("levels in the old encoding BIT_PACKED are not read")
		}
		if p.rep > 0 {
			reps = sized()
		}
		if p.def > 0 {
			defs = sized()
		}
	case format.DataPageV2:
		reps, defs = cut(page.reps), cut(page.defs)
	default:
		return errBooleans
	}
	p.left = page.values
	p.reps, p.defs = hybrid{b: reps, width: bits.Len(uint(p.rep))}, hybrid{b: defs, width: bits.Len(uint(p.def))}
	switch page.encoding {
	case format.Plain:
		p.truths = hybrid{bits: b, left: 8 * uint64(len(b)), width: 1}
	case format.RLE:
		p.truths = hybrid{b: sized(), width: 1}
	default:
		return fmt.Errorf("truth values in the encoding %s are not read", page.encoding)
	}
	return err
}

// hybrid reads numbers of some bits from Parquet's hybrid of runs and packed bits
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE).
type hybrid struct {
	b     []byte
	width int    // 0: all numbers are 0
	left  uint64 // numbers of the run
	value int    // of the run
	bits  []byte // packed ones, nil: it is a run
	at    int    // bit of them
}

// next returns the next number; not ok: there is none.
func (h *hybrid) next() (v int, ok bool) {
	if h.width == 0 {
		return 0, true
	}
	for h.left == 0 {
		u, n := binary.Uvarint(h.b)
		if n <= 0 || u>>1 > 1<<40 {
			return 0, false
		}
		h.b, h.left, h.bits, h.at = h.b[n:], u>>1, nil, 0
		size := uint64(h.width+7) / 8
		if u&1 != 0 { // groups of 8
			size, h.left = uint64(h.width)*h.left, 8*h.left
		}
		if size = min(size, uint64(len(h.b))); u&1 != 0 {
			h.bits = h.b[:size:size] // of the last group, writers may leave out what is not needed
		} else {
			h.value = 0
			for i, x := range h.b[:size] {
				h.value |= int(x) << (8 * i)
			}
			if size == 0 {
				return 0, false
			}
		}
		h.b = h.b[size:]
	}
	h.left--
	if h.bits == nil {
		return h.value, true
	}
	for i := range h.width {
		if h.at/8 >= len(h.bits) {
			return 0, false
		}
		v |= int(h.bits[h.at/8]>>(h.at%8)&1) << i
		h.at++
	}
	return v, true
}
