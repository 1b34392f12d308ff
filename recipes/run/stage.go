package run

import (
	"cmp"
	"fmt"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// setObjective sets the objective of a stage in a loader's configuration.
func setObjective(s *recipes.Stage, c *data.Config, t *recipes.Tokenizer, tok tokenizer.Tokenizer, m model.Config) {
	c.Objective, c.Encoder = s.Learns(), m.Family != nil && m.Traits().EncoderDecoder
	s.Hide(c)
	c.TargetLength, c.Mask = s.MaxTargetLength, t.Mask
	if _, encoder := c.Lengths(); encoder > 0 {
		c.Pad = padding(tok)
		c.TargetLength = c.WithDefaults().TargetLength
	}
}

// config is the model of a stage.
func (w *runner) config(s *recipes.Stage) model.Config {
	return stageConfig(w.r, s, w.tok, labelsOf(w.r, s, stageCorpus(w.corpora, s)))
}

// stageConfig is the model of a stage.
func stageConfig(r *recipes.Recipe, s *recipes.Stage, tok tokenizer.Tokenizer, labels []string) model.Config {
	c := r.Model
	if err := c.SetDropout(s.Dropout, s.AttentionDropout); err != nil {
		panic(err) // the recipe is validated
	}
	if r.Base == nil { // a base keeps its own, and also rows of its embedding without a token
		c.VocabSize = tok.Size()
		c.BOSTokenID, c.EOSTokenID, c.PadTokenID = nil, nil, nil
		ends := r.Tokenizer
		if id, ok := tok.Special(cmp.Or(ends.BOS, ends.Separator)); ok {
			c.BOSTokenID = new(int(id))
		}
		if id, ok := tok.Special(cmp.Or(ends.EOS, ends.Separator)); ok {
			c.EOSTokenID = model.TokenIDs{int(id)}
		}
		if id, ok := tok.Special(padding(tok)); ok {
			c.PadTokenID = new(int(id))
			c.Edit(func(_, family any) {
				if f, ok := family.(*model.T5); ok {
					f.DecoderStartTokenID = int(id)
				}
			})
		}
	}
	if t := data.TaskOf(s.Learns()); t != nil {
		switch c.ProblemType = t.Kind.Problem; {
		case t.Kind.Classes():
			c.SetLabels(labels)
		case t.Kind.Labels == task.Number && t.Kind.Losses == nil:
			c.SetLabels([]string{"LABEL_0"}) // as transformers names it
		}
		if id, ok := tok.Special(padding(tok)); ok && c.PadTokenID == nil { // which fills up batches
			c.PadTokenID = new(int(id))
		}
	}
	return c
}

// modelOptions are the options of a stage's network, without State.
func modelOptions(r *recipes.Recipe, s *recipes.Stage, c model.Config) (o model.Options, err error) {
	o = model.Options{
		Head: s.Head(), AuxiliaryLM: s.LMWeight > 0, LabelSmoothing: s.LabelSmoothing, MicroBatches: s.BatchSize / s.MicroBatchSize,
		Recompute: s.Recompute, BF16: s.BF16(), Contrast: r.Contrast(s),
	}
	if s.Trainable == recipes.TrainableHead {
		o.Trainable = c.InHead
	}
	if s.Adapter != nil {
		o.Adapter, err = s.Adapter.LoRA().Pairs(c, o.Head)
	}
	o.EncoderLength = encoderLength(s, c)
	if err == nil && len(s.Freeze) > 0 {
		o.Trainable, err = unfrozen(s, c, o)
	}
	return o, err
}

// unfrozen says which parameters a stage trains that freezes parts of its model. An error is recipes.ErrInput.
func unfrozen(s *recipes.Stage, c model.Config, o model.Options) (func(name string) bool, error) {
	parts, err := s.Frozen()
	if err != nil {
		return nil, recipes.Input(err)
	}
	l, err := model.NewLayout(c, exec.F32, o)
	if err != nil {
		return nil, err
	}
	layers := 0
	for _, p := range l.Params {
		layers = max(layers, p.Above-2) // embeddings are the lowest
	}
	frozen := map[string]bool{}
	for _, part := range parts {
		if part.Last >= layers {
			return nil, recipes.Input(fmt.Errorf("stage %s: freeze: layer %d of a model of %d, which are counted from 0", s.Name, part.Last, layers))
		}
		for _, p := range l.Params {
			if at := layers + 1 - p.Above; part.First <= at && at <= part.Last {
				frozen[p.Name] = true
			}
		}
	}
	return func(name string) bool { return !frozen[name] }, nil
}

// encoderLength is the length of the encoder's rows, of models that have one beside the decoder;
// else 0.
func encoderLength(s *recipes.Stage, c model.Config) int {
	_, encoder := (&data.Config{Objective: s.Learns(), T: s.SequenceLength, Encoder: c.Traits().EncoderDecoder}).Lengths()
	return encoder
}

// loaderConfig is how a stage reads a split.
func loaderConfig(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus, split *corpus.Split, tok tokenizer.Tokenizer) data.Config {
	cfg := data.Config{
		Records: split, Tokenizer: tok,
		T: s.SequenceLength, BatchSize: s.BatchSize, MicroBatchSize: s.MicroBatchSize,
		Seed: uint64(r.Seed), Shuffle: true, MaxSeqs: s.MaxSequences,
		BOS: r.Tokenizer.BOS, EOS: r.Tokenizer.EOS, Separator: r.Tokenizer.Separator,
	}
	cfg.Prompts = data.Prompts{Query: s.QueryPrompt, Document: s.DocumentPrompt}
	setObjective(s, &cfg, &r.Tokenizer, tok, r.Model)
	cfg.Consecutive = cfg.Objective.OfText() && r.Model.Memory(s.Head()) > 0
	if t := data.TaskOf(cfg.Objective); t != nil && t.Kind.Classes() {
		cfg.Labels = labelsOf(r, s, c)
	}
	if p, ok := tok.(*tokenizer.Pipeline); ok && cfg.Paired() {
		before, after := endsOf(r, s)
		cfg.Pair, _ = pairFrame(p, before, after, r.Model) // without one, the loader says what it lacks
	}
	return cfg
}

// evalConfig is how a split is scored.
func evalConfig(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus, split *corpus.Split, tok tokenizer.Tokenizer) data.Config {
	cfg := loaderConfig(r, s, c, split, tok)
	cfg.Objective.Validating(&cfg)
	return cfg
}
