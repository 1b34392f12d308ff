package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"hone/data"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// vectors has what scorers of models that make vectors of texts share.
type vectors struct {
	of      string // what is scored, in words
	usual   string // the metric that decides
	read    func(ctx context.Context, y *Yardstick) (comparison, error)
	against []Baseline
}

// A comparison is what is compared in a split.
type comparison interface {
	// byVectors gives the figures of a model.
	byVectors(ctx context.Context, y *Yardstick, net *model.Network) ([]metric.Figure, error)
	// baseline gives those of a baseline; nil: it is not one of these.
	baseline(ctx context.Context, y *Yardstick, name string) ([]metric.Figure, error)
	// records are the numbers of those that are scored.
	records() []int64
}

func (v vectors) Baselines() []Baseline                 { return append(v.against, randomInit) }
func (vectors) predicts([]string, *Decision) *predicted { return nil }
func (v vectors) best(listed []string, _ bool) string   { return first(listed, valPrefix+v.usual) }
func (v vectors) what(*data.Config) string              { return v.of }

func (v vectors) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	c, err := v.read(ctx, y)
	if err != nil {
		return nil, err
	}
	figures, err := c.byVectors(ctx, y, net)
	if err != nil {
		return nil, err
	}
	return y.validation(float64(metric.Missing), figures, valPrefix+figures[0].Name, y.scored(&y.Config, len(c.records()), 0))
}

func (v vectors) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	c, err := v.read(ctx, y)
	if err != nil {
		return nil, nil, err
	}
	bar := y.watch("comparing texts", "documents")
	defer bar.end()
	mine, err := c.byVectors(ctx, y, net)
	if err != nil {
		return nil, nil, err
	}
	scored := y.scored(&y.Config, len(c.records()), 0)
	var out []metric.Evaluation
	for i := range mine {
		e := mine[i].Evaluation(y.Split.Name+" "+v.of, scored)
		if mine[i].Scores != nil {
			e.Items = &metric.Items{Sums: mine[i].Scores, Records: c.records()}
			for range e.Items.Records {
				e.Items.Sizes = append(e.Items.Sizes, 1)
			}
		}
		out = append(out, e)
	}
	err = compare(out, mine, beside, func(name string) ([]metric.Figure, error) {
		switch {
		case name != randomInit.Name:
			return c.baseline(ctx, y, name)
		case random != nil:
			return c.byVectors(ctx, y, random)
		}
		return nil, nil
	})
	return out, nil, err
}

// embed gives the vectors of texts by a model, behind a prompt.
func (y *Yardstick) embed(ctx context.Context, net *model.Network, prompt string, texts []string) ([][]float32, error) {
	if y.Sentence == nil {
		return nil, errors.New("eval: the model does not say how it makes vectors of texts")
	}
	how := *y.Sentence
	how.MaxLength = cmp.Or(how.MaxLength, y.Config.T)
	e := &Embedder{net: net, tok: y.Tokenizer, how: &how, prompt: prompt}
	for i, name := range []string{cmp.Or(y.Config.BOS, y.Config.Separator), cmp.Or(y.Config.EOS, y.Config.Separator)} {
		if id, ok := y.Tokenizer.Special(name); ok && name != "" {
			*[]*[]int32{&e.before, &e.after}[i] = []int32{id}
		}
	}
	if err := e.prepare(net.Config()); err != nil {
		return nil, err
	}
	list, _, err := e.Embed(ctx, texts)
	return list, err
}

// near scores models that find the texts that belong to a text.
var near = vectors{of: "the texts that belong to each", usual: "ndcg_at_10", against: []Baseline{bm25}, read: readCollection}

// A collection is texts that are looked for, and those that look for them.
type collection struct {
	queries   []string
	first     []int64 // record of each
	relevance []map[string]int
	documents []string
}

// found is how many documents of a query are ranked.
const found = 100

// readCollection takes as documents all texts of a split that belong to another or do not, each once, and as queries those
// of its records, or of Limit evenly spaced ones. Of records of one text all documents belong to it.
func readCollection(ctx context.Context, y *Yardstick) (comparison, error) {
	c := &collection{}
	at, asked := map[string]int{}, map[string]int{}
	document := func(text string) string {
		n, ok := at[text]
		if !ok {
			n = len(c.documents)
			at[text], c.documents = n, append(c.documents, text)
		}
		return nameOf(n)
	}
	rows := y.Split.Rows()
	some := spread{y.Split, rows}
	if y.Limit > 0 {
		some.n = min(rows, int64(y.Limit))
	}
	chosen := map[int64]bool{}
	for i := range some.n {
		chosen[some.at(i)] = true
	}
	var list []task.Example
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, _, err := y.example(y.Split, i)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if e.Null || e.Text == "" || e.Pair == "" {
			continue
		}
		document(e.Pair)
		for _, text := range e.Choices {
			document(text)
		}
		if _, ok := asked[e.Text]; chosen[i] && !ok {
			asked[e.Text] = len(c.queries)
			c.queries, c.first, c.relevance = append(c.queries, e.Text), append(c.first, i), append(c.relevance, map[string]int{})
		}
	}
	for _, e := range list {
		if k, ok := asked[e.Text]; ok && !e.Null && e.Pair != "" {
			c.relevance[k][document(e.Pair)] = 1
		}
	}
	if len(c.queries) == 0 {
		return nil, fmt.Errorf("eval: split %s has no text with one that belongs to it", y.Split.Name)
	}
	return c, nil
}

// nameOf is the name of a document in rankings. Of documents of equal scores, the one with the later name comes first.
func nameOf(n int) string { return fmt.Sprintf("%09d", 999999999-n) }

func (c *collection) records() []int64 { return c.first }

func (c *collection) figures(hits [][]Hit) (list []metric.Figure, err error) {
	rankings := make([]metric.Ranking, len(hits))
	for i, of := range hits {
		rankings[i] = metric.Ranking{Scores: map[string]float64{}, Relevance: c.relevance[i]}
		for _, h := range of {
			rankings[i].Scores[nameOf(h.Number)] = h.Score
		}
	}
	at := map[int]metric.Retrieval{}
	for _, k := range []int{1, 10, found} {
		if at[k], err = metric.ScoreRetrieval(rankings, k, nil); err != nil {
			return nil, err
		}
	}
	return []metric.Figure{at[10].NDCG, at[10].MRR, at[1].Recall, at[10].Recall, at[found].Recall}, nil
}

func (c *collection) byVectors(ctx context.Context, y *Yardstick, net *model.Network) ([]metric.Figure, error) {
	queries, err := y.embed(ctx, net, y.Config.Prompts.Query, c.queries)
	if err != nil {
		return nil, err
	}
	documents, err := y.embed(ctx, net, y.Config.Prompts.Document, c.documents)
	if err != nil {
		return nil, err
	}
	x := NewIndex(net.Memory().Device(), len(documents[0]))
	for _, v := range documents {
		if err := x.Add(v); err != nil {
			return nil, err
		}
	}
	hits, err := x.Search(queries, found)
	if err != nil {
		return nil, err
	}
	return c.figures(hits)
}

func (c *collection) baseline(_ context.Context, _ *Yardstick, name string) ([]metric.Figure, error) {
	if name != bm25.Name {
		return nil, nil
	}
	m := NewBM25(c.documents)
	hits := make([][]Hit, len(c.queries))
	for i, q := range c.queries {
		hits[i] = m.Search(q, found)
	}
	return c.figures(hits)
}

// alike scores models whose vectors say how alike two texts are.
var alike = vectors{of: "the cosine of each two", usual: "spearman", against: []Baseline{tfidfCosine}, read: readPairs}

var tfidfCosine = Baseline{Name: "tfidf_cosine", Tunes: true, Labels: true}

// scoredPairs are two texts each, with a number.
type scoredPairs struct {
	texts  [2][]string
	values []float64
	at     []int64
}

func readPairs(ctx context.Context, y *Yardstick) (comparison, error) {
	some := spread{y.Split, y.Split.Rows()}
	if y.Limit > 0 {
		some.n = min(some.n, int64(y.Limit))
	}
	p := &scoredPairs{}
	for i := range some.n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, _, err := y.example(y.Split, some.at(i))
		if err != nil {
			return nil, err
		}
		p.add(&e, some.at(i))
	}
	if len(p.values) == 0 {
		return nil, fmt.Errorf("eval: split %s has no two texts with a number", y.Split.Name)
	}
	return p, nil
}

func (p *scoredPairs) add(e *task.Example, at int64) {
	if e.HasLabel && !e.Null && e.Text != "" && e.Pair != "" {
		p.texts[0], p.texts[1] = append(p.texts[0], e.Text), append(p.texts[1], e.Pair)
		p.values, p.at = append(p.values, e.Value), append(p.at, at)
	}
}

func (p *scoredPairs) records() []int64 { return p.at }

func (p *scoredPairs) figures(cosines []float64) ([]metric.Figure, error) {
	r, err := metric.Regress(p.values, cosines, nil)
	return []metric.Figure{r.Spearman, r.Pearson}, err
}

func (p *scoredPairs) byVectors(ctx context.Context, y *Yardstick, net *model.Network) ([]metric.Figure, error) {
	var of [2][][]float32
	for side := range of {
		var err error
		if of[side], err = y.embed(ctx, net, y.Config.Prompts.Query, p.texts[side]); err != nil {
			return nil, err
		}
	}
	cosines := make([]float64, len(p.values))
	for i := range cosines {
		var err error
		if cosines[i], err = Cosine(of[0][i], of[1][i]); err != nil {
			return nil, err
		}
	}
	return p.figures(cosines)
}

// baseline is the cosine of TF-IDF vectors, of words and pairs of words or of characters, whichever orders the pairs of the
// validation split better. What occurs how often is counted in the texts of the training split.
func (p *scoredPairs) baseline(ctx context.Context, y *Yardstick, name string) ([]metric.Figure, error) {
	if name != tfidfCosine.Name {
		return nil, nil
	}
	var of [2]scoredPairs // train, validation
	for i := range of {
		split := y.Corpus.Train
		if i == 1 {
			split = y.Corpus.Validation
		}
		list, err := y.examples(ctx, split)
		if err != nil {
			return nil, err
		}
		for k := range list {
			of[i].add(&list[k], int64(k))
		}
	}
	best, highest := (*termVectors)(nil), -2.0
	for _, characters := range []bool{false, true} {
		v := fitVectors(append(of[0].texts[0][:len(of[0].texts[0]):len(of[0].texts[0])], of[0].texts[1]...), characters, maxWeights)
		f, err := of[1].figures(of[1].termCosines(v))
		if err != nil {
			return nil, err
		}
		if best == nil || f[0].Value > highest {
			best, highest = v, f[0].Value
		}
	}
	return p.figures(p.termCosines(best))
}

func (p *scoredPairs) termCosines(v *termVectors) []float64 {
	cosines := make([]float64, len(p.values))
	for i := range cosines {
		a, b := v.vector(p.texts[0][i]), v.vector(p.texts[1][i])
		weights := map[int32]float64{}
		for k, at := range a.at {
			weights[at] = a.value[k]
		}
		for k, at := range b.at {
			cosines[i] += weights[at] * b.value[k]
		}
	}
	return cosines
}
