package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"hone/eval/metric"
)

// comparisonPage is what the page of a comparison shows.
type comparisonPage struct {
	Title    string
	Runs     []comparedRun
	Tables   []comparisonTable
	Stages   []stageSection
	Settings []setting // of all recipes
	Alone    []setting // that not all of them have
	Curves   [][]column
}

// Others is the page with the keys that not all recipes have in the place of the settings.
func (p comparisonPage) Others() comparisonPage {
	p.Settings = p.Alone
	return p
}

type comparedRun struct {
	Name, Recipe, Machine      string
	Seed                       uint64
	Parameters, Tokens, Memory int64
	Seconds                    metric.Number
}

type comparisonTable struct {
	Head []string
	Rows [][]string
}

// A setting is a key that some of the runs' recipes set in another way; "": it is not there.
type setting struct {
	Key    string
	Values []string // of each run
}

// WriteHTML writes a comparison as one HTML file that loads nothing from the network: the runs, their results, their
// curves over one another, and the settings in which they differ.
func (c *Comparison) WriteHTML(w io.Writer) error {
	p := &comparisonPage{Title: strings.Join(c.names, ", ")}
	for _, s := range differing(c.runs) {
		if slices.Contains(s.Values, "") {
			p.Alone = append(p.Alone, s)
		} else {
			p.Settings = append(p.Settings, s)
		}
	}
	for k, run := range c.runs {
		r := comparedRun{Name: c.names[k], Recipe: run.Recipe, Seed: run.Seed, Memory: run.Machine.PeakMemory, Machine: run.Machine.Description}
		for _, s := range run.Stages {
			r.Parameters, r.Tokens = max(r.Parameters, s.Parameters), r.Tokens+s.Tokens
			if s.WallSeconds.Known() {
				r.Seconds += s.WallSeconds
			}
		}
		p.Runs = append(p.Runs, r)
	}
	for _, cells := range c.tables() {
		p.Tables = append(p.Tables, comparisonTable{cells[0], cells[1:]})
	}
	c.curves(p)
	var b bytes.Buffer
	if err := pageTemplate().ExecuteTemplate(&b, "comparison", p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// curves draws those of each stage that has several, or that one run alone has; of the trials of a stage, the one that
// was chosen.
func (c *Comparison) curves(p *comparisonPage) {
	draw := &page{}
	var stages []string
	of := map[string][]series{}
	for k, m := range c.Logs {
		if m == nil {
			continue
		}
		for _, s := range c.runs[k].Stages {
			curve := s.Name
			for _, t := range s.Trials {
				if t.Chosen {
					curve = t.Curve
				}
			}
			one := series{name: c.names[k]}
			if !one.take(m, curve) {
				continue
			}
			if of[s.Name] == nil {
				stages = append(stages, s.Name)
			}
			of[s.Name] = append(of[s.Name], one)
		}
	}
	for _, name := range stages {
		sec := stageSection{Stage: Stage{Name: name}, Known: true}
		draw.draw(&sec, of[name], nil)
		p.Stages = append(p.Stages, sec)
	}
	p.Curves = draw.Curves
}

// differing are the keys in which the resolved recipes of runs differ, in the order of the recipes.
func differing(runs []*Run) (list []setting) {
	all := make([]map[string]string, len(runs))
	var keys []string
	for k, run := range runs {
		all[k] = map[string]string{}
		section := ""
		for line := range strings.Lines(run.RecipeText) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				section = strings.Trim(line, "[]") + "."
				continue
			}
			key, value, ok := strings.Cut(line, " = ")
			if !ok || strings.HasPrefix(line, "#") || section == "" && (key == "name" || key == "description") {
				continue
			}
			if section == "stage." && key == "name" {
				section += strings.Trim(value, `"`) + "."
				continue
			}
			key = section + key
			all[k][key] = value
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	for _, key := range keys {
		s := setting{Key: key}
		seen := map[string]bool{}
		for _, of := range all {
			s.Values = append(s.Values, of[key])
			seen[of[key]] = true
		}
		if len(seen) > 1 {
			list = append(list, s)
		}
	}
	return list
}
