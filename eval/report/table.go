package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"hone/eval/metric"
)

// TableFormats are the formats of a comparison; "" is the one for a terminal.
var TableFormats = []string{"", "markdown", "csv", "latex"}

// Write writes a comparison in one of TableFormats. CSV has only the first table, with the
// names that report.json uses and with all digits.
func (c *Comparison) Write(w io.Writer, format string) error {
	var b bytes.Buffer
	if format == "csv" {
		if err := c.writeCSV(&b); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	} else {
		for i, cells := range c.tables() {
			switch format {
			case "markdown":
				if i > 0 {
					b.WriteByte('\n')
				}
				writeMarkdown(&b, cells)
			case "latex":
				if i > 0 {
					b.WriteByte('\n')
				}
				writeLaTeX(&b, cells)
			default:
				writeTable(&b, cells)
			}
		}
	}
	if _, err := io.WriteString(w, printable(b.String())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func writeMarkdown(b *bytes.Buffer, cells [][]string) {
	for i, row := range cells {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
}

// latex escapes the special characters of LaTeX, and replaces the characters beyond ASCII that
// hone's tables use.
var latex = strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
	"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "−", "$-$", "–", "--", "±", `$\pm$`, "\u202f", `\,`)

func writeLaTeX(b *bytes.Buffer, cells [][]string) {
	fmt.Fprintf(b, "\\begin{tabular}{%s}\n\\hline\n", strings.Repeat("l", len(cells[0])))
	for i, row := range cells {
		for k, cell := range row {
			if k > 0 {
				b.WriteString(" & ")
			}
			// LaTeX would read a bracket after \\ as its argument.
			if cell = latex.Replace(cell); strings.HasPrefix(cell, "[") {
				cell = "{}" + cell
			}
			b.WriteString(cell)
		}
		b.WriteString(" \\\\\n")
		if i == 0 {
			b.WriteString("\\hline\n")
		}
	}
	b.WriteString("\\hline\n\\end{tabular}\n")
}

func (c *Comparison) writeCSV(b *bytes.Buffer) error {
	w := csv.NewWriter(b)
	number := func(v metric.Number) string {
		if !v.Known() {
			return ""
		}
		return strconv.FormatFloat(float64(v), 'g', -1, 64)
	}
	rows := [][]string{{"run", "recipe", "seed", "learning_rate", "stage", "task", "metric", "value", "low", "high", "n",
		"baseline", "baseline_value", "difference", "difference_low", "difference_high", "outcome", "parameters", "tokens", "seconds"}}
	for _, r := range c.Rows {
		rate := metric.Number(r.LearningRate)
		if rate == 0 {
			rate = metric.Missing
		}
		rows = append(rows, []string{r.Run, r.Recipe, fmt.Sprint(r.Seed), number(rate), r.Stage, r.Task, r.Metric, number(r.Value), number(r.CI95[0]), number(r.CI95[1]), strconv.Itoa(r.N),
			r.Baseline, number(r.Against), number(r.Diff), number(r.DiffCI95[0]), number(r.DiffCI95[1]), r.Outcome, fmt.Sprint(r.Parameters), fmt.Sprint(r.Tokens), number(r.Seconds)})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return w.Error()
}
