package checkpoint

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"

	"hone/checkpoint/gguf"
)

// part is what llama.cpp calls the files of a model in several.
var part = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// OpenGGUF opens a GGUF file as weights, of which blocks are dequantised as they are read, with
// the values of its keys. Of a model in parts any may be given; all are opened, and the keys
// are the first one's. The caller closes the weights.
func OpenGGUF(path string) (*Weights, map[string]gguf.Value, error) {
	w := newWeights(filepath.Dir(path))
	keys, err := w.openGGUF(filepath.Base(path))
	if err != nil {
		w.Close()
		return nil, nil, err
	}
	return w, keys, nil
}

// GGUFParts are the names of all files of a model of which one has a name: that one alone,
// unless it says that it is a part.
func GGUFParts(name string) []string {
	m := part.FindStringSubmatch(name)
	if m == nil {
		return []string{name}
	}
	n, _ := strconv.Atoi(m[3]) // five digits
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%05d-of-%s.gguf", m[1], i+1, m[3])
	}
	return names
}

func (w *Weights) openGGUF(name string) (keys map[string]gguf.Value, err error) {
	names := GGUFParts(name)
	total := -1
	for i, name := range names {
		var f *gguf.File
		err := w.add(name, func(path string) (container, error) {
			var err error
			f, err = gguf.Open(path)
			return blocked{f}, err
		}, nil)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(w.dir, name)
		no, count, ok := split(f)
		if ok && (no != i || count != len(names)) {
			return nil, fmt.Errorf("%s: it says that it is part %d of %d; files of parts are called NAME-00001-of-%05[3]d.gguf", path, no+1, count)
		}
		if !ok && len(names) > 1 {
			return nil, fmt.Errorf("%s: no key split.no or split.count, so no part of a model", path)
		}
		if i == 0 {
			keys = f.Keys
			if n, ok := f.Keys["split.tensors.count"].Int(); ok {
				total = n
			}
		}
	}
	if total >= 0 && total != len(w.tensors) {
		return nil, fmt.Errorf("%s: %d tensors in all parts, but split.tensors.count is %d", filepath.Join(w.dir, names[0]), len(w.tensors), total)
	}
	return keys, nil
}

// split gives the number of a part, from 0, and of all parts.
func split(f *gguf.File) (no, count int, ok bool) {
	no, ok1 := f.Keys["split.no"].Int()
	count, ok2 := f.Keys["split.count"].Int()
	return no, count, ok1 && ok2
}
