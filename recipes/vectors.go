package recipes

import (
	"slices"

	"hone/data"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// Vectors are the keys of stages that learn of vectors of texts.
type Vectors struct {
	Loss           string  `toml:"loss" doc:"what is learned of vectors: of retrieval, that a text's own is nearest among all positives and negatives of a batch, but for texts that are the same (ranking), or nearer than the first negative by a margin (triplet); of similarity, the order of the scores (cosent), or the scores as cosines (cosine); \"\": the first of these"`
	LossScale      float64 `toml:"loss_scale,omitzero" doc:"factor of cosines in ranking and cosent; 0: 20"`
	TripletMargin  float64 `toml:"triplet_margin,omitzero" doc:"margin of triplets in Euclid's distance; 0: 5"`
	MatryoshkaDims []int   `toml:"matryoshka_dims,omitempty" doc:"numbers of first dimensions that are to be vectors by themselves, such as [384, 128, 64]: the loss is the sum of theirs; none: whole vectors alone"`
	Pooling        string  `toml:"pooling" doc:"how one vector is made of the states of a text's tokens: mean, cls, lasttoken; \"\": as the model does that the stage starts from, or mean"`
	QueryPrompt    string  `toml:"query_prompt,omitempty" doc:"text before each text of similarity, and of retrieval before the one that looks for others, such as \"query: \"; \"\": the prompt query of the model that the stage starts from, if it has one"`
	DocumentPrompt string  `toml:"document_prompt,omitempty" doc:"text before those that are looked for, such as \"passage: \"; \"\": the prompt document, passage or corpus of that model"`
}

// Prompts that models of sentence-transformers have, by their usual names; the first that there is.
var (
	QueryPrompts    = []string{"query"}
	DocumentPrompts = []string{"document", "passage", "corpus"}
)

// PromptNamed is the first of names that a model has a prompt of, or its default.
func PromptNamed(s *pretrained.Sentence, names []string) string {
	for _, name := range names {
		if _, ok := s.Prompts[name]; ok {
			return name
		}
	}
	return s.DefaultPrompt
}

// PromptsOf are the prompts of a model for two sides that are compared.
func PromptsOf(s *pretrained.Sentence) data.Prompts {
	return data.Prompts{Query: s.Prompts[PromptNamed(s, QueryPrompts)], Document: s.Prompts[PromptNamed(s, DocumentPrompts)]}
}

// fillVectors fills in what the stage's own keys leave to the model that it starts from.
func (s *Stage) fillVectors(r *Recipe) {
	t := data.TaskOf(s.Learns())
	if t == nil || t.Kind.Losses == nil || s.Kind != "finetune" {
		return
	}
	setUnset(&s.Loss, t.Kind.Losses[0])
	setUnset(&s.LossScale, 20)
	setUnset(&s.TripletMargin, 5)
	if r.IsBase(s) && r.Base.Sentence != nil {
		is := r.Base.Sentence
		if len(is.Pooling) == 1 {
			setUnset(&s.Pooling, is.Pooling[0])
		}
		p := PromptsOf(is)
		setUnset(&s.QueryPrompt, p.Query)
		setUnset(&s.DocumentPrompt, p.Document)
	}
	setUnset(&s.Pooling, model.MeanPooling)
}

func setUnset[V comparable](v *V, to V) {
	var none V
	if *v == none {
		*v = to
	}
}

// Sentence is how the model of a stage makes vectors of texts.
func (r *Recipe) Sentence(s *Stage) *pretrained.Sentence {
	is := &pretrained.Sentence{Pooling: []string{s.Pooling}, IncludePrompt: true, MaxLength: s.SequenceLength, Similarity: "cosine"}
	if n := r.Model.MaxLength(); n > 0 {
		is.MaxLength = min(is.MaxLength, n)
	}
	if r.IsBase(s) && r.Base.Sentence != nil {
		is.Normalize = r.Base.Sentence.Normalize
		if n := r.Base.Sentence.MaxLength; n > 0 {
			is.MaxLength = n
		}
	}
	if s.QueryPrompt+s.DocumentPrompt != "" {
		is.Prompts = map[string]string{QueryPrompts[0]: s.QueryPrompt, DocumentPrompts[0]: s.DocumentPrompt}
	}
	return is
}

// Contrast is what a stage learns of vectors; nil: nothing.
func (r *Recipe) Contrast(s *Stage) *model.Contrast {
	if s.Loss == "" {
		return nil
	}
	return &model.Contrast{
		Loss: s.Loss, Scale: s.LossScale, Margin: s.TripletMargin, Dimensions: s.MatryoshkaDims, Pooling: s.Pooling, Normalize: r.Sentence(s).Normalize,
	}
}

func (d *decoder) vectors(r *Recipe, s *Stage, at string) {
	t := data.TaskOf(s.Learns())
	if t == nil || t.Kind.Losses == nil {
		return // a fault already
	}
	d.oneOf(at+"loss", s.Loss, t.Kind.Losses)
	d.oneOf(at+"pooling", s.Pooling, model.Poolings)
	d.notNegative(at+"loss_scale", s.LossScale, "")
	d.notNegative(at+"triplet_margin", s.TripletMargin, "")
	if s.Loss == model.TripletLoss && len(t.Columns.Choices) == 0 {
		d.fault(at+"loss", "triplet needs texts that do not belong: choices of the task names their column")
	}
	seen := []int{}
	for _, n := range s.MatryoshkaDims {
		if n < 1 || slices.Contains(seen, n) {
			d.fault(at+"matryoshka_dims", "%d: want numbers above 0, each once", n)
		}
		seen = append(seen, n)
	}
	if r.Model.Family != nil && (r.Model.Traits().EncoderDecoder || r.Model.Memory(model.Base) > 0) {
		d.fault(at+"task", "vectors of a %s are not learned", r.Model.ModelType)
	}
	if r.IsBase(s) && r.Base.Sentence != nil && !r.Base.Sentence.IncludePrompt && s.QueryPrompt+s.DocumentPrompt != "" {
		d.fault(at+"from", "%s does not pool its prompts, which is not learned", s.From)
	}
	if s.Trainable == TrainableHead {
		d.fault(at+"trainable", "%q leaves nothing to train: %s has no head", TrainableHead, t.Kind)
	}
}
