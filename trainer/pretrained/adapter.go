package pretrained

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/trainer/model"
)

// PEFT's names of what an adapter is, and of what its base does.
const (
	peftLoRA    = "LORA"
	adapterStem = "base_model.model." // of the names of tensors
)

// The metadata of an adapter's tensors, beside PEFT's.
const (
	metadataBase = "base"        // as it was named
	metadataSHA  = "base_sha256" // of its weights
)

// taskTypes are PEFT's, by head. It has none for some: FEATURE_EXTRACTION leaves the model as it is.
var taskTypes = map[model.Head]string{
	model.LanguageModel: "CAUSAL_LM", model.Classifier: "SEQ_CLS", model.TokenClassifier: "TOKEN_CLS", model.QuestionAnswering: "QUESTION_ANS",
	model.MultipleChoice: "SEQ_CLS", model.Pretraining: "FEATURE_EXTRACTION", model.Base: "FEATURE_EXTRACTION", model.Encoder: "FEATURE_EXTRACTION",
}

// taskType is what PEFT takes a model with a head for.
func taskType(c model.Config, h model.Head) string {
	switch {
	case h == model.LanguageModel && c.Traits().EncoderDecoder:
		return "SEQ_2_SEQ_LM"
	case h == model.LanguageModel && c.Writing() == model.Never: // it predicts masked tokens
		return "FEATURE_EXTRACTION"
	}
	return taskTypes[h]
}

// A Base is the model that an adapter is made for.
type Base struct {
	Name   string // as hone finds it
	Dir    string // as transformers finds it
	SHA256 string // of its weights
}

// Metadata is that of an adapter's tensors.
func (b *Base) Metadata() map[string]string {
	return map[string]string{metadataBase: b.Name, metadataSHA: b.SHA256}
}

// AdapterConfig is the adapter_config.json of an adapter a that l says, for a model with a head.
func AdapterConfig(l *model.LoRA, a *model.Adapter, c model.Config, h model.Head, base *Base) ([]byte, error) {
	modules, err := model.Modules(c, h)
	if err != nil {
		return nil, err
	}
	var targets []string
	conv := false
	for _, m := range modules {
		if _, ok := a.Pairs[m.Name]; ok {
			targets = append(targets, m.Name)
			conv = conv || m.Kind == model.Conv1D
		}
	}
	slices.Sort(targets)
	ranks, alphas := l.RankPattern, l.AlphaPattern
	if ranks == nil {
		ranks = map[string]int{}
	}
	if alphas == nil {
		alphas = map[string]float64{}
	}
	text, err := json.MarshalIndent(map[string]any{
		"peft_type": peftLoRA, "task_type": taskType(c, h), "auto_mapping": nil, "base_model_name_or_path": base.Dir, "revision": nil, "inference_mode": true,
		"r": l.R, "lora_alpha": l.Alpha, "lora_dropout": l.Dropout, "bias": "none", "fan_in_fan_out": conv, "use_rslora": l.RSLoRA, "use_dora": l.DoRA,
		"init_lora_weights": l.Init, "target_modules": targets, "exclude_modules": nil, "modules_to_save": a.Saved, "rank_pattern": ranks, "alpha_pattern": alphas,
		"layers_to_transform": nil, "layers_pattern": nil, "layer_replication": nil, "lora_bias": false,
	}, "", "  ")
	return append(text, '\n'), err
}

// AdapterName is the name of an adapter's tensor in a file, by that of the parameter.
func AdapterName(param string) string { return adapterStem + param }

// IsAdapter tells whether a directory holds an adapter.
func IsAdapter(dir string) bool {
	_, err := os.Stat(filepath.Join(Dir(dir), checkpoint.AdapterConfigFile))
	return err == nil
}

// An Adapter is one on disk, in PEFT's format.
type Adapter struct {
	Dir        string
	Base       string // where its base is, as its files say
	BaseSHA256 string // of its base's weights; "": it is not known, as PEFT does not note it

	task string
	lora model.LoRA
	file *checkpoint.Safetensors
}

// OpenAdapter reads what an adapter is. Keys that would change what it computes, and that hone does not follow, are errors.
// The caller closes it.
func OpenAdapter(dir string) (*Adapter, error) {
	a := &Adapter{Dir: Dir(dir)}
	fail := func(err error) (*Adapter, error) { return nil, fmt.Errorf("adapter %s: %w", a.Dir, err) }
	text, err := os.ReadFile(filepath.Join(a.Dir, checkpoint.AdapterConfigFile))
	if err != nil {
		return fail(err)
	}
	var keys struct {
		Type string `json:"peft_type"`
		Task string `json:"task_type"`
		Base string `json:"base_model_name_or_path"`
		model.LoRA
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		return fail(fmt.Errorf("%s: %w", checkpoint.AdapterConfigFile, err))
	}
	if keys.Type != peftLoRA {
		return fail(fmt.Errorf("%s: peft_type %q is not supported (known: %s)", checkpoint.AdapterConfigFile, keys.Type, peftLoRA))
	}
	if err := unfollowed(text); err != nil {
		return fail(fmt.Errorf("%s: %w", checkpoint.AdapterConfigFile, err))
	}
	a.task, a.lora, a.Base = keys.Task, keys.LoRA, keys.Base
	path := filepath.Join(a.Dir, checkpoint.AdapterFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fail(fmt.Errorf("it has no %s (hint: PEFT writes it with safe_serialization=True)", checkpoint.AdapterFile))
	}
	if a.file, err = checkpoint.OpenSafetensors(path); err != nil {
		return fail(err)
	}
	if m := a.file.Metadata(); m[metadataSHA] != "" {
		a.Base, a.BaseSHA256 = m[metadataBase], m[metadataSHA]
	}
	return a, nil
}

// Close closes its file.
func (a *Adapter) Close() error { return a.file.Close() }

// unfollowed names a key that has a value which changes what an adapter computes. Those of its training, and those that its
// tensors say again, have none.
func unfollowed(text []byte) error {
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	for _, k := range []string{
		"peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "peft_version",
		"r", "lora_alpha", "lora_dropout", "use_dora", "fan_in_fan_out", "use_rslora", "init_lora_weights", "target_modules", "exclude_modules", "modules_to_save",
		"rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "megatron_core", "qalora_group_size", "runtime_config",
		"loftq_config", "eva_config", "corda_config", "lora_ga_config",
	} {
		delete(keys, k)
	}
	if keys["bias"] == "none" {
		delete(keys, "bias")
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		switch v := keys[k].(type) {
		case nil:
		case bool:
			if v {
				return fmt.Errorf("%s: true is not supported", k)
			}
		case []any:
			if len(v) > 0 {
				return fmt.Errorf("%s: is not supported", k)
			}
		case map[string]any:
			if len(v) > 0 {
				return fmt.Errorf("%s: is not supported", k)
			}
		default:
			return fmt.Errorf("%s: %v is not supported", k, v)
		}
	}
	return nil
}

// read is a tensor's values. Those that are not finite are an error.
func (a *Adapter) read(name string) ([]float32, error) {
	t, err := a.file.Read(name, nil)
	if err != nil {
		return nil, err
	}
	values, err := checkpoint.Floats(t)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: tensor %s: %w", a.Dir, name, err)
	}
	for i, v := range values {
		if math.Float32bits(v)>>23&0xff == 0xff {
			return nil, fmt.Errorf("adapter %s: tensor %s: element %d is %v", a.Dir, name, i, v)
		}
	}
	return values, nil
}

// LoadAdapter sets what a network trains from its adapter in a directory, which must have all of it and nothing else.
func LoadAdapter(net *model.Network, dir string) error {
	a, err := OpenAdapter(dir)
	if err != nil {
		return err
	}
	defer a.Close()
	left := map[string]bool{}
	for _, t := range a.file.Tensors() {
		left[t.Name] = true
	}
	for _, p := range net.Layout().Params {
		if !p.Trainable {
			continue
		}
		name := AdapterName(p.Name)
		if !left[name] {
			return fmt.Errorf("adapter %s: tensor %s is missing", a.Dir, name)
		}
		delete(left, name)
		values, err := a.read(name)
		if err == nil {
			err = net.SetWeight(p.Name, values)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		return fmt.Errorf("adapter %s: unexpected tensor %s", a.Dir, name)
	}
	return nil
}

// config is the model that the adapter makes of its base: as its own config.json says, or else as PEFT reads task_type.
func (a *Adapter) config(base model.Config, h model.Head) (model.Config, model.Head, error) {
	text, err := os.ReadFile(filepath.Join(a.Dir, checkpoint.ConfigFile))
	if err == nil {
		c, err := model.ReadConfig(bytes.NewReader(text))
		if err != nil {
			return c, h, err
		}
		h, err = c.Head()
		return c, h, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return base, h, err
	}
	if a.task == taskType(base, h) || a.task == "" {
		return base, h, nil
	}
	for _, want := range model.Heads() {
		if !base.Has(want) || taskType(base, want) != a.task {
			continue
		}
		if want == model.Classifier || want == model.TokenClassifier {
			labels := a.labels(base)
			if labels == 0 {
				return base, h, fmt.Errorf("it has no head for task_type %s, and neither has its base", a.task)
			}
			var names []string
			for i := range labels {
				names = append(names, fmt.Sprintf("LABEL_%d", i))
			}
			base.SetLabels(names)
		}
		base.Architectures = []string{base.Traits().Classes[want]}
		return base, want, nil
	}
	return base, h, fmt.Errorf("task_type %q: a %s has no such head", a.task, base.ModelType)
}

// labels is the number of labels of the head that the adapter holds: that of the rows of the last matrix of it.
func (a *Adapter) labels(c model.Config) (n int) {
	for _, t := range a.file.Tensors() {
		name := strings.TrimPrefix(t.Name, adapterStem)
		for _, end := range []string{"score.weight", "logits_proj.weight", "out_proj.weight", "classifier.weight"} {
			if len(t.Shape) == 2 && c.InHead(name) && (name == end || strings.HasSuffix(name, "."+end)) {
				n = t.Shape[0]
			}
		}
	}
	return n
}

// parts are an adapter's tensors by what they are for.
type parts struct {
	pairs map[string]pairOf // by module
	whole map[string]string // tensors in the place of parameters, by these
}

// A pairOf is a pair with the names of its tensors.
type pairOf struct {
	model.Module
	a, b string
	// magnitude is that of DoRA; "": it is none.
	magnitude string
	rank      int
	scale     float64
}

// match finds the modules and parameters of a model that the tensors are for. Everything that does not fit is an error.
func (a *Adapter) match(c model.Config, h model.Head, params map[string][]int) (*parts, error) {
	modules, err := model.Modules(c, h)
	if err != nil {
		return nil, err
	}
	tied, embedding := model.Tied(c, h)
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("adapter %s: "+format, append([]any{a.Dir}, args...)...))
	}
	shapes := map[string][]int{}
	p := &parts{pairs: map[string]pairOf{}, whole: map[string]string{}}
	for _, t := range a.file.Tensors() {
		shapes[t.Name] = t.Shape
		name, ok := strings.CutPrefix(t.Name, adapterStem)
		if !ok {
			fault("tensor %s: its name does not begin with %s", t.Name, adapterStem)
			continue
		}
		if module, part := model.PairOf(name); part != model.NoPart {
			i := slices.IndexFunc(modules, func(m model.Module) bool { return m.Name == module })
			if i < 0 {
				fault("tensor %s: the model has no module %s", t.Name, module)
				continue
			}
			pair := p.pairs[module]
			switch pair.Module = modules[i]; part {
			case model.PartA:
				pair.a = t.Name
			case model.PartB:
				pair.b = t.Name
			case model.Magnitude:
				pair.magnitude = t.Name
			}
			p.pairs[module] = pair
			continue
		}
		name = strings.Replace(name, ".base_layer.", ".", 1) // an embedding that PEFT saves whole beside its pair
		want, ok := params[name]
		if name == tied { // which PEFT saves as one of its own
			want, ok = params[embedding]
		}
		switch {
		case !ok:
			fault("tensor %s: the model has no parameter %s", t.Name, name)
		case !slices.Equal(want, t.Shape):
			fault("tensor %s has shape %v, want %v", t.Name, t.Shape, want)
		default:
			p.whole[name] = t.Name
		}
	}
	for _, m := range modules {
		pair, ok := p.pairs[m.Name]
		if !ok {
			continue
		}
		x, y := shapes[pair.a], shapes[pair.b]
		switch {
		case pair.a == "" || pair.b == "":
			fault("%s has only one of the two matrices of a pair", m.Name)
		case len(x) != 2 || len(y) != 2 || x[0] != y[1] || x[1] != m.In || y[0] != m.Out:
			fault("%s has matrices of shapes %v and %v, which do not fit one of %d × %d", m.Name, x, y, m.Out, m.In)
		case (pair.magnitude != "") != a.lora.DoRA || a.lora.DoRA && !slices.Equal(shapes[pair.magnitude], []int{m.Out}):
			fault("%s has magnitudes of shape %v; use_dora is %v", m.Name, shapes[pair.magnitude], a.lora.DoRA)
		case x[0] < 1 || x[0] > min(m.In, m.Out):
			fault("%s has a pair of rank %d: want one from 1 to %d", m.Name, x[0], min(m.In, m.Out))
		default:
			r, scale, err := a.lora.Of(m.Name)
			if err == nil && r != x[0] {
				err = fmt.Errorf("%s has a pair of rank %d, but %s says %d", m.Name, x[0], checkpoint.AdapterConfigFile, r)
			}
			if err != nil {
				fault("%w", err)
			}
			pair.rank, pair.scale = x[0], scale
			p.pairs[m.Name] = pair
		}
	}
	for _, m := range a.lora.Targeted(modules) {
		if _, ok := p.pairs[m]; !ok {
			fault("it has no matrices for %s, which is among its target_modules", m)
		}
	}
	for name := range params {
		if p.whole[name] == "" && a.lora.Saves(c, h, name) {
			fault("tensor %s is missing, of modules_to_save", AdapterName(name))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return p, errors.Join(faults...)
}
