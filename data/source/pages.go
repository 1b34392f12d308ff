package source

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go/format"
)

// The pages of Parquet's column chunks are read, checked and decompressed here:
// parquet-go allocates whatever a header says, takes all chunks of a column to be
// compressed alike, and fails at empty pages. It gets to see pages that are not
// compressed, with headers that are made here.

// maxPageValues is the greatest number of values of a page: absent values take no bytes in
// the file, but they take memory.
const maxPageValues = 1 << 23

// parquetChunk is a column chunk as the footer has it.
type parquetChunk struct {
	pos, size int64
	codec     format.CompressionCodec
}

// parquetPages reads the pages of a column chunk in order.
type parquetPages struct {
	r        io.ReaderAt
	pos, end int64
	codec    format.CompressionCodec
	most     bound
	budget   *int64 // bytes that pages may still take

	head, raw, body []byte // the memory of what was read last
	gzip            *gzip.Reader
}

// parquetPage is a page, decompressed. It is overwritten by the next one.
type parquetPage struct {
	kind     format.PageType
	values   int64
	nulls    int64 // of version 2
	rows     int64 // of version 2
	encoding format.Encoding
	reps     int64 // of version 2: bytes of levels, which body begins with; of version 1: their encoding
	defs     int64 // as reps
	body     []byte
}

// next returns the next page; io.EOF.
func (p *parquetPages) next() (*parquetPage, error) {
	for {
		if p.pos >= p.end {
			return nil, io.EOF
		}
		at := p.pos
		page, err := p.read()
		if err != nil {
			return nil, fmt.Errorf("page at byte %d: %w", at, err)
		}
		if page != nil {
			return page, nil
		}
	}
}

// read reads a page; nil: a page without values.
func (p *parquetPages) read() (*parquetPage, error) {
	h, err := p.header()
	if err != nil {
		return nil, err
	}
	unpacked, packed := h[2], h[3]
	if packed < 0 || unpacked < 0 || packed > p.end-p.pos {
		return nil, fmt.Errorf("damaged data: a page of %d bytes, of %d", packed, p.end-p.pos)
	}
	page := &parquetPage{kind: format.PageType(h[1])}
	var levels int64 // bytes before what is compressed
	compressed := true
	switch page.kind {
	case format.DataPage:
		page.values, page.encoding, page.defs, page.reps = h[5|1<<8], format.Encoding(h[5|2<<8]), h[5|3<<8], h[5|4<<8]
	case format.DictionaryPage:
		page.values, page.encoding = h[7|1<<8], format.Encoding(h[7|2<<8])
	case format.DataPageV2:
		page.values, page.nulls, page.rows, page.encoding = h[8|1<<8], h[8|2<<8], h[8|3<<8], format.Encoding(h[8|4<<8])
		page.defs, page.reps = h[8|5<<8], h[8|6<<8]
		if page.defs < 0 || page.reps < 0 || page.nulls < 0 || page.nulls > page.values || page.rows < 0 {
			return nil, errThrift
		}
		levels = page.defs + page.reps
		if c, ok := h[8|7<<8]; ok {
			compressed = c != 0
		}
	case format.IndexPage:
		p.pos += packed
		return nil, nil
	default:
		return nil, fmt.Errorf("damaged data: a page of type %d", h[1])
	}
	if page.values < 0 || page.values > maxPageValues {
		return nil, fmt.Errorf("a page of %d values, more than %d", page.values, maxPageValues)
	}
	if levels > packed || levels > unpacked {
		return nil, fmt.Errorf("damaged data: a page of %d bytes with %d of levels", packed, levels)
	}
	codec := p.codec
	if !compressed {
		codec = format.Uncompressed
	}
	if max(packed, unpacked) > int64(p.most.record()) {
		return nil, fmt.Errorf("a page of %d bytes: %w", max(packed, unpacked), p.most.errRecord())
	}
	if *p.budget += int64(len(p.raw) + len(p.body)); packed+unpacked > *p.budget {
		return nil, p.most.errBatch()
	}
	if p.raw, err = readAt(p.raw, p.r, p.pos, packed); err != nil {
		return nil, err
	}
	p.pos += packed
	if sum, ok := h[4]; ok && crc32.ChecksumIEEE(p.raw) != uint32(sum) {
		return nil, errors.New("damaged data: its checksum does not match")
	}
	if codec == format.Uncompressed {
		page.body = p.raw
	} else {
		p.body = append(p.body[:0], p.raw[:levels]...)
		if p.body, err = p.unpack(p.body, p.raw[levels:], unpacked-levels, codec); err != nil {
			return nil, err
		}
		page.body = p.body
	}
	*p.budget -= int64(len(p.raw) + len(p.body))
	if page.kind == format.DictionaryPage && page.values > int64(len(page.body)) {
		return nil, fmt.Errorf("damaged data: %d values in a dictionary of %d bytes", page.values, len(page.body))
	}
	return page, nil
}

// header reads the header of a page: its integers and truth values by number.
func (p *parquetPages) header() (map[int]int64, error) {
	h := map[int]int64{}
	for n := int64(1 << 10); ; n *= 8 { // statistics may be long
		n = min(n, p.end-p.pos)
		var err error
		if p.head, err = readAt(p.head, p.r, p.pos, n); err != nil {
			return nil, err
		}
		c := compact{b: p.head}
		if err = c.object(0, func(id int, v int64) { h[id] = v }); err == nil {
			p.pos += int64(c.pos)
			return h, nil
		}
		if n == p.end-p.pos {
			return nil, err
		}
		if n > int64(p.most.record()) {
			return nil, fmt.Errorf("its header: %w", p.most.errRecord())
		}
	}
}

// readAt reads n bytes into b, or a longer one.
func readAt(b []byte, r io.ReaderAt, pos, n int64) ([]byte, error) {
	if int64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	if k, err := r.ReadAt(b, pos); k < len(b) {
		return b, err
	}
	return b, nil
}

// unpack appends the decompressed content of b, which has size bytes.
func (p *parquetPages) unpack(dst, b []byte, size int64, codec format.CompressionCodec) ([]byte, error) {
	if size == 0 && len(b) == 0 {
		return dst, nil // some writers compress nothing to nothing
	}
	// Check before allocating that the compressed bytes can hold that much.
	most := int64(-1)
	var err error
	switch codec {
	case format.Snappy:
		var n int
		if n, err = s2.DecodedLen(b); err == nil && (int64(n) != size || size > 64*int64(len(b))) {
			err = errCompressed
		}
	case format.Gzip:
		most = 1032*int64(len(b)) + 64
	case format.Zstd:
		most, err = zstdBound(b, size)
	case format.Lz4Raw:
		most = 255 * int64(len(b))
	case format.Brotli:
	default:
		return nil, fmt.Errorf("compression %s is not read (Snappy, gzip, Zstandard, Brotli and LZ4_RAW are)", codec)
	}
	if err != nil || most >= 0 && size > most {
		return nil, errCompressed
	}
	head := len(dst)
	stream := func(r io.Reader) ([]byte, error) {
		for len(dst) < head+int(size) {
			if len(dst) == cap(dst) {
				dst = append(dst, 0)[:len(dst)]
			}
			n, err := r.Read(dst[len(dst):min(cap(dst), head+int(size))])
			if dst = dst[:len(dst)+n]; err != nil && len(dst) < head+int(size) {
				return nil, errCompressed
			}
		}
		return dst, nil
	}
	if codec == format.Brotli {
		return stream(brotli.NewReader(bytes.NewReader(b)))
	}
	if cap(dst)-head < int(size) {
		dst = append(make([]byte, 0, head+int(size)), dst...)
	}
	room := dst[head : head : head+int(size)]
	switch codec {
	case format.Snappy:
		_, err = s2.Decode(room[:size], b)
	case format.Gzip:
		if p.gzip == nil {
			p.gzip, err = gzip.NewReader(bytes.NewReader(b))
		} else {
			err = p.gzip.Reset(bytes.NewReader(b))
		}
		if err == nil {
			return stream(p.gzip)
		}
	case format.Zstd:
		room, err = bufferZSTD().DecodeAll(b, room)
		if err == nil && len(room) != int(size) {
			err = errCompressed
		}
	case format.Lz4Raw:
		if out, ok := lz4Block(room, b, hasLZ4Fast); !ok || len(out) != int(size) {
			err = errCompressed
		}
	}
	if err != nil {
		return nil, errCompressed
	}
	return dst[:head+int(size)], nil
}

// pageStream gives parquet-go the pages of a column chunk as bytes in order.
type pageStream struct {
	pages *parquetPages
	at    int64 // offset of rest
	rest  [2][]byte
	head  []byte
}

// ReadAt implements io.ReaderAt for reads one after the other.
func (s *pageStream) ReadAt(b []byte, off int64) (int, error) {
	if off != s.at {
		return 0, errors.New("damaged data: a dictionary is missing")
	}
	for len(s.rest[0]) == 0 {
		if len(s.rest[1]) > 0 {
			s.rest[0], s.rest[1] = s.rest[1], nil
			break
		}
		page, err := s.pages.next()
		if err != nil {
			return 0, err
		}
		s.head = page.header(s.head[:0])
		s.rest = [2][]byte{s.head, page.body}
	}
	n := copy(b, s.rest[0])
	s.rest[0] = s.rest[0][n:]
	s.at += int64(n)
	return n, nil
}

// header appends the header of the page as it is now.
func (p *parquetPage) header(b []byte) []byte {
	size := int64(len(p.body))
	b = appendInts(b, int64(p.kind), size, size)
	const object, no = 12, 2
	switch p.kind {
	case format.DataPage: // field 5
		b = append(b, 2<<4|object)
		b = appendInts(b, p.values, int64(p.encoding), p.defs, p.reps)
	case format.DictionaryPage: // field 7
		b = append(b, 4<<4|object)
		b = appendInts(b, p.values, int64(p.encoding))
	case format.DataPageV2: // field 8
		b = append(b, 5<<4|object)
		b = appendInts(b, p.values, p.nulls, p.rows, int64(p.encoding), p.defs, p.reps)
		b = append(b, 1<<4|no) // not compressed
	}
	return append(b, 0, 0)
}

// parquetFooter checks a file's metadata, and returns it as parquet-go reads it: no
// chunk is compressed, and no key is without a value. codecs are those of the
// chunks, in order.
func parquetFooter(b []byte, size int64) (footer []byte, codecs []format.CompressionCodec, err error) {
	c := &compact{b: b}
	var values []int // where one is missing
	var patch []int  // where codecs stand
	encrypted := false
	keyValues := func(t byte) error {
		if t != 12 {
			return errThrift
		}
		c.heap += 64
		last := 0
		err := c.fields(func(id int, t byte) error { last = id; return c.value(t, false, 0) })
		if last == 1 {
			values = append(values, c.pos-1)
		}
		return err
	}
	lists := func(t byte, f func(t byte) error) error {
		if t != 9 {
			return errThrift
		}
		return c.elements(f)
	}
	structs := func(t byte, heap int64, f func(id int, t byte) error) error {
		if t != 12 {
			return errThrift
		}
		c.heap += heap
		return c.fields(f)
	}
	meta := func(id int, t byte) error {
		switch {
		case id == 4 && t == 5:
			at := c.pos
			v, err := c.integer()
			if err == nil && c.pos != at+1 {
				err = errThrift
			}
			codecs[len(codecs)-1] = format.CompressionCodec(v)
			patch = append(patch, at)
			return err
		case id == 8:
			return lists(t, keyValues)
		}
		return c.value(t, false, 0)
	}
	chunk := func(id int, t byte) error {
		switch id {
		case 3:
			return structs(t, 0, meta)
		case 8, 9:
			encrypted = true
		}
		return c.value(t, false, 0)
	}
	group := func(id int, t byte) error {
		if id != 1 {
			return c.value(t, false, 0)
		}
		return lists(t, func(t byte) error {
			codecs = append(codecs, format.Uncompressed)
			return structs(t, 768, chunk)
		})
	}
	err = c.fields(func(id int, t byte) error {
		switch id {
		case 2:
			return lists(t, func(t byte) error { c.heap += 512; return c.value(t, false, 0) })
		case 4:
			return lists(t, func(t byte) error { return structs(t, 256, group) })
		case 5:
			return lists(t, keyValues)
		case 8:
			encrypted = true
		}
		return c.value(t, false, 0)
	})
	if encrypted {
		return nil, nil, errEncrypted
	}
	if err != nil {
		return nil, nil, fmt.Errorf("damaged Parquet file: footer: %w", err)
	}
	if c.heap > size+spareHeap {
		return nil, nil, fmt.Errorf("its metadata would take %d MiB of memory, the file has %d bytes", c.heap>>20, size)
	}
	b = b[:c.pos]
	for _, at := range patch {
		b[at] = byte(format.Uncompressed)
	}
	from := 0
	for _, at := range values {
		footer = append(footer, b[from:at]...)
		footer = append(footer, 1<<4|8, 0) // field 2, no bytes
		from = at
	}
	return append(footer, b[from:]...), codecs, nil
}

// spareHeap is the memory that metadata may take in addition to the size of its file.
const spareHeap = 16 << 20

var errEncrypted = errors.New("is an encrypted Parquet file, which is not read")

// tailed is a file whose end is replaced.
type tailed struct {
	r    io.ReaderAt
	at   int64
	tail []byte
}

func (f *tailed) ReadAt(b []byte, off int64) (n int, err error) {
	if off < f.at {
		n, err = f.r.ReadAt(b[:min(int64(len(b)), f.at-off)], off)
		if n == len(b) || err != nil {
			return n, err
		}
	}
	if at := off + int64(n) - f.at; at < int64(len(f.tail)) {
		n += copy(b[n:], f.tail[at:])
	}
	if n < len(b) {
		err = io.EOF
	}
	return n, err
}
