package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/data/hub"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// cachedVersion is part of the names of imported models in the cache: raise it whenever an import
// makes something else of the same files.
const cachedVersion = 4

// Importable reports whether a name is that of a model which has to be imported: a model on the
// hub, a GGUF file, a Hugging Face directory, or a checkpoint that was exported in shards.
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
	if !pretrained.IsCheckpoint(name) {
		return true
	}
	_, err = os.Stat(filepath.Join(name, checkpoint.IndexFile))
	return err == nil
}

// Cached returns the checkpoint of an importable model in the directory cache, and imports it
// first if it is not there. Its name is a hash of the model's files or, for a model on the hub,
// of its commit.
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

// isCache refuses to import a model without a cache directory.
func isCache(name, cache string) error {
	if cache == "" {
		return recipes.Input(fmt.Errorf("%s: no cache directory to import it into (hint: set HONE_CACHE)", name))
	}
	return nil
}

// cached returns the checkpoint with a key; if there is none, it imports the model by open.
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
	r.Checkpoint, r.asStored = dir, true
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

// hash is a hash of the files that Import reads, and of the name of the model.
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
		for _, pattern := range []string{"*", "*/" + checkpoint.ConfigFile} { // the second: of sentence-transformers
			found, err := fs.Glob(os.DirFS(r.Source), pattern)
			if err != nil {
				return "", err
			}
			names = append(names, slices.DeleteFunc(found, func(name string) bool { return !isAside(name) })...)
		}
	}
	bar := o.Bar("hash "+filepath.Base(abs), "bytes")
	defer bar.Close()
	var b strings.Builder
	fmt.Fprintln(&b, filepath.Base(abs))
	for _, name := range names {
		sum, err := r.sum(ctx, w.Dir(), name, recipes.Progress(bar))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, sum, name)
	}
	return b.String(), nil
}
