package report

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"hone/eval/metric"
)

// A fact is a line of the summary at the top of the page.
type fact struct{ Name, Text string }

// facts lists the model, the corpora, the length of training, the date and the command.
func facts(run *Run) []fact {
	var list []fact
	add := func(name, text string) {
		if text != "" {
			list = append(list, fact{name, text})
		}
	}
	add("model", run.modelLine())
	for i := range run.Provenance {
		add("corpus", corpusLine(run, &run.Provenance[i]))
	}
	var tokens int64
	var seconds metric.Number
	for _, s := range run.Stages {
		tokens += s.Tokens
		if s.WallSeconds.Known() {
			seconds += s.WallSeconds
		}
	}
	if tokens > 0 {
		add("trained", fmt.Sprintf("on %s tokens in %s, all stages together", short(float64(tokens)), duration(seconds)))
	}
	add("date", run.Date)
	add("machine", run.Machine.line())
	add("command", run.Command)
	return list
}

// modelLine describes the model: its family, its size, its shape.
func (r *Run) modelLine() string {
	m := &r.Model
	var parts []string
	for _, s := range r.Stages {
		if s.Parameters > 0 {
			parts = append(parts, short(float64(s.Parameters))+" parameters")
			break
		}
	}
	if m.Layers > 0 && m.Width > 0 {
		parts = append(parts, fmt.Sprintf("%s of width %s", plural(int64(m.Layers), "layer"), count(int64(m.Width))))
	}
	if m.Vocabulary > 0 {
		parts = append(parts, "a vocabulary of "+count(int64(m.Vocabulary)))
	}
	if m.Length > 0 {
		parts = append(parts, fmt.Sprintf("sequences of up to %s tokens", count(int64(m.Length))))
	}
	name, ok := families[m.Type]
	if !ok {
		name = m.Type
	}
	switch {
	case name == "":
		return strings.Join(parts, ", ")
	case len(parts) == 0:
		return name
	}
	return name + ": " + strings.Join(parts, ", ")
}

func corpusLine(run *Run, c *Corpus) string {
	parts := []string{c.Name}
	if c.Source != "" && c.Source != c.Name {
		parts[0] += " (" + c.Source + ")"
	}
	splits := 0
	for _, d := range run.Data {
		if d.Corpus != c.Name {
			continue
		}
		for _, s := range d.Splits {
			parts = append(parts, fmt.Sprintf("%s %s", count(s.Documents), s.Name))
			splits++
		}
	}
	if splits > 0 {
		parts[len(parts)-1] += " documents"
	} else if c.Documents > 0 {
		parts = append(parts, plural(c.Documents, "document"))
	}
	if c.Bytes > 0 {
		parts = append(parts, bytesShort(c.Bytes))
	}
	if c.Licence != "" {
		parts = append(parts, c.Licence)
	}
	return strings.Join(parts, ", ")
}

// A result is one metric of the models of a run, with their baselines on the same scale.
type result struct {
	Metric  term
	Better  string
	Task    string
	Value   string   // of the best model
	Note    string   // its interval and number of items; its name where there are several models
	Scored  []string // what was scored, in words
	Lo, Hi  string   // ends of the scale; "": there is none
	Rows    []resultRow
	Details []detailRow
}

// A resultRow is a model or a baseline; models come first.
type resultRow struct {
	Name, What, Value string
	Model             bool
	Standings         []standing
	At, From, Width   string // on the scale, percent; From "": no interval

	estimate metric.Estimate
}

// A standing says in words how a model compares with a baseline.
type standing struct{ Words, Class string }

// A detailRow is a model, or a baseline beside the model above it.
type detailRow struct {
	Name, Value, Interval, N string
	Diff                     string // the model's value minus this one
	Words, Class             string
	Model, Best              bool
}

// results lists the results of the evaluations, with or without baselines. Models with the same
// metric and task share one scale.
func (p *page) results() {
	var groups [][]*metric.Evaluation
	for i := range p.Evaluations {
		e := &p.Evaluations[i]
		k := slices.IndexFunc(groups, func(g []*metric.Evaluation) bool { return g[0].Task == e.Task && g[0].Metric == e.Metric })
		if k < 0 {
			groups = append(groups, []*metric.Evaluation{e})
		} else {
			groups[k] = append(groups[k], e)
		}
	}
	for _, g := range groups {
		p.Results = append(p.Results, p.result(g))
	}
}

func (p *page) result(group []*metric.Evaluation) result {
	best := group[0]
	better := func(a, b metric.Estimate) bool { // strictly
		return metric.Number(a.Value).Known() && (!metric.Number(b.Value).Known() || a.Value != b.Value && (a.Value < b.Value) == metric.LowerIsBetter(best.Metric))
	}
	for _, e := range group {
		if better(e.Estimate, best.Estimate) {
			best = e
		}
	}
	r := result{Metric: inWords(metrics, best.Metric), Better: "Higher is better.", Task: best.Task, Value: minus(figure(best.Value))}
	r.Metric.Name = upperFirst(r.Metric.Name)
	if best.Definition != "" {
		r.Metric.What = strings.TrimSpace(r.Metric.What + " Computed as: " + best.Definition + ".")
	}
	if metric.LowerIsBetter(best.Metric) {
		r.Better = "Lower is better."
	}
	var note []string
	if s := interval(best.Estimate); s != missing {
		note = append(note, s)
	}
	if best.N > 0 {
		note = append(note, "n = "+count(int64(best.N)))
	}
	if len(group) > 1 {
		note = append(note, best.Stage)
	}
	r.Note = strings.Join(note, ", ")

	for _, e := range group {
		if e.Scored != nil && !slices.Contains(r.Scored, Words(e.Scored)) {
			r.Scored = append(r.Scored, Words(e.Scored))
		}
		r.Rows = append(r.Rows, resultRow{Name: p.modelName(e.Stage), Value: minus(figure(e.Value)), Model: true, estimate: e.Estimate})
	}
	for _, e := range group {
		first := len(r.Details)
		r.Details = append(r.Details, detailRow{Name: p.modelName(e.Stage), Value: minus(figure(e.Value)), Interval: interval(e.Estimate), N: positive(int64(e.N)), Model: true})
		top, leader := e.Estimate, first
		for j := range e.Baselines {
			b := &e.Baselines[j]
			t := inWords(baselines, b.Name)
			if !slices.Contains(p.Terms, t) {
				p.Terms = append(p.Terms, t)
			}
			if better(b.Estimate, top) {
				top, leader = b.Estimate, len(r.Details)
			}
			o := standing{baselineWords(e, b), metric.Outcomes[e.Outcome(b)]}
			d := detailRow{Name: t.Name, Value: minus(figure(b.Value)), Interval: interval(b.Estimate), N: positive(int64(b.N)), Diff: missing, Words: o.Words, Class: o.Class}
			if b.Diff.N > 0 {
				d.Diff = signed(b.Diff.Value) + " " + interval(b.Diff)
			}
			r.Details = append(r.Details, d)
			// The baseline of another model on the same documents is the same row.
			k := slices.IndexFunc(r.Rows, func(row resultRow) bool {
				return !row.Model && row.Name == t.Name && (row.estimate.Value == b.Value || !metric.Number(b.Value).Known())
			})
			if k < 0 {
				k = len(r.Rows)
				r.Rows = append(r.Rows, resultRow{Name: t.Name, What: t.What, Value: d.Value, estimate: b.Estimate})
			}
			if len(group) > 1 {
				o.Words = e.Stage + ": " + o.Words
			}
			r.Rows[k].Standings = append(r.Rows[k].Standings, o)
		}
		if len(e.Baselines) > 0 {
			r.Details[leader].Best = true
		}
	}

	var all []point
	for _, row := range r.Rows {
		all = append(all, point{y: row.estimate.Value}, point{y: row.estimate.Lo}, point{y: row.estimate.Hi})
	}
	if bounded(best) {
		all = append(all, point{y: 0}, point{y: 1})
	}
	lo, hi, ok := bounds(all)
	if !ok {
		return r
	}
	scale := newAxis(lo, hi, 4)
	r.Lo, r.Hi = tickText(scale.lo, scale.step), tickText(scale.hi, scale.step)
	for k := range r.Rows {
		row := &r.Rows[k]
		if s := row.estimate; metric.Number(s.Value).Known() {
			row.At = percentAt(scale.at(s.Value))
			if metric.Number(s.Lo).Known() && metric.Number(s.Hi).Known() {
				row.From, row.Width = percentAt(scale.at(s.Lo)), percentAt(scale.at(s.Hi)-scale.at(s.Lo))
			}
		}
	}
	return r
}

// bounded reports whether a result without baselines is shown on the scale from 0 to 1.
func bounded(e *metric.Evaluation) bool {
	return len(e.Baselines) == 0 && slices.Contains([]string{"accuracy", "macro_f1", "mcc", "exact_match"}, e.Metric)
}

// A trainedRow is a row of the table of training stages.
type trainedRow struct {
	Stage
	Rate, Accuracy string
}

// trainedColumns are the columns for which any stage has a value.
type trainedColumns struct{ BitsPerByte, Accuracy bool }

func (p *page) trained() {
	for _, s := range p.Stages {
		if s.Kind == "evaluate" {
			continue
		}
		row := trainedRow{Stage: s, Rate: missing, Accuracy: missing}
		if s.LearningRate > 0 {
			row.Rate = fmt.Sprintf("%g", s.LearningRate)
		}
		if s.ValAccuracy != nil {
			row.Accuracy = figure(float64(*s.ValAccuracy))
			p.Columns.Accuracy = true
		}
		p.Columns.BitsPerByte = p.Columns.BitsPerByte || s.BitsPerByte.Known()
		p.Trained = append(p.Trained, row)
	}
}

// A Use is a way to use the models that a run has made.
type Use struct {
	What    string
	Lines   []string // commands for a shell
	Program bool     // the lines are the content of a file: a Python program or a task
}

// Uses lists commands that generate text with the models of the run in a directory, that
// evaluate and export them, and a Python program for each model that transformers can load.
func (r *Run) Uses(dir string, samples []Sample) []Use {
	var write, predict, evaluate, export Use
	var programs []Use
	run := filepath.Base(dir)
	if strings.Trim(run, "./") == "" { // the path has no name
		run = r.Recipe
	}
	for _, s := range r.models() {
		at := ShellQuote(strings.TrimSuffix(dir, "/") + "/" + s.Name)
		exported := run + "-" + s.Name
		prompt := ""
		for _, sample := range samples {
			if sample.Stage == s.Name && prompt == "" {
				prompt = strings.TrimRight(sample.Prompt, " ")
			}
		}
		answers := slices.ContainsFunc(r.Evaluations, func(e metric.Evaluation) bool {
			return e.Stage == s.Name && strings.HasSuffix(e.Task, " answers")
		})
		switch {
		case answers: // of a task, which says how a row becomes a prompt
			predict.Lines = append(predict.Lines, "hone predict "+at+" rows.jsonl -o written.jsonl")
		case writesText(s.Architecture):
			line := "hone generate " + at
			if prompt == "" && strings.HasSuffix(s.Architecture, "ForConditionalGeneration") {
				prompt = "A text <extra_id_0> a gap" // T5 fills the gap
			}
			if prompt != "" {
				line += " --prompt " + ShellQuote(prompt)
			}
			write.Lines = append(write.Lines, line)
		}
		if s.Task != "" {
			evaluate.Lines = append(evaluate.Lines, "hone eval "+at+" --task "+s.Task)
		} else if s.TaskFile != "" {
			programs = append(programs, Use{What: "Evaluate it on texts of your own: with this in task.toml, hone eval " + at + " --task task.toml", Program: true,
				Lines: strings.Split(s.TaskFile, "\n")})
		}
		export.Lines = append(export.Lines, "hone export "+at+" "+ShellQuote(exported))
		if lines := program(s.Architecture, exported, prompt); lines != nil {
			programs = append(programs, Use{What: "Open " + exported + " with transformers, in Python", Lines: lines, Program: true})
		}
	}
	predict.What = "Write a text for each row of a file"
	write.What, evaluate.What, export.What = "Continue a text", "Evaluate it on held-out texts", "Export it for transformers and other tools"
	list := slices.DeleteFunc([]Use{write, predict, evaluate, export}, func(u Use) bool { return len(u.Lines) == 0 })
	return append(list, programs...)
}

// models lists the stages with the final models of a run: for each architecture the last one
// that was evaluated, or else the last one.
func (r *Run) models() (list []*Stage) {
	for i := range r.Stages {
		s := &r.Stages[i]
		if s.Checkpoint == "" {
			continue
		}
		k := slices.IndexFunc(list, func(o *Stage) bool { return o.Architecture == s.Architecture })
		switch {
		case k < 0:
			list = append(list, s)
		case r.evaluated(s.Name) || !r.evaluated(list[k].Name):
			list[k] = s
		}
	}
	return list
}

// program is a Python program that loads an exported model; nil: transformers has no such class.
func program(architecture, dir, prompt string) []string {
	auto, use := "", []string(nil)
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) } // Python's strings are written alike
	if prompt == "" {
		prompt = "A text"
	}
	generate := []string{"print(tokenizer.decode(model.generate(**inputs, max_new_tokens=40)[0]))"}
	switch {
	case strings.HasPrefix(architecture, "PaLM"):
		return nil
	case strings.HasSuffix(architecture, "ForConditionalGeneration"):
		auto, use = "AutoModelForSeq2SeqLM", generate
	case writesText(architecture):
		auto, use = "AutoModelForCausalLM", generate
	case strings.HasSuffix(architecture, "ForSequenceClassification"):
		auto = "AutoModelForSequenceClassification"
		use = []string{"probabilities = model(**inputs).logits.softmax(-1)[0]", "print(model.config.id2label[probabilities.argmax().item()], probabilities.max().item())"}
	case strings.HasSuffix(architecture, "ForMaskedLM"):
		auto, use = "AutoModelForMaskedLM", []string{"print(model(**inputs).logits.shape)  # for each token, a score of every token of the vocabulary"}
	default:
		return nil
	}
	return append([]string{
		"from transformers import " + auto + ", AutoTokenizer", "",
		"tokenizer = AutoTokenizer.from_pretrained(" + quoted(dir) + ")",
		"model = " + auto + ".from_pretrained(" + quoted(dir) + ")",
		"inputs = tokenizer(" + quoted(prompt) + ", return_tensors=\"pt\")",
	}, use...)
}

// evaluated reports whether the model of a stage was evaluated.
func (r *Run) evaluated(stage string) bool {
	return slices.ContainsFunc(r.Evaluations, func(e metric.Evaluation) bool { return e.Stage == stage })
}

// writesText reports whether models of a class of transformers continue a text.
func writesText(architecture string) bool {
	for _, suffix := range []string{"ForCausalLM", "LMHeadModel", "ForConditionalGeneration"} {
		if strings.HasSuffix(architecture, suffix) {
			return true
		}
	}
	return false
}

// ShellQuote quotes a text as one word of a POSIX shell.
func ShellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-=+,:@%", r)
	}
	switch {
	case s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0:
		return s
	case strings.IndexFunc(s, func(r rune) bool { return !plain(r) && r != ' ' }) < 0:
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
