package eval

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"hone/data"
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// answers scores models that write a text for a text.
type answers struct{}

func (answers) Baselines() []Baseline                { return []Baseline{copySource, dictionary, lead1, lead3} }
func (answers) predicts([]string) *predicted         { return nil }
func (answers) Best(bool) (name string, higher bool) { return valLoss, false }
func (answers) what(*data.Config) string             { return "the answer to each" }

// An Answer is what a model makes of an example of text to text.
type Answer struct {
	Record int64
	Nats   float64 // -log p of the true answer and its end
	Tokens int
	Prompt []int32 // as the model reads it
}

// Answers gives the probability of the true answers of a split, or of limit evenly spaced ones, in
// their order.
func Answers(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Answer, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	length, encoder := c.Lengths()
	x, err := net.Executor(model.Evaluate, c.MicroBatchSize, length, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	nll := make([]float32, c.MicroBatchSize*length)
	stats, err := forward(ctx, net, x, c, func(b *data.Batch) error {
		if err := exec.Read(x, "nll", nll); err != nil {
			return err
		}
		for _, s := range b.Seqs {
			a := Answer{Record: records.at(s.Doc)}
			row := int(s.Row) * length
			for i := row + int(s.First); i <= row+int(s.Last); i++ {
				switch {
				case b.Targets[i] >= 0:
					a.Nats += float64(nll[i])
					a.Tokens++
				case encoder == 0 && a.Tokens == 0:
					a.Prompt = append(a.Prompt, b.Dec.Tokens[i])
				}
			}
			if encoder == 0 { // the last token of the prompt predicts the first one of the answer
				a.Prompt = append(a.Prompt, b.Dec.Tokens[row+int(s.First)+len(a.Prompt)])
			}
			for i := int(s.Row) * encoder; i < int(s.Row+1)*encoder; i++ {
				if b.Enc.Segments[i] == b.Dec.Segments[row+int(s.First)] {
					a.Prompt = append(a.Prompt, b.Enc.Tokens[i])
				}
			}
			out = append(out, a)
		}
		if progress != nil {
			progress(int64(len(out)), records.n)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b Answer) int { return cmp.Compare(a.Record, b.Record) })
	return out, int(stats.Truncated), err
}

func meanNats(list []Answer) float64 {
	nats, tokens := 0.0, 0
	for _, a := range list {
		nats, tokens = nats+a.Nats, tokens+a.Tokens
	}
	return nats / float64(tokens)
}

// Validate gives the loss of the true answers.
func (answers) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	list, longer, err := Answers(ctx, net, y.Config, y.Limit, nil)
	if err != nil {
		return nil, err
	}
	loss := meanNats(list)
	return &Validation{
		Loss: metric.Number(loss), BitsPerByte: metric.Missing, Accuracy: metric.Missing, Metrics: map[string]float64{valLoss: loss},
		Note: fmt.Sprintf("validation loss %.3f", loss), Scored: y.scored(&y.Config, len(list), longer),
	}, nil
}

// mostWritten is how many tokens an answer has, at most.
const mostWritten = 256

// Score gives the loss of the true answers, and compares with them what the model writes by always
// taking the most probable token.
func (answers) Score(ctx context.Context, y *Yardstick, net, _ *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	bar := y.watch("scoring answers", "documents")
	list, longer, err := Answers(ctx, net, y.Config, y.Limit, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	scored := y.scored(&y.Config, len(list), longer)
	loss := y.evaluation("answers", "loss")
	loss.LowerIsBetter, loss.Scored = true, scored
	var nats perDocument
	for _, a := range list {
		nats.records, nats.sums, nats.n = append(nats.records, a.Record), append(nats.sums, a.Nats), append(nats.n, a.Tokens)
	}
	if err := nats.score(&loss); err != nil {
		return nil, nil, err
	}
	written, err := y.write(ctx, net, list)
	if err != nil {
		return nil, nil, err
	}
	truth, sources := make([]string, len(list)), make([]string, len(list))
	for i, a := range list {
		e, _, err := y.example(y.Split, a.Record)
		if err != nil {
			return nil, nil, err
		}
		truth[i], sources[i] = strings.TrimSpace(e.Answer), e.Text
	}
	mine, err := textFigures(written, truth)
	if err != nil {
		return nil, nil, err
	}
	out := []metric.Evaluation{loss}
	for i := range mine {
		out = append(out, mine[i].Evaluation(y.Split.Name+" answers", scored))
	}
	err = compare(out[1:], mine, beside, func(name string) ([]metric.Figure, error) {
		other, err := y.otherAnswers(ctx, name, sources)
		if err != nil || other == nil {
			return nil, err
		}
		return textFigures(other, truth)
	})
	return out, nil, err
}

// write has the model write an answer to each example.
func (y *Yardstick) write(ctx context.Context, net *model.Network, list []Answer) ([]string, error) {
	g, err := generate.New(net, y.Config.Tokenizer, generate.Settings{})
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	bar := y.watch("writing answers", "documents")
	defer bar.end()
	const together = 64
	var texts []string
	for chunk := range slices.Chunk(list, together) {
		requests := make([]generate.Request, len(chunk))
		for i, a := range chunk {
			room := g.Context() - 1
			if !y.Config.Encoder {
				room -= len(a.Prompt)
			}
			requests[i] = generate.Request{Prompt: a.Prompt, Options: generate.Options{MaxTokens: max(1, min(mostWritten, room))}}
		}
		results, err := g.Write(ctx, requests)
		if err != nil {
			return nil, fmt.Errorf("eval: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, r := range results {
			texts = append(texts, strings.TrimSpace(r.Text))
		}
		bar.progress(int64(len(texts)), int64(len(list)))
	}
	return texts, nil
}

// textFigures compares texts with the true ones.
func textFigures(texts, truth []string) ([]metric.Figure, error) {
	right, references := make([]bool, len(texts)), make([][]string, len(texts))
	for i, text := range texts {
		right[i], references[i] = text == truth[i], []string{truth[i]}
	}
	exact, err := metric.Share("exact_match", "share of answers equal to the true one, blanks around both aside", right, nil)
	if err != nil {
		return nil, err
	}
	chrf, err := metric.CHRF(texts, references, false, nil)
	if err != nil {
		return nil, err
	}
	bleu, err := metric.BLEU(texts, references, metric.Tok13a, nil)
	return []metric.Figure{exact, chrf, bleu}, err
}

// otherAnswers are those of a baseline; nil: it is none of these.
func (y *Yardstick) otherAnswers(ctx context.Context, name string, sources []string) ([]string, error) {
	out := slices.Clone(sources)
	switch name {
	case copySource.Name:
		for i, text := range out {
			out[i] = strings.TrimSpace(text)
		}
	case lead1.Name, lead3.Name:
		n := 1
		if name == lead3.Name {
			n = 3
		}
		for i, text := range out {
			out[i] = Lead(text, n)
		}
	case dictionary.Name:
		train, err := y.examples(ctx, y.Corpus.Train)
		if err != nil {
			return nil, err
		}
		var from, to []string
		for _, e := range train {
			from, to = append(from, e.Text), append(to, e.Answer)
		}
		const steps = 5
		d, err := FitDictionary(from, to, steps)
		if err != nil {
			return nil, err
		}
		for i, text := range out {
			out[i] = d.Predict(text)
		}
	default:
		return nil, nil
	}
	return out, nil
}
