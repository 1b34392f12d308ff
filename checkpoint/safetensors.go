package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"unicode/utf8"

	"hone/checkpoint/file"
)

// A safetensors file is
//
//	8 bytes   length of the header, little-endian
//	header    JSON: name → {dtype, shape, data_offsets}, padded with spaces
//	data      the tensors, without gaps, in any order
//
// https://huggingface.co/docs/safetensors

const (
	metadataKey = "__metadata__"
	// maxHeader is the reference implementation's limit.
	maxHeader = 100_000_000
)

// WriteSafetensors writes the tensors to w. Their order in the file is that of the
// reference implementation (wide element types first, so that all are aligned; then
// by name), whatever the given order: the same tensors give the same bytes. The data
// is not copied.
func WriteSafetensors(w io.Writer, tensors []Tensor) error {
	for _, t := range tensors {
		if n, err := t.NumBytes(); err == nil && int64(len(t.Data)) != n {
			return fmt.Errorf("tensor %q: %d bytes of data, but %s %v takes %d", t.Name, len(t.Data), t.DType, t.Shape, n)
		}
	}
	return writeSafetensors(w, nil, tensors, func(w io.Writer, t Tensor) error {
		_, err := w.Write(t.Data)
		return err
	})
}

// writeSafetensors asks data for each tensor's. metadata is put beside that of every file.
func writeSafetensors(w io.Writer, metadata map[string]string, tensors []Tensor, data func(w io.Writer, t Tensor) error) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(dtypeRank(b.DType), dtypeRank(a.DType)), cmp.Compare(a.Name, b.Name))
	})
	names := make(map[string]bool, len(sorted))
	// transformers refuses a file that does not say which framework wrote it.
	header := []byte(`{"` + metadataKey + `":{"format":"pt"`)
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		header = append(append(append(append(header, ','), quoteJSON(key)...), ':'), quoteJSON(metadata[key])...)
	}
	header = append(header, '}')
	var offset int64
	for _, t := range sorted {
		if err := t.check(); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if names[t.Name] {
			return fmt.Errorf("tensor %q: the name occurs twice", t.Name)
		}
		names[t.Name] = true
		header = append(header, ',')
		header = append(header, quoteJSON(t.Name)...)
		header = append(header, `:{"dtype":"`+t.DType+`","shape":[`...)
		for i, d := range t.Shape {
			if i > 0 {
				header = append(header, ',')
			}
			header = strconv.AppendInt(header, int64(d), 10)
		}
		header = append(header, `],"data_offsets":[`...)
		header = strconv.AppendInt(header, offset, 10)
		header = append(header, ',')
		size, _ := t.NumBytes() // checked
		offset += size
		header = strconv.AppendInt(header, offset, 10)
		header = append(header, `]}`...)
	}
	header = append(header, '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	if len(header) > maxHeader {
		return fmt.Errorf("header of %d bytes exceeds the format's %d", len(header), maxHeader)
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range sorted {
		counted := &counter{w: w}
		if err := data(counted, t); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if want, _ := t.NumBytes(); counted.n != want {
			return fmt.Errorf("tensor %q: %d bytes of data, but %s %v takes %d", t.Name, counted.n, t.DType, t.Shape, want)
		}
	}
	return nil
}

// A counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// quoteJSON returns s as a JSON string without the escapes for HTML.
func quoteJSON(s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// A string cannot fail to encode.
	_ = enc.Encode(s)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// Safetensors is an open safetensors file with a verified header. Tensors are read
// one at a time. It is safe for concurrent use.
type Safetensors struct {
	name     string
	r        io.ReaderAt
	close    func() error
	metadata map[string]string
	tensors  []Tensor // without Data, in the order of the file
	offsets  []int64  // of each in the file
	index    map[string]int
}

// OpenSafetensors opens a file and verifies its header: every name occurs once, every
// tensor has the bytes that its dtype and shape require, and all tensors together cover
// the file's data without gaps, overlaps or rest. The caller closes it.
func OpenSafetensors(path string) (*Safetensors, error) {
	return file.OpenWith(path, func(f *os.File, size int64) (*Safetensors, error) {
		s, err := newSafetensors(path, f, size)
		if err != nil {
			return nil, err
		}
		s.close = f.Close
		return s, nil
	})
}

func newSafetensors(name string, r io.ReaderAt, size int64) (*Safetensors, error) {
	s := &Safetensors{name: name, r: r, index: map[string]int{}}
	if err := s.readHeader(size); err != nil {
		return nil, fmt.Errorf("%s: not a valid safetensors file: %w", name, err)
	}
	return s, nil
}

// A span is a tensor's place in the data section.
type span struct {
	tensor     Tensor
	begin, end int64
}

func (s *Safetensors) readHeader(size int64) error {
	var length [8]byte
	if size < int64(len(length)) {
		return fmt.Errorf("%d bytes are too few for a header", size)
	}
	if _, err := s.r.ReadAt(length[:], 0); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	switch {
	case n > maxHeader:
		return fmt.Errorf("header of %d bytes exceeds the format's %d", n, maxHeader)
	case int64(n) > size-8:
		return fmt.Errorf("header of %d bytes in a file of %d: truncated", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(s.r, 8, int64(n)), header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if !utf8.Valid(header) {
		return errors.New("header: invalid UTF-8")
	}
	spans, err := s.parseHeader(header)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.tensor.Name, b.tensor.Name))
	})
	start, data := 8+int64(n), size-8-int64(n)
	var at int64
	for _, p := range spans {
		t := p.tensor
		want, err := t.NumBytes()
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		switch {
		case p.begin < 0 || p.end < p.begin:
			return fmt.Errorf("tensor %q: data offsets [%d, %d] are no range", t.Name, p.begin, p.end)
		case p.end > data:
			return fmt.Errorf("tensor %q: data ends at %d, the file's at %d: truncated", t.Name, p.end, data)
		case p.begin != at:
			return fmt.Errorf("tensor %q: data begins at %d, the one before ends at %d", t.Name, p.begin, at)
		case p.end-p.begin != want:
			return fmt.Errorf("tensor %q: %d bytes of data, but %s %v takes %d", t.Name, p.end-p.begin, t.DType, t.Shape, want)
		}
		at = p.end
		s.index[t.Name] = len(s.tensors)
		s.tensors = append(s.tensors, t)
		s.offsets = append(s.offsets, start+p.begin)
	}
	if at != data {
		return fmt.Errorf("%d bytes behind the last tensor", data-at)
	}
	return nil
}

// parseHeader walks the JSON by tokens: decoding into a map would let a
// repeated name silently win over the first, a struct would accept "DType" for
// "dtype", and both take null for a zero.
func (s *Safetensors) parseHeader(header []byte) ([]span, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	dec.UseNumber()
	var spans []span
	err := walkObject(dec, func(name string) error {
		if name == metadataKey {
			s.metadata = map[string]string{}
			return walkObject(dec, func(key string) (err error) {
				s.metadata[key], err = stringToken(dec)
				if err != nil {
					return fmt.Errorf("%s: %q: %w", metadataKey, key, err)
				}
				return nil
			})
		}
		p, err := parseTensor(dec)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		p.tensor.Name = name
		spans = append(spans, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return spans, nil
}

func parseTensor(dec *json.Decoder) (p span, err error) {
	var shape, offsets []int64
	err = walkObject(dec, func(key string) (err error) {
		switch key {
		case "dtype":
			p.tensor.DType, err = stringToken(dec)
		case "shape":
			shape, err = intsToken(dec)
		case "data_offsets":
			offsets, err = intsToken(dec)
		default:
			err = errors.New("unknown key")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	if shape == nil {
		return p, errors.New("no shape")
	}
	p.tensor.Shape = make([]int, len(shape))
	for i, d := range shape {
		if int64(int(d)) != d {
			return p, fmt.Errorf("shape %v is larger than any memory", shape)
		}
		p.tensor.Shape[i] = int(d)
	}
	if len(offsets) != 2 {
		return p, fmt.Errorf("data_offsets %v are not two numbers", offsets)
	}
	p.begin, p.end = offsets[0], offsets[1]
	return p, nil
}

// walkObject calls value for each key of the object that follows in dec; value
// consumes what belongs to the key.
func walkObject(dec *json.Decoder, value func(key string) error) error {
	tok, err := token(dec)
	if err != nil {
		return err
	}
	if tok != json.Delim('{') {
		return fmt.Errorf("%v is no JSON object", tok)
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := stringToken(dec)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%q occurs twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	_, err = token(dec)
	return err
}

// intsToken reads an array of integers, not nil.
func intsToken(dec *json.Decoder) ([]int64, error) {
	tok, err := token(dec)
	if err != nil {
		return nil, err
	}
	if tok != json.Delim('[') {
		return nil, fmt.Errorf("%v is no array", tok)
	}
	ints := []int64{}
	for dec.More() {
		tok, err := token(dec)
		if err != nil {
			return nil, err
		}
		number, ok := tok.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v is no number", tok)
		}
		i, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is no integer of 64 bits", number)
		}
		ints = append(ints, i)
	}
	_, err = token(dec)
	return ints, err
}

func stringToken(dec *json.Decoder) (string, error) {
	tok, err := token(dec)
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%v is no string", tok)
	}
	return s, nil
}

// token is dec.Token where the end of the input is a fault.
func token(dec *json.Decoder) (json.Token, error) {
	tok, err := dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return tok, err
}

// Tensors returns the description of every tensor, in the order of the file,
// without its data.
func (s *Safetensors) Tensors() []Tensor { return s.tensors }

// Metadata returns the metadata of the header; nil if it has none.
func (s *Safetensors) Metadata() map[string]string { return s.metadata }

// Read returns the tensor with the given name. Its data is read into buf, for example
// a part of a parameter arena, which must have exactly its length; if buf is nil, into
// new memory.
func (s *Safetensors) Read(name string, buf []byte) (Tensor, error) {
	i, ok := s.index[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: no tensor %q", s.name, name)
	}
	t := s.tensors[i]
	n, err := t.NumBytes()
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", s.name, name, err)
	}
	if buf == nil {
		buf = make([]byte, n)
	}
	if int64(len(buf)) != n {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %s %v takes %d bytes, the place for it has %d", s.name, name, t.DType, t.Shape, n, len(buf))
	}
	if _, err := io.ReadFull(io.NewSectionReader(s.r, s.offsets[i], n), buf); err != nil {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", s.name, name, err)
	}
	t.Data = buf
	return t, nil
}

func (s *Safetensors) reader(i int) (io.Reader, error) {
	n, err := s.tensors[i].NumBytes()
	return io.NewSectionReader(s.r, s.offsets[i], n), err
}

// Close closes the file.
func (s *Safetensors) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}
