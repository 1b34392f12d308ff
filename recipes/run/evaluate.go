package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/eval"
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// evaluated is evaluation.json of an evaluate stage, a sealed file: its results for the report,
// and the models and data that they are of. When one of these changes it is evaluated again.
type evaluated struct {
	Models          map[string]string   `json:"models"` // hashes of the evaluated models, by stage
	Data            string              `json:"data"`   // hash of the corpus and the tokenizer
	Split           string              `json:"split"`
	Baselines       []string            `json:"baselines"`
	WallSeconds     float64             `json:"wall_seconds"`
	Evaluations     []metric.Evaluation `json:"evaluations"`
	Classifications []metric.ByLabel    `json:"classifications,omitempty"`
}

const evaluationFile = "evaluation.json"

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
		now.Models[name] = c.Manifest.Weights()
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
	c := w.corpora[s.Corpus]
	split := c.Validation
	if s.Split == "test" {
		split = c.Test
	}
	if t := s.TaskOf(); t != nil {
		of := *trained // which reads its own task
		of.SetTask(t)
		trained = &of
	}
	dir, err := w.model(ctx, name)
	if err != nil {
		return err
	}
	m, err := pretrained.Open(w.dev, dir, encoderLength(trained, w.r.Model))
	if err != nil {
		return err
	}
	y := w.yardstick(c, split, s.EvalDocuments, evalConfig(w.r, trained, c, split, w.tok))
	if y.Settings, err = generate.SettingsOf(m.Checkpoint); err != nil {
		return err
	}
	if y.Decision, err = decisionOf(m); err != nil {
		return err
	}
	if t := trained.TaskOf(); t != nil {
		stage, err := w.r.Stage(name)
		if err != nil {
			return err
		}
		err = w.seen(stage, func(of *task.Task, train *corpus.Split, what string) error {
			return overlap(ctx, t, split, of, train, what)
		})
		if err == nil {
			err = truncated(ctx, t, split, y.Config)
		}
		if err != nil {
			return recipes.Input(err)
		}
	}
	if y.Sentence, err = pretrained.ReadSentence(m.Checkpoint); err != nil {
		return err
	}
	var random *model.Network
	if data.TaskOf(y.Config.Objective) != nil {
		if len(y.Config.Labels) > 0 {
			if y.Labels, err = c.MatchLabels(m.Config.Labels()); err != nil {
				return recipes.Input(err)
			}
			y.Config.Labels = y.Labels
		}
		if s.RandomInit != "" {
			dir, err := w.model(ctx, s.RandomInit)
			if err != nil {
				return err
			}
			r, err := pretrained.Open(w.dev, dir, 0)
			if err != nil {
				return err
			}
			random = r.Net
		}
	}
	figures, tables, err := score(ctx, y, name, m.Net, random, s.Baselines)
	if err != nil {
		return err
	}
	out.Evaluations, out.Classifications = append(out.Evaluations, figures...), append(out.Classifications, tables...)
	if m.Head != model.LanguageModel || y.Config.Objective.Hides() {
		return nil
	}
	return w.samples(ctx, s, name, m)
}

func (w *runner) yardstick(c *corpus.Corpus, split *corpus.Split, limit int, read data.Config) *eval.Yardstick {
	return &eval.Yardstick{
		Corpus: c, Split: split, Tokenizer: eval.Ordinary(w.tok), Config: read, Limit: limit, Say: w.log, Watch: watched(w.o.Console),
	}
}

// watched shows the progress of an evaluation on a console.
func watched(c recipes.Console) func(title, unit string) (progress func(done, total int64), end func()) {
	return func(title, unit string) (func(done, total int64), func()) {
		bar := c.Bar(title, unit)
		return recipes.Progress(bar), bar.Close
	}
}

// score gives the results of a model, under the name of its stage.
func score(ctx context.Context, y *eval.Yardstick, stage string, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	figures, tables, err := y.Score(ctx, net, random, beside)
	var lossy *eval.LossyError
	var other *corpus.LabelsError
	var unsuited *eval.MetricError
	if errors.As(err, &lossy) || errors.As(err, &other) || errors.As(err, &unsuited) {
		err = recipes.Input(err)
	}
	for i := range figures {
		figures[i].Stage = stage
	}
	for i := range tables {
		tables[i].Stage = stage
	}
	return figures, tables, err
}

// samples has the language model write texts into samples.jsonl.
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
		o := generate.Options{MaxTokens: 80, Slide: true, Sampler: generate.Sampler{Temperature: 0.8, TopP: 0.95, Seed: uint64(w.r.Seed + i)}}
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
