package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// ExportOptions are the options of Export.
type ExportOptions struct {
	DType        string // fp32, bf16 or fp16
	MaxShardSize int64  // bytes of weights in a file, but for a tensor that is larger
}

// ExportDTypes are the types in which Export can write weights.
var ExportDTypes = []string{"fp32", "bf16", "fp16"}

// An Exported model is the result of Export or ExportGGUF.
type Exported struct {
	Checkpoint   string   `json:"checkpoint"`
	Directory    string   `json:"directory"`
	Architecture string   `json:"architecture"`
	DType        string   `json:"dtype"`
	Parameters   int64    `json:"parameters"`
	Files        []string `json:"files"`
	AsF16        []string `json:"as_f16,omitempty"` // tensors of a GGUF file whose rows are not a whole number of blocks
}

// Export writes a checkpoint (its directory, or that of a stage, which stands for its final model)
// as a Hugging Face model directory at dst, which must not exist. The manifest goes along, and
// with it the provenance.
func Export(ctx context.Context, dir, dst string, e ExportOptions, o recipes.Console) (*Exported, error) {
	dtype, ok := map[string][2]string{"fp32": {"F32", "float32"}, "bf16": {"BF16", "bfloat16"}, "fp16": {"F16", "float16"}}[e.DType]
	if !ok {
		return nil, recipes.Input(fmt.Errorf("export: dtype %q is not known; known are %s", e.DType, strings.Join(ExportDTypes, ", ")))
	}
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, recipes.Input(err)
	}
	c, err := checkpoint.Open(pretrained.Dir(dir))
	if err != nil {
		return nil, recipes.Input(err)
	}
	text, err := c.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, recipes.Input(err)
	}
	config, err := model.ReadConfig(bytes.NewReader(text))
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("checkpoint %s: %w", c.Dir, err))
	}
	x := &Exported{Checkpoint: c.Dir, Directory: dst, DType: dtype[1]}
	if len(config.Architectures) > 0 {
		x.Architecture = config.Architectures[0]
	}
	if config.ModelType == "qwen2" {
		if tok, err := tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile)); err == nil && (tok.Info().Normalizer != "NFC" || tok.Info().PreTokenizer != "Sequence(Split, ByteLevel)") {
			o.Say("transformers reads the tokenizer of every qwen2 as Qwen's own, whatever its files say: of this one it gives other ids, unless it is loaded by PreTrainedTokenizerFast.from_pretrained")
		}
	}
	if config.ModelType == "palm" {
		o.Say("transformers has no PaLM: only hone can read this directory, which is laid out like those of its models, with names of parameters like Llama's")
	}
	sentence, err := pretrained.ReadSentence(c)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if text, err = withDType(text, dtype[1]); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %s: %w", c.Dir, checkpoint.ConfigFile, err)
	}
	files := []checkpoint.File{checkpoint.BytesFile(checkpoint.ConfigFile, text)}
	for _, name := range append([]string{checkpoint.TokenizerFile}, TokenizerFiles...) {
		if _, ok := c.Manifest.Files[name]; !ok {
			continue
		}
		b, err := c.File(name)
		if err != nil {
			return nil, recipes.Input(err)
		}
		files = append(files, checkpoint.BytesFile(name, b))
	}
	if sentence != nil {
		more, err := sentenceFiles(sentence, config.Width())
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}

	w, err := checkpoint.OpenWeights(c.Dir)
	if err != nil {
		return nil, recipes.Input(err)
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
			return recipes.Input(err) // a value that the type cannot hold
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

// withDType sets the type in which from_pretrained loads the weights, under the present name of
// the key and under its earlier name.
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
