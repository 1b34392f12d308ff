package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"hone/checkpoint/file"
)

// IndexFile lists the shards of a model that is too large for one file.
const IndexFile = "model.safetensors.index.json"

// Weights are the tensors of a model directory as Hugging Face lays it out: those of
// ModelFile, or of the shards that IndexFile names. Only headers are held in memory.
type Weights struct {
	dir     string
	names   []string // of the files, relative to dir
	files   []*Safetensors
	tensors []Tensor
	file    []int // of each tensor
}

// OpenWeights opens the weights of a directory and verifies the header of each file, and
// that the index and the shards agree on every tensor. The caller closes it.
func OpenWeights(dir string) (*Weights, error) {
	w := &Weights{dir: dir}
	if err := w.open(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Weights) open() error {
	single, err := exists(filepath.Join(w.dir, ModelFile))
	if err != nil {
		return err
	}
	var index map[string]string
	if single {
		w.names = []string{ModelFile}
	} else if index, err = readIndex(filepath.Join(w.dir, IndexFile)); errors.Is(err, os.ErrNotExist) {
		if other, _ := filepath.Glob(filepath.Join(w.dir, "pytorch_model*.bin")); len(other) > 0 {
			return fmt.Errorf("%s: neither %s nor %s, only %s, which is not read, since reading such a file can run a program; save the model again with safe_serialization=True",
				w.dir, ModelFile, IndexFile, filepath.Base(other[0]))
		}
		return fmt.Errorf("%s: neither %s nor %s: no model directory of Hugging Face", w.dir, ModelFile, IndexFile)
	} else if err != nil {
		return err
	}
	for _, name := range index {
		if !slices.Contains(w.names, name) {
			w.names = append(w.names, name)
		}
	}
	slices.Sort(w.names)
	seen := map[string]string{} // tensor -> file
	for i, name := range w.names {
		path := filepath.Join(w.dir, name)
		s, err := OpenSafetensors(path)
		if err != nil {
			return err
		}
		w.files = append(w.files, s)
		for _, t := range s.Tensors() {
			if other, dup := seen[t.Name]; dup {
				return fmt.Errorf("%s: tensor %q is in %s too", path, t.Name, other)
			}
			seen[t.Name] = name
			if want, ok := index[t.Name]; !single && want != name {
				if !ok {
					return fmt.Errorf("%s: tensor %q is not in %s", path, t.Name, IndexFile)
				}
				return fmt.Errorf("%s: tensor %q should be in %s, says %s", path, t.Name, want, IndexFile)
			}
			w.tensors = append(w.tensors, t)
			w.file = append(w.file, i)
		}
	}
	for name, file := range index {
		if _, ok := seen[name]; !ok {
			return fmt.Errorf("%s: tensor %q is missing, which %s says is there", filepath.Join(w.dir, file), name, IndexFile)
		}
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

// Dir is the directory.
func (w *Weights) Dir() string { return w.dir }

// Files are the names of the safetensors files.
func (w *Weights) Files() []string { return w.names }

// Tensors describes every tensor, without its data, a file's together.
func (w *Weights) Tensors() []Tensor { return w.tensors }

// copyChunk is how many elements are converted at a time.
const copyChunk = 1 << 18

// Copy writes the data of tensor i as another floating-point type, until ctx ends. Values that
// are not finite are an error, and those that are not in the new type.
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
		if out, err = fromFloat32(out[:0], dtype, values); err != nil {
			return x.fail(err)
		}
		if dtype != "F32" {
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

// Equal says that tensors i and j, of one shape, have the same values.
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
	r           *io.SectionReader
	file        string
	name, dtype string
	raw         []byte
	values      []float32
	left        int64 // bytes
}

func (w *Weights) read(i int) (*reading, error) {
	t, s := w.tensors[i], w.files[w.file[i]]
	x := &reading{file: s.name, name: t.Name, dtype: t.DType}
	n, err := t.NumBytes()
	if err != nil {
		return nil, x.fail(err)
	}
	if _, err := toFloat32(nil, t.DType, nil); err != nil {
		return nil, x.fail(err)
	}
	x.r = io.NewSectionReader(s.r, s.offsets[s.index[t.Name]], n)
	x.left = n
	x.raw = make([]byte, min(n, copyChunk*int64(dtypes[dtypeRank(t.DType)].size)))
	return x, nil
}

func (x *reading) fail(err error) error {
	return fmt.Errorf("%s: tensor %q: %w", x.file, x.name, err)
}

// next is the next part, until io.EOF.
func (x *reading) next(ctx context.Context) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
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

// ModelFiles are the files of a model's tensors: ModelFile, or, where that would hold more
// than maxBytes of data, shards of at most so much (a tensor is never cut) and IndexFile.
// When they are saved, write is called for one tensor after the other.
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
