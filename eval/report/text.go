package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"hone/eval/metric"
)

// WriteText writes the report's tables for a terminal: the stages, the results with their
// baselines, and the data.
func WriteText(w io.Writer, run *Run) error {
	var b bytes.Buffer
	seed := ""
	if len(run.Stages) > 0 { // without stages the seed was not used
		seed = fmt.Sprintf("seed %d, ", run.Seed)
	}
	fmt.Fprintf(&b, "%s  %shone %s, %s\n", run.Recipe, seed, run.Version, run.Machine.line())
	if run.Unfinished {
		b.WriteString("this run is not finished: these are its results so far\n")
	}
	if len(run.Stages) > 0 {
		rows := [][]string{{"stage", "kind", "steps", "tokens", "tokens/s", "time", "train loss", "val loss", "bits/byte", "accuracy"}}
		for _, s := range run.Stages {
			accuracy := missing
			if s.ValAccuracy != nil {
				accuracy = figure(float64(*s.ValAccuracy))
			}
			rows = append(rows, []string{s.Name, s.Kind, positive(int64(s.Steps)), positive(s.Tokens), short(float64(s.TokensPerSecond)), duration(s.WallSeconds),
				figure(float64(s.TrainLoss)), figure(float64(s.ValLoss)), figure(float64(s.BitsPerByte)), accuracy})
		}
		writeTable(&b, rows)
	}
	for _, s := range run.Stages {
		if s.Validated != nil {
			fmt.Fprintf(&b, "validation of %s: %s\n", s.Name, Words(s.Validated))
		}
	}
	for _, s := range run.Stages {
		if s.Stopped != "" {
			fmt.Fprintf(&b, "%s stopped early, at step %s: %s; the best checkpoint, of step %s, is kept\n", s.Name, count(int64(s.Steps)), s.Stopped, count(int64(s.BestStep)))
		}
		if !several(s.Trials) {
			continue
		}
		rows := [][]string{{s.Name + ": learning rate", "by", "mean", "standard deviation", "seeds", ""}}
		for _, p := range Spreads(s.Trials) {
			var notes []string
			if p.Chosen {
				notes = append(notes, "chosen")
			}
			if p.Diverged > 0 {
				notes = append(notes, fmt.Sprintf("%d diverged", p.Diverged))
			}
			rows = append(rows, []string{fmt.Sprintf("%g", p.LearningRate), p.Metric, minus(figure(float64(p.Mean))), figure(float64(p.Deviation)), count(int64(p.N)), strings.Join(notes, ", ")})
		}
		writeTable(&b, rows)
	}
	for _, s := range run.Stages {
		if s.Race != nil {
			fmt.Fprintf(&b, "\n%s\n", s.Race.words())
		}
	}
	if len(run.Evaluations) > 0 {
		rows := [][]string{{"task", "metric", "of", "value", "95 % interval", "n", ""}}
		for i := range run.Evaluations {
			e := &run.Evaluations[i]
			rows = append(rows, []string{e.Task, metricName(e.Metric), e.Stage, minus(figure(e.Value)), interval(e.Estimate), positive(int64(e.N)), ""})
			for j := range e.Baselines {
				base := &e.Baselines[j]
				rows = append(rows, []string{"", "", baselineName(base.Name), minus(figure(base.Value)), interval(base.Estimate), positive(int64(base.N)), baselineWords(e, base)})
			}
		}
		writeTable(&b, rows)
		said := ""
		for _, e := range run.Evaluations {
			if e.Scored == nil {
				continue
			}
			if line := fmt.Sprintf("%s of %s: %s\n", e.Task, e.Stage, Words(e.Scored)); line != said {
				b.WriteString(line)
				said = line
			}
		}
		var defined []string
		for _, e := range run.Evaluations {
			if e.Definition == "" || slices.Contains(defined, e.Metric) {
				continue
			}
			defined = append(defined, e.Metric)
			fmt.Fprintf(&b, "%s: %s\n", metricName(e.Metric), e.Definition)
		}
	}
	for i := range run.Data {
		d := &run.Data[i]
		rows := [][]string{{d.Corpus, "documents", "text", "labelled", "overlap"}}
		for _, s := range d.Splits {
			rows = append(rows, []string{s.Name, count(s.Documents), bytesShort(s.Bytes), positive(s.Labelled), percent(s.Overlap)})
		}
		writeTable(&b, rows)
		if len(d.Drops) > 0 {
			var parts []string
			for _, c := range d.Drops {
				parts = append(parts, fmt.Sprintf("%s %s", count(c.N), c.Name))
			}
			fmt.Fprintf(&b, "left out: %s\n", strings.Join(parts, ", "))
		}
		if d.Skipped > 0 {
			fmt.Fprintf(&b, "skipped because they could not be read: %s records\n", count(d.Skipped))
			for _, fault := range d.Unread {
				fmt.Fprintf(&b, "  %s\n", fault)
			}
		}
		if s := d.overlapWords(); s != "" {
			fmt.Fprintf(&b, "overlap: %s\n", s)
		}
	}
	if _, err := io.WriteString(w, printable(b.String())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// baselineWords says how the evaluated model compares with b, in the row of b.
func baselineWords(e *metric.Evaluation, b *metric.Baseline) string {
	return [...]string{
		metric.Undecided: "no clear difference",
		metric.Better:    "beaten",
		metric.Worse:     "not beaten: it is better",
		metric.Unknown:   "not compared",
	}[e.Outcome(b)]
}

func (m *Machine) line() string {
	var parts []string
	if m.Kernels != "" {
		parts = append(parts, m.Kernels+" kernels")
	}
	if m.Threads > 0 {
		parts = append(parts, plural(int64(m.Threads), "thread"))
	}
	if m.Description != "" {
		parts = append(parts, m.Description)
	}
	return strings.Join(parts, ", ")
}

// overlapWords says how much of the held-out splits occurs in the training text too.
func (d *Data) overlapWords() string {
	var parts []string
	for _, s := range d.Splits {
		if s.Overlap.Known() {
			parts = append(parts, fmt.Sprintf("%s of the distinct word %d-grams of the %s split", percent(s.Overlap), d.NGram, s.Name))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " occur in the training text too"
}

// writeTable aligns the columns of a table: text to the left, numbers to the right.
func writeTable(b *bytes.Buffer, rows [][]string) {
	b.WriteByte('\n')
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	numeric := make([]bool, len(rows[0]))
	width := make([]int, len(rows[0]))
	for k := range numeric {
		numeric[k] = true
		for i, row := range rows {
			width[k] = max(width[k], len([]rune(row[k])))
			if i > 0 && strings.IndexFunc(row[k], unicode.IsDigit) != 0 && row[k] != missing && row[k] != "" && !strings.HasPrefix(row[k], "−") {
				numeric[k] = false
			}
		}
	}
	for _, row := range rows {
		row = slices.Clone(row)
		for k, cell := range row {
			if numeric[k] {
				row[k] = strings.Repeat(" ", width[k]-len([]rune(cell))) + cell
			}
		}
		// No spaces after the last cell of a line.
		line := strings.TrimRight(strings.Join(row, "\t"), "\t")
		fmt.Fprintln(t, line)
	}
	t.Flush()
}

// printable removes control characters from names, which could steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, s)
}
