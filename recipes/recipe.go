// Package recipes reads recipes and tasks: TOML to values with every default filled in,
// validated whole. Others run them.
package recipes

import (
	"path/filepath"

	"hone/data"
	"hone/trainer/model"
)

// A Recipe is a whole run: corpora, a tokenizer, a model, and stages in order.
// Keys are those of the TOML file; model and training keys are named as in Hugging
// Face's config.json and TrainingArguments where those have them.
type Recipe struct {
	Name              string            `toml:"name" doc:"name of the run's directory, runs/NAME; without it the file's name"`
	Description       string            `toml:"description" doc:"what the recipe is, in one line, for hone ls"`
	Seed              int               `toml:"seed" doc:"seed of everything that is random: weights, order, dropout, what objectives hide"`
	Threads           int               `toml:"threads" unit:"threads" doc:"threads that compute, on which the result does not depend; 0: one for each core"`
	RequireProvenance bool              `toml:"require_provenance" doc:"refuses corpora that do not state origin, licence, consent and date"`
	TokenCache        bool              `toml:"token_cache" doc:"makes pretraining read tokens from a cache on disk, in place of text"`
	Corpus            map[string]Corpus `toml:"corpus" doc:"corpora by name: a [corpus.NAME] for each"`
	Tasks             map[string]Task   `toml:"task,omitempty" doc:"tasks by name, which stages call by it: a [task.NAME] for each, with the keys of a task's file"`
	Tokenizer         Tokenizer         `toml:"tokenizer" doc:"tokenizer of all stages"`
	ModelKeys         map[string]any    `toml:"model" doc:"model of all stages: the keys of its family's config.json"`
	Stages            []Stage           `toml:"stage" doc:"stages in their order: a [[stage]] for each"`

	Model  model.Config `toml:"-"` // what ModelKeys say, or base
	Base   *Base        `toml:"-"` // nil: stages start from random weights, or from one another
	origin origin
}

func defaultRecipe() Recipe {
	return Recipe{
		Seed: 1,
		Tokenizer: Tokenizer{
			Kind: "byte_bpe",
		},
	}
}

// resolve fills what depends on other keys, once the file and the overrides are in.
func (r *Recipe) resolve(precision func(name string) error) {
	t := &r.Tokenizer
	if t.VocabSize == 0 && t.Kind != "byte" {
		t.VocabSize = 4096
	}
	if t.K == 0 && t.Kind == "kmer" {
		t.K = 3
	}
	r.taskCorpora()
	for i := range r.Stages {
		s := &r.Stages[i]
		if s.Objective == "" {
			s.Objective = defaultObjective(s.Kind)
		}
		if len(s.Mixture) > 0 && s.MixtureBy == "" {
			s.MixtureBy = data.ByToken.String()
			if !s.Learns().OfText() {
				s.MixtureBy = data.ByDocument.String()
			}
		}
		if s.Corpus == "" && len(s.Mixture) == 0 && len(r.Corpus) == 1 {
			for name := range r.Corpus {
				s.Corpus = name
			}
		}
		if !s.Trains() { // which reads as its models have read
			continue
		}
		if s.SequenceLength == 0 && r.Model.Family != nil {
			s.SequenceLength = r.Model.MaxLength()
		}
		if s.MicroBatchSize == 0 {
			s.MicroBatchSize = s.BatchSize
		}
		if s.Precision == "auto" {
			s.Precision, s.Auto = "fp32", true
			if precision("bf16") == nil {
				s.Precision = "bf16"
			}
		}
		s.fillObjective()
		s.fillVectors(r)
	}
	if r.Tokenizer.Corpus == "" && len(r.Corpus) == 1 {
		for name := range r.Corpus {
			r.Tokenizer.Corpus = name
		}
	}
}

// Dir is the directory of a run that is given none.
func (r *Recipe) Dir() string { return filepath.Join("runs", r.Name) }

// taskCorpora gives the stages of a task that has a source, and that name no corpus, a corpus of
// it, and corpora of tasks the columns of these, unless they name others.
func (r *Recipe) taskCorpora() {
	for i := range r.Stages {
		s := &r.Stages[i]
		t, ok := r.Tasks[s.Task]
		if s.Task == "" || !ok || s.task == nil || len(s.Mixture) > 0 {
			continue
		}
		if s.Corpus == "" && t.Source != "" {
			s.Corpus = s.Task
			if _, ok := r.Corpus[s.Corpus]; !ok {
				c := defaultCorpus()
				c.Source, c.Reading, c.Validation, c.Test = t.Source, t.Reading, t.Validation, t.Test
				if r.Corpus == nil {
					r.Corpus = map[string]Corpus{}
				}
				r.Corpus[s.Corpus] = c
			}
		}
		if s.Corpus == "" && len(r.Corpus) == 1 {
			for name := range r.Corpus {
				s.Corpus = name
			}
		}
		c, ok := r.Corpus[s.Corpus]
		if !ok {
			continue // a fault
		}
		if text := s.task.Spec.Text; text != "" && c.Text == UsualText {
			c.Text = text
		}
		if label := s.task.Spec.Label; label != "" && c.Label == "" {
			c.Label = label
		}
		if c.Group == "" && c.Validation+c.Test > 0 && c.HoldOut != HoldOutEnd {
			c.Group = s.task.Spec.Group
		}
		r.Corpus[s.Corpus] = c
	}
}
