package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint/file"
)

// IndexFile lists the shards of a model that is too large for one file.
const IndexFile = "model.safetensors.index.json"

// layouts are the forms in which a model directory of Hugging Face may hold its weights: one
// file, or shards that an index lists. transformers takes the first that is there, too.
var layouts = []struct {
	single, index string
	open          func(path string) (container, error)
}{
	{ModelFile, IndexFile, openSafetensors},
	{"pytorch_model.bin", "pytorch_model.bin.index.json", openPickle},
}

// Weights are the tensors of a model, in one file or in several. Only the headers are in
// memory.
type Weights struct {
	dir     string
	names   []string // of the files, relative to dir
	files   []container
	tensors []Tensor
	at      []place           // of each tensor
	in      map[string]string // the file of each, by its name
}

// A place is where a tensor comes from: the file, and its number in that.
type place struct {
	file, tensor int

	// Of one that is made of another one (see Derive), that one, and how.
	of   Tensor
	make func(values []float32) []float32
	rows []int // of one whose rows are in another order, see Derive
}

func newWeights(dir string) *Weights { return &Weights{dir: dir, in: map[string]string{}} }

// OpenWeights opens the weights of a directory as Hugging Face lays it out: in safetensors, or
// in files of PyTorch (see pickle). It verifies the header of each file, and that the index
// and the shards agree on every tensor. The caller closes it.
func OpenWeights(dir string) (*Weights, error) {
	w := newWeights(dir)
	if err := w.open(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Weights) open() error {
	for _, l := range layouts {
		single, err := exists(filepath.Join(w.dir, l.single))
		if err != nil {
			return err
		}
		if single {
			return w.add(l.single, l.open, nil)
		}
		index, err := readIndex(filepath.Join(w.dir, l.index))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, name := range slices.Compact(slices.Sorted(maps.Values(index))) {
			if err := w.add(name, l.open, func(tensor string) error {
				switch want, ok := index[tensor]; {
				case !ok:
					return fmt.Errorf("is not in %s", l.index)
				case want != name:
					return fmt.Errorf("should be in %s, says %s", want, l.index)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(index)) {
			if w.in[name] == "" {
				return fmt.Errorf("%s: tensor %q is missing, which %s says is there", filepath.Join(w.dir, index[name]), name, l.index)
			}
		}
		return nil
	}
	var names []string
	for _, l := range layouts {
		names = append(names, l.single, l.index)
	}
	return fmt.Errorf("%s: none of %s: no model directory of Hugging Face", w.dir, strings.Join(names, ", "))
}

// add opens a file; check, if there is one, says why a tensor may not be in it.
func (w *Weights) add(name string, open func(path string) (container, error), check func(tensor string) error) error {
	path := filepath.Join(w.dir, name)
	f, err := open(path)
	if err != nil {
		return err
	}
	w.names, w.files = append(w.names, name), append(w.files, f)
	for i, t := range f.Tensors() {
		if other, dup := w.in[t.Name]; dup {
			return fmt.Errorf("%s: tensor %q is in %s too", path, t.Name, other)
		}
		if check != nil {
			if err := check(t.Name); err != nil {
				return fmt.Errorf("%s: tensor %q %w", path, t.Name, err)
			}
		}
		w.tensors = append(w.tensors, t)
		w.at = append(w.at, place{file: len(w.files) - 1, tensor: i})
		w.in[t.Name] = name
	}
	return nil
}

// readIndex gives the file of each tensor.
func readIndex(path string) (map[string]string, error) {
	f, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dec := json.NewDecoder(io.LimitReader(f, maxHeader))
	index := map[string]string{}
	err = walkObject(dec, func(key string) error {
		if key != "weight_map" {
			return dec.Decode(new(json.RawMessage))
		}
		return walkObject(dec, func(name string) (err error) {
			index[name], err = stringToken(dec)
			if err == nil {
				err = checkName(index[name])
			}
			if err != nil {
				return fmt.Errorf("weight_map: %q: %w", name, err)
			}
			return nil
		})
	})
	if err == nil && len(index) == 0 {
		err = errors.New("weight_map names no tensor")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return index, nil
}

// Dir is the directory of the files.
func (w *Weights) Dir() string { return w.dir }

// Files are the names of the files.
func (w *Weights) Files() []string { return w.names }

// Tensors describes all tensors without their data, file by file.
func (w *Weights) Tensors() []Tensor { return w.tensors }

// copyChunk is how many elements are converted at a time: whole blocks of any type.
const copyChunk = 1 << 18

// Copy writes the data of tensor i as another floating-point type, until ctx ends; as its own
// type, whatever that is, byte by byte. A value that is not finite, in the old or in the new
// type, is an error.
func (w *Weights) Copy(ctx context.Context, dst io.Writer, i int, dtype string) error {
	x, err := w.read(i)
	if err != nil {
		return err
	}
	var out []byte
	var back []float32
	for first := int64(0); ; first += int64(len(x.values)) {
		values, err := x.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if k := firstNonFinite(values); k >= 0 {
			return x.fail(fmt.Errorf("element %d is %v", first+int64(k), values[k]))
		}
		if dtype == x.dtype && x.made == nil {
			out = append(out[:0], x.raw...)
		} else if out, err = fromFloat32(out[:0], dtype, values); err != nil {
			return x.fail(err)
		}
		if dtype != "F32" && dtype != x.dtype {
			if back, err = toFloat32(back[:0], dtype, out); err != nil {
				return x.fail(err)
			}
			if k := firstNonFinite(back); k >= 0 {
				return x.fail(fmt.Errorf("element %d, %g, is beyond the range of %s", first+int64(k), values[k], dtype))
			}
		}
		if _, err := dst.Write(out); err != nil {
			return err
		}
	}
}

// Equal reports whether tensors i and j, which have the same shape, have the same values.
func (w *Weights) Equal(ctx context.Context, i, j int) (bool, error) {
	x, err := w.read(i)
	if err != nil {
		return false, err
	}
	y, err := w.read(j)
	if err != nil {
		return false, err
	}
	for {
		a, err := x.next(ctx)
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		b, err := y.next(ctx)
		if err != nil {
			return false, err
		}
		if !slices.Equal(a, b) {
			return false, nil
		}
	}
}

// A reading is a tensor as float32, a part after the other.
type reading struct {
	r           io.Reader
	file        string
	name, dtype string
	raw         []byte
	values      []float32
	left        int64 // bytes

	made []float32 // in place of r: what is left of a tensor that was made
}

func (w *Weights) read(i int) (*reading, error) {
	t, at := w.tensors[i], w.at[i]
	x := &reading{file: filepath.Join(w.dir, w.names[at.file]), name: t.Name}
	if at.make == nil {
		if err := x.open(t, w.files[at.file], at.tensor); err != nil || at.rows == nil {
			return x, err
		}
		return x, x.reorder(at.rows)
	}
	x.name = at.of.Name
	if err := x.open(at.of, w.files[at.file], at.tensor); err != nil {
		return nil, err
	}
	all := make([]float32, 0, at.of.Elems())
	for {
		part, err := x.next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	if x.made = at.make(all); int64(len(x.made)) != t.Elems() {
		return nil, x.fail(fmt.Errorf("%d values, but %s of shape %v has %d", len(x.made), t.Name, t.Shape, t.Elems()))
	}
	return x, nil
}

// open begins to read tensor i of a file.
func (x *reading) open(t Tensor, f container, i int) (err error) {
	if err := t.CheckFloat(); err != nil {
		return x.fail(err)
	}
	if x.left, err = t.NumBytes(); err != nil {
		return x.fail(err)
	}
	part, err := Tensor{DType: t.DType, Shape: []int{copyChunk}}.NumBytes()
	if err != nil {
		return x.fail(err)
	}
	x.dtype, x.raw = t.DType, make([]byte, min(x.left, part))
	x.r, err = f.reader(i)
	return err
}

// reorder puts the rows in another order.
func (x *reading) reorder(rows []int) error {
	all := make([]byte, x.left)
	if _, err := io.ReadFull(x.r, all); err != nil {
		return x.fail(err)
	}
	out := make([]byte, 0, len(all))
	size := len(all) / len(rows)
	for _, from := range rows {
		out = append(out, all[from*size:][:size]...)
	}
	x.r = bytes.NewReader(out)
	return nil
}

func (x *reading) fail(err error) error {
	return fmt.Errorf("%s: tensor %q: %w", x.file, x.name, err)
}

// next is the next part, until io.EOF.
func (x *reading) next(ctx context.Context) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(x.made) > 0 {
		part := x.made[:min(copyChunk, len(x.made))]
		x.made = x.made[len(part):]
		return part, nil
	}
	if x.left == 0 {
		return nil, io.EOF
	}
	x.raw = x.raw[:min(int64(len(x.raw)), x.left)]
	_, err := io.ReadFull(x.r, x.raw)
	if err == nil {
		x.values, err = toFloat32(x.values[:0], x.dtype, x.raw)
	}
	if err != nil {
		return nil, x.fail(err)
	}
	x.left -= int64(len(x.raw))
	return x.values, nil
}

// firstNonFinite is -1 if all are finite.
func firstNonFinite(values []float32) int {
	return slices.IndexFunc(values, func(v float32) bool { return math.Float32bits(v)>>23&0xff == 0xff })
}

// Close closes the files.
func (w *Weights) Close() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ModelFiles gives the files of a model's tensors: ModelFile, or if that would have more than
// maxBytes of data, IndexFile and shards of at most that size (a tensor is never cut). When they
// are saved, write is called for one tensor after the other.
func ModelFiles(tensors []Tensor, maxBytes int64, write func(w io.Writer, t Tensor) error) ([]File, error) {
	var shards [][]Tensor
	var filled, total int64
	for _, t := range tensors {
		n, err := t.NumBytes()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if len(shards) == 0 || filled > 0 && filled+n > maxBytes {
			shards = append(shards, nil)
			filled = 0
		}
		k := len(shards) - 1
		shards[k] = append(shards[k], t)
		filled += n
		total += n
	}
	if len(shards) <= 1 {
		return []File{StreamFile(ModelFile, tensors, write)}, nil
	}
	var files []File
	index := struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"`
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}{WeightMap: map[string]string{}}
	index.Metadata.TotalSize = total
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		files = append(files, StreamFile(name, shard, write))
		for _, t := range shard {
			index.WeightMap[t.Name] = name
		}
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(files, BytesFile(IndexFile, append(text, '\n'))), nil
}
