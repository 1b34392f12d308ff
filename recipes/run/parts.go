package run

import (
	"context"
	"math"

	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/optim"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// bytes is the memory that training a stage needs: weights, gradients, the optimiser's state and
// the arenas of its programs.
func (p *stageParts) bytes(s *recipes.Stage) int64 {
	sum := p.kept(s)
	for _, program := range p.programs() {
		sum = added(sum, arenas(program))
	}
	return sum
}

// kept is the part of it that lasts from step to step, which is known before programs are made.
func (p *stageParts) kept(s *recipes.Stage) int64 {
	sum := added(int64(p.layout.Bytes), int64(p.layout.GradBytes()))
	return added(sum, int64(trainer.StateBytes(p.layout, p.opt, s.BatchSize/s.MicroBatchSize)))
}

// planned stands for a tokenizer that is not trained yet.
type planned struct {
	tokenizer.Tokenizer
	size int
}

func (p planned) Size() int                    { return p.size }
func (p planned) Special(string) (int32, bool) { return 0, true }

func plannedTokenizer(r *recipes.Recipe) (tokenizer.Tokenizer, error) {
	if r.Tokenizer.File != "" {
		return tokenizer.Open(r.Tokenizer.File)
	}
	if r.Tokenizer.Kind == "byte" {
		return TrainTokenizer(context.Background(), nil, nil, r.TokenizerOptions(), nil)
	}
	return planned{size: r.Tokenizer.VocabSize}, nil
}

// stageParts are the parts of a training stage.
type stageParts struct {
	config model.Config
	// The positions of a row, of the decoder and the encoder.
	length, encoder int
	slots           int // sequences with labels of a micro-batch, at most
	layout          *exec.Layout
	opt             *optim.Optimizer
	// The programs: a micro-batch's step, validation, the optimiser's update; and what makes the vectors of texts that are
	// compared across micro-batches, or nil.
	train, val, update, represent *exec.Program
}

func (p *stageParts) programs() []*exec.Program {
	list := []*exec.Program{p.train, p.val, p.update}
	if p.represent != nil {
		list = append(list, p.represent)
	}
	return list
}

func newStageParts(r *recipes.Recipe, s *recipes.Stage, labels []string) (p stageParts, err error) {
	tok, err := plannedTokenizer(r)
	if err != nil {
		return p, err
	}
	p.config = stageConfig(r, s, tok, labels)
	o, err := modelOptions(r, s, p.config)
	if err != nil {
		return p, err
	}
	if p.layout, err = model.NewLayout(p.config, exec.F32, o); err != nil {
		return p, err
	}
	if p.opt, err = recipes.NewOptimizer(s, s.LearningRate[0]); err != nil {
		return p, err
	}
	if err := enough(p.kept(s)); err != nil { // before programs are made, which takes time
		return p, err
	}
	read := loaderConfig(r, s, &corpus.Corpus{Labels: labels}, nil, tok)
	p.slots = read.Slots()
	p.length, p.encoder = read.Lengths()
	if p.train, err = model.Program(p.config, p.layout, o, model.Train, s.MicroBatchSize, p.length, p.slots); err != nil {
		return p, err
	}
	if p.val, err = model.Program(p.config, p.layout, o, model.Evaluate, s.MicroBatchSize, p.length, p.slots); err != nil {
		return p, err
	}
	if o.Contrast != nil && o.MicroBatches > 1 {
		if p.represent, err = model.Program(p.config, p.layout, o, model.Represent, s.MicroBatchSize, p.length, p.slots); err != nil {
			return p, err
		}
	}
	b := exec.NewBuilder("update")
	p.opt.Update(b, p.layout)
	p.update, err = b.Program()
	return p, err
}

// madeUp is a micro-batch of full rows of one document each, with made-up tokens.
func madeUp(s *recipes.Stage, p *stageParts) *model.Feed {
	n := s.MicroBatchSize * p.length
	f := &model.Feed{
		Tokens: make([]int32, n), Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n),
		Seed: 1 / float32(n), Slots: [2]int32{0, 1},
	}
	for range s.MicroBatchSize { // every row of a memory is attended to
		f.Before = append(f.Before, math.MaxInt32)
	}
	for i := range n {
		f.Tokens[i] = int32(i * 7919 % p.config.VocabSize)
		f.Segments[i] = 1
		f.Positions[i] = int32(i % p.length)
		f.Order[i] = f.Positions[i]
	}
	for i := range s.MicroBatchSize * p.encoder {
		f.EncoderTokens = append(f.EncoderTokens, int32(i*7919%p.config.VocabSize))
		f.EncoderSegments = append(f.EncoderSegments, 1)
	}
	if s.Loss != "" {
		f.Spans, f.Contrasted = make([]int32, 2*p.slots), model.NewContrasted(p.slots)
		if id, ok := p.train.Named["cotangents"]; ok {
			f.Cotangents = make([]float32, p.train.Values[id].Elems())
		}
		return f
	}
	if s.Head() == model.QuestionAnswering {
		f.Spans, f.Answers, f.LabelWeights = make([]int32, 2*p.slots), make([]int32, 2*p.slots), make([]float32, p.slots)
		for i := range p.slots {
			f.Spans[2*i+1], f.LabelWeights[i] = int32(p.length), 1
		}
		return f
	}
	if p.slots > 0 {
		f.Pool, f.Labels, f.LabelWeights = make([]int32, p.slots), make([]int32, p.slots), make([]float32, p.slots)
		for i := range p.slots {
			f.Pool[i], f.LabelWeights[i] = int32(i%s.MicroBatchSize*p.length), 1
		}
		if s.LMWeight == 0 && !s.NextSentence {
			return f
		}
	}
	f.Targets, f.Weights = f.Tokens, make([]float32, n)
	if s.Head() == model.TokenClassifier {
		f.Targets = make([]int32, n)
	}
	for i := range f.Weights {
		f.Weights[i] = 1
	}
	return f
}
