package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// mergeStage is the name of the stage that makes one model of a base and adapters.
const mergeStage = "merge"

// A MergedModel is the result of Merge.
type MergedModel struct {
	Base       string   `json:"base"`
	Adapters   []string `json:"adapters"`
	Directory  string   `json:"directory"`
	Parameters int64    `json:"parameters"`
}

// Merge writes the model that adapters make of their base, the directory of a checkpoint, to dst, which must not exist.
func Merge(ctx context.Context, base string, adapters []string, dst string, o recipes.Console) (*MergedModel, error) {
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, recipes.Input(err)
	}
	c, err := checkpoint.Open(pretrained.Dir(base))
	if err != nil {
		return nil, recipes.Input(err)
	}
	m, err := pretrained.Merge(c, adapters)
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer m.Close()
	out := &MergedModel{Base: c.Dir, Adapters: adapters, Directory: dst}
	config, err := m.Config.JSON()
	if err != nil {
		return nil, err
	}
	files := map[string]checkpoint.File{checkpoint.ConfigFile: checkpoint.BytesFile(checkpoint.ConfigFile, config)}
	manifest := checkpoint.Manifest{Hone: recipes.Version(), Stage: mergeStage, Kernels: c.Manifest.Kernels, Provenance: c.Manifest.Provenance}
	if err := beside(files, c); err != nil {
		return nil, recipes.Input(err)
	}
	if h, err := m.Config.Head(); err == nil && !h.Headless() { // it says how vectors are made
		delete(files, pretrained.SentenceFile)
	}
	for _, dir := range adapters {
		dir = pretrained.Dir(dir)
		if _, err := os.Stat(filepath.Join(dir, checkpoint.ManifestFile)); err != nil { // made elsewhere
			sum, err := file.Hash(ctx, filepath.Join(dir, checkpoint.AdapterFile), nil)
			if err != nil {
				return nil, recipes.Input(err)
			}
			manifest.Provenance = manifest.Chain(checkpoint.Origin{
				Stage: mergeStage, Imported: &checkpoint.Import{Name: filepath.Base(dir), Files: map[string]string{checkpoint.AdapterFile: sum.SHA256}},
			})
			continue
		}
		a, err := checkpoint.Open(dir)
		if err != nil {
			return nil, recipes.Input(err)
		}
		if err := beside(files, a); err != nil {
			return nil, recipes.Input(err)
		}
		if manifest.Stage, manifest.Step, manifest.Device, manifest.Metrics = a.Manifest.Stage, a.Manifest.Step, a.Manifest.Device, a.Manifest.Metrics; len(adapters) == 1 {
			manifest.Provenance = a.Manifest.Provenance
		} else if n := len(a.Manifest.Provenance); n > 0 {
			manifest.Provenance = manifest.Chain(a.Manifest.Provenance[n-1])
		}
	}
	bar := o.Bar("merge "+filepath.Base(dst), "parameters")
	defer bar.Close()
	var total, done int64
	for _, t := range m.Tensors {
		total += t.Elems()
	}
	out.Parameters = total
	files[checkpoint.ModelFile] = checkpoint.StreamFile(checkpoint.ModelFile, m.Tensors, func(w io.Writer, t checkpoint.Tensor) error {
		if err := m.Write(ctx, w, t); err != nil {
			return recipes.Input(err)
		}
		done += t.Elems()
		bar.Set(done, total, "")
		return nil
	})
	var list []checkpoint.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, files[name])
	}
	return out, checkpoint.Create(dst, manifest, list)
}

// beside adds the files of a checkpoint that stand beside its weights.
func beside(files map[string]checkpoint.File, c *checkpoint.Checkpoint) error {
	for name := range c.Manifest.Files {
		switch name {
		case checkpoint.ModelFile, checkpoint.ConfigFile, checkpoint.OptimizerFile, checkpoint.StateFile, checkpoint.AdapterFile, checkpoint.AdapterConfigFile:
			continue
		}
		text, err := c.File(name)
		if err != nil {
			return err
		}
		files[name] = checkpoint.BytesFile(name, text)
	}
	return nil
}

// Merged returns what Merge makes in the directory cache, and makes it first if it is not there. Its name is a hash of the
// weights of all.
func Merged(ctx context.Context, base string, adapters []string, cache string, o recipes.Console) (string, error) {
	if err := isCache(adapters[0], cache); err != nil {
		return "", err
	}
	c, err := checkpoint.Open(pretrained.Dir(base))
	if err != nil {
		return "", recipes.Input(err)
	}
	key := fmt.Sprintln("merge", cachedVersion, c.Manifest.Weights(), c.Manifest.SHA256)
	for _, dir := range adapters {
		for _, name := range []string{checkpoint.AdapterFile, checkpoint.AdapterConfigFile} {
			sum, err := file.Hash(ctx, filepath.Join(pretrained.Dir(dir), name), nil)
			if err != nil {
				return "", recipes.Input(err)
			}
			key += fmt.Sprintln(name, sum.SHA256)
		}
		if a, err := os.ReadFile(filepath.Join(pretrained.Dir(dir), checkpoint.ManifestFile)); err == nil {
			key += string(a)
		}
	}
	sum := sha256.Sum256([]byte(key))
	dst := filepath.Join(cache, "models", hex.EncodeToString(sum[:16]))
	if pretrained.IsCheckpoint(dst) {
		return dst, nil
	}
	o.Say(fmt.Sprintf("merging the adapter into %s, once", dst))
	if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
		return "", err
	}
	if _, err := Merge(ctx, base, adapters, dst, o); err != nil && !pretrained.IsCheckpoint(dst) { // another process may be faster
		return "", err
	}
	return dst, nil
}
