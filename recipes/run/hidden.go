package run

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"hone/data"
	"hone/eval"
	"hone/eval/metric"
	"hone/recipes"
	"hone/trainer/model"
)

// hiddenEpochs is how often the training text is gone through for what span corruption
// hides of it: the baselines then know about as many spans as the text has.
const hiddenEpochs = 8

// hides says that an objective is scored by what it hides.
func hides(o data.Objective) bool { return o == data.Masked || o == data.SpanCorruption }

// hidden scores what a model makes of tokens that a text has lost, beside baselines on the
// same tokens.
func (y *yardstick) hidden(ctx context.Context, net *model.Network, baselines []string) ([]metric.Evaluation, error) {
	cfg := y.cfg
	if cfg.Objective == data.Masked {
		// The mask stands in for each: none gives itself away, and none misleads.
		cfg.MaskReplaceProb, cfg.RandomReplaceProb = 1, 0
		cfg.NextSentence = false // and the text is as it stands
	}
	bar := y.bar("scoring hidden tokens", "documents")
	list, longer, err := eval.Targets(ctx, net, cfg, y.limit, recipes.Progress(bar))
	bar.Close()
	if err != nil {
		return nil, err
	}
	var es []metric.Evaluation
	if cfg.Objective == data.Masked {
		es, err = y.masked(ctx, list, baselines)
	} else {
		es, err = y.spans(ctx, cfg, list, baselines)
	}
	documents := 0
	for i := range list {
		if i == 0 || list[i].Record != list[i-1].Record {
			documents++
		}
	}
	for i := range es {
		es[i].Scored = scored(&cfg, y.split, y.limit, documents, longer)
	}
	return es, err
}

// masked scores the accuracy and the loss of masked tokens.
func (y *yardstick) masked(ctx context.Context, list []eval.Target, baselines []string) ([]metric.Evaluation, error) {
	var right, nats perDocument
	for i := range list {
		t := &list[i]
		right.add(t.Record, share(t.Correct()))
		nats.add(t.Record, t.Nats)
	}
	acc, loss := y.evaluation("masked tokens", "accuracy"), y.evaluation("masked tokens", "loss")
	loss.LowerIsBetter = true
	if err := right.score(&acc); err != nil {
		return nil, err
	}
	if err := nats.score(&loss); err != nil {
		return nil, err
	}
	if slices.Contains(baselines, eval.BaselineBidirectionalTrigram) {
		bar := y.bar("baseline "+eval.BaselineBidirectionalTrigram, "tokens")
		defer bar.Close()
		docs, vocab, err := y.framed(ctx)
		if err != nil {
			return nil, err
		}
		m, err := eval.FitBidirectionalTrigram(docs, vocab, recipes.Progress(bar))
		if err != nil {
			return nil, err
		}
		var theirs, theirNats perDocument
		for i := range list {
			t := &list[i]
			if i%1024 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			best, cost := m.Predict(t.Left, t.Right, t.Token)
			theirs.add(t.Record, share(best == t.Token))
			theirNats.add(t.Record, cost)
		}
		if err := right.beside(&acc, eval.BaselineBidirectionalTrigram, &theirs); err != nil {
			return nil, err
		}
		if err := nats.beside(&loss, eval.BaselineBidirectionalTrigram, &theirNats); err != nil {
			return nil, err
		}
	}
	return []metric.Evaluation{acc, loss}, nil
}

// spans scores the spans that are right as a whole, and the loss of all that a decoder is
// to write.
func (y *yardstick) spans(ctx context.Context, cfg data.Config, list []eval.Target, baselines []string) ([]metric.Evaluation, error) {
	var exact, nats perDocument
	spans := eval.Spans(list)
	for _, s := range spans {
		exact.add(s.Record, share(s.Exact))
	}
	for i := range list {
		nats.add(list[i].Record, list[i].Nats)
	}
	match, loss := y.evaluation("hidden spans", "exact_match"), y.evaluation("hidden spans", "loss")
	loss.LowerIsBetter = true
	if err := exact.score(&match); err != nil {
		return nil, err
	}
	if err := nats.score(&loss); err != nil {
		return nil, err
	}
	if len(baselines) == 0 {
		return []metric.Evaluation{match, loss}, nil
	}
	bar := y.bar("hiding spans of the training text", "documents")
	cfg.Records = y.corpus.Train
	train, err := eval.HiddenTargets(ctx, cfg, hiddenEpochs, recipes.Progress(bar))
	bar.Close()
	if err != nil {
		return nil, err
	}
	frequent := sync.OnceValues(func() (*eval.FrequentSpan, error) { return eval.FitFrequentSpan(eval.Spans(train)) })
	for _, name := range baselines {
		var theirs perDocument
		switch name {
		case eval.BaselineFrequentSpan, eval.BaselineGapSpan:
			m, err := frequent()
			if err != nil {
				return nil, err
			}
			for _, s := range spans {
				guess := m.Anywhere()
				if name == eval.BaselineGapSpan {
					guess = m.Predict(s.Left, s.Right)
				}
				theirs.add(s.Record, share(slices.Equal(guess, s.Tokens)))
			}
			if err := exact.beside(&match, name, &theirs); err != nil {
				return nil, err
			}
		case eval.BaselineUnigram:
			m, err := eval.FitUnigram(train, y.tok.Size())
			if err != nil {
				return nil, err
			}
			for i := range list {
				theirs.add(list[i].Record, m.Nats(list[i].Token))
			}
			if err := nats.beside(&loss, name, &theirs); err != nil {
				return nil, err
			}
		}
	}
	return []metric.Evaluation{match, loss}, nil
}

// framed is the tokens of the training split, each document between what a model reads around
// it: where that is nothing, a token more than the tokenizer has. vocab counts it.
func (y *yardstick) framed(ctx context.Context) (docs [][]int32, vocab int, err error) {
	c := y.cfg.WithDefaults()
	vocab = y.tok.Size()
	var around [2]int32
	for i, name := range []string{cmp.Or(c.BOS, c.Separator), cmp.Or(c.EOS, c.Separator)} {
		id, ok := y.tok.Special(name)
		if !ok {
			id, vocab = int32(y.tok.Size()), y.tok.Size()+1
		}
		around[i] = id
	}
	docs, err = y.encoded(ctx, y.corpus.Train, around[1:])
	for i := range docs {
		docs[i] = slices.Insert(docs[i], 0, around[0])
	}
	return docs, vocab, err
}

func (y *yardstick) evaluation(of, name string) metric.Evaluation {
	return metric.Evaluation{Task: y.split.Name + " " + of, Metric: name}
}

// perDocument is a figure of tokens, or spans, summed by document.
type perDocument struct {
	records []int64
	sums    []float64
	n       []int
}

// add takes the figures of one document after those of another.
func (p *perDocument) add(record int64, figure float64) {
	last := len(p.records) - 1
	if last < 0 || p.records[last] != record {
		p.records, p.sums, p.n = append(p.records, record), append(p.sums, 0), append(p.n, 0)
		last++
	}
	p.sums[last] += figure
	p.n[last]++
}

const bootstrapSeed = 1

func (p *perDocument) score(e *metric.Evaluation) (err error) {
	e.Items = &metric.Items{Records: p.records, Sums: p.sums, Sizes: p.n}
	e.Estimate, err = metric.PerToken(p.sums, p.n, bootstrapSeed)
	return err
}

// beside puts a baseline's figures of the same tokens beside the model's.
func (p *perDocument) beside(e *metric.Evaluation, name string, theirs *perDocument) (err error) {
	b := metric.Baseline{Name: name}
	if b.Estimate, err = metric.PerToken(theirs.sums, theirs.n, bootstrapSeed); err != nil {
		return err
	}
	if b.Diff, err = metric.PerTokenDiff(p.sums, theirs.sums, p.n, bootstrapSeed); err != nil {
		return err
	}
	e.Baselines = append(e.Baselines, b)
	return nil
}

func share(right bool) float64 {
	if right {
		return 1
	}
	return 0
}
