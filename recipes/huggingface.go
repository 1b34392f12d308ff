package recipes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/trainer/model"
)

// An Imported model is what Import has made.
type Imported struct {
	Source       string   `json:"source"`
	Checkpoint   string   `json:"checkpoint"`
	Name         string   `json:"name"`
	ModelType    string   `json:"model_type"`
	Architecture string   `json:"architecture"`
	Parameters   int64    `json:"parameters"`
	Files        []string `json:"files"`
	Notes        []string `json:"notes"` // what was changed on the way

	config map[string]json.RawMessage // config.json
}

// importStage is the stage that an imported checkpoint says it is of.
const importStage = "import"

// tokenizerFiles are copied as they are, where they are there: AutoTokenizer reads them.
var tokenizerFiles = []string{
	tokenizerConfigFile, "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", generationFile,
}

const (
	tokenizerConfigFile = "tokenizer_config.json"
	generationFile      = "generation_config.json" // see generate.Settings
)

// Import makes a checkpoint at dst, which must not be there yet, of a Hugging Face model
// directory: config.json, weights in safetensors (one file or shards) of any floating-point
// type, and a tokenizer of any kind. The weights become float32. Everything is verified from
// the headers before any memory is taken for a tensor.
func Import(ctx context.Context, src, dst string, o Options) (*Imported, error) {
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, input(err)
	}
	if err := otherModel(src); err != nil {
		return nil, input(err)
	}
	w, err := checkpoint.OpenWeights(src)
	if err != nil {
		return nil, input(err)
	}
	defer w.Close()
	r := &Imported{Source: src, Checkpoint: dst, Files: w.Files()}
	m, err := r.match(ctx, w)
	if err != nil {
		return nil, input(err)
	}
	files, err := r.tokenizer(m.Config)
	if err != nil {
		return nil, input(err)
	}
	config, err := m.Config.JSON()
	if err != nil {
		return nil, err
	}
	files = append(files, checkpoint.BytesFile(checkpoint.ConfigFile, config))
	settings, err := r.generation()
	if err != nil {
		return nil, input(err)
	}
	files = append(files, settings...)

	bar := o.Bar("import "+filepath.Base(src), "bytes")
	defer bar.Close()
	var total int64
	for _, t := range w.Tensors() {
		n, err := t.NumBytes()
		if err != nil {
			return nil, input(err)
		}
		total += 2 * n // hashed, and then converted
	}
	progress := &countWriter{set: func(done int64) { bar.Set(done, total, "") }}
	origin := checkpoint.Origin{Stage: importStage, Imported: &checkpoint.Import{Name: r.Name, Files: map[string]string{}}}
	for _, name := range w.Files() {
		if origin.Imported.Files[name], err = hashFile(ctx, filepath.Join(src, name), progress); err != nil {
			return nil, input(err)
		}
	}
	chain := []checkpoint.Origin{origin}
	if c, err := checkpoint.Open(src); err == nil { // it was exported from here: what is known of it stays known
		chain = c.Manifest.Chain(origin)
	}

	var tensors []checkpoint.Tensor
	for _, p := range m.Params {
		r.Parameters += int64(p.Elems)
		tensors = append(tensors, checkpoint.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape})
	}
	files = append(files, checkpoint.StreamFile(checkpoint.ModelFile, tensors, func(out io.Writer, t checkpoint.Tensor) error {
		i := m.From[t.Name]
		if err := w.Copy(ctx, out, i, "F32"); err != nil {
			return input(err)
		}
		n, err := w.Tensors()[i].NumBytes()
		progress.add(n)
		return err
	}))
	manifest := checkpoint.Manifest{Hone: Version(), Stage: importStage, Device: "cpu", Provenance: chain}
	if err := checkpoint.Create(dst, manifest, files); err != nil {
		return nil, err
	}
	return r, nil
}

// otherModel says of what is no model directory of Hugging Face's with weights in safetensors
// what it is, where that is known.
func otherModel(src string) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		switch filepath.Ext(src) {
		case ".gguf":
			return fmt.Errorf("%s is a GGUF file, whose weights are not read; import the directory in safetensors that it was made of", src)
		case ".bin", ".pt", ".pth", ".ckpt":
			return fmt.Errorf("%s is a file of PyTorch's, which is not read, since reading such a file can run a program; save the model again with safe_serialization=True", src)
		case ".safetensors":
			return fmt.Errorf("%s is a file of weights; import takes the directory that it is in, with its config.json", src)
		}
		return fmt.Errorf("%s is a file; import takes a directory", src)
	}
	entries, err := os.ReadDir(src)
	if err != nil {
		return err
	}
	file := map[string]string{} // of each name or ending, one
	for _, e := range entries {
		file[e.Name()], file[filepath.Ext(e.Name())] = e.Name(), e.Name()
	}
	const adapter = "adapter_config.json"
	if file[adapter] != "" { // transformers takes it before a model beside it
		return fmt.Errorf("%s is an adapter of PEFT (%s), no whole model; merge it into its base (merge_and_unload), save that, and import it", src, adapter)
	}
	if gguf := file[".gguf"]; gguf != "" && file[".safetensors"] == "" {
		return fmt.Errorf("%s has its weights in a GGUF file, %s, which is not read; import the directory in safetensors that it was made of", src, gguf)
	}
	return nil
}

// match reads config.json and finds the model's parameters among the tensors.
func (r *Imported) match(ctx context.Context, w *checkpoint.Weights) (*model.Match, error) {
	path := filepath.Join(r.Source, checkpoint.ConfigFile)
	text, err := checkpoint.ReadInput(path)
	if err != nil {
		return nil, err
	}
	inFile := func(err error) error { return fmt.Errorf("%s: %w", path, err) }
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
	// A graph is built a layer at a time, so that a layer that no tensor is of must not count.
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
		r.Notes = append(r.Notes, fmt.Sprintf("%s: keys that a %s does not know, and that are ignored: %s", checkpoint.ConfigFile, c.ModelType, listed(unknown)))
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
		r.Notes = append(r.Notes, fmt.Sprintf("left out, as a %v has no such part: %s", h, listed(m.Unused)))
	}
	r.ModelType, r.Architecture = m.Config.ModelType, m.Config.Architectures[0]
	return m, nil
}

// listed names the first of many.
func listed(names []string) string {
	const most = 12
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}

// modelName is what a model calls itself, if it is a name and no path.
func modelName(raw map[string]json.RawMessage) string {
	var name string
	if json.Unmarshal(raw["_name_or_path"], &name) != nil || filepath.IsAbs(name) || strings.HasPrefix(name, ".") {
		return ""
	}
	return name
}

// tokenizer reads the tokenizer and gives the files that it takes in a checkpoint.
func (r *Imported) tokenizer(c model.Config) ([]checkpoint.File, error) {
	tok, err := tokenizer.Open(r.Source)
	if err != nil {
		return nil, err
	}
	if tok.Size() > c.VocabSize {
		return nil, fmt.Errorf("%s: the tokenizer has %d tokens, but vocab_size is %d", r.Source, tok.Size(), c.VocabSize)
	}
	text, err := checkpoint.ReadInput(filepath.Join(r.Source, checkpoint.TokenizerFile))
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		text, err = tok.JSON(), nil
		r.Notes = append(r.Notes, checkpoint.TokenizerFile+" is made from the tokenizer's other files")
	}
	if err != nil {
		return nil, err
	}
	files := []checkpoint.File{checkpoint.BytesFile(checkpoint.TokenizerFile, text)}
	has := false
	for _, name := range tokenizerFiles {
		if made && slices.Contains(madeTokenizerFiles, name) {
			continue
		}
		text, err := checkpoint.ReadInput(filepath.Join(r.Source, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		has = has || name == tokenizerConfigFile
		files = append(files, checkpoint.BytesFile(name, text))
	}
	if !has {
		settings := tok.Settings()
		if settings == nil {
			settings = settingsOf(tok, c)
		}
		text, err := tokenizerConfig(c, settings)
		if err != nil {
			return nil, err
		}
		files = append(files, checkpoint.BytesFile(tokenizerConfigFile, text))
	}
	return files, nil
}

// generation checks generation_config.json, or makes it of what config.json has of its keys, as
// transformers does.
func (r *Imported) generation() ([]checkpoint.File, error) {
	path := filepath.Join(r.Source, generationFile)
	text, err := checkpoint.ReadInput(path)
	there := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(r.Source, checkpoint.ConfigFile)
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
	r.Notes = append(r.Notes, generationFile+" is made of keys of "+checkpoint.ConfigFile)
	return []checkpoint.File{checkpoint.BytesFile(generationFile, text)}, nil
}

// settingsOf are the settings of a tokenizer that has none beside its tokenizer.json: what the
// model's configuration knows of its special tokens.
func settingsOf(tok *tokenizer.Pipeline, c model.Config) map[string]json.RawMessage {
	keys := map[string]json.RawMessage{"padding_side": json.RawMessage(strconv.Quote(paddingSide(c)))}
	role := func(name string, id int) {
		if id < 0 || id >= tok.Size() || tok.Token(int32(id)) == "" {
			return
		}
		if text, err := json.Marshal(tok.Token(int32(id))); err == nil {
			keys[name] = text
		}
	}
	if c.BOSTokenID != nil {
		role("bos_token", *c.BOSTokenID)
	}
	if len(c.EOSTokenID) > 0 {
		role("eos_token", c.EOSTokenID[0])
	}
	if c.PadTokenID != nil {
		role("pad_token", *c.PadTokenID)
	}
	return keys
}

// madeTokenizerFiles are those of tokenizerFiles that a tokenizer.json which is made says in
// their place: beside it they would say it of another class's tokenizer.
var madeTokenizerFiles = []string{tokenizerConfigFile, "special_tokens_map.json", "added_tokens.json"}

// tokenizerConfig is what AutoTokenizer wants beside tokenizer.json: the class that follows
// it, the roles of special tokens and what else of settings, and how much text the model
// takes, if that has a limit.
func tokenizerConfig[V any](c model.Config, settings map[string]V) ([]byte, error) {
	keys := map[string]any{}
	if n := c.MaxLength(); n > 0 {
		keys["model_max_length"] = n
	}
	for key, value := range settings {
		keys[key] = value
	}
	keys["tokenizer_class"] = "PreTrainedTokenizerFast"
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}

// A countWriter counts bytes.
type countWriter struct {
	n   int64
	set func(n int64)
}

func (c *countWriter) add(n int64) {
	c.n += n
	c.set(c.n)
}

func (c *countWriter) Write(p []byte) (int, error) {
	c.add(int64(len(p)))
	return len(p), nil
}

// untilDone takes what is written to it until a context ends.
type untilDone struct{ ctx context.Context }

func (u untilDone) Write(p []byte) (int, error) { return len(p), u.ctx.Err() }

func hashFile(ctx context.Context, path string, progress io.Writer) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(h, progress, untilDone{ctx}), struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ExportOptions say how a checkpoint is written for others.
type ExportOptions struct {
	DType        string // fp32, bf16 or fp16
	MaxShardSize int64  // bytes of weights in a file, but for a tensor that is larger
}

// ExportDTypes are the types that weights are written in.
var ExportDTypes = []string{"fp32", "bf16", "fp16"}

// An Exported model is what Export has made.
type Exported struct {
	Checkpoint   string   `json:"checkpoint"`
	Directory    string   `json:"directory"`
	Architecture string   `json:"architecture"`
	DType        string   `json:"dtype"`
	Parameters   int64    `json:"parameters"`
	Files        []string `json:"files"`
}

// Export makes a Hugging Face model directory at dst, which must not be there yet, of a
// checkpoint (its directory, or a stage's, whose final model is meant then). It keeps the
// manifest, and with it the provenance.
func Export(ctx context.Context, dir, dst string, e ExportOptions, o Options) (*Exported, error) {
	dtype, ok := map[string][2]string{"fp32": {"F32", "float32"}, "bf16": {"BF16", "bfloat16"}, "fp16": {"F16", "float16"}}[e.DType]
	if !ok {
		return nil, input(fmt.Errorf("export: dtype %q is not known; known are %s", e.DType, strings.Join(ExportDTypes, ", ")))
	}
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, input(err)
	}
	c, err := checkpoint.Open(checkpointDir(dir))
	if err != nil {
		return nil, input(err)
	}
	text, err := c.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, input(err)
	}
	config, err := model.ReadConfig(bytes.NewReader(text))
	if err != nil {
		return nil, input(fmt.Errorf("checkpoint %s: %w", c.Dir, err))
	}
	x := &Exported{Checkpoint: c.Dir, Directory: dst, DType: dtype[1]}
	if len(config.Architectures) > 0 {
		x.Architecture = config.Architectures[0]
	}
	if config.ModelType == "qwen2" {
		if tok, err := tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile)); err == nil && (tok.Info().Normalizer != "NFC" || tok.Info().PreTokenizer != "Sequence(Split, ByteLevel)") {
			o.Say("transformers reads the tokenizer of every qwen2 as Qwen's own, whatever its files say: it will give other ids of this one, unless it is loaded by PreTrainedTokenizerFast.from_pretrained")
		}
	}
	if config.ModelType == "palm" {
		o.Say("transformers has no PaLM: the directory is laid out as its models are, with names of parameters like Llama's, and nothing but hone reads it")
	}
	if text, err = withDType(text, dtype[1]); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %s: %w", c.Dir, checkpoint.ConfigFile, err)
	}
	files := []checkpoint.File{checkpoint.BytesFile(checkpoint.ConfigFile, text)}
	for _, name := range append([]string{checkpoint.TokenizerFile}, tokenizerFiles...) {
		if _, ok := c.Manifest.Files[name]; !ok {
			continue
		}
		b, err := c.File(name)
		if err != nil {
			return nil, input(err)
		}
		files = append(files, checkpoint.BytesFile(name, b))
	}

	w, err := checkpoint.OpenWeights(c.Dir)
	if err != nil {
		return nil, input(err)
	}
	defer w.Close()
	from := map[string]int{}
	var tensors []checkpoint.Tensor
	for i, t := range w.Tensors() {
		from[t.Name] = i
		t.DType = dtype[0]
		tensors = append(tensors, t)
		x.Parameters += t.Elems()
	}
	bar := o.Bar("export "+filepath.Base(dst), "parameters")
	defer bar.Close()
	var done int64
	weights, err := checkpoint.ModelFiles(tensors, e.MaxShardSize, func(out io.Writer, t checkpoint.Tensor) error {
		if err := w.Copy(ctx, out, from[t.Name], t.DType); err != nil {
			return input(err) // a value that the type cannot hold
		}
		done += t.Elems()
		bar.Set(done, x.Parameters, "")
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range weights {
		x.Files = append(x.Files, f.Name)
	}
	if err := checkpoint.Create(dst, c.Manifest, append(files, weights...)); err != nil {
		return nil, err
	}
	return x, nil
}

// withDType sets the type that from_pretrained loads the weights in, by its present name
// and by the one before it.
func withDType(config []byte, name string) ([]byte, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(config, &keys); err != nil {
		return nil, err
	}
	value, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	keys["dtype"], keys["torch_dtype"] = value, value
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}
