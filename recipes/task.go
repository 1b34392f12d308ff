package recipes

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"hone/data"
	"hone/data/tokenizer"
	"hone/eval/report"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

//go:embed tasks/*.toml
var taskFiles embed.FS

// A Task says what a checkpoint is evaluated on.
type Task struct {
	Name        string   `toml:"name"`
	Description string   `toml:"description"`
	Kind        string   `toml:"kind"`   // likelihood (of a language model), classification
	Source      string   `toml:"source"` // as of a corpus in a recipe
	Text        string   `toml:"text"`
	Label       string   `toml:"label"`
	Split       string   `toml:"split"` // train, validation, test
	Baselines   []string `toml:"baselines"`
}

// Tasks lists the built-in tasks.
func Tasks() []string {
	entries, err := taskFiles.ReadDir("tasks")
	if err != nil {
		panic(err) // the embedded tree always has it
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// LoadTask reads a task, built in by name or from a file.
func LoadTask(nameOrFile string) (*Task, error) {
	text, err := taskFiles.ReadFile("tasks/" + nameOrFile + ".toml")
	file := nameOrFile + ".toml"
	if err != nil {
		file = nameOrFile
		if text, err = readText(nameOrFile); err != nil {
			if !strings.ContainsAny(nameOrFile, "./\\") {
				return nil, fmt.Errorf("no task is called %q%s", nameOrFile, suggest(nameOrFile, Tasks()))
			}
			return nil, fmt.Errorf("task: %w", err)
		}
	}
	faults := &Faults{File: file}
	tree := map[string]any{}
	if _, err := toml.Decode(string(text), &tree); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			faults.List = append(faults.List, Fault{Line: pe.Position.Line, Key: pe.LastKey, Message: pe.Message})
			return nil, faults
		}
		return nil, fmt.Errorf("task %s: %w", file, err)
	}
	t := &Task{Name: strings.TrimSuffix(file, ".toml"), Split: "test"}
	d := decoder{faults: faults, lines: keyLines(string(text)), task: true}
	d.table(tree, "", reflect.ValueOf(t).Elem())
	d.oneOf("kind", t.Kind, []string{"likelihood", "classification"})
	d.oneOf("split", t.Split, []string{"train", "validation", "test"})
	d.sourceExists("source", t.Source, "")
	for _, b := range t.Baselines {
		d.oneOf("baselines", b, slices.DeleteFunc(slices.Clone(baselines), func(s string) bool { return s == "random_init" }))
	}
	if len(faults.List) > 0 {
		return nil, faults
	}
	return t, nil
}

// scoredTogether is how many positions are scored at a time, or those of one document.
const scoredTogether = 4096

// Evaluate scores a checkpoint on a task; limit 0 takes all documents.
func Evaluate(ctx context.Context, dir string, t *Task, limit int, o Options) (*report.Run, error) {
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		return nil, input(err)
	}
	defer dev.Close()
	m, err := OpenModel(dev, dir)
	if err != nil {
		return nil, input(err)
	}
	bar := o.Bar("reading corpus "+t.Name, "bytes")
	corpus, err := data.Prepare(ctx, data.Spec{From: t.Source, Text: t.Text, Label: t.Label, Name: t.Name, Say: o.Say}, o.Cache, progress(bar))
	bar.Close()
	if err != nil {
		return nil, input(err)
	}
	defer corpus.Close()
	var split *data.Split
	for _, s := range corpus.Splits() {
		if s.Name == t.Split {
			split = s
		}
	}
	if split == nil {
		return nil, input(fmt.Errorf("task %s: %s has no split %s", t.Name, t.Source, t.Split))
	}
	if err := canFit(corpus, t.Baselines); err != nil {
		return nil, input(fmt.Errorf("task %s: %w", t.Name, err))
	}
	var ends Tokenizer
	if tok, ok := m.Tokenizer.(*tokenizer.Pipeline); ok {
		if ends.BOS, ends.EOS, ends.Separator, err = framing(tok, &m.Config); err != nil {
			return nil, input(fmt.Errorf("checkpoint %s: %w", m.Checkpoint.Dir, err))
		}
	}
	length := cmp.Or(m.Config.MaxLength(), 512)
	y := &yardstick{
		corpus: corpus, split: split, tok: ordinary(m.Tokenizer), limit: limit, say: o.Say, bar: o.Bar,
		cfg: data.Config{
			Records: split, Tokenizer: m.Tokenizer, T: length,
			BatchSize: max(1, scoredTogether/length), BOS: ends.BOS, EOS: ends.EOS, Separator: ends.Separator,
		},
	}
	kind, kernels, _ := strings.Cut(dev.Name(), "/")
	run := &report.Run{
		Recipe: "eval " + t.Name, Version: Version(),
		Machine:    report.Machine{Description: Machine(), Device: kind, Kernels: kernels, Threads: dev.Threads(), PeakFLOPs: report.Missing},
		Provenance: []report.Corpus{{Name: corpus.Provenance.Name, Source: corpus.Provenance.Source, Licence: corpus.Provenance.Licence, Consent: corpus.Provenance.Consent, SHA256: corpus.Provenance.SHA256, Rows: corpus.Provenance.Rows, Bytes: corpus.Provenance.Bytes}},
	}
	stage := m.Checkpoint.Manifest.Stage
	switch {
	case t.Kind == "likelihood" && m.Head == model.LanguageModel:
		y.cfg.Objective = learns[m.Config.ModelType][0]
		if !validating(&y.cfg) {
			return nil, input(fmt.Errorf("task %s: a %s learns by %s, which gives no text a probability", t.Name, m.Config.ModelType, y.cfg.Objective))
		}
		y.cfg.Consecutive = m.Config.Memory(m.Head) > 0
		es, err := y.languageModel(ctx, m.Net, t.Baselines)
		if err != nil {
			return nil, err
		}
		for i := range es {
			es[i].Stage = stage
		}
		run.Evaluations = es
	case t.Kind == "classification" && m.Head == model.Classifier:
		if err := unlabelled(corpus, split, "to compare with"); err != nil {
			return nil, input(fmt.Errorf("task %s: %w", t.Name, err))
		}
		if y.labels, err = matchLabels(corpus, m.Config.Labels()); err != nil {
			return nil, input(fmt.Errorf("task %s: %w", t.Name, err))
		}
		if n := split.Rows() - split.Labelled(); n > 0 {
			o.Say(fmt.Sprintf("task %s: %d of the %d documents of split %s have no label: they are left out", t.Name, n, split.Rows(), split.Name))
		}
		y.cfg.Objective, y.cfg.Labels = data.Classification, y.labels
		es, c, err := y.classifier(ctx, m.Net, nil, t.Baselines)
		if err != nil {
			return nil, err
		}
		for i := range es {
			es[i].Stage = stage
		}
		c.Stage = stage
		run.Evaluations, run.Classifications = es, []report.Classification{*c}
	default:
		return nil, input(fmt.Errorf("task %s is of kind %s, and %s is a %v", t.Name, t.Kind, dir, m.Head))
	}
	return run, nil
}

// An Item is something built in.
type Item struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// models says what the families are.
var models = map[string]string{
	"gpt2":       "GPT-2 (Radford et al. 2019): decoder, learned positions; language model, classifier, token classifier, question answering",
	"llama":      "Llama 2 and 3, SmolLM2 (Touvron et al. 2023): decoder, rotary positions, shared keys, SwiGLU; language model, classifier, token classifier, question answering",
	"qwen2":      "Qwen2 and 2.5 (Yang et al. 2024): Llama with biases of queries, keys and values; the same heads",
	"qwen3":      "Qwen3 (Yang et al. 2025): Llama with normalised queries and keys; the same heads",
	"palm":       "PaLM (Chowdhery et al. 2022): decoder, attention beside the feed-forward, one key for all heads; language model, classifier",
	"bert":       "BERT (Devlin et al. 2019): encoder; masked language model, next sentence, classifier, token classifier, question answering",
	"roberta":    "RoBERTa (Liu et al. 2019): BERT without segments and next sentences; the other heads",
	"distilbert": "DistilBERT (Sanh et al. 2019): half of BERT's layers, no pooler, no next sentences; the other heads",
	"t5":         "T5 (Raffel et al. 2020): encoder and decoder, relative positions; text to text, classifier, token classifier, question answering",
	"xlnet":      "XLNet (Yang et al. 2019): two streams over permuted orders, relative positions; language model, classifier, token classifier, question answering",
}

// List is what is built in: recipes, tasks, models.
func List() (map[string][]Item, error) {
	list := map[string][]Item{}
	for _, name := range model.ModelTypes {
		list["models"] = append(list["models"], Item{name, models[name]})
	}
	for _, name := range Builtin() {
		var r struct{ Description string } // not validated: its corpus may not be here
		text, _ := builtin(name)
		if _, err := toml.Decode(text, &r); err != nil {
			return nil, fmt.Errorf("recipe %s: %w", name, err)
		}
		list["recipes"] = append(list["recipes"], Item{name, r.Description})
	}
	for _, name := range Tasks() {
		t, err := LoadTask(name)
		if err != nil {
			return nil, err
		}
		list["tasks"] = append(list["tasks"], Item{name, t.Description})
	}
	return list, nil
}
