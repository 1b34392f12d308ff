package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"hone/eval/metric"
)

// A ComparisonRow is one figure of one run beside one baseline; Baseline "": it has none.
type ComparisonRow struct {
	Run        string    `json:"run"`
	Stage      string    `json:"stage"` // the evaluated model's
	Task       string    `json:"task"`
	Metric     string    `json:"metric"`
	Value      Number    `json:"value"`
	CI95       [2]Number `json:"ci95"`
	N          int       `json:"n"`
	Baseline   string    `json:"baseline,omitempty"`
	Against    Number    `json:"baseline_value"`
	Diff       Number    `json:"difference"` // paired; null: not measured
	DiffCI95   [2]Number `json:"difference_ci95"`
	Outcome    string    `json:"outcome,omitempty"`
	Parameters int64     `json:"parameters"` // of the model
	Tokens     int64     `json:"tokens"`     // that it was trained on, by the stage
	Seconds    Number    `json:"seconds"`    // of all stages of the run

	estimate, diff metric.Estimate
}

// Compare puts the figures of several runs into one list, in their order.
func Compare(runs []*Run) []ComparisonRow {
	rows := []ComparisonRow{}
	for _, run := range runs {
		seconds := Number(0)
		trained := map[string]Stage{}
		for _, s := range run.Stages {
			trained[s.Name] = s
			if s.WallSeconds.Known() {
				seconds += s.WallSeconds
			}
		}
		for i := range run.Evaluations {
			e := &run.Evaluations[i]
			row := ComparisonRow{
				Run: run.Recipe, Stage: e.Stage, Task: e.Task, Metric: e.Metric, Value: Number(e.Value), CI95: limits(e.Estimate), N: e.N,
				Against: Missing, Diff: Missing, DiffCI95: [2]Number{Missing, Missing},
				Parameters: trained[e.Stage].Parameters, Tokens: trained[e.Stage].Tokens, Seconds: seconds, estimate: e.Estimate,
			}
			for j := range e.Baselines {
				b, r := &e.Baselines[j], row
				r.Baseline, r.Against, r.Outcome = b.Name, Number(b.Value), outcomes[e.Outcome(b)]
				if b.Diff.N > 0 {
					r.Diff, r.DiffCI95, r.diff = Number(b.Diff.Value), limits(b.Diff), b.Diff
				}
				rows = append(rows, r)
			}
			if len(e.Baselines) == 0 {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// WriteComparison writes the rows as a table for a terminal, or in Markdown.
func WriteComparison(w io.Writer, rows []ComparisonRow, markdown bool) error {
	cells := [][]string{{"run", "model", "task", "metric", "value", "95 % interval", "baseline", "its value", "difference", "", "time"}}
	last := ""
	for _, r := range rows {
		diff, words := missing, ""
		if r.Diff.Known() {
			diff = signed(float64(r.Diff)) + " " + interval(r.diff)
		}
		for o, name := range outcomes {
			if name == r.Outcome {
				words = [...]string{Undecided: "no clear difference", Beats: "beaten", Loses: "not beaten", Unknown: "not compared"}[o]
			}
		}
		name, time := r.Run, duration(r.Seconds)
		if r.Run == last { // one run, several figures
			name, time = "", ""
		}
		last = r.Run
		against := missing
		if r.Baseline != "" {
			against = minus(figure(float64(r.Against)))
		}
		cells = append(cells, []string{name, r.Stage, r.Task, metricName(r.Metric), minus(figure(float64(r.Value))), interval(r.estimate),
			r.Baseline, against, diff, words, time})
	}
	var b bytes.Buffer
	if markdown {
		for i, row := range cells {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
			}
		}
	} else {
		writeTable(&b, cells)
	}
	if _, err := io.WriteString(w, printable(b.String())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
