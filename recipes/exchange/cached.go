package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data/hub"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// cachedVersion goes into the names of imported models in the cache: raise it with every
// change of what an import makes of the same files.
const cachedVersion = 1

// Importable tells whether a name is that of a model of another library's: on the hub, in a
// GGUF file, or in a directory that is no checkpoint, or one whose weights were exported in
// shards or in another type.
func Importable(name string) bool {
	if strings.HasPrefix(name, hub.Scheme) {
		return true
	}
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return filepath.Ext(name) == ".gguf"
	}
	if _, err = os.Stat(filepath.Join(name, checkpoint.ConfigFile)); err != nil {
		return false
	}
	return !pretrained.IsCheckpoint(name) || exported(name)
}

// exported tells whether a checkpoint is one that hone export has written for others alone.
func exported(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, checkpoint.IndexFile)); err == nil {
		return true
	}
	s, err := checkpoint.OpenSafetensors(filepath.Join(dir, checkpoint.ModelFile))
	if err != nil { // which its opening says
		return false
	}
	defer s.Close()
	return slices.ContainsFunc(s.Tensors(), func(t checkpoint.Tensor) bool { return t.DType != "F32" })
}

// Cached returns the checkpoint of an importable model, which is imported into the directory
// cache where it is not there yet. It is named by what the model's files hash to, or of one on
// the hub, by its commit.
func Cached(ctx context.Context, name, cache string, o recipes.Console) (dir string, err error) {
	if strings.HasPrefix(name, hub.Scheme) {
		s, err := openHub(ctx, name, cache, o)
		if err != nil {
			return "", err
		}
		key := fmt.Sprintln(s.Endpoint, s.Repo, s.Commit, s.Ref.Part)
		return cached(ctx, name, key, cache, o, func() (*Imported, error) { return fetch(ctx, s, o) })
	}
	if err := isCache(name, cache); err != nil {
		return "", err
	}
	r := &Imported{Source: name}
	key, err := r.hash(ctx, o)
	if err != nil {
		return "", recipes.Input(err)
	}
	return cached(ctx, name, key, cache, o, func() (*Imported, error) { return r, nil })
}

// isCache says where there is no cache for a model.
func isCache(name, cache string) error {
	if cache == "" {
		return recipes.Input(fmt.Errorf("%s: no cache directory to import it into (hint: set HONE_CACHE)", name))
	}
	return nil
}

// cached makes the checkpoint of the model that open gives, unless there is one of that key.
func cached(ctx context.Context, name, key, cache string, o recipes.Console, open func() (*Imported, error)) (string, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", cachedVersion, key))
	dir := filepath.Join(cache, "models", hex.EncodeToString(sum[:16]))
	if pretrained.IsCheckpoint(dir) {
		return dir, nil
	}
	o.Say(fmt.Sprintf("%s: importing it into %s, once", name, dir))
	r, err := open()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	r.Checkpoint = dir
	if _, err := r.make(ctx, o); err != nil {
		if pretrained.IsCheckpoint(dir) { // another process was faster
			return dir, nil
		}
		return "", err
	}
	for _, note := range r.Notes {
		o.Say(note)
	}
	return dir, nil
}

// hash is of the files that Import reads, and of the name that the model gets.
func (r *Imported) hash(ctx context.Context, o recipes.Console) (string, error) {
	w, _, err := r.open()
	if err != nil {
		return "", err
	}
	defer w.Close()
	abs, err := filepath.Abs(r.Source)
	if err != nil {
		return "", err
	}
	names := w.Files()
	if r.gguf == nil {
		entries, err := os.ReadDir(r.Source)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if isAside(e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	bar := o.Bar("hash "+filepath.Base(abs), "bytes")
	defer bar.Close()
	var b strings.Builder
	fmt.Fprintln(&b, filepath.Base(abs))
	for _, name := range names {
		info, err := file.Hash(ctx, filepath.Join(w.Dir(), name), recipes.Progress(bar))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, info.SHA256, name)
	}
	return b.String(), nil
}
