package eval

import (
	"context"
	"slices"

	"hone/data"
	"hone/eval/metric"
	"hone/trainer/model"
)

// masked scores a model's predictions of masked tokens.
type masked struct{ ofText }

func (masked) Baselines() []Baseline { return []Baseline{bidirectionalTrigram} }

func (masked) what(c *data.Config) string {
	if c.NextSentence {
		return "hidden tokens of pairs of texts, and whether the second follows the first"
	}
	return "hidden tokens of each"
}

// Score gives the accuracy and the loss of masked tokens. Every chosen token is replaced by the
// mask, never by a random token or by itself.
func (masked) Score(ctx context.Context, y *Yardstick, net, _ *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	cfg := y.Config
	cfg.MaskReplaceProb, cfg.RandomReplaceProb, cfg.NextSentence = 1, 0, false
	list, scored, err := y.hidden(ctx, net, cfg)
	if err != nil {
		return nil, nil, err
	}
	var right, nats perDocument
	for i := range list {
		t := &list[i]
		right.add(t.Record, share(t.Correct()))
		nats.add(t.Record, t.Nats)
	}
	acc, loss := y.evaluation("masked tokens", "accuracy"), y.evaluation("masked tokens", "loss")
	if err := right.score(&acc); err != nil {
		return nil, nil, err
	}
	if err := nats.score(&loss); err != nil {
		return nil, nil, err
	}
	if slices.Contains(beside, bidirectionalTrigram.Name) {
		bar := y.watch("baseline "+bidirectionalTrigram.Name, "tokens")
		defer bar.end()
		docs, vocab, err := y.framed(ctx)
		if err != nil {
			return nil, nil, err
		}
		m, err := FitBidirectionalTrigram(docs, vocab, bar.progress)
		if err != nil {
			return nil, nil, err
		}
		var theirs, theirNats perDocument
		for i := range list {
			t := &list[i]
			if i%1024 == 0 && ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			best, cost := m.Predict(t.Left, t.Right, t.Token)
			theirs.add(t.Record, share(best == t.Token))
			theirNats.add(t.Record, cost)
		}
		if err := right.beside(&acc, bidirectionalTrigram.Name, &theirs); err != nil {
			return nil, nil, err
		}
		if err := nats.beside(&loss, bidirectionalTrigram.Name, &theirNats); err != nil {
			return nil, nil, err
		}
	}
	acc.Scored, loss.Scored = scored, scored
	return []metric.Evaluation{acc, loss}, nil, nil
}
