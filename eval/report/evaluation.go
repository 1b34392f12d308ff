package report

import (
	"encoding/json"
	"fmt"

	"hone/eval/metric"
)

// An Evaluation is one figure of one model on one task, and what it stands beside.
type Evaluation struct {
	Stage  string // the evaluated model's
	Task   string
	Metric string // accuracy, macro_f1, bits_per_byte, …
	metric.Estimate
	LowerIsBetter bool // as of losses and bits per byte
	Baselines     []Baseline
	Items         *Items  // nil: not kept, as in report.json
	Scored        *Scored // nil: not known
}

// Items are an evaluation document by document: the figure is the sum of Sums for each of
// all Sizes, in bits where the metric is. Two models that have the same documents in them
// can be compared in pairs.
type Items struct {
	Records []int64   `json:"records"` // numbers of the documents in their split
	Sums    []float64 `json:"sums"`    // nats, or right answers
	Sizes   []int     `json:"sizes"`   // bytes, characters, tokens, answers
}

// right tells of documents of one answer each which are.
func (t *Items) right() []bool {
	list := make([]bool, len(t.Sums))
	for i, s := range t.Sums {
		list[i] = s == 1
	}
	return list
}

// A Baseline is the same figure on the same items without the model.
type Baseline struct {
	Name string // majority, naive_bayes, random_init, zstd_primed, kneser_ney_5, …
	// Estimate's interval is NaN, NaN where the baseline has none.
	metric.Estimate
	// Diff is the model's figure less the baseline's with the paired interval.
	// N = 0: not measured; then the two intervals must not overlap, which asks
	// for more, and a baseline without an interval counts as exact.
	Diff metric.Estimate
}

// The outcome of a comparison.
type Outcome int

const (
	Undecided Outcome = iota // the interval includes no difference
	Beats                    // better beyond the 95 % interval
	Loses                    // worse beyond the 95 % interval
	Unknown                  // a figure is missing
)

// Outcome compares the evaluated model with baseline b.
func (e *Evaluation) Outcome(b *Baseline) Outcome {
	d := b.difference(e)
	if !(d.Lo <= d.Hi) || !Number(b.Value).Known() { // NaN too
		return Unknown
	}
	if e.LowerIsBetter {
		d.Lo, d.Hi = -d.Hi, -d.Lo
	}
	switch {
	case d.Lo > 0:
		return Beats
	case d.Hi < 0:
		return Loses
	}
	return Undecided
}

func (b *Baseline) difference(e *Evaluation) metric.Estimate {
	if b.Diff.N > 0 {
		return b.Diff
	}
	d := metric.Estimate{Value: e.Value - b.Value, Lo: e.Lo - b.Value, Hi: e.Hi - b.Value}
	if b.Lo <= b.Value && b.Value <= b.Hi {
		d.Lo, d.Hi = e.Lo-b.Hi, e.Hi-b.Lo
	}
	return d
}

// A Verdict says in plain words whether a model beats a baseline.
type Verdict struct {
	Outcome Outcome
	Text    string // the fine-tuned model beats majority (accuracy 0.712 [0.690, 0.733] against 0.224)
}

// Verdicts compares each evaluated figure with each of its baselines, in order.
func (r *Run) Verdicts() []Verdict {
	var out []Verdict
	for i := range r.Evaluations {
		e := &r.Evaluations[i]
		for j := range e.Baselines {
			out = append(out, r.verdict(e, &e.Baselines[j]))
		}
	}
	return out
}

func (r *Run) verdict(e *Evaluation, b *Baseline) Verdict {
	o := e.Outcome(b)
	figures := fmt.Sprintf("%s %s against ", metricName(e.Metric), withInterval(e.Estimate))
	if b.Diff.N > 0 {
		figures += minus(figure(b.Value)) + "; difference " + signed(b.Diff.Value) + " " + interval(b.Diff)
	} else {
		figures += withInterval(b.Estimate)
	}
	model := r.modelName(e.Stage)
	var text string
	switch o {
	case Beats:
		text = fmt.Sprintf("%s beats %s (%s)", model, b.Name, figures)
	case Loses:
		text = fmt.Sprintf("%s does not beat %s: it is worse (%s)", model, b.Name, figures)
	case Undecided:
		text = fmt.Sprintf("%s does not beat %s beyond the 95 %% interval (%s)", model, b.Name, figures)
	case Unknown:
		text = fmt.Sprintf("%s cannot be compared with %s: a figure is missing (%s)", model, b.Name, figures)
	}
	return Verdict{o, text}
}

// modelName is how people call the model of a stage, as long as only one
// evaluated stage is of its kind.
func (r *Run) modelName(stage string) string {
	kinds := map[string]string{}
	for _, s := range r.Stages {
		kinds[s.Name] = s.Kind
	}
	word := map[string]string{"pretrain": "the pretrained model", "finetune": "the fine-tuned model"}[kinds[stage]]
	if word == "" {
		return "the model of " + stage
	}
	for _, e := range r.Evaluations {
		if e.Stage != stage && kinds[e.Stage] == kinds[stage] {
			return word + " of " + stage
		}
	}
	return word
}

// evaluation and comparison are how report.json has them: baselines by name for
// a program that wants the figure, comparisons for one that wants to know more.
type evaluation struct {
	Stage       string            `json:"stage"`
	Task        string            `json:"task"`
	Metric      string            `json:"metric"`
	Value       Number            `json:"value"`
	CI95        [2]Number         `json:"ci95"`
	N           int               `json:"n"`
	Better      string            `json:"better"` // higher, lower
	Scored      *Scored           `json:"scored,omitempty"`
	Baselines   map[string]Number `json:"baselines"`
	Comparisons []comparison      `json:"comparisons,omitempty"`
	Items       *Items            `json:"items,omitempty"`
}

type comparison struct {
	Baseline string     `json:"baseline"`
	Value    Number     `json:"value"`
	CI95     [2]Number  `json:"ci95"`
	N        int        `json:"n"`
	Diff     *Number    `json:"difference,omitempty"` // paired; absent: not measured
	DiffCI95 *[2]Number `json:"difference_ci95,omitempty"`
	DiffN    int        `json:"difference_n,omitempty"`
	Outcome  string     `json:"outcome"`
}

var outcomes = [...]string{Undecided: "undecided", Beats: "beats", Loses: "loses", Unknown: "unknown"}

func limits(e metric.Estimate) [2]Number { return [2]Number{Number(e.Lo), Number(e.Hi)} }

func (e Evaluation) MarshalJSON() ([]byte, error) {
	out := evaluation{Stage: e.Stage, Task: e.Task, Metric: e.Metric,
		Value: Number(e.Value), CI95: limits(e.Estimate), N: e.N, Better: "higher", Scored: e.Scored, Baselines: map[string]Number{}, Items: e.Items}
	if e.LowerIsBetter {
		out.Better = "lower"
	}
	for i := range e.Baselines {
		b := &e.Baselines[i]
		out.Baselines[b.Name] = Number(b.Value)
		c := comparison{Baseline: b.Name, Value: Number(b.Value), CI95: limits(b.Estimate), N: b.N, Outcome: outcomes[e.Outcome(b)]}
		if b.Diff.N > 0 {
			c.Diff, c.DiffCI95, c.DiffN = new(Number(b.Diff.Value)), new(limits(b.Diff)), b.Diff.N
		}
		out.Comparisons = append(out.Comparisons, c)
	}
	return json.Marshal(out)
}

func (e *Evaluation) UnmarshalJSON(text []byte) error {
	var in evaluation
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*e = Evaluation{Stage: in.Stage, Task: in.Task, Metric: in.Metric,
		Estimate:      metric.Estimate{Value: float64(in.Value), Lo: float64(in.CI95[0]), Hi: float64(in.CI95[1]), N: in.N},
		LowerIsBetter: in.Better == "lower", Items: in.Items, Scored: in.Scored}
	for _, c := range in.Comparisons {
		b := Baseline{Name: c.Baseline, Estimate: metric.Estimate{Value: float64(c.Value), Lo: float64(c.CI95[0]), Hi: float64(c.CI95[1]), N: c.N}}
		if c.Diff != nil && c.DiffCI95 != nil {
			b.Diff = metric.Estimate{Value: float64(*c.Diff), Lo: float64(c.DiffCI95[0]), Hi: float64(c.DiffCI95[1]), N: c.DiffN}
		}
		e.Baselines = append(e.Baselines, b)
	}
	return nil
}
