// Package report writes the report of a run: tables for the terminal, JSON for other
// programs, and an HTML page.
//
// A [Run] is the content of report.json. Together with metrics.jsonl and samples.jsonl it is
// enough to write every form of the report again, without the run's models or data.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint/provenance"
	"hone/eval/metric"
)

// The files of a run directory that a report is made from, and its page.
const (
	RunFile     = "report.json"
	HTMLFile    = "report.html"
	MetricsFile = "metrics.jsonl"
	SamplesFile = "samples.jsonl"
)

// A Run is report.json: what a run did, and its results. It contains no time of day, and no
// path outside the run directory except those in its command.
type Run struct {
	Recipe      string              `json:"recipe"` // name
	Description string              `json:"description,omitempty"`
	Command     string              `json:"command,omitempty"` // the last one, quoted for a shell
	Date        string              `json:"date,omitempty"`    // of the start, UTC: 2026-11-30
	Unfinished  bool                `json:"unfinished,omitempty"`
	Seed        uint64              `json:"seed"`
	Version     string              `json:"version"` // of hone
	Machine     Machine             `json:"machine"`
	Model       Model               `json:"model,omitzero"`
	Stages      []Stage             `json:"stages"`
	Evaluations []metric.Evaluation `json:"evaluations"`
	Provenance  []Corpus            `json:"provenance"`

	Classifications []metric.ByLabel `json:"classifications,omitempty"`
	Data            []Data           `json:"data,omitempty"`
	RecipeText      string           `json:"recipe_text,omitempty"` // resolved, as TOML
	RecipeSet       string           `json:"recipe_set,omitempty"`  // the keys that the user set, without those at their defaults
}

// A Model has the main sizes of the model that the stages train. The Parameters of a stage
// include its head.
type Model struct {
	Type       string `json:"model_type"`
	Layers     int    `json:"layers"` // of an encoder and a decoder: of the one
	Width      int    `json:"width"`  // of a token's vector
	Vocabulary int    `json:"vocabulary"`
	Length     int    `json:"length"` // of a row, in tokens; 0: any
}

// A Machine is the machine and the kernel set of a run; the bits of its results depend on both.
type Machine struct {
	Description string        `json:"description"`           // processor, cores, system, Go
	Device      string        `json:"device"`                // kind: cpu, cuda
	Kernels     string        `json:"kernels"`               // set: generic, avx2, avx512
	Threads     int           `json:"threads"`               // workers
	PeakMemory  int64         `json:"peak_memory,omitempty"` // bytes, of the process; 0: not known
	PeakFLOPs   metric.Number `json:"peak_flops"`            // floating-point operations a second, the limit that mfu is a share of
}

// A Stage is one [[stage]] of the recipe, as it went.
type Stage struct {
	Name            string         `json:"name"`
	Kind            string         `json:"kind"` // pretrain, finetune, evaluate, export
	Steps           int            `json:"steps"`
	Tokens          int64          `json:"tokens"`
	TokensPerSecond metric.Number  `json:"tokens_per_second"`
	WallSeconds     metric.Number  `json:"wall_seconds"` // over all processes that worked on it
	TrainLoss       metric.Number  `json:"train_loss"`   // nats for each target
	ValLoss         metric.Number  `json:"val_loss"`
	BitsPerByte     metric.Number  `json:"bits_per_byte"`           // of the validation split
	ValAccuracy     *metric.Number `json:"val_accuracy,omitempty"`  // of a classifier; nil: of a language model
	Validated       *metric.Scored `json:"validated,omitempty"`     // what the figures on validation are of
	LearningRate    float64        `json:"learning_rate,omitempty"` // the one that was chosen, where several were tried
	Checkpoint      string         `json:"checkpoint"`              // relative to the run directory
	Architecture    string         `json:"architecture,omitempty"`  // the checkpoint's class in transformers
	Task            string         `json:"task,omitempty"`          // built in, and of the stage's corpus: hone eval scores the checkpoint on it
	TaskFile        string         `json:"task_file,omitempty"`     // of a task by which hone eval scores it on other texts
	Parameters      int64          `json:"parameters,omitempty"`
	BestStep        int            `json:"best_step,omitempty"` // of the checkpoint
	Stopped         string         `json:"stopped,omitempty"`   // why training ended before the last step asked for; "": it did not
	Trials          []Trial        `json:"trials,omitempty"`    // where there were several
	Race            *Race          `json:"race,omitempty"`      // against an earlier stage
}

// A Trial is one training of a stage that chose among several, of learning rates and of seeds, by a figure on the
// validation split.
type Trial struct {
	LearningRate float64       `json:"learning_rate"`
	Seed         uint64        `json:"seed"`
	Curve        string        `json:"curve"` // its Stage in metrics.jsonl
	Metric       string        `json:"metric"`
	Value        metric.Number `json:"value"`
	Chosen       bool          `json:"chosen"`
	Steps        int           `json:"steps,omitempty"`     // that it was trained
	BestStep     int           `json:"best_step,omitempty"` // of its best checkpoint
	Stopped      string        `json:"stopped,omitempty"`   // why it ended early; "": it did not
}

// A Corpus is data that a run has learned from.
type Corpus struct {
	provenance.Corpus
	// Steps are those that learned from it.
	Steps []Steps `json:"steps,omitempty"`
}

// corpus is a Corpus without its methods, and the number of its documents by the name that
// report.json had for it first, which other programs read.
type corpus struct {
	provenance.Corpus
	Rows  int64   `json:"rows,omitempty"`
	Steps []Steps `json:"steps,omitempty"`
}

// MarshalJSON writes documents as rows too.
func (c Corpus) MarshalJSON() ([]byte, error) {
	return json.Marshal(corpus{c.Corpus, c.Documents, c.Steps})
}

// UnmarshalJSON reads reports that say rows alone.
func (c *Corpus) UnmarshalJSON(text []byte) error {
	var in corpus
	err := json.Unmarshal(text, &in)
	*c = Corpus{in.Corpus, in.Steps}
	c.Documents = cmp.Or(c.Documents, in.Rows)
	return err
}

// Steps are some of a stage's, First to Last.
type Steps struct {
	Stage string `json:"stage"`
	First int    `json:"first"`
	Last  int    `json:"last"`
	// Share is of the stage's mixture; 0: it has none.
	Share metric.Number `json:"share,omitempty"`
}

// Data is what a corpus consists of, and what was left out of it.
type Data struct {
	Corpus  string   `json:"corpus"`
	Splits  []Split  `json:"splits"`
	Drops   []Count  `json:"drops,omitempty"`   // documents left out, by reason: "exact duplicate", …
	Skipped int64    `json:"skipped,omitempty"` // records that could not be read
	Unread  []string `json:"unread,omitempty"`  // what was wrong with the first of them
	Labels  []Count  `json:"labels,omitempty"`  // documents of each label, all splits together
	NGram   int      `json:"ngram,omitempty"`   // words of the n-grams in Split.Overlap
}

// A Split is a side of a corpus.
type Split struct {
	Name      string `json:"name"` // train, validation, test
	Documents int64  `json:"documents"`
	Bytes     int64  `json:"bytes"` // of text
	Labelled  int64  `json:"labelled,omitempty"`
	// Overlap is the share of the split's distinct word n-grams that the
	// training text has too; Missing for the training split.
	Overlap metric.Number `json:"overlap"`
}

// A Count is a number of documents under a name.
type Count struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// WriteJSON writes report.json: the run, and its verdicts in words.
func WriteJSON(w io.Writer, run *Run) error {
	type plain Run
	out := struct {
		plain
		Verdicts []string `json:"verdicts"`
	}{plain(*run), []string{}}
	for _, v := range run.Verdicts() {
		out.Verdicts = append(out.Verdicts, v.Text)
	}
	// A reader need not tell "none" from "not there".
	if out.Stages == nil {
		out.Stages = []Stage{}
	}
	if out.Evaluations == nil {
		out.Evaluations = []metric.Evaluation{}
	}
	if out.Provenance == nil {
		out.Provenance = []Corpus{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Read reads what a run directory holds for a report. Without report.json the
// error is fs.ErrNotExist; a missing log or no samples are none.
func Read(dir string) (*Run, *Metrics, []Sample, error) {
	text, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("report: %w", err)
	}
	run := new(Run)
	if err := json.Unmarshal(text, run); err != nil {
		return nil, nil, nil, fmt.Errorf("report: %s: %w", filepath.Join(dir, RunFile), err)
	}
	metrics, err := readFile(filepath.Join(dir, MetricsFile), ReadMetrics)
	if err != nil {
		return nil, nil, nil, err
	}
	if metrics == nil {
		metrics = new(Metrics)
	}
	if run.Unfinished {
		run.addStageInProgress(metrics)
	}
	samples, err := readFile(filepath.Join(dir, SamplesFile), ReadSamples)
	if err != nil {
		return nil, nil, nil, err
	}
	return run, metrics, samples, nil
}

// addStageInProgress adds the stage that the log has and report.json has not yet: as far as
// it has come, at the learning rate that is being tried.
func (r *Run) addStageInProgress(m *Metrics) {
	if len(m.Stages) == 0 {
		return
	}
	curve := m.Stages[len(m.Stages)-1]
	name, _, _ := strings.Cut(curve, "/")
	if slices.ContainsFunc(r.Stages, func(s Stage) bool { return s.Name == name }) {
		return
	}
	s := Stage{Name: name, Kind: "in progress", TrainLoss: metric.Missing, ValLoss: metric.Missing, BitsPerByte: metric.Missing, TokensPerSecond: metric.Missing, WallSeconds: metric.Missing}
	for _, l := range m.Steps {
		if l.Stage == curve {
			s.Steps, s.Tokens, s.TokensPerSecond, s.WallSeconds, s.TrainLoss = l.Step, l.Tokens, l.TokensPerSecond, l.Seconds, l.Loss
		}
	}
	for _, v := range m.Validation {
		if v.Stage == curve {
			s.ValLoss, s.BitsPerByte = v.Loss, v.BitsPerByte
			if v.Accuracy.Known() {
				s.ValAccuracy = new(v.Accuracy)
			}
		}
	}
	r.Stages = append(r.Stages, s)
}

func readFile[T any](path string, read func(io.Reader) (T, error)) (none T, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	v, err := read(f)
	if err != nil {
		return none, fmt.Errorf("report: %s: %w", path, err)
	}
	return v, nil
}
