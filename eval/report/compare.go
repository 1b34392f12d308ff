package report

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"hone/eval/metric"
)

// A Comparison holds the results of several runs side by side.
type Comparison struct {
	Rows  []ComparisonRow `json:"runs"`
	Seeds []SeedRow       `json:"seeds"` // over runs that differ in their seed alone
	Pairs []PairRow       `json:"pairs"` // the first run against each other one

	Logs []*Metrics `json:"-"` // of the runs, for the page; nil: no curves are drawn

	runs    []*Run
	names   []string // of the runs, as Run in their rows
	several bool     // several runs of one recipe: seed and learning rate are shown
}

// A ComparisonRow is one result of one run beside one baseline; Baseline is "" where it has
// none.
type ComparisonRow struct {
	Run          string           `json:"run"` // the last elements of its directory, as many as make it unique
	Recipe       string           `json:"recipe"`
	Seed         uint64           `json:"seed"`
	LearningRate float64          `json:"learning_rate,omitempty"` // of the evaluated model's stage
	Stage        string           `json:"stage"`                   // the evaluated model's
	Task         string           `json:"task"`
	Metric       string           `json:"metric"`
	Value        metric.Number    `json:"value"`
	CI95         [2]metric.Number `json:"ci95"`
	N            int              `json:"n"`
	Baseline     string           `json:"baseline,omitempty"`
	Against      metric.Number    `json:"baseline_value"`
	Diff         metric.Number    `json:"difference"` // paired; null: not measured
	DiffCI95     [2]metric.Number `json:"difference_ci95"`
	Outcome      string           `json:"outcome,omitempty"`
	Parameters   int64            `json:"parameters"` // of the model
	Tokens       int64            `json:"tokens"`     // trained on in that stage
	Seconds      metric.Number    `json:"seconds"`    // of all stages of the run

	estimate, diff metric.Estimate
}

// A SeedRow is one result over runs that differ in their seed alone.
type SeedRow struct {
	Runs   []string      `json:"runs"`
	Seeds  []uint64      `json:"seeds"`
	Stage  string        `json:"stage"`
	Task   string        `json:"task"`
	Metric string        `json:"metric"`
	Mean   metric.Number `json:"mean"`
	SD     metric.Number `json:"sd"` // sample standard deviation
	Min    metric.Number `json:"min"`
	Max    metric.Number `json:"max"`
}

// A PairRow is one result of two runs on the same data.
type PairRow struct {
	Run      string           `json:"run"`
	Against  string           `json:"against"`
	Stage    string           `json:"stage"`
	Task     string           `json:"task"`
	Metric   string           `json:"metric"`
	Value    metric.Number    `json:"value"`
	Other    metric.Number    `json:"against_value"`
	Diff     metric.Number    `json:"difference"`      // Value less Other
	DiffCI95 [2]metric.Number `json:"difference_ci95"` // paired by document; null: the results by document were not kept, or are of other documents
	Outcome  string           `json:"outcome"`

	diff metric.Estimate
}

// Compare reads the reports of the runs in dirs and lists their results in that order. Errors
// about missing or damaged reports are faults of the user's input (exit code 2).
func Compare(runs []*Run, dirs []string) *Comparison {
	c := &Comparison{Rows: []ComparisonRow{}, Seeds: []SeedRow{}, Pairs: []PairRow{}}
	names := shortNames(dirs)
	c.runs, c.names = runs, names
	recipes := map[string]bool{}
	for k, run := range runs {
		c.several = c.several || recipes[run.Recipe]
		recipes[run.Recipe] = true
		c.addRun(names[k], run)
	}
	done := map[string]bool{}
	for _, run := range runs {
		key := run.butForSeed()
		if done[key] || run.RecipeText == "" {
			continue
		}
		done[key] = true
		var group []int
		for k, other := range runs {
			if other.butForSeed() == key {
				group = append(group, k)
			}
		}
		c.addSeeds(group, names, runs)
	}
	for k := 1; k < len(runs); k++ {
		c.addPairs(names[k], runs[k], names[0], runs[0])
	}
	return c
}

func (c *Comparison) addRun(name string, run *Run) {
	seconds := metric.Number(0)
	trained := map[string]Stage{}
	for _, s := range run.Stages {
		trained[s.Name] = s
		if s.WallSeconds.Known() {
			seconds += s.WallSeconds
		}
	}
	for i := range run.Evaluations {
		e := &run.Evaluations[i]
		s := trained[e.Stage]
		row := ComparisonRow{
			Run: name, Recipe: run.Recipe, Seed: run.Seed, LearningRate: s.LearningRate,
			Stage: e.Stage, Task: e.Task, Metric: e.Metric, Value: metric.Number(e.Value), CI95: metric.Limits(e.Estimate), N: e.N,
			Against: metric.Missing, Diff: metric.Missing, DiffCI95: [2]metric.Number{metric.Missing, metric.Missing},
			Parameters: s.Parameters, Tokens: s.Tokens, Seconds: seconds, estimate: e.Estimate,
		}
		for j := range e.Baselines {
			b, r := &e.Baselines[j], row
			r.Baseline, r.Against, r.Outcome = b.Name, metric.Number(b.Value), metric.Outcomes[e.Outcome(b)]
			if b.Diff.N > 0 {
				r.Diff, r.DiffCI95, r.diff = metric.Number(b.Diff.Value), metric.Limits(b.Diff), b.Diff
			}
			c.Rows = append(c.Rows, r)
		}
		if len(e.Baselines) == 0 {
			c.Rows = append(c.Rows, row)
		}
	}
}

// butForSeed gives everything that a run's results depend on, except the seed.
func (r *Run) butForSeed() string {
	var b strings.Builder
	top := true // of the recipe, before its first table
	for line := range strings.Lines(r.RecipeText) {
		top = top && !strings.HasPrefix(line, "[")
		key, _, _ := strings.Cut(line, " =")
		if top && slices.Contains([]string{"name", "seed", "threads", "description", "token_cache"}, key) {
			continue
		}
		b.WriteString(line)
	}
	for _, c := range r.Provenance {
		b.WriteString(c.SHA256 + "\n")
	}
	return b.String()
}

func (c *Comparison) addSeeds(group []int, names []string, runs []*Run) {
	first := runs[group[0]]
	for i := range first.Evaluations {
		e := &first.Evaluations[i]
		row := SeedRow{Stage: e.Stage, Task: e.Task, Metric: e.Metric}
		var values []float64
		for _, k := range group {
			// The same seed a second time is no independent run.
			if o := runs[k].find(e); o != nil && metric.Number(o.Value).Known() && !slices.Contains(row.Seeds, runs[k].Seed) {
				row.Runs, row.Seeds, values = append(row.Runs, names[k]), append(row.Seeds, runs[k].Seed), append(values, o.Value)
			}
		}
		if len(values) < 2 {
			continue
		}
		mean, squares := 0.0, 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			squares += (v - mean) * (v - mean)
		}
		row.Mean, row.SD = metric.Number(mean), metric.Number(math.Sqrt(squares/float64(len(values)-1)))
		row.Min, row.Max = metric.Number(slices.Min(values)), metric.Number(slices.Max(values))
		c.Seeds = append(c.Seeds, row)
	}
}

// find gives the same result of another run; nil: it has none.
func (r *Run) find(e *metric.Evaluation) *metric.Evaluation {
	for i := range r.Evaluations {
		if o := &r.Evaluations[i]; o.Stage == e.Stage && o.Task == e.Task && o.Metric == e.Metric {
			return o
		}
	}
	return nil
}

func (c *Comparison) addPairs(name string, run *Run, against string, other *Run) {
	for i := range run.Evaluations {
		e := &run.Evaluations[i]
		o := other.find(e)
		if o == nil {
			continue
		}
		b := &metric.Baseline{Estimate: o.Estimate}
		if run.sameCorpora(other) {
			b.Diff = pairedWith(e, o)
		}
		p := PairRow{
			Run: name, Against: against, Stage: e.Stage, Task: e.Task, Metric: e.Metric, Value: metric.Number(e.Value), Other: metric.Number(o.Value),
			Diff: metric.Number(e.Value - o.Value), DiffCI95: [2]metric.Number{metric.Missing, metric.Missing}, Outcome: metric.Outcomes[e.Outcome(b)],
		}
		if b.Diff.N > 0 {
			p.DiffCI95, p.diff = metric.Limits(b.Diff), b.Diff
		}
		c.Pairs = append(c.Pairs, p)
	}
}

func (r *Run) sameCorpora(o *Run) bool {
	return slices.EqualFunc(r.Provenance, o.Provenance, func(a, b Corpus) bool { return a.SHA256 == b.SHA256 && a.SHA256 != "" })
}

// pairedWith gives the difference to the result of another model on the same documents. N is 0
// where the documents are not the same, or their results were not kept.
func pairedWith(e *metric.Evaluation, o *metric.Evaluation) (d metric.Estimate) {
	a, b := e.Items, o.Items
	if a == nil || b == nil || !slices.Equal(a.Records, b.Records) || !slices.Equal(a.Sizes, b.Sizes) {
		return d
	}
	const seed = 1 // of the bootstrap
	var err error
	switch {
	case e.Metric == "accuracy" && !slices.ContainsFunc(a.Sizes, func(n int) bool { return n != 1 }):
		d.Value, d.Lo, d.Hi = metric.PairedDiff(a.Right(), b.Right())
		d.N = len(a.Sums)
	case strings.HasPrefix(e.Metric, "bits_per_"):
		d, err = metric.BitsPerByteDiff(a.Sums, b.Sums, a.Sizes, seed)
	default:
		d, err = metric.PerTokenDiff(a.Sums, b.Sums, a.Sizes, seed)
	}
	if err != nil { // values that are not finite have no difference
		return metric.Estimate{}
	}
	return d
}

// shortNames gives the last elements of directories, as many as make them unique.
func shortNames(dirs []string) []string {
	parts := make([][]string, len(dirs))
	for i, d := range dirs {
		if abs, err := filepath.Abs(d); err == nil {
			d = abs
		}
		parts[i] = strings.Split(filepath.ToSlash(d), "/")
	}
	names := make([]string, len(dirs))
	for i, p := range parts {
		for n := 1; n <= len(p); n++ {
			tail := p[len(p)-n:]
			names[i] = strings.Join(tail, "/")
			if !slices.ContainsFunc(parts, func(o []string) bool {
				return !slices.Equal(o, p) && slices.Equal(o[max(0, len(o)-n):], tail)
			}) {
				break
			}
		}
	}
	return names
}

// tables gives the tables of a comparison: the results, the results over seeds, and run
// against run.
func (c *Comparison) tables() (list [][][]string) {
	cells := [][]string{{"run", "seed", "rate", "model", "task", "metric", "value", "95 % interval", "baseline", "its value", "difference", "", "time"}}
	last := ""
	for _, r := range c.Rows {
		diff := missing
		if r.Diff.Known() {
			diff = signed(float64(r.Diff)) + " " + interval(r.diff)
		}
		name, seed, time := r.Run, fmt.Sprint(r.Seed), duration(r.Seconds)
		if r.Run == last { // another result of the same run
			name, seed, time = "", "", ""
		}
		last = r.Run
		rate := missing
		if r.LearningRate > 0 {
			rate = fmt.Sprintf("%g", r.LearningRate)
		}
		baseline, against := "", missing
		if r.Baseline != "" {
			baseline, against = baselineName(r.Baseline), minus(figure(float64(r.Against)))
		}
		cells = append(cells, []string{name, seed, rate, r.Stage, r.Task, metricName(r.Metric), minus(figure(float64(r.Value))), interval(r.estimate),
			baseline, against, diff, inOutcome(r.Outcome, "beaten", "not beaten"), time})
	}
	if !c.several {
		for i, row := range cells {
			cells[i] = slices.Delete(row, 1, 3)
		}
	}
	list = append(list, cells)
	if len(c.Seeds) > 0 {
		cells := [][]string{{"over seeds", "model", "task", "metric", "runs", "mean", "± standard deviation", "lowest", "highest"}}
		for _, s := range c.Seeds {
			var seeds []string
			for _, n := range s.Seeds {
				seeds = append(seeds, fmt.Sprint(n))
			}
			cells = append(cells, []string{strings.Join(seeds, ", "), s.Stage, s.Task, metricName(s.Metric), fmt.Sprint(len(s.Runs)),
				minus(figure(float64(s.Mean))), figure(float64(s.SD)), minus(figure(float64(s.Min))), minus(figure(float64(s.Max)))})
		}
		list = append(list, cells)
	}
	if len(c.Pairs) > 0 {
		cells := [][]string{{"run", "against", "model", "task", "metric", "value", "its value", "difference", "95 % interval, paired", ""}}
		for _, p := range c.Pairs {
			cells = append(cells, []string{p.Run, p.Against, p.Stage, p.Task, metricName(p.Metric), minus(figure(float64(p.Value))), minus(figure(float64(p.Other))),
				signed(float64(p.Diff)), pairedInterval(p.diff), inOutcome(p.Outcome, "better", "worse")})
		}
		list = append(list, cells)
	}
	return list
}

func pairedInterval(d metric.Estimate) string {
	if d.N == 0 {
		return missing
	}
	return interval(d)
}

// inOutcome gives an outcome in words.
func inOutcome(outcome, better, worse string) string {
	for o, name := range metric.Outcomes {
		if name == outcome {
			return [...]string{metric.Undecided: "no clear difference", metric.Better: better, metric.Worse: worse, metric.Unknown: "not compared"}[o]
		}
	}
	return ""
}
