package eval

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"hone/data"
	"hone/data/source"
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// answers scores models that write a text for a text.
type answers struct{}

func (answers) Baselines() []Baseline    { return []Baseline{copySource, dictionary, lead1, lead3} }
func (answers) what(*data.Config) string { return "the answer to each" }

func (answers) best(listed []string, _ bool) string { return first(listed, valLoss) }

// predicts gives the text, and in the words of OpenAI's interface why it ended: stop, where the model or a text to stop at
// ended it, or length.
func (answers) predicts([]string, *Decision) *predicted {
	return &predicted{columns: []source.Column{source.Texts("prediction"), source.Texts("finish_reason")}, written: func(r *generate.Result) []any {
		reason := r.Reason
		if reason == "end of text" {
			reason = "stop"
		}
		return []any{answered(r), reason}
	}}
}

// An Answer is what a model makes of an example of text to text.
type Answer struct {
	Record int64
	Nats   float64 // -log p of the true answer and its end
	Tokens int
}

// Answers gives the probability of the true answers of a split, or of limit evenly spaced ones, in
// their order.
func Answers(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Answer, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	length, _ := c.Lengths()
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
				if b.Targets[i] >= 0 {
					a.Nats += float64(nll[i])
					a.Tokens++
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

// Validate gives the loss of the true answers, and of Written ones what the metrics of the task say of the model's own.
func (answers) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	list, longer, err := Answers(ctx, net, y.Config, y.Limit, nil)
	if err != nil {
		return nil, err
	}
	loss := meanNats(list)
	v := &Validation{
		Loss: metric.Number(loss), BitsPerByte: metric.Missing, Accuracy: metric.Missing, Metrics: map[string]float64{valLoss: loss},
		Note: fmt.Sprintf("validation loss %.3f", loss), Scored: y.scored(&y.Config, len(list), longer),
	}
	if y.Written == 0 {
		return v, nil
	}
	row, _ := y.Config.Lengths() // a model that has not learned to end goes on for long
	w, err := y.writes(ctx, net, y.Written, row)
	if err != nil {
		return nil, err
	}
	figures, err := textFigures(y.metrics(), w.texts, w.truth)
	if err != nil {
		return nil, err
	}
	for i, f := range figures {
		if v.Metrics[valPrefix+f.Name] = f.Value; i == 0 {
			v.Note += fmt.Sprintf(", %s %.3f", strings.ReplaceAll(f.Name, "_", " "), f.Value)
		}
	}
	for i := range w.texts[:min(len(w.texts), shownTexts)] {
		v.Texts = append(v.Texts, WrittenText{w.sources[i], w.texts[i], strings.Join(w.truth[i], "\n")})
	}
	return v, nil
}

// A WrittenText is an answer that a model has written, beside the true ones, a line each.
type WrittenText struct{ Source, Text, Reference string }

// shownTexts is how many a validation shows.
const shownTexts = 8

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
	loss.Scored = scored
	var nats perDocument
	for _, a := range list {
		nats.records, nats.sums, nats.n = append(nats.records, a.Record), append(nats.sums, a.Nats), append(nats.n, a.Tokens)
	}
	if err := nats.score(&loss); err != nil {
		return nil, nil, err
	}
	w, err := y.writes(ctx, net, y.Limit, MostWritten)
	if err != nil {
		return nil, nil, err
	}
	listed := y.metrics()
	mine, err := textFigures(listed, w.texts, w.truth)
	if err != nil {
		return nil, nil, err
	}
	out := []metric.Evaluation{loss}
	for i := range mine {
		out = append(out, mine[i].Evaluation(y.Split.Name+" answers", scored))
	}
	err = compare(out[1:], mine, beside, func(name string) ([]metric.Figure, error) {
		other, err := y.otherAnswers(ctx, name, w.sources)
		if err != nil || other == nil {
			return nil, err
		}
		return textFigures(listed, other, w.truth)
	})
	return out, nil, err
}

// written are examples with the answers that a model has written.
type written struct {
	sources, texts []string
	truth          [][]string // all that are right
}

// writes has the model write answers of most tokens to the examples of the split, or to limit evenly spaced ones.
func (y *Yardstick) writes(ctx context.Context, net *model.Network, limit, most int) (*written, error) {
	writer, err := NewWriter(net, y.Config.Tokenizer, y.Settings)
	if err != nil {
		return nil, err
	}
	writer.Options.MaxTokens = min(writer.Options.MaxTokens, most)
	list, err := writer.prompts(ctx, y.Config, limit)
	if err != nil {
		return nil, err
	}
	out := &written{texts: make([]string, len(list))}
	for _, p := range list {
		e, _, err := y.example(y.Split, p.record)
		if err != nil {
			return nil, err
		}
		right := []string{strings.TrimSpace(e.Answer)}
		for i, text := range e.Answers {
			if i > 0 {
				right = append(right, strings.TrimSpace(text))
			}
		}
		out.sources, out.truth = append(out.sources, e.Text), append(out.truth, right)
	}
	bar := y.watch("writing answers", "documents")
	defer bar.end()
	done := int64(0)
	return out, writer.write(ctx, list, func(i int, r *generate.Result) error {
		out.texts[i] = answered(r)
		done++
		bar.progress(done, int64(len(list)))
		return nil
	})
}

// comparisons are the figures of texts and their references, by the metrics' names, but for those of ROUGE.
var comparisons = map[string]func(texts []string, references [][]string) (metric.Figure, error){
	"exact_match": func(texts []string, references [][]string) (metric.Figure, error) {
		right := make([]bool, len(texts))
		for i, text := range texts {
			right[i] = slices.Contains(references[i], text)
		}
		return metric.Share("exact_match", "share of answers equal to a true one, blanks around both aside", right, nil)
	},
	"chrf": func(texts []string, references [][]string) (metric.Figure, error) {
		return metric.CHRF(texts, references, false, nil)
	},
	"chrf++": func(texts []string, references [][]string) (metric.Figure, error) {
		return metric.CHRF(texts, references, true, nil)
	},
	"bleu": func(texts []string, references [][]string) (metric.Figure, error) {
		return metric.BLEU(texts, references, metric.Tok13a, nil)
	},
	"bleu_char": func(texts []string, references [][]string) (metric.Figure, error) {
		return metric.BLEU(texts, references, metric.TokChar, nil)
	},
}

// textFigures compares texts with the true ones by the metrics of a task, without loss.
func textFigures(names []string, texts []string, references [][]string) (out []metric.Figure, err error) {
	if len(names) == 0 {
		names = []string{"exact_match", "chrf", "bleu"}
	}
	rouge := map[metric.ROUGETokenizer][]metric.Figure{}
	for _, name := range names {
		if name == "loss" {
			continue
		}
		if f := comparisons[name]; f != nil {
			figure, err := f(texts, references)
			if err != nil {
				return nil, err
			}
			out = append(out, figure)
			continue
		}
		tok := metric.ROUGEScore
		if strings.HasSuffix(name, "_unicode") {
			tok = metric.ROUGEUnicode
		}
		if rouge[tok] == nil {
			r, err := metric.ScoreROUGE(texts, references, tok, nil)
			if err != nil {
				return nil, err
			}
			rouge[tok] = r.Figures()
		}
		i := slices.IndexFunc(rouge[tok], func(f metric.Figure) bool { return f.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("eval: no metric %s of texts", name)
		}
		out = append(out, rouge[tok][i])
	}
	return out, nil
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
