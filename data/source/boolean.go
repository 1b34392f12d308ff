package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// booleanPages reads the pages of a column of truth values. parquet-go v0.32.0 reads runs
// of them wrongly: those of a length that is no multiple of 8, and of true.
type booleanPages struct {
	r        io.ReaderAt
	pos, end int64
	codec    format.CompressionCodec
	rep, def int // the highest levels
	column   int

	// Of the page that is read.
	left       int64 // values, those that are absent too
	reps, defs hybrid
	truths     hybrid
}

var errBooleans = errors.New("damaged data: a page of truth values")

// ReadValues implements parquet.ValueReader.
func (p *booleanPages) ReadValues(list []parquet.Value) (n int, err error) {
	for p.left == 0 {
		if p.pos >= p.end {
			return 0, io.EOF
		}
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

// page opens the next page. Its header is one that checkPages has seen.
func (p *booleanPages) page() error {
	b := make([]byte, min(p.end-p.pos, 1<<10))
	h := map[int]int64{8 | 7<<8: 1} // pages of version 2 are compressed where nothing else is said
	for {
		if _, err := p.r.ReadAt(b, p.pos); err != nil {
			return err
		}
		c := compact{b: b}
		if err := c.object(0, func(id int, v int64) { h[id] = v }); err == nil {
			p.pos += int64(c.pos)
			break
		} else if int64(len(b)) == p.end-p.pos {
			return err
		}
		b = make([]byte, min(p.end-p.pos, 8*int64(len(b)))) // statistics may be long
	}
	unpacked, packed := h[2], h[3]
	if packed < 0 || packed > p.end-p.pos || unpacked < 0 || unpacked > maxRecord {
		return errBooleans
	}
	b = make([]byte, packed)
	if _, err := p.r.ReadAt(b, p.pos); err != nil {
		return err
	}
	p.pos += packed
	var encoding int64
	var err error
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
	switch h[1] {
	case int64(format.DataPage):
		p.left, encoding = h[5|1<<8], h[5|2<<8]
		if p.rep > 0 && h[5|4<<8] != int64(format.RLE) || p.def > 0 && h[5|3<<8] != int64(format.RLE) {
			return errors.New("levels in the old encoding BIT_PACKED are not read")
		}
		if b, err = unpackPage(b, unpacked, p.codec); err != nil {
			return err
		}
		if p.rep > 0 {
			reps = sized()
		}
		if p.def > 0 {
			defs = sized()
		}
	case int64(format.DataPageV2):
		p.left, encoding = h[8|1<<8], h[8|4<<8]
		defs, reps = nil, cut(h[8|6<<8])
		defs = cut(h[8|5<<8])
		if err == nil && h[8|7<<8] != 0 {
			b, err = unpackPage(b, unpacked-int64(len(reps)+len(defs)), p.codec)
		}
	case int64(format.IndexPage):
		return nil
	default:
		return errBooleans
	}
	p.reps, p.defs = hybrid{b: reps, width: bits.Len(uint(p.rep))}, hybrid{b: defs, width: bits.Len(uint(p.def))}
	switch encoding {
	case int64(format.Plain):
		p.truths = hybrid{bits: b, left: 8 * uint64(len(b)), width: 1}
	case int64(format.RLE):
		p.truths = hybrid{b: sized(), width: 1}
	default:
		return fmt.Errorf("truth values in the encoding %s are not read", format.Encoding(encoding))
	}
	if p.left < 0 {
		return errBooleans
	}
	return err
}

// unpackPage decompresses b to size bytes.
func unpackPage(b []byte, size int64, codec format.CompressionCodec) ([]byte, error) {
	if size < 0 {
		return nil, errBooleans
	}
	if codec == format.Uncompressed {
		return b, nil
	}
	out := make([]byte, size)
	switch codec {
	case format.Snappy:
		if n, err := s2.DecodedLen(b); err != nil || int64(n) != size {
			return nil, errCompressed
		}
		return s2.Decode(out, b)
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, errCompressed
		}
		if _, err := io.ReadFull(r, out); err != nil {
			return nil, errCompressed
		}
		return out, nil
	case format.Zstd:
		if most, err := zstdBound(b, size); err != nil || size > most {
			return nil, errCompressed
		}
		return decompress(out[:0], append(binary.LittleEndian.AppendUint64(nil, uint64(size)), b...), codecZSTD)
	}
	return nil, fmt.Errorf("compression %s is not read", codec)
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
