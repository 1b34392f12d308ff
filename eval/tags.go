package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"hone/data"
	"hone/data/source"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// tags scores models that give each word a label.
type tags struct{}

func (tags) Baselines() []Baseline { return []Baseline{frequentLabel, randomInit} }

// predicts gives the label of each word, null where it has not been read, with its probability, null where the
// word has no token; and the entities, if the labels are tags.
func (tags) predicts(names []string, _ *Decision) *predicted {
	columns := []source.Column{source.Lists(source.Texts("prediction")), source.Lists(source.Numbers("probability"))}
	tagged := areTags(names)
	if tagged {
		columns = append(columns, source.Lists(source.Structs("entities",
			source.Texts("text"), source.Texts("type"), source.Integers("start"), source.Integers("end"), source.Numbers("score"))))
	}
	unsure := "labels of words, which are null"
	if tagged {
		unsure = "entities, whose types and labels are null"
	}
	return &predicted{columns: columns, unsure: unsure, guess: func(ctx context.Context, net *model.Network, c data.Config) ([]guess, error) {
		list, _, err := TagWords(ctx, net, c, 0, nil)
		out := make([]guess, len(list))
		for i := range list {
			d := &list[i]
			out[i] = guess{record: d.Record, cut: d.Cut}
			if !slices.ContainsFunc(slices.Concat(d.Probs...), math.IsNaN) {
				out[i].values = func(e *task.Example, least float64) ([]any, int) {
					return d.values(e.Words, names, tagged, least)
				}
			}
		}
		return out, err
	}}
}

// values are those of the columns that tags predicts. Entities, or where labels are no tags words, whose
// probability is below least have no type and no labels.
func (d *Tagged) values(words, names []string, tagged bool, least float64) (row []any, unsure int) {
	labels := d.Labels(words, names)
	list, probs := make([]any, len(words)), make([]any, len(words))
	for w, label := range labels {
		if label != "" && !(d.Cut && w >= len(d.Probs)) {
			list[w] = label
		}
		if p, ok := d.of(w, label, names); ok {
			if probs[w] = p; !tagged && p < least {
				list[w] = nil
				unsure++
			}
		}
	}
	if !tagged {
		return []any{list, probs}, unsure
	}
	entities := []any{}
	for _, e := range d.entities(words, labels, names) {
		now := []any{e.text, e.kind, int64(e.start), int64(e.end), e.score}
		if e.score < least {
			now[1] = nil
			clear(list[e.first:e.last])
			unsure++
		}
		entities = append(entities, now)
	}
	return []any{list, probs, entities}, unsure
}

// of gives the probability that word w has a label; ok is false where the model says nothing of it.
func (d *Tagged) of(w int, label string, names []string) (p float64, ok bool) {
	k := slices.Index(names, label)
	if w >= len(d.Probs) || d.Probs[w] == nil || k < 0 {
		return 0, false
	}
	return d.Probs[w][k], true
}

// An entity is one that tags of words name. Its score is the mean probability of these.
type entity struct {
	text, kind  string
	start, end  int // characters of the text that JoinWords makes
	first, last int // words, last not included
	score       float64
}

// entities lists the entities of words with tags.
func (d *Tagged) entities(words, tags, names []string) (list []entity) {
	tags = slices.Clone(tags)
	for w, tag := range tags {
		tags[w] = cmp.Or(tag, "O")
	}
	found, err := metric.Conlleval.Entities(tags)
	if err != nil {
		panic(err) // the names are tags
	}
	between := source.BetweenWords(words)
	at, w := 0, 0 // at is the character at which word w begins
	for _, f := range found {
		for ; w < f.First; w++ {
			at += utf8.RuneCountInString(words[w]) + len(between)
		}
		e := entity{text: strings.Join(words[f.First:f.Last], between), kind: f.Type, start: at, first: f.First, last: f.Last}
		e.end = at + utf8.RuneCountInString(e.text)
		n := 0
		for k := f.First; k < f.Last; k++ {
			if p, ok := d.of(k, tags[k], names); ok {
				e.score, n = e.score+p, n+1
			}
		}
		e.score /= float64(n) // some word of it has a token
		list = append(list, e)
	}
	return list
}

// areTags reports whether all labels are tags of entities.
func areTags(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { _, _, ok := task.Tag(name); return !ok })
}

func (tags) what(*data.Config) string { return "the label of each word" }

// A Tagged is the output of a token classifier for one document.
type Tagged struct {
	Record int64
	Probs  [][]float64 // of the labels, by word; nil: the word has no token, or is behind the row's end
	Nats   float64     // -log p of the true labels, of those words
	Words  int         // that have tokens
	Cut    bool        // not all words fit the row
}

// TagWords predicts the labels of the words of a split, or of limit evenly spaced documents, from the
// first token of each. c is as for Likelihood.
func TagWords(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Tagged, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	x, err := net.Executor(model.Evaluate, c.MicroBatchSize, c.T, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	labels := len(net.Config().Labels())
	logits, nll := make([]float32, c.MicroBatchSize*c.T*labels), make([]float32, c.MicroBatchSize*c.T)
	stats, err := forward(ctx, net, x, c, func(b *data.Batch) error {
		if err := exec.Read(x, "logits", logits); err != nil {
			return err
		}
		if err := exec.Read(x, "nll", nll); err != nil {
			return err
		}
		for _, s := range b.Seqs {
			d := Tagged{Record: records.at(s.Doc), Cut: s.Cut}
			for i := int(s.Row)*c.T + int(s.First); i <= int(s.Row)*c.T+int(s.Last); i++ {
				w := int(b.Words[i])
				if w < 0 {
					continue
				}
				for len(d.Probs) <= w {
					d.Probs = append(d.Probs, nil)
				}
				d.Probs[w] = softmax(logits[i*labels : (i+1)*labels])
				d.Words++
				if b.Targets[i] >= 0 {
					d.Nats += float64(nll[i])
				}
			}
			out = append(out, d)
		}
		if progress != nil {
			progress(int64(len(out)), records.n)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b Tagged) int { return cmp.Compare(a.Record, b.Record) })
	return out, int(stats.Truncated), err
}

// Labels gives the most probable label of each of words. A word without a token continues the entity of
// its neighbours, or has none: O, or without such a label nothing, which is no label at all. So has a
// word behind the end of the row.
func (d *Tagged) Labels(words, names []string) []string {
	out := make([]string, len(words))
	none := ""
	if slices.Contains(names, "O") {
		none = "O"
	}
	for w := range words {
		out[w] = none
		if w < len(d.Probs) && d.Probs[w] != nil {
			p := Prediction{Probs: d.Probs[w]}
			out[w] = names[p.Best()]
		}
	}
	for w := 1; w+1 < len(words); w++ { // a blank that is a word, where each character is one
		if w+1 >= len(d.Probs) || d.Probs[w] != nil || d.Probs[w+1] == nil {
			continue
		}
		if _, kind, ok := task.Tag(out[w-1]); ok && kind != "" && out[w+1] == "I-"+kind && slices.Contains(names, "I-"+kind) {
			out[w] = "I-" + kind
		}
	}
	return out
}

// A tagging has the words of documents with two labels of each.
type tagging struct {
	words, truth, predicted [][]string
	names                   []string
}

// figures are those that suit the labels: of entities, if they are tags of IOB2; of characters, if each
// word is one; and the share of right labels.
func (g *tagging) figures() ([]metric.Figure, error) {
	var out []metric.Figure
	entities, characters := true, true
	for _, l := range g.names {
		prefix, _, ok := task.Tag(l)
		entities = entities && ok && prefix != 'E' && prefix != 'S'
	}
	var right []bool
	var groups metric.Groups
	for i, words := range g.words {
		for j, w := range words {
			characters = characters && utf8.RuneCountInString(w) == 1
			right = append(right, g.truth[i][j] == g.predicted[i][j])
			groups = append(groups, i)
		}
	}
	if entities {
		lenient, err := metric.ScoreTags(g.truth, g.predicted, metric.Conlleval, nil)
		if err != nil {
			return nil, err
		}
		strict, err := metric.ScoreTags(g.truth, g.predicted, metric.IOB2, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, lenient.F1, strict.F1, strict.MacroF1)
		if characters {
			entity, char, err := metric.KLUE(g.truth, g.predicted, g.names, nil)
			if err != nil {
				return nil, err
			}
			out = append(out, entity, char)
		}
	}
	acc, err := metric.Share("accuracy", "share of words with the right label; of equally probable labels the first is predicted; the interval is over documents", right, groups)
	if err != nil {
		return nil, err
	}
	out = append(out, acc)
	return out, nil
}

// tagging reads the words and labels of documents, whose predictions are to follow.
func (y *Yardstick) tagging(records []int64) (*tagging, error) {
	g := &tagging{names: y.Config.Labels}
	for _, i := range records {
		e, _, err := y.example(y.Split, i)
		if err != nil {
			return nil, err
		}
		g.words, g.truth = append(g.words, e.Words), append(g.truth, e.Labels)
	}
	return g, nil
}

// tagWords gives the figures of a network on a split.
func (y *Yardstick) tagWords(ctx context.Context, net *model.Network, progress func(done, total int64)) (g *tagging, figures []metric.Figure, list []Tagged, scored *metric.Scored, err error) {
	list, longer, err := TagWords(ctx, net, y.Config, y.Limit, progress)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	records := make([]int64, len(list))
	for i := range list {
		records[i] = list[i].Record
	}
	if g, err = y.tagging(records); err != nil {
		return nil, nil, nil, nil, err
	}
	for i := range list {
		g.predicted = append(g.predicted, list[i].Labels(g.words[i], g.names))
	}
	figures, err = g.figures()
	return g, figures, list, y.scored(&y.Config, len(list), longer), err
}

func (tags) best(listed []string, _ bool) string { return first(listed, valScore) }

// valScore is, in checkpoints, the first of the figures that suit the labels: F1 of entities, or the share
// of right labels.
const valScore = valPrefix + "score"

func (tags) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	_, figures, list, scored, err := y.tagWords(ctx, net, nil)
	if err != nil {
		return nil, err
	}
	nats, words := 0.0, 0
	for _, d := range list {
		nats, words = nats+d.Nats, words+d.Words
	}
	return y.validation(nats/float64(words), figures, valScore, scored)
}

// Score gives the figures of labels of words, beside baselines on the same documents.
func (tags) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	bar := y.watch("labelling words", "documents")
	g, mine, list, scored, err := y.tagWords(ctx, net, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	var out []metric.Evaluation
	for i := range mine {
		out = append(out, mine[i].Evaluation(y.Split.Name+" words", scored))
	}
	err = compare(out, mine, beside, func(name string) ([]metric.Figure, error) {
		switch {
		case name == frequentLabel.Name:
			m, err := y.frequentLabel(ctx)
			if err != nil {
				return nil, err
			}
			other := *g
			other.predicted = nil
			for _, words := range g.words {
				other.predicted = append(other.predicted, m.Predict(words))
			}
			return other.figures()
		case name == randomInit.Name && random != nil:
			_, theirs, others, _, err := y.tagWords(ctx, random, nil)
			if err == nil && len(others) != len(list) {
				err = fmt.Errorf("eval: the model of %s scores %d documents, not %d", name, len(others), len(list))
			}
			return theirs, err
		}
		return nil, nil
	})
	return out, nil, err
}

// frequentLabel is fitted to the training split.
func (y *Yardstick) frequentLabel(ctx context.Context) (*FrequentLabel, error) {
	list, err := y.examples(ctx, y.Corpus.Train)
	var words, labels [][]string
	for _, e := range list {
		words, labels = append(words, e.Words), append(labels, e.Labels)
	}
	if err != nil {
		return nil, err
	}
	return FitFrequentLabel(words, labels)
}
