package exchange

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/checkpoint/gguf"
	"hone/data/tokenizer"
	"hone/eval/chat"
	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/graph"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// provenanceKey is the key of the provenance in a GGUF file, as JSON. Other programs ignore it.
const provenanceKey = "hone.provenance"

// fileTypes are llama.cpp's numbers of the types of files, by the type of most weights.
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q4_0: 2, gguf.Q4_1: 3, gguf.Q8_0: 7, gguf.BF16: 32}

// GGUFTypes are the types in which ExportGGUF can write weights.
var GGUFTypes = gguf.WriteTypes

// ExportGGUF writes the language model of a checkpoint (its directory, or that of a stage, which
// stands for its final model) as a GGUF file, which must not exist. Vectors and positions stay
// float32. Tensors whose rows are not a whole number of blocks are written in F16, and listed in
// the result. The provenance goes along in a key of its own.
func ExportGGUF(ctx context.Context, dir, path, dtype string, o recipes.Console) (*Exported, error) {
	kind, err := gguf.TypeNamed(dtype)
	if err != nil || !slices.Contains(gguf.WriteTypes, dtype) {
		return nil, recipes.Input(fmt.Errorf("export: dtype %q of a GGUF file is not known; known are %s", dtype, strings.Join(GGUFTypes, ", ")))
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, recipes.Input(cmp.Or(err, fmt.Errorf("%s exists already", path)))
	}
	c, err := checkpoint.Open(pretrained.Dir(dir))
	if err != nil {
		return nil, recipes.Input(err)
	}
	m, err := writeModel(c, kind)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("checkpoint %s: %w", c.Dir, err))
	}
	m.keys = append([]gguf.Key{
		{Name: "general.architecture", Value: m.arch.name}, {Name: "general.type", Value: "model"},
		{Name: "general.name", Value: strings.TrimSuffix(filepath.Base(path), ".gguf")}, {Name: "general.file_type", Value: fileTypes[kind]},
	}, m.keys...)
	if kind.Block() > 1 {
		m.keys = append(m.keys, gguf.Key{Name: "general.quantization_version", Value: uint32(2)})
	}
	more, err := tokenizerKeys(c, m.config)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("checkpoint %s: %w", c.Dir, err))
	}
	m.keys = append(m.keys, more...)
	if len(c.Manifest.Provenance) > 0 {
		chain := c.Manifest.Chain(checkpoint.Origin{}) // with the step that this one is of
		text, err := json.Marshal(chain[:len(chain)-1])
		if err != nil {
			return nil, err
		}
		m.keys = append(m.keys, gguf.Key{Name: provenanceKey, Value: string(text)})
	}

	w, err := checkpoint.OpenWeights(c.Dir)
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer w.Close()
	x := &Exported{Checkpoint: c.Dir, Directory: path, Architecture: m.arch.class, DType: dtype, Files: []string{filepath.Base(path)}}
	derived, err := m.layOut(w, x)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("checkpoint %s: %w", c.Dir, err))
	}
	at := map[string]int{}
	for i, t := range derived.Tensors() {
		at[t.Name] = i
	}
	bar := o.Bar("export "+filepath.Base(path), "parameters")
	defer bar.Close()
	var done int64
	_, err = file.Write(path, func(out io.Writer) error {
		return gguf.Write(out, m.keys, m.tensors, func(out io.Writer, t *gguf.Tensor) error {
			if t.Name == ropeFreqs {
				return binary.Write(out, binary.LittleEndian, m.factors)
			}
			err := derived.Copy(ctx, &blockWriter{w: out, kind: t.Type}, at[t.Name], "F32")
			done += t.Elems()
			bar.Set(done, x.Parameters, "")
			return err
		})
	})
	if err != nil {
		return nil, recipes.Input(err)
	}
	return x, nil
}

// A blockWriter takes float32 and writes quantised blocks.
type blockWriter struct {
	w      io.Writer
	kind   gguf.Type
	values []float32
	blocks []byte
}

func (b *blockWriter) Write(p []byte) (int, error) {
	b.values = b.values[:0]
	for i := 0; i+4 <= len(p); i += 4 {
		b.values = append(b.values, math.Float32frombits(binary.LittleEndian.Uint32(p[i:])))
	}
	n := int(b.kind.Bytes(int64(len(b.values))))
	b.blocks = slices.Grow(b.blocks[:0], n)[:n]
	if err := gguf.Quantize(b.kind, b.blocks, b.values); err != nil {
		return 0, err
	}
	if _, err := b.w.Write(b.blocks); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A ggufWriter writes a model as a GGUF file.
type ggufWriter struct {
	config  model.Config
	arch    *ggufArch
	kind    gguf.Type
	heads   ggufHeads
	keys    []gguf.Key
	factors []float32 // of a Llama 3's positions; nil: none
	tensors []gguf.Tensor
	err     error
}

// fail keeps the first error: a property of the model that llama.cpp's architecture lacks.
func (m *ggufWriter) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(m.config.ModelType+": "+format+", which GGUF's "+m.arch.name+" cannot say", args...)
	}
}

// unlike is fail if a condition holds.
func (m *ggufWriter) unlike(is bool, format string, args ...any) {
	if is {
		m.fail(format, args...)
	}
}

// own adds a key of the architecture. Numbers that are not negative are uint32.
func (m *ggufWriter) own(key string, v any) {
	switch x := v.(type) {
	case int:
		v = uint32(x)
	case float64:
		v = float32(x)
	}
	m.keys = append(m.keys, gguf.Key{Name: m.arch.name + "." + key, Value: v})
}

// writeModel writes a configuration as keys.
func writeModel(c *checkpoint.Checkpoint, kind gguf.Type) (*ggufWriter, error) {
	text, err := c.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, err
	}
	config, err := model.ReadConfig(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	m := &ggufWriter{config: config, kind: kind}
	var known []string
	for i := range ggufArchs {
		a := &ggufArchs[i]
		if a.write != nil {
			known = append(known, a.class)
			if a.modelType == config.ModelType && len(config.Architectures) == 1 && config.Architectures[0] == a.class {
				m.arch = a
			}
		}
	}
	if m.arch == nil {
		return nil, fmt.Errorf("%s cannot be written as a GGUF file (known: %s)", strings.Join(config.Architectures, ", "), strings.Join(known, ", "))
	}
	m.arch.write(m)
	return m, m.err
}

// layOut gives the tensors of the file, and those of the model that they are made from.
func (m *ggufWriter) layOut(w *checkpoint.Weights, x *Exported) (*checkpoint.Weights, error) {
	var list []checkpoint.Derived
	if m.factors != nil {
		m.tensors = append(m.tensors, gguf.Tensor{Name: ropeFreqs, Shape: []int{len(m.factors)}, Type: gguf.F32})
	}
	for i, t := range w.Tensors() {
		name, form, ok := m.arch.gguf(t.Name)
		if !ok {
			return nil, fmt.Errorf("tensor %q has no name in GGUF's %s", t.Name, m.arch.name)
		}
		d := checkpoint.Derived{Name: name, Shape: t.Shape, From: i, Make: form.make(t.Shape, true), Rows: form.rows(t.Shape, m.heads, true)}
		if form == transposed && len(t.Shape) == 2 {
			d.Shape = []int{t.Shape[1], t.Shape[0]}
		}
		kind := m.kind
		switch last := d.Shape[len(d.Shape)-1]; {
		case len(d.Shape) == 1 || name == "position_embd.weight": // as llama.cpp wants them
			kind = gguf.F32
		case last%kind.Block() != 0:
			kind = gguf.F16
			x.AsF16 = append(x.AsF16, name)
		}
		list = append(list, d)
		m.tensors = append(m.tensors, gguf.Tensor{Name: name, Shape: d.Shape, Type: kind})
		x.Parameters += t.Elems()
	}
	return w.Derive(list), nil
}

// sizes writes the keys of all architectures.
func (m *ggufWriter) sizes(context, hidden, inner, layers int, heads ggufHeads) {
	m.heads = heads
	m.own("context_length", context)
	m.own("embedding_length", hidden)
	m.own("feed_forward_length", inner)
	m.own("block_count", layers)
	m.own("attention.head_count", heads.query)
	m.own("attention.head_count_kv", heads.key)
	m.own("vocab_size", m.config.VocabSize)
}

// turns writes the keys of the heads of decoders with rotary positions.
func (m *ggufWriter) turns(dim int, theta float64, s model.RopeScaling) {
	m.own("attention.key_length", dim)
	m.own("attention.value_length", dim)
	m.own("rope.dimension_count", dim)
	m.own("rope.freq_base", theta)
	m.unlike(s.AttentionFactor != nil || s.BetaFast != 0 || s.BetaSlow != 0 || s.MScale != 0 || s.MScaleAllDim != 0 || s.Truncate != nil || s.PartialRotaryFactor != nil,
		"rope_scaling with more than its factor and original_max_position_embeddings")
	switch s.RopeType {
	case "":
	case "linear", "yarn":
		m.own("rope.scaling.type", s.RopeType)
		m.own("rope.scaling.factor", s.Factor)
		if s.RopeType == "yarn" && s.OriginalMaxPositionEmbeddings > 0 {
			m.own("rope.scaling.original_context_length", s.OriginalMaxPositionEmbeddings)
		}
	case "llama3":
		m.factors = llama3Factors(graph.Llama3Scaling{Factor: s.Factor, LowFreqFactor: s.LowFreqFactor, HighFreqFactor: s.HighFreqFactor, Context: s.OriginalMaxPositionEmbeddings}, dim, theta)
	default:
		m.fail("rope_type %q", s.RopeType)
	}
}

func writeLlama(m *ggufWriter) {
	f := m.config.Family.(model.Llama)
	heads := ggufHeads{f.NumAttentionHeads, cmp.Or(f.NumKeyValueHeads, f.NumAttentionHeads)}
	m.sizes(f.MaxPositionEmbeddings, f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, heads)
	m.own("attention.layer_norm_rms_epsilon", f.RMSNormEps)
	m.turns(cmp.Or(f.HeadDim, f.HiddenSize/f.NumAttentionHeads), f.RopeTheta, f.RopeScaling)
	m.unlike(f.RopeScaling.RopeType == "llama3" && m.arch.name != "llama", "rope_type llama3")
	m.unlike(f.UseSlidingWindow || f.LayerTypes != nil, "layers that see a window")
	m.unlike(f.AttentionBias && m.arch.name == "qwen3", "attention_bias")
	m.unlike(f.MLPBias && m.arch.name != "llama", "mlp_bias")
}

func writeGemma3(m *ggufWriter) {
	f := m.config.Family.(model.Gemma3)
	m.sizes(f.MaxPositionEmbeddings, f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, ggufHeads{f.NumAttentionHeads, f.NumKeyValueHeads})
	m.own("attention.layer_norm_rms_epsilon", f.RMSNormEps)
	m.turns(f.HeadDim, f.RopeTheta, f.RopeScaling)
	m.unlike(f.RopeScaling.RopeType != "" && f.RopeScaling.RopeType != "linear", "rope_type %s", f.RopeScaling.RopeType)
	m.own("attention.sliding_window", int(f.SlidingWindow))
	m.unlike(f.SlidingWindow == 0, "no sliding_window")
	for i, kind := range f.LayerTypes {
		m.unlike((kind == "full_attention") != ((i+1)%6 == 0), "layer_types but that each sixth is full_attention")
	}
	scale := f.HeadDim
	if f.NumHiddenLayers == 62 { // in llama.cpp's code
		scale = f.HiddenSize / f.NumAttentionHeads
	}
	m.unlike(f.QueryPreAttnScalar != scale, "query_pre_attn_scalar %d and not %d", f.QueryPreAttnScalar, scale)
	m.unlike(f.RopeLocalBaseFreq != 10000, "rope_local_base_freq %g and not 10000", f.RopeLocalBaseFreq)
	m.unlike(f.AttentionBias, "attention_bias")
	m.unlike(f.HiddenActivation != "gelu_pytorch_tanh", "hidden_activation %s", f.HiddenActivation)
	m.unlike(!m.config.TieWordEmbeddings, "tie_word_embeddings false")
}

func writeGPT2(m *ggufWriter) {
	f := m.config.Family.(model.GPT2)
	m.sizes(f.NPositions, f.NEmbd, cmp.Or(f.NInner, 4*f.NEmbd), f.NLayer, ggufHeads{f.NHead, f.NHead})
	m.own("attention.layer_norm_epsilon", f.LayerNormEpsilon)
	m.unlike(!slices.Contains([]string{"gelu_new", "gelu_pytorch_tanh", "gelu_fast"}, f.ActivationFunction), "activation_function %s", f.ActivationFunction)
}

// tokenizerKeys are the keys of the tokenizer of a checkpoint, and of the start and end of texts.
func tokenizerKeys(c *checkpoint.Checkpoint, config model.Config) ([]gguf.Key, error) {
	tok, err := tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile))
	if err != nil {
		return nil, err
	}
	settings, err := generate.SettingsOf(c)
	if err != nil {
		return nil, err
	}
	frame, err := generate.FrameOf(config, tok, *settings)
	if err != nil {
		return nil, err
	}
	g := tokenizer.GGUF{Rows: config.VocabSize}
	if g.Roles, err = chat.Roles(c); err != nil {
		return nil, err
	}
	delete(g.Roles, "eos_token") // of the frame's ends
	if g.ChatTemplate, err = chat.Source(c); err != nil {
		return nil, err
	}
	if frame.Starts { // which its tokenizer.json does not say
		text, err := tok.Framed(tok.Token(frame.Start), "", false)
		if err != nil {
			return nil, err
		}
		if tok, err = tokenizer.Parse(text); err != nil {
			return nil, err
		}
	}
	if frame.Start >= 0 {
		g.Roles["bos_token"] = tok.Token(frame.Start)
	}
	ends := []string{"eos_token", "eot_token", "eom_token"}
	if len(frame.Ends) > len(ends) {
		return nil, fmt.Errorf("texts can end with %d tokens, but a GGUF file can name only %d", len(frame.Ends), len(ends))
	}
	for i, id := range frame.Ends {
		g.Roles[ends[i]] = tok.Token(id)
	}
	return tok.GGUF(g)
}
