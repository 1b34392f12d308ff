package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/eval"
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// evaluated is evaluation.json of an evaluate stage, a sealed file: its share of the
// report, and what it was made from. Of another model or other data it is made again.
type evaluated struct {
	Models          map[string]string   `json:"models"` // hash of each evaluated model
	Data            string              `json:"data"`   // hash of the corpus and the tokenizer
	Split           string              `json:"split"`
	Baselines       []string            `json:"baselines"`
	WallSeconds     float64             `json:"wall_seconds"`
	Evaluations     []metric.Evaluation `json:"evaluations"`
	Classifications []metric.ByLabel    `json:"classifications,omitempty"`
}

const evaluationFile = "evaluation.json"

// A yardstick fits and scores baselines and models on one split of a corpus.
type yardstick struct {
	corpus *corpus.Corpus
	labels []string // of a classifier, in its order
	split  *corpus.Split
	tok    tokenizer.Tokenizer
	cfg    data.Config // how a model reads the split
	limit  int
	say    func(string)
	bar    func(title, unit string) recipes.Bar
}

func (w *runner) evaluate(ctx context.Context, s *recipes.Stage) (worked bool, err error) {
	now := evaluated{Models: map[string]string{}, Data: w.tokSum, Split: s.Split, Baselines: s.Baselines}
	for _, split := range w.corpora[s.Corpus].Splits() {
		sum := sha256.Sum256([]byte(now.Data + split.Name + split.SHA256))
		now.Data = hex.EncodeToString(sum[:])
	}
	models := slices.Clone(s.Models)
	if s.RandomInit != "" {
		models = append(models, s.RandomInit)
	}
	for _, name := range models {
		c, err := checkpoint.Open(checkpoint.FinalDir(w.stageDir(name)))
		if err != nil {
			return false, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		now.Models[name] = c.Manifest.Files[checkpoint.ModelFile].SHA256
	}
	path := filepath.Join(w.stageDir(s.Name), evaluationFile)
	switch done, err := readEvaluated(path); {
	case err == nil && done.same(&now):
		return false, nil
	case errors.Is(err, checkpoint.ErrDamaged):
		w.log(fmt.Sprintf("stage %s: %v: it is evaluated again", s.Name, err))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	if _, err := w.report(); err != nil { // so far
		return true, err
	}
	clock := startClock()
	for _, name := range s.Models {
		if err := w.evaluateModel(ctx, s, name, &now); err != nil {
			return true, fmt.Errorf("stage %s: %w", s.Name, err)
		}
	}
	now.WallSeconds = clock()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return true, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	return true, checkpoint.WriteSealed(path, &now)
}

func readEvaluated(path string) (*evaluated, error) {
	e := new(evaluated)
	return e, checkpoint.ReadSealed(path, e)
}

func (e *evaluated) same(o *evaluated) bool {
	if len(e.Models) != len(o.Models) || e.Data != o.Data || e.Split != o.Split || !slices.Equal(e.Baselines, o.Baselines) {
		return false
	}
	for name, hash := range e.Models {
		if o.Models[name] != hash {
			return false
		}
	}
	return true
}

func (w *runner) evaluateModel(ctx context.Context, s *recipes.Stage, name string, out *evaluated) error {
	trained, err := w.r.Stage(name)
	if err != nil {
		return err
	}
	corpus := w.corpora[s.Corpus]
	split := corpus.Validation
	if s.Split == "test" {
		split = corpus.Test
	}
	m, err := pretrained.Open(w.dev, w.stageDir(name), encoderLength(trained))
	if err != nil {
		return err
	}
	y := &yardstick{
		corpus: corpus, split: split, tok: ordinary(w.tok), say: w.log, bar: w.o.Bar, limit: s.EvalDocuments,
		cfg: evalConfig(w.r, trained, corpus, split, w.tok),
	}
	if hides(y.cfg.Objective) {
		es, err := y.hidden(ctx, m.Net, s.Baselines)
		for i := range es {
			es[i].Stage = name
		}
		out.Evaluations = append(out.Evaluations, es...)
		return err
	}
	if m.Head == model.LanguageModel {
		es, err := y.languageModel(ctx, m.Net, s.Baselines)
		if err != nil {
			return err
		}
		for i := range es {
			es[i].Stage = name
		}
		out.Evaluations = append(out.Evaluations, es...)
		return w.samples(ctx, s, name, m)
	}
	var random *model.Network
	if s.RandomInit != "" {
		r, err := pretrained.Open(w.dev, w.stageDir(s.RandomInit), 0)
		if err != nil {
			return err
		}
		random = r.Net
	}
	if y.labels, err = matchLabels(corpus, m.Config.Labels()); err != nil {
		return recipes.Input(err)
	}
	y.cfg.Labels = y.labels
	es, c, err := y.classifier(ctx, m.Net, random, s.Baselines)
	if err != nil {
		return err
	}
	for i := range es {
		es[i].Stage = name
	}
	c.Stage = name
	out.Evaluations = append(out.Evaluations, es...)
	out.Classifications = append(out.Classifications, *c)
	return nil
}

// languageModel scores bits per byte, beside baselines on the same documents. The end
// of a document is part of what is predicted, for all of them but the Markov model, beside
// which characters alone are scored: where all sequences are of a length, as cuts of a
// genome, to know it is no knowledge of sequences.
func (y *yardstick) languageModel(ctx context.Context, net *model.Network, baselines []string) ([]metric.Evaluation, error) {
	if err := keepsText(ctx, y.tok, y.split); err != nil {
		var lossy *lossyError
		if errors.As(err, &lossy) {
			return nil, recipes.Input(fmt.Errorf("%s text: no bits per byte: %w", y.split.Name, lossy))
		}
		return nil, err
	}
	bar := y.bar("scoring text", "documents")
	docs, longer, err := eval.Likelihood(ctx, net, y.cfg, y.limit, recipes.Progress(bar))
	bar.Close()
	if err != nil {
		return nil, err
	}
	nats, bytes := make([]float64, len(docs)), make([]int, len(docs))
	for i, d := range docs {
		nats[i], bytes[i] = d.Nats, d.Bytes
	}
	const seed = 1 // of the bootstrap
	value, err := metric.BitsPerByte(nats, bytes, seed)
	if err != nil {
		return nil, err
	}
	e := &metric.Evaluation{Task: y.split.Name + " text", Metric: "bits_per_byte", Estimate: value, LowerIsBetter: true,
		Items:  &metric.Items{Records: recordsOf(docs), Sums: nats, Sizes: bytes},
		Scored: scored(&y.cfg, y.split, y.limit, len(docs), longer),
	}
	var apart []metric.Evaluation
	for _, name := range baselines {
		switch name {
		case eval.BaselineKneserNey5:
			b, err := y.kneserNey(ctx, docs, nats, bytes)
			if err != nil {
				return nil, err
			}
			e.Baselines = append(e.Baselines, *b)
		case eval.BaselineZstd:
			b, err := y.zstd(ctx, docs)
			if err != nil {
				return nil, err
			}
			e.Baselines = append(e.Baselines, *b)
		case eval.BaselineMarkov:
			beside, err := y.markov(ctx, docs)
			if err != nil {
				return nil, err
			}
			of := *e.Scored
			of.What = "each token of a text"
			beside.Scored = &of
			apart = append(apart, *beside)
		}
	}
	return append([]metric.Evaluation{*e}, apart...), nil
}

func recordsOf(docs []eval.Document) []int64 {
	list := make([]int64, len(docs))
	for i, d := range docs {
		list[i] = d.Record
	}
	return list
}

// markov scores the characters of documents beside a k-mer Markov model on the same tokens.
func (y *yardstick) markov(ctx context.Context, docs []eval.Document) (*metric.Evaluation, error) {
	bar := y.bar("baseline "+eval.BaselineMarkov, "tokens")
	defer bar.Close()
	train, err := y.encoded(ctx, y.corpus.Train, nil)
	if err != nil {
		return nil, err
	}
	validation, err := y.encoded(ctx, y.corpus.Validation, nil)
	if err != nil {
		return nil, err
	}
	m, err := eval.FitMarkov(train, validation, y.tok.Size(), recipes.Progress(bar))
	if err != nil {
		return nil, err
	}
	y.say(fmt.Sprintf("%s: k = %d, α = %g, chosen on validation", eval.BaselineMarkov, m.Order(), m.Alpha()))
	mine, theirs, characters := make([]float64, len(docs)), make([]float64, len(docs)), make([]int, len(docs))
	for i, d := range docs {
		r, err := y.split.Record(d.Record)
		if err != nil {
			return nil, err
		}
		mine[i], theirs[i] = d.Nats-d.End, m.Nats(y.tok.Encode(nil, r.Text))
		characters[i] = utf8.RuneCountInString(r.Text)
	}
	e := &metric.Evaluation{Task: y.split.Name + " characters", Metric: "bits_per_character", LowerIsBetter: true,
		Items: &metric.Items{Records: recordsOf(docs), Sums: mine, Sizes: characters}}
	b := metric.Baseline{Name: eval.BaselineMarkov}
	if e.Estimate, err = metric.BitsPerByte(mine, characters, bootstrapSeed); err != nil {
		return nil, err
	}
	if b.Estimate, err = metric.BitsPerByte(theirs, characters, bootstrapSeed); err != nil {
		return nil, err
	}
	if b.Diff, err = metric.BitsPerByteDiff(mine, theirs, characters, bootstrapSeed); err != nil {
		return nil, err
	}
	e.Baselines = []metric.Baseline{b}
	return e, nil
}

// end is what the model is to predict at the end of a document: a token, or nothing.
func (y *yardstick) end() []int32 {
	if id, ok := y.cfg.End(); ok {
		return []int32{id}
	}
	return nil
}

// encoded is the tokens of a split, each document's with an end.
func (y *yardstick) encoded(ctx context.Context, split corpus.Records, end []int32) (docs [][]int32, err error) {
	for text := range texts(ctx, split, &err) {
		if ids := y.tok.Encode(nil, text); len(ids) > 0 { // as the model has it
			docs = append(docs, append(ids, end...))
		}
	}
	return docs, err
}

// kneserNey scores the same documents with a 5-gram on the same tokens.
func (y *yardstick) kneserNey(ctx context.Context, docs []eval.Document, nats []float64, bytes []int) (*metric.Baseline, error) {
	bar := y.bar("baseline "+eval.BaselineKneserNey5, "tokens")
	defer bar.Close()
	end := y.end()
	train, err := y.encoded(ctx, y.corpus.Train, end)
	if err != nil {
		return nil, err
	}
	kn, err := eval.FitKneserNey(train, y.tok.Size(), 5, recipes.Progress(bar))
	if err != nil {
		return nil, err
	}
	own := make([]float64, len(docs))
	for i, d := range docs {
		r, err := y.split.Record(d.Record)
		if err != nil {
			return nil, err
		}
		own[i] = -kn.LogProb(append(y.tok.Encode(nil, r.Text), end...))
	}
	b := &metric.Baseline{Name: eval.BaselineKneserNey5}
	if b.Estimate, err = metric.BitsPerByte(own, bytes, 1); err != nil {
		return nil, err
	}
	b.Diff, err = metric.BitsPerByteDiff(nats, own, bytes, 1)
	return b, err
}

// zstd compresses the same documents with the training text as history.
func (y *yardstick) zstd(ctx context.Context, docs []eval.Document) (*metric.Baseline, error) {
	bar := y.bar("baseline "+eval.BaselineZstd, "bytes")
	defer bar.Close()
	var train, own []string
	var failed error
	for text := range texts(ctx, y.corpus.Train, &failed) {
		train = append(train, text)
	}
	if failed != nil {
		return nil, failed
	}
	for _, d := range docs {
		r, err := y.split.Record(d.Record)
		if err != nil {
			return nil, err
		}
		own = append(own, r.Text)
	}
	size, err := eval.ZstdPrimed(train, own, len(y.end()) > 0)
	if err != nil {
		return nil, err
	}
	y.say(fmt.Sprintf("%s: %d bytes to %d (%s)", eval.BaselineZstd, size.Bytes, size.Compressed, size.Arrangement))
	return &metric.Baseline{
		Name:     eval.BaselineZstd,
		Estimate: metric.Estimate{Value: size.BitsPerByte, Lo: math.NaN(), Hi: math.NaN(), N: len(own)},
	}, nil
}

// classifier scores accuracy and macro F1, beside baselines on the same documents.
func (y *yardstick) classifier(ctx context.Context, net, random *model.Network, baselines []string) ([]metric.Evaluation, *metric.ByLabel, error) {
	bar := y.bar("classifying", "documents")
	list, longer, err := eval.Classify(ctx, net, y.cfg, y.limit, recipes.Progress(bar))
	bar.Close()
	if err != nil {
		return nil, nil, err
	}
	labels := y.labels
	mine, err := score(list)
	if err != nil {
		return nil, nil, err
	}
	task, of := y.split.Name+" labels", scored(&y.cfg, y.split, y.limit, len(list), longer)
	var right perDocument
	for _, p := range list {
		right.add(p.Record, share(p.Best() == p.Label))
	}
	acc := metric.Evaluation{
		Task: task, Metric: "accuracy", Estimate: mine.Accuracy, Scored: of,
		Items: &metric.Items{Records: right.records, Sums: right.sums, Sizes: right.n},
	}
	f1 := metric.Evaluation{Task: task, Metric: "macro_f1", Estimate: mine.MacroF1, Scored: of}
	add := func(name string, other []eval.Prediction) error {
		theirs, err := score(other)
		if err != nil {
			return err
		}
		a, b := correct(list), correct(other)
		diff, lo, hi := metric.PairedDiff(a, b)
		acc.Baselines = append(acc.Baselines, metric.Baseline{
			Name: name, Estimate: theirs.Accuracy, Diff: metric.Estimate{Value: diff, Lo: lo, Hi: hi, N: len(a)},
		})
		f1.Baselines = append(f1.Baselines, metric.Baseline{Name: name, Estimate: theirs.MacroF1})
		return nil
	}
	for _, name := range baselines {
		var predict func(text string) (int, []float64)
		switch name {
		case eval.BaselineMajority:
			train, err := y.labelled(ctx, y.corpus.Train)
			if err != nil {
				return nil, nil, err
			}
			m, err := eval.FitMajority(train.Labels, len(labels))
			if err != nil {
				return nil, nil, err
			}
			predict = m.Predict
		case eval.BaselineNaiveBayes:
			train, err := y.labelled(ctx, y.corpus.Train)
			if err != nil {
				return nil, nil, err
			}
			val, err := y.labelled(ctx, y.corpus.Validation)
			if err != nil {
				return nil, nil, err
			}
			nb, err := eval.FitNaiveBayes(train, val, len(labels))
			if err != nil {
				return nil, nil, err
			}
			y.say(fmt.Sprintf("%s: α = %g, chosen on validation", name, nb.Alpha()))
			predict = nb.Predict
		case eval.BaselineRandomInit:
			if random == nil {
				continue
			}
			cfg := y.cfg
			if cfg.Labels, err = matchLabels(y.corpus, random.Config().Labels()); err != nil {
				return nil, nil, recipes.Input(err)
			}
			other, _, err := eval.Classify(ctx, random, cfg, y.limit, nil)
			if err != nil {
				return nil, nil, err
			}
			if err := add(name, other); err != nil {
				return nil, nil, err
			}
			continue
		default:
			continue
		}
		other := make([]eval.Prediction, len(list))
		for i, p := range list {
			r, err := y.split.Record(p.Record)
			if err != nil {
				return nil, nil, err
			}
			_, probs := predict(r.Text)
			other[i] = eval.Prediction{Record: p.Record, Label: p.Label, Probs: probs}
		}
		if err := add(name, other); err != nil {
			return nil, nil, err
		}
	}

	c := &metric.ByLabel{Task: task, Labels: labels, Confusion: mine.Confusion}
	conf := make([]float64, len(list))
	for i, p := range list {
		conf[i] = p.Probs[p.Best()]
	}
	if c.Calibration, err = metric.Calibrate(conf, correct(list), 10); err != nil {
		return nil, nil, err
	}
	if c.Wrong, err = y.mostWrong(list, 10); err != nil {
		return nil, nil, err
	}
	return []metric.Evaluation{acc, f1}, c, nil
}

func (y *yardstick) labelled(ctx context.Context, split *corpus.Split) (eval.Labelled, error) {
	var l eval.Labelled
	for i := range split.Rows() {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		r, err := split.Record(i)
		if err != nil {
			return l, err
		}
		if !r.HasLabel || r.Text == "" {
			continue
		}
		k := slices.Index(y.labels, r.Label)
		if k < 0 {
			return l, fmt.Errorf("%s: label %q is not known", r.Path, r.Label)
		}
		l.Texts, l.Labels = append(l.Texts, r.Text), append(l.Labels, k)
	}
	return l, nil
}

// mostWrong is the wrong predictions made with the most confidence.
func (y *yardstick) mostWrong(list []eval.Prediction, n int) ([]metric.Mistake, error) {
	var wrong []eval.Prediction
	for _, p := range list {
		if p.Best() != p.Label {
			wrong = append(wrong, p)
		}
	}
	sort.SliceStable(wrong, func(a, b int) bool { return wrong[a].Probs[wrong[a].Best()] > wrong[b].Probs[wrong[b].Best()] })
	var out []metric.Mistake
	for _, p := range wrong[:min(n, len(wrong))] {
		r, err := y.split.Record(p.Record)
		if err != nil {
			return nil, err
		}
		out = append(out, metric.Mistake{
			Text: r.Text, Path: r.Path, True: y.labels[p.Label], Predicted: y.labels[p.Best()],
			Probability: metric.Number(p.Probs[p.Best()]),
		})
	}
	return out, nil
}

func score(list []eval.Prediction) (metric.Classification, error) {
	truth, predicted := make([]int, len(list)), make([]int, len(list))
	for i, p := range list {
		truth[i], predicted[i] = p.Label, p.Best()
	}
	classes := 0
	if len(list) > 0 {
		classes = len(list[0].Probs)
	}
	return metric.Classify(truth, predicted, classes, 1)
}

func correct(list []eval.Prediction) []bool {
	ok := make([]bool, len(list))
	for i, p := range list {
		ok[i] = p.Best() == p.Label
	}
	return ok
}

// samples writes texts of the language model to samples.jsonl.
func (w *runner) samples(ctx context.Context, s *recipes.Stage, name string, m *pretrained.Model) error {
	if s.Samples == 0 {
		return nil
	}
	g, _, err := generate.Open(m)
	if err != nil {
		return err
	}
	log, err := report.OpenLog(filepath.Join(w.o.Dir, report.SamplesFile))
	if err != nil {
		return err
	}
	defer log.Close()
	prompts := s.Prompts
	if len(prompts) == 0 {
		prompts = []string{""}
	}
	bar := w.o.Bar("writing samples", "texts")
	defer bar.Close()
	for i := range s.Samples {
		o := generate.Options{MaxTokens: 80, Sampler: generate.Sampler{Temperature: 0.8, TopP: 0.95, Seed: uint64(w.r.Seed + i)}}
		prompt := prompts[i%len(prompts)]
		r, err := g.Generate(ctx, prompt, o, nil)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err = log.Write(report.Sample{
			Stage: name, Step: m.Checkpoint.Manifest.Step, Prompt: prompt, Text: strings.ToValidUTF8(r.Text, "�"),
			Temperature: o.Temperature, Seed: o.Seed,
		})
		if err != nil {
			return err
		}
		bar.Set(int64(i+1), int64(s.Samples), "")
	}
	return nil
}
