// Package exchange imports models from other libraries' formats, and exports checkpoints to them:
// Hugging Face directories, GGUF files, and models on the hub.
//
// An error is recipes.ErrInput where the user can mend it (exit code 2): what is named is not there,
// is damaged, or is not supported, or the destination exists. Others are failures (1).
package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data/hub"
	"hone/data/source"
	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// An Imported model is the result of Import.
type Imported struct {
	Source       string   `json:"source"`
	Checkpoint   string   `json:"checkpoint"`
	Name         string   `json:"name"`
	ModelType    string   `json:"model_type"`
	Architecture string   `json:"architecture"`
	Parameters   int64    `json:"parameters"`
	Files        []string `json:"files"`
	Notes        []string `json:"notes"` // what was changed on the way
	// Sentence says how it makes vectors of texts, where it is a model of sentence-transformers.
	Sentence *pretrained.Sentence `json:"sentence,omitempty"`

	asStored bool                       // tensors keep their types, blocks and 16 bits; other programs then do not read the checkpoint
	config   map[string]json.RawMessage // config.json
	snapshot *hub.Snapshot              // that Source is of; nil: a directory of the user's
	gguf     *ggufModel                 // that Source is; nil: a directory
	sums     map[string]string          // sha256 of files that have been hashed, by name
}

// importStage is the stage of an imported checkpoint.
const importStage = "import"

// Import writes a checkpoint at dst, which must not exist, from a GGUF file or a Hugging Face model
// directory: config.json, a tokenizer of any kind, and weights in safetensors or PyTorch's files,
// whole or in shards, of any floating-point type. The weights become float32, so that other programs
// read the checkpoint too; Cached keeps their types. The headers of all
// files are checked before memory is taken for a tensor.
func Import(ctx context.Context, src, dst string, o recipes.Console) (*Imported, error) {
	return (&Imported{Source: src, Checkpoint: dst}).make(ctx, o)
}

// make makes the checkpoint of Source.
func (r *Imported) make(ctx context.Context, o recipes.Console) (*Imported, error) {
	src, dst := r.Source, r.Checkpoint
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, recipes.Input(err)
	}
	w, config, err := r.open()
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer w.Close()
	r.Files = w.Files()
	m, err := r.match(ctx, w, config)
	if err != nil {
		return nil, recipes.Input(err)
	}
	files, err := r.tokenizer(m.Config)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if config, err = m.Config.JSON(); err != nil {
		return nil, err
	}
	files = append(files, checkpoint.BytesFile(checkpoint.ConfigFile, config))
	settings, err := r.generation()
	if err != nil {
		return nil, recipes.Input(err)
	}
	files = append(files, settings...)
	switch {
	case r.gguf == nil:
		if r.Sentence, err = r.sentence(src); err != nil {
			return nil, recipes.Input(err)
		}
	case r.gguf.pooling != "":
		r.Sentence = &pretrained.Sentence{Pooling: []string{r.gguf.pooling}, IncludePrompt: true}
		r.Notes = append(r.Notes, "the file does not say whether vectors of texts are normalised: they are not")
	}
	if r.Sentence != nil {
		text, err := r.Sentence.JSON()
		if err != nil {
			return nil, err
		}
		r.Notes = append(r.Notes, r.Sentence.String())
		files = append(files, checkpoint.BytesFile(pretrained.SentenceFile, text))
	}

	origin := checkpoint.Origin{Stage: importStage, Imported: r.origin()}
	bar := o.Bar("import "+filepath.Base(r.Name), "bytes")
	defer bar.Close()
	var total int64 // of the files, which are hashed, and then of the tensors, which are converted
	for _, name := range w.Files() {
		if r.sums[name] != "" {
			continue
		}
		info, err := os.Stat(filepath.Join(w.Dir(), name))
		if err != nil {
			return nil, recipes.Input(err)
		}
		total += info.Size()
	}
	for _, p := range m.Params {
		n, err := w.Tensors()[m.From[p.Name]].NumBytes()
		if err != nil {
			return nil, recipes.Input(err)
		}
		total += n
	}
	progress := &counter{set: func(done int64) { bar.Set(done, total, "") }}
	for _, name := range w.Files() {
		before := progress.n
		sum, err := r.sum(ctx, w.Dir(), name, func(done, _ int64) { progress.add(before + done - progress.n) })
		if err != nil {
			return nil, recipes.Input(err)
		}
		origin.Imported.Files[name] = sum
	}
	chain := []checkpoint.Origin{origin}
	if r.gguf != nil { // what was exported from here: what is known of it stays known
		chain = append(r.gguf.origins, origin)
	} else if c, err := checkpoint.Open(src); err == nil {
		chain = c.Manifest.Chain(origin)
	}

	var tensors []checkpoint.Tensor
	for _, p := range m.Params {
		r.Parameters += int64(p.Elems)
		tensors = append(tensors, checkpoint.Tensor{Name: p.Name, DType: r.dtype(w.Tensors()[m.From[p.Name]]), Shape: p.Shape})
	}
	files = append(files, checkpoint.StreamFile(checkpoint.ModelFile, tensors, func(out io.Writer, t checkpoint.Tensor) error {
		i := m.From[t.Name]
		if err := w.Copy(ctx, out, i, t.DType); err != nil {
			return recipes.Input(err)
		}
		n, err := w.Tensors()[i].NumBytes()
		progress.add(n)
		return err
	}))
	manifest := checkpoint.Manifest{Hone: recipes.Version(), Stage: importStage, Provenance: chain}
	if err := checkpoint.Create(dst, manifest, files); err != nil {
		return nil, err
	}
	return r, nil
}

// dtype is the type that a tensor becomes.
func (r *Imported) dtype(t checkpoint.Tensor) string {
	if !r.asStored || t.DType == "F64" {
		return "F32"
	}
	return t.DType
}

// sum is the sha256 of a file of the model, which is read for it once.
func (r *Imported) sum(ctx context.Context, dir, name string, progress func(done, total int64)) (string, error) {
	if sum := r.sums[name]; sum != "" {
		return sum, nil
	}
	info, err := file.Hash(ctx, filepath.Join(dir, name), progress)
	if err != nil {
		return "", err
	}
	if r.sums == nil {
		r.sums = map[string]string{}
	}
	r.sums[name] = info.SHA256
	return info.SHA256, nil
}

// origin is the provenance of the imported model.
func (r *Imported) origin() *checkpoint.Import {
	o := &checkpoint.Import{Files: map[string]string{}}
	if s := r.snapshot; s != nil {
		o.Endpoint, o.Repo, o.Commit = s.Endpoint, s.Repo, s.Commit
		r.Name = s.Repo
	}
	o.Name = r.Name
	dir := r.Source
	if r.gguf != nil {
		if o.Licence = r.gguf.licence; o.Licence != "" || r.snapshot == nil {
			return o
		}
		dir = r.snapshot.Dir()
	}
	text, err := file.Read(filepath.Join(dir, hub.CardFile))
	if errors.Is(err, fs.ErrNotExist) {
		return o
	}
	var card *hub.Card
	if err == nil {
		card, err = hub.ReadCard(text)
	}
	if err != nil { // which says nothing of the weights
		r.Notes = append(r.Notes, fmt.Sprintf("the licence of the model is not known: %v", err))
		return o
	}
	o.Licence = card.Licence
	return o
}

// open opens the weights, under transformers' names, and gives the configuration. With an error
// nothing is left open.
func (r *Imported) open() (w *checkpoint.Weights, config []byte, err error) {
	info, err := os.Stat(r.Source)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		switch filepath.Ext(r.Source) {
		case ".gguf":
			if r.gguf, err = openGGUF(r.Source); err != nil {
				return nil, nil, err
			}
			return r.gguf.weights, r.gguf.config, nil
		case ".safetensors", ".bin", ".pt", ".pth", ".ckpt":
			return nil, nil, fmt.Errorf("%s is a file of weights: import its directory, which has its config.json too", r.Source)
		}
		return nil, nil, fmt.Errorf("%s is a file: import takes a directory or a GGUF file", r.Source)
	}
	if err := otherModel(r.Source); err != nil {
		return nil, nil, err
	}
	if w, err = checkpoint.OpenWeights(r.Source); err != nil {
		return nil, nil, err
	}
	if config, err = file.Read(filepath.Join(r.Source, checkpoint.ConfigFile)); err != nil {
		w.Close()
		return nil, nil, err
	}
	return w, config, nil
}

// otherModel says what a directory is that is not a model of transformers', where that is known.
func otherModel(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return foreign(dir, names)
}

// foreign refuses models whose files Import does not read, by what they are.
func foreign(src string, names []string) error {
	found := map[string]string{} // of each name or ending, one
	for _, name := range names {
		found[name], found[filepath.Ext(name)] = name, name
	}
	const adapter = "adapter_config.json"
	if found[adapter] != "" { // transformers takes it before a model beside it
		return fmt.Errorf("%s is a PEFT adapter (%s), not a whole model (hint: merge it into its base with merge_and_unload, save that, and import it)", src, adapter)
	}
	if gguf := found[".gguf"]; gguf != "" && found[".safetensors"] == "" {
		return fmt.Errorf("%s has its weights in a GGUF file, %s (hint: import that file itself)", src, gguf)
	}
	return nil
}

// beside reads a file of the model's directory; without such a file the error is fs.ErrNotExist.
func (r *Imported) beside(name string) ([]byte, error) {
	if r.gguf != nil {
		return nil, fs.ErrNotExist
	}
	return file.Read(filepath.Join(r.Source, name))
}

// configPath is the file of the configuration.
func (r *Imported) configPath() string {
	if r.gguf != nil {
		return r.Source
	}
	return filepath.Join(r.Source, checkpoint.ConfigFile)
}

// match reads the config.json, and finds the parameters of the model among the tensors.
func (r *Imported) match(ctx context.Context, w *checkpoint.Weights, text []byte) (*model.Match, error) {
	inFile := func(err error) error { return fmt.Errorf("%s: %w", r.configPath(), err) }
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, inFile(err)
	}
	r.config = raw
	if r.Name = modelName(raw); r.Name == "" {
		abs, err := filepath.Abs(r.Source)
		if err != nil {
			return nil, err
		}
		r.Name = filepath.Base(abs)
	}
	// A graph is built layer by layer, so that layers without tensors are refused before.
	for _, key := range []string{"n_layer", "num_hidden_layers", "n_layers", "num_layers", "num_decoder_layers"} {
		var n float64
		if json.Unmarshal(raw[key], &n) == nil && n > float64(len(w.Tensors())) {
			return nil, inFile(fmt.Errorf("%s is %s, but there are only %d tensors", key, raw[key], len(w.Tensors())))
		}
	}
	c, err := model.ReadConfig(bytes.NewReader(text))
	if err != nil {
		return nil, inFile(err)
	}
	h, err := c.Head()
	if err != nil {
		return nil, inFile(err)
	}
	unknown, err := model.UnknownKeys(text)
	if err != nil {
		return nil, inFile(err)
	}
	if unknown = slices.DeleteFunc(unknown, generate.KnownSetting); len(unknown) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s: ignored keys, which a %s does not have: %s", checkpoint.ConfigFile, c.ModelType, source.Listed(unknown)))
	}
	var stored []model.Stored
	for _, t := range w.Tensors() {
		stored = append(stored, model.Stored{Name: t.Name, Shape: t.Shape})
	}
	m, err := model.MatchTensors(c, h, stored, func(i, j int) (bool, error) { return w.Equal(ctx, i, j) })
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", r.Source, strings.Join(w.Files(), ", "), err)
	}
	for name, i := range m.From {
		if err := w.Tensors()[i].CheckFloat(); err != nil {
			return nil, fmt.Errorf("%s: tensor %s is %w", r.Source, name, err)
		}
	}
	r.Notes = append(r.Notes, m.Notes...)
	if n := len(m.Unused); n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("left out, since a %v has no such part: %s", h, source.Listed(m.Unused)))
	}
	r.ModelType, r.Architecture = m.Config.ModelType, m.Config.Architectures[0]
	return m, nil
}

// modelName is the name that a model gives itself, unless it is a path.
func modelName(raw map[string]json.RawMessage) string {
	var name string
	if json.Unmarshal(raw["_name_or_path"], &name) != nil || filepath.IsAbs(name) || strings.HasPrefix(name, ".") {
		return ""
	}
	return name
}

// generation checks generation_config.json, or makes it from the keys of it that config.json has,
// as transformers does.
func (r *Imported) generation() ([]checkpoint.File, error) {
	path := filepath.Join(r.Source, checkpoint.GenerationFile)
	text, err := r.beside(checkpoint.GenerationFile)
	there := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		path = r.configPath()
		text, err = generate.SettingsOfConfig(r.config)
	}
	if err != nil || len(text) == 0 {
		return nil, err
	}
	if _, err := generate.ReadSettings(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if there {
		return nil, nil // copied with the tokenizer's files
	}
	r.Notes = append(r.Notes, checkpoint.GenerationFile+" is made of keys of "+checkpoint.ConfigFile)
	return []checkpoint.File{checkpoint.BytesFile(checkpoint.GenerationFile, text)}, nil
}

// A counter counts bytes.
type counter struct {
	n   int64
	set func(n int64)
}

func (c *counter) add(n int64) {
	c.n += n
	c.set(c.n)
}
