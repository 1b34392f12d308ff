package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hone/data"
	"hone/data/source"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/eval/metric"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// questions scores models that find answers in contexts.
type questions struct{}

func (questions) Baselines() []Baseline { return []Baseline{slidingWindow, randomInit} }

// predicts gives the best answer with its score and place, beside the score that there is none. Where that is
// greater, the prediction is null, unless the metrics of the task say that each question has an answer. The
// probability of an answer is that of the two scores, as logits.
func (questions) predicts([]string, *Decision) *predicted {
	columns := []source.Column{source.Texts("prediction"), source.Numbers("score"), source.Numbers("null_score"), source.Integers("start"), source.Integers("end")}
	return &predicted{columns: columns, unsure: "answers, which are null", guess: func(ctx context.Context, net *model.Network, c data.Config) ([]guess, error) {
		list, _, err := FindAnswers(ctx, net, c, 0, nil)
		script, named := scriptOf(data.TaskOf(c.Objective).Metrics)
		out := make([]guess, len(list))
		for i := range list {
			f := &list[i]
			out[i] = guess{record: f.Record, cut: f.Cut}
			if finite(f.None) && finite(f.Nats) { // else a logit of a window is not
				out[i].values = func(e *task.Example, least float64) ([]any, int) {
					return f.values(e.Pair, !named || script == metric.SQuAD2, least)
				}
			}
		}
		return out, err
	}}
}

// values are those of the columns that questions predicts. Places are in characters.
func (f *Found) values(text string, mayLack bool, least float64) (out []any, unsure int) {
	out = []any{nil, nil, f.None, nil, nil}
	if !finite(f.Score) { // no two tokens could be its first and its last one
		return out, 0
	}
	out[1] = f.Score
	if f.First == f.Last || mayLack && f.Score < f.None {
		return out, 0
	}
	if 1/(1+math.Exp(f.None-f.Score)) < least {
		return out, 1
	}
	answer, start := text[f.First:f.Last], utf8.RuneCountInString(text[:f.First])
	out[0], out[3], out[4] = answer, int64(start), int64(start+utf8.RuneCountInString(answer))
	return out, 0
}

// scriptOf gives the script of metrics of a task; ok is false where there are none.
func scriptOf(metrics []string) (script metric.QAScript, ok bool) {
	if len(metrics) == 0 {
		return 0, false
	}
	name, _, _ := strings.Cut(metrics[0], "_")
	k := slices.Index(metric.QAScripts[:], name)
	return metric.QAScript(max(0, k)), k >= 0
}

func (questions) what(*data.Config) string { return "the answer to each question" }

func (questions) best(listed []string, _ bool) string { return first(listed, valAnswerF1) }

// valAnswerF1 is, in checkpoints, F1 of answers by the script that suits the data.
const valAnswerF1 = valPrefix + "f1"

// A Found is the best answer of a model to a question.
type Found struct {
	Record      int64
	First, Last int     // of the context, in bytes
	Score       float64 // logits of its first and its last token
	None        float64 // of the first token of a window, the least of all windows: there is no answer
	Nats        float64 // the mean over windows of -log p of the true first and last token
	Cut         bool    // not all of the question was read
}

// Candidates for the first and the last token of an answer, and the tokens of one, at most: as in
// transformers' run_qa.py.
const (
	bestTokens    = 20
	longestAnswer = 30
)

// FindAnswers answers the questions of a split, or of limit evenly spaced documents. c is as for
// Likelihood; windowed is the number of questions whose context does not fit a row.
func FindAnswers(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Found, windowed int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	x, err := net.Executor(model.Evaluate, c.MicroBatchSize, c.T, c.Slots())
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	type best struct {
		Found
		first, last int // tokens of the context
		windows     int
	}
	logits, nll := make([]float32, c.MicroBatchSize*c.T*2), make([]float32, c.Slots())
	byDoc := map[int64]*best{}
	_, err = forward(ctx, net, x, c, func(b *data.Batch) error {
		if err := exec.Read(x, "logits", logits); err != nil {
			return err
		}
		if err := exec.Read(x, "nll", nll); err != nil {
			return err
		}
		for k, s := range b.Seqs {
			f := byDoc[s.Doc]
			if f == nil {
				f = &best{Found: Found{Record: records.at(s.Doc), Score: math.Inf(-1), None: math.Inf(1), Cut: s.Cut}, first: -1}
				byDoc[s.Doc] = f
			}
			f.windows++
			f.Nats += float64(nll[k])
			row := int(s.Row) * c.T
			of := func(position int32, which int) float64 { return float64(logits[2*(row+int(position))+which]) }
			f.None = min(f.None, of(s.First, 0)+of(s.First, 1))
			w := s.Window
			candidates := func(which int) []int32 {
				list := make([]int32, w.Tokens)
				for i := range list {
					list[i] = w.Second + int32(i)
				}
				slices.SortStableFunc(list, func(a, b int32) int { return cmp.Compare(of(b, which), of(a, which)) })
				return list[:min(bestTokens, len(list))]
			}
			lasts := candidates(1)
			for _, first := range candidates(0) {
				for _, last := range lasts {
					if last < first || last-first >= longestAnswer {
						continue
					}
					if score := of(first, 0) + of(last, 1); score > f.Score {
						f.Score, f.first, f.last = score, int(w.From+first-w.Second), int(w.From+last-w.Second)
					}
				}
			}
		}
		if progress != nil {
			progress(int64(len(byDoc)), records.n)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	t, tok := data.TaskOf(c.Objective), Ordinary(c.Tokenizer)
	for i := range records.Rows() {
		f := byDoc[i]
		if f == nil {
			continue
		}
		if f.windows > 1 {
			windowed++
			f.Nats /= float64(f.windows)
		}
		if f.first >= 0 {
			r, err := records.Record(i)
			if err != nil {
				return nil, 0, fmt.Errorf("eval: %w", err)
			}
			e, err := t.Example(&r)
			if err != nil {
				return nil, 0, fmt.Errorf("eval: %w", err)
			}
			_, at := tok.(interface {
				Place(text string) ([]int32, []tokenizer.Offset)
			}).Place(e.Pair) // which the loader has looked for
			f.First, f.Last = at[f.first].Start, at[f.last].End
		}
		out = append(out, f.Found)
	}
	return out, windowed, nil
}

// An exam has questions with their true answers, by context, and how they are scored.
type exam struct {
	list   []task.Example
	groups metric.Groups // questions of one context
	script metric.QAScript
}

// exam reads the questions of records. Where the task names no metrics, the script is SQuAD 2's if some
// question has no answer, else KorQuAD's if most letters of the contexts are Hangul, else SQuAD's.
func (y *Yardstick) exam(list []Found) (*exam, error) {
	x := &exam{}
	contexts := map[string]int{}
	letters, hangul := 0, 0
	for _, f := range list {
		e, _, err := y.example(y.Split, f.Record)
		if err != nil {
			return nil, err
		}
		if _, ok := contexts[e.Pair]; !ok {
			contexts[e.Pair] = len(contexts)
			for _, r := range e.Pair {
				if unicode.IsLetter(r) {
					letters++
				}
				if unicode.Is(unicode.Hangul, r) {
					hangul++
				}
			}
		}
		if len(e.Answers) == 0 {
			x.script = metric.SQuAD2
		}
		x.list, x.groups = append(x.list, e), append(x.groups, contexts[e.Pair])
	}
	if x.script == metric.SQuAD && 2*hangul > letters {
		x.script = metric.KorQuAD
	}
	if named, ok := scriptOf(y.metrics()); ok {
		x.script = named
	}
	return x, nil
}

// figures score answers by question.
func (x *exam) figures(answers []string) ([]metric.Figure, error) {
	truth := make([][]string, len(x.list))
	for i := range truth {
		truth[i] = x.list[i].Answers
	}
	a, err := metric.ScoreAnswers(answers, truth, x.script, x.groups)
	if err != nil {
		return nil, err
	}
	out := []metric.Figure{a.F1, a.ExactMatch}
	for _, f := range []*metric.Figure{a.HasF1, a.HasExactMatch, a.NoAnswer} {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out, nil
}

// answers are the texts of what was found; none where that is likelier and may be.
func (x *exam) answers(list []Found) []string {
	out := make([]string, len(list))
	for i, f := range list {
		if x.script != metric.SQuAD2 || f.Score >= f.None {
			out[i] = x.list[i].Pair[f.First:f.Last]
		}
	}
	return out
}

func (y *Yardstick) find(ctx context.Context, net *model.Network, progress func(done, total int64)) (list []Found, x *exam, figures []metric.Figure, scored *metric.Scored, err error) {
	list, windowed, err := FindAnswers(ctx, net, y.Config, y.Limit, progress)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, nil, nil, fmt.Errorf("eval: no question of split %s can be scored", y.Split.Name)
	}
	if x, err = y.exam(list); err != nil {
		return nil, nil, nil, nil, err
	}
	figures, err = x.figures(x.answers(list))
	scored = y.scored(&y.Config, len(list), windowed)
	scored.Cut = false // contexts are read in windows
	return list, x, figures, scored, err
}

func (questions) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	list, _, figures, scored, err := y.find(ctx, net, nil)
	if err != nil {
		return nil, err
	}
	loss := 0.0
	for _, f := range list {
		loss += f.Nats / float64(len(list))
	}
	return y.validation(loss, figures, valAnswerF1, scored)
}

// Score gives exact match and F1, with intervals over contexts, beside baselines on the same questions.
func (questions) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	bar := y.watch("answering questions", "documents")
	list, x, mine, scored, err := y.find(ctx, net, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	var out []metric.Evaluation
	for i := range mine {
		out = append(out, mine[i].Evaluation(y.Split.Name+" questions", scored))
	}
	err = compare(out, mine, beside, func(name string) ([]metric.Figure, error) {
		switch {
		case name == slidingWindow.Name:
			answers, err := y.slidingWindow(ctx, x)
			if err != nil {
				return nil, err
			}
			return x.figures(answers)
		case name == randomInit.Name && random != nil:
			others, _, err := FindAnswers(ctx, random, y.Config, y.Limit, nil)
			if err != nil {
				return nil, err
			}
			if len(others) != len(list) {
				return nil, fmt.Errorf("eval: the model of %s scores %d questions, not %d", name, len(others), len(list))
			}
			return x.figures(x.answers(others))
		}
		return nil, nil
	})
	return out, nil, err
}

// slidingWindow answers the questions by the baseline, fitted to the training split.
func (y *Yardstick) slidingWindow(ctx context.Context, x *exam) ([]string, error) {
	list, err := y.examples(ctx, y.Corpus.Train)
	if err != nil {
		return nil, err
	}
	var train []Question
	for _, e := range list {
		train = append(train, Question{e.Text, e.Pair, e.Answers})
	}
	m, err := FitSlidingWindow(train, fittedQuestions, x.script)
	if err != nil {
		return nil, err
	}
	y.Say(fmt.Sprintf("%s: answers of %d words, chosen on training", slidingWindow.Name, m.words))
	out := make([]string, len(x.list))
	for i, e := range x.list {
		first, last := m.Predict(e.Text, e.Pair)
		out[i] = e.Pair[first:last]
	}
	return out, nil
}

// fittedQuestions are enough to choose the form of the baseline.
const fittedQuestions = 200
