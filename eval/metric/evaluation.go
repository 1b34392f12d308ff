package metric

import "encoding/json"

// An Evaluation is one figure of one model on one task, and what it stands beside.
type Evaluation struct {
	Stage  string // the evaluated model's
	Task   string
	Metric string // accuracy, macro_f1, bits_per_byte, …
	Estimate
	Definition string // what exactly Metric is, of a [Figure]
	Baselines  []Baseline
	Items      *Items  // nil: not kept, as in report.json
	Scored     *Scored // nil: not known
}

// Items are an evaluation document by document: the figure is the sum of Sums for each of
// all Sizes, in bits where the metric is. Two models that have the same documents in them
// can be compared in pairs.
type Items struct {
	Records []int64   `json:"records"` // numbers of the documents in their split
	Sums    []float64 `json:"sums"`    // nats, or right answers
	Sizes   []int     `json:"sizes"`   // bytes, characters, tokens, answers
}

// Right tells of documents of one answer each which are.
func (t *Items) Right() []bool {
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
	Estimate
	// Diff is the model's figure less the baseline's with the paired interval.
	// N = 0: not measured; then the two intervals must not overlap, which asks
	// for more, and a baseline without an interval counts as exact.
	Diff Estimate
}

// The outcome of a comparison.
type Outcome int

const (
	Undecided Outcome = iota // the interval includes no difference
	Better                   // better beyond the 95 % interval
	Worse                    // worse beyond the 95 % interval
	Unknown                  // a figure is missing
)

// Outcome compares the evaluated model with baseline b.
func (e *Evaluation) Outcome(b *Baseline) Outcome {
	d := b.difference(e)
	if !(d.Lo <= d.Hi) || !Number(b.Value).Known() { // NaN too
		return Unknown
	}
	if LowerIsBetter(e.Metric) {
		d.Lo, d.Hi = -d.Hi, -d.Lo
	}
	switch {
	case d.Lo > 0:
		return Better
	case d.Hi < 0:
		return Worse
	}
	return Undecided
}

func (b *Baseline) difference(e *Evaluation) Estimate {
	if b.Diff.N > 0 {
		return b.Diff
	}
	d := Estimate{Value: e.Value - b.Value, Lo: e.Lo - b.Value, Hi: e.Hi - b.Value}
	if b.Lo <= b.Value && b.Value <= b.Hi {
		d.Lo, d.Hi = e.Lo-b.Hi, e.Hi-b.Lo
	}
	return d
}

// evaluation and comparison are how report.json has them: baselines by name for
// a program that wants the figure, comparisons for one that wants to know more.
type evaluation struct {
	Stage       string            `json:"stage"`
	Task        string            `json:"task"`
	Metric      string            `json:"metric"`
	Definition  string            `json:"definition,omitempty"`
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

var Outcomes = [...]string{Undecided: "undecided", Better: "beats", Worse: "loses", Unknown: "unknown"}

func Limits(e Estimate) [2]Number { return [2]Number{Number(e.Lo), Number(e.Hi)} }

func (e Evaluation) MarshalJSON() ([]byte, error) {
	out := evaluation{Stage: e.Stage, Task: e.Task, Metric: e.Metric, Definition: e.Definition,
		Value: Number(e.Value), CI95: Limits(e.Estimate), N: e.N, Better: "higher", Scored: e.Scored, Baselines: map[string]Number{}, Items: e.Items}
	if LowerIsBetter(e.Metric) {
		out.Better = "lower"
	}
	for i := range e.Baselines {
		b := &e.Baselines[i]
		out.Baselines[b.Name] = Number(b.Value)
		c := comparison{Baseline: b.Name, Value: Number(b.Value), CI95: Limits(b.Estimate), N: b.N, Outcome: Outcomes[e.Outcome(b)]}
		if b.Diff.N > 0 {
			c.Diff, c.DiffCI95, c.DiffN = new(Number(b.Diff.Value)), new(Limits(b.Diff)), b.Diff.N
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
	*e = Evaluation{Stage: in.Stage, Task: in.Task, Metric: in.Metric, Definition: in.Definition,
		Estimate: Estimate{Value: float64(in.Value), Lo: float64(in.CI95[0]), Hi: float64(in.CI95[1]), N: in.N}, Items: in.Items, Scored: in.Scored}
	for _, c := range in.Comparisons {
		b := Baseline{Name: c.Baseline, Estimate: Estimate{Value: float64(c.Value), Lo: float64(c.CI95[0]), Hi: float64(c.CI95[1]), N: c.N}}
		if c.Diff != nil && c.DiffCI95 != nil {
			b.Diff = Estimate{Value: float64(*c.Diff), Lo: float64(c.DiffCI95[0]), Hi: float64(c.DiffCI95[1]), N: c.DiffN}
		}
		e.Baselines = append(e.Baselines, b)
	}
	return nil
}
