package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer/exec/cpu"
)

func startClock() (seconds func() float64) {
	began := time.Now()
	return func() float64 { return time.Since(began).Seconds() }
}

// peak is the measured peak of the machine, FLOP/s, for products in bf16 or in fp32. It is
// measured once a run, and again when a training was faster, since the clock rate can rise.
func (w *runner) peak(bf16 bool, flops float64) float64 {
	if flops >= w.limits[bf16] {
		rate := w.dev.PeakFLOPS
		if bf16 {
			rate = w.dev.PeakBF16
		}
		w.limits[bf16] = max(w.limits[bf16], 1e9*rate(w.dev.Threads()))
	}
	return w.limits[bf16]
}

// mfu is the share of that peak that a training reaches; Missing where it is above 1, which can
// only be an error of the measurement.
func (w *runner) mfu(bf16 bool, flops float64) metric.Number {
	share := flops / w.peak(bf16, flops)
	if share > 1 {
		return metric.Missing
	}
	return metric.Number(share)
}

// summary is what the report says of a training stage.
func (w *runner) summary(s *recipes.Stage, won *trial) (report.Stage, error) {
	best := won.best
	out := report.Stage{
		Name: s.Name, Kind: s.Kind, Steps: won.row.Steps, BestStep: won.row.BestStep, Stopped: won.row.Stopped, LearningRate: won.row.LearningRate, TrainLoss: metric.Missing, ValLoss: metric.Missing, BitsPerByte: metric.Missing,
		TokensPerSecond: metric.Missing, WallSeconds: metric.Missing, Task: taskOf(s, w.r),
	}
	rel, err := filepath.Rel(w.o.Dir, checkpoint.FinalDir(w.stageDir(s.Name)))
	if err != nil {
		return out, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	out.Checkpoint = filepath.ToSlash(rel)
	m, err := readMetrics(w.o.Dir)
	if err != nil {
		return out, err
	}
	curve := won.row.Curve
	var tokens int64
	var seconds float64
	for _, name := range m.Stages {
		if name != s.Name && !strings.HasPrefix(name, s.Name+"/") {
			continue
		}
		if last, ok := lastStep(m, name); ok {
			tokens += last.Tokens
			seconds += float64(last.Seconds)
			if name == curve {
				out.TrainLoss = last.Loss
			}
		}
	}
	out.Tokens, out.WallSeconds = tokens, metric.Number(seconds)
	out.TokensPerSecond = metric.Number(float64(tokens) / seconds)
	for _, v := range m.Validation { // the manifest of a classifier has no loss
		if v.Stage == curve && v.Step == best.Manifest.Step {
			out.ValLoss, out.Validated = v.Loss, v.Scored
		}
	}
	for name, v := range best.Manifest.Metrics {
		switch name {
		case "val_loss":
			out.ValLoss = metric.Number(v)
		case "val_bits_per_byte":
			out.BitsPerByte = metric.Number(v)
		case "val_accuracy":
			out.ValAccuracy = new(metric.Number(v))
		}
	}
	out.TaskFile = taskFile(s, out.BitsPerByte.Known())
	out.Parameters = int64(w.params[s.Name])
	text, err := best.File(checkpoint.ConfigFile)
	if err != nil {
		return out, err
	}
	var config struct{ Architectures []string }
	if err := json.Unmarshal(text, &config); err != nil {
		return out, fmt.Errorf("stage %s: %s: %w", s.Name, checkpoint.ConfigFile, err)
	}
	out.Architecture = strings.Join(config.Architectures, ", ")
	return out, nil
}

// taskOf is the built-in task, on the corpus of a stage, that its model can be evaluated on;
// "": there is none.
func taskOf(s *recipes.Stage, r *recipes.Recipe) string {
	for _, name := range recipes.Tasks() {
		t, err := recipes.LoadTask(name)
		if err == nil && t.Spec.From == r.Corpus[s.Corpus].Source && does(t.Kind, s.Learns()) {
			return name
		}
	}
	return ""
}

// taskFile is the file of a task by which the model of a stage is scored on other texts; "": there is more to
// it than texts and labels.
func taskFile(s *recipes.Stage, bitsPerByte bool) string {
	kind, columns := task.WholeTexts.Kind, "text"
	if t := data.TaskOf(s.Learns()); t != nil {
		kind, columns = t.Kind, "text and label"
	} else if !bitsPerByte {
		return ""
	}
	if !kind.Bare() {
		return ""
	}
	return fmt.Sprintf("kind = %q\nsource = \"texts.jsonl\"  # with columns %s\nsplit = \"train\"  # the split of a file whose name says none", kind.Name, columns)
}

// does reports whether a model trained by an objective can do a kind of task: it was trained for
// that kind, or gives texts a probability.
func does(kind *task.Kind, o data.Objective) bool {
	if kind.Labelled() {
		t := data.TaskOf(o)
		return t != nil && t.Kind == kind
	}
	return o.Validating(new(data.Config))
}

// curve is the name of a training in metrics.jsonl: the stage's or, where it tries several
// learning rates, STAGE/lr-RATE.
func (w *runner) curve(dir string) string {
	rel, err := filepath.Rel(w.o.Dir, dir)
	if err != nil {
		return filepath.Base(dir)
	}
	return filepath.ToSlash(rel)
}

func readMetrics(dir string) (*report.Metrics, error) {
	f, err := os.Open(filepath.Join(dir, report.MetricsFile))
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	defer f.Close()
	m, err := report.ReadMetrics(f)
	if err != nil {
		return nil, fmt.Errorf("run: %s: %w", f.Name(), err)
	}
	return m, nil
}

func lastStep(m *report.Metrics, stage string) (report.Step, bool) {
	for _, s := range slices.Backward(m.Steps) {
		if s.Stage == stage {
			return s, true
		}
	}
	return report.Step{}, false
}

// report gathers the results of the stages before w.at, and writes report.json and report.html.
// While stages are still to come, these are the results so far.
func (w *runner) report() (*report.Run, error) {
	kind, kernels := kindOf(w.dev)
	run := &report.Run{
		Recipe: w.r.Name, Description: w.r.Description, Command: w.o.Command, Date: time.Now().UTC().Format(time.DateOnly),
		Unfinished: w.at < len(w.r.Stages), Seed: uint64(w.r.Seed), Version: recipes.Version(),
		Model: shape(w.r, w.tok.Size()), RecipeText: w.text, RecipeSet: w.r.SetKeys(w.text),
		Machine: report.Machine{
			Description: machine(), Device: kind, Kernels: kernels, Threads: w.dev.Threads(),
			PeakMemory: cpu.PeakMemory(), PeakFLOPs: metric.Number(w.peak(false, 0)),
		},
	}
	if before, _, _, err := report.Read(w.o.Dir); err == nil {
		run.Date = before.Date
	}
	for i := range w.r.Stages[:w.at] {
		s := &w.r.Stages[i]
		if !s.Trains() {
			e, err := readEvaluated(filepath.Join(w.stageDir(s.Name), evaluationFile))
			if err != nil {
				return nil, fmt.Errorf("stage %s: %w", s.Name, err)
			}
			for _, figure := range e.Evaluations {
				figure.Items = nil // evaluation.json keeps them
				run.Evaluations = append(run.Evaluations, figure)
			}
			run.Classifications = append(run.Classifications, e.Classifications...)
			run.Stages = append(run.Stages, report.Stage{
				Name: s.Name, Kind: s.Kind, WallSeconds: metric.Number(e.WallSeconds), TokensPerSecond: metric.Missing,
				TrainLoss: metric.Missing, ValLoss: metric.Missing, BitsPerByte: metric.Missing,
			})
			continue
		}
		d, err := readStage(w.stageDir(s.Name))
		if err != nil {
			return nil, err
		}
		if d == nil || d.Steps == 0 {
			return nil, fmt.Errorf("stage %s is not done", s.Name)
		}
		run.Stages = append(run.Stages, d.Stage)
	}
	if err := w.races(run); err != nil {
		return nil, err
	}
	run.Provenance = w.learned()
	for _, name := range slices.Sorted(maps.Keys(w.corpora)) {
		run.Data = append(run.Data, describeData(name, w.corpora[name]))
	}
	return run, writeReport(w.o.Dir, run)
}

// shape describes the model of a recipe in a few figures.
func shape(r *recipes.Recipe, vocabulary int) report.Model {
	first := func(keys ...string) int {
		for _, k := range keys {
			if n, ok := r.ModelKeys[k].(int); ok {
				return n
			}
		}
		return 0
	}
	return report.Model{
		Type: r.Model.ModelType, Vocabulary: vocabulary, Length: r.Model.MaxLength(),
		Layers: first("n_layer", "n_layers", "num_layers", "num_hidden_layers"), Width: first("n_embd", "dim", "d_model", "hidden_size"),
	}
}

// races compares stages with those that they are set against.
func (w *runner) races(run *report.Run) error {
	var m *report.Metrics
	for i := range run.Stages {
		s := &w.r.Stages[i]
		if s.Against == "" {
			continue
		}
		if m == nil {
			var err error
			if m, err = readMetrics(w.o.Dir); err != nil {
				return err
			}
		}
		goal := slices.IndexFunc(run.Stages, func(r report.Stage) bool { return r.Name == s.Against })
		run.Stages[i].Race = report.NewRace(m, &run.Stages[goal], &run.Stages[i])
	}
	return nil
}

// describeData is what the report says of a corpus.
func describeData(name string, c *corpus.Corpus) report.Data {
	d := report.Data{Corpus: name}
	if k := c.Skipped(); k != nil {
		d.Skipped, d.Unread = k.Count, k.First
	}
	m := c.Manifest
	if m == nil {
		for _, s := range c.Splits() {
			d.Splits = append(d.Splits, report.Split{Name: s.Name, Documents: s.Rows(), Overlap: metric.Missing})
		}
		return d
	}
	for _, s := range m.Splits {
		split := report.Split{Name: s.Name, Documents: s.Rows, Bytes: s.TextBytes, Labelled: s.Labelled, Overlap: metric.Missing}
		for _, o := range m.Overlap {
			if o.Split == s.Name {
				split.Overlap, d.NGram = metric.Number(o.Share), o.NGram
			}
		}
		d.Splits = append(d.Splits, split)
	}
	for _, l := range m.Labels {
		d.Labels = append(d.Labels, report.Count{Name: l.Name, N: l.Train + l.Validation + l.Test})
	}
	for _, reason := range slices.Sorted(maps.Keys(m.Drops)) {
		d.Drops = append(d.Drops, report.Count{Name: reason, N: m.Drops[reason]})
	}
	if m.Duplicates != nil && m.Duplicates.Exact+m.Duplicates.Near > 0 {
		d.Drops = append(d.Drops, report.Count{Name: "exact duplicate", N: int64(m.Duplicates.Exact)},
			report.Count{Name: "near duplicate", N: int64(m.Duplicates.Near)})
	}
	return d
}

// writeReport writes report.json and report.html.
func writeReport(dir string, run *report.Run) error {
	var b bytes.Buffer
	if err := report.WriteJSON(&b, run); err != nil {
		return err
	}
	if err := file.WriteBytes(filepath.Join(dir, report.RunFile), b.Bytes()); err != nil {
		return err
	}
	return writeHTML(dir)
}

// writeHTML writes report.html from the files of the directory. It does not touch report.json,
// which a run that goes on writes.
func writeHTML(dir string) error {
	run, metrics, samples, err := report.Read(dir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := report.WriteHTML(&b, dir, run, metrics, samples); err != nil {
		return err
	}
	return file.WriteBytes(filepath.Join(dir, report.HTMLFile), b.Bytes())
}

// Report reads the report of a run, finished or not, and writes its report.html again. An error
// is recipes.ErrInput.
func Report(dir string) (*report.Run, error) {
	run, _, _, err := report.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = noReport(dir)
	}
	if err != nil {
		return nil, recipes.Input(err)
	}
	return run, recipes.Input(writeHTML(dir))
}

func noReport(dir string) error {
	if Stages(dir) != nil {
		return fmt.Errorf("%s has nothing to report yet: no stage has begun", dir)
	}
	return fmt.Errorf("%s is not the directory of a run: it has no report", dir)
}

// Compare compares the results of runs in their directories. An error is recipes.ErrInput.
func Compare(dirs []string) (*report.Comparison, error) {
	var runs []*report.Run
	var logs []*report.Metrics
	for _, dir := range dirs {
		run, log, _, err := report.Read(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = noReport(dir)
		}
		if err != nil {
			return nil, recipes.Input(err)
		}
		for _, s := range run.Stages {
			if s.Steps > 0 { // it trained a model
				continue
			}
			// Without its documents a figure is compared by its interval.
			done, err := readEvaluated(filepath.Join(dir, s.Name, evaluationFile))
			if err != nil {
				continue
			}
			for i := range run.Evaluations {
				e := &run.Evaluations[i]
				for _, d := range done.Evaluations {
					if d.Stage == e.Stage && d.Task == e.Task && d.Metric == e.Metric && d.Value == e.Value {
						e.Items = d.Items
					}
				}
			}
		}
		runs, logs = append(runs, run), append(logs, log)
	}
	c := report.Compare(runs, dirs)
	c.Logs = logs
	return c, nil
}
