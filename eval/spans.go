package eval

import (
	"context"
	"slices"
	"sync"

	"hone/data"
	"hone/eval/metric"
	"hone/trainer/model"
)

// spans scores the spans that a model writes for the hidden spans of a text.
type spans struct{ ofText }

func (spans) Baselines() []Baseline { return []Baseline{frequentSpan, gapSpan, unigram} }

// hiddenEpochs is the number of epochs of the training text from which the baselines take
// hidden spans, so that they have seen about as many spans as the text has.
const hiddenEpochs = 8

func (spans) what(*data.Config) string { return "hidden tokens of each" }

// Score gives the share of spans that are correct as a whole, and the loss of all tokens that the
// decoder has to write.
func (spans) Score(ctx context.Context, y *Yardstick, net, _ *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	cfg := y.Config
	list, scored, err := y.hidden(ctx, net, cfg)
	if err != nil {
		return nil, nil, err
	}
	var exact, nats perDocument
	spans := Spans(list)
	for _, s := range spans {
		exact.add(s.Record, share(s.Exact))
	}
	for i := range list {
		nats.add(list[i].Record, list[i].Nats)
	}
	match, loss := y.evaluation("hidden spans", "exact_match"), y.evaluation("hidden spans", "loss")
	match.Scored, loss.Scored = scored, scored
	if err := exact.score(&match); err != nil {
		return nil, nil, err
	}
	if err := nats.score(&loss); err != nil {
		return nil, nil, err
	}
	if len(beside) == 0 {
		return []metric.Evaluation{match, loss}, nil, nil
	}
	bar := y.watch("hiding spans of the training text", "documents")
	cfg.Records = y.Corpus.Train
	train, err := HiddenTargets(ctx, cfg, hiddenEpochs, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	frequent := sync.OnceValues(func() (*FrequentSpan, error) { return FitFrequentSpan(Spans(train)) })
	for _, name := range beside {
		var theirs perDocument
		switch name {
		case frequentSpan.Name, gapSpan.Name:
			m, err := frequent()
			if err != nil {
				return nil, nil, err
			}
			for _, s := range spans {
				guess := m.Anywhere()
				if name == gapSpan.Name {
					guess = m.Predict(s.Left, s.Right)
				}
				theirs.add(s.Record, share(slices.Equal(guess, s.Tokens)))
			}
			if err := exact.beside(&match, name, &theirs); err != nil {
				return nil, nil, err
			}
		case unigram.Name:
			m, err := FitUnigram(train, y.Tokenizer.Size())
			if err != nil {
				return nil, nil, err
			}
			for i := range list {
				theirs.add(list[i].Record, m.Nats(list[i].Token))
			}
			if err := nats.beside(&loss, name, &theirs); err != nil {
				return nil, nil, err
			}
		}
	}
	return []metric.Evaluation{match, loss}, nil, nil
}
