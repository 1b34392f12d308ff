package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"hone/eval/metric"
)

//go:embed page.html
var pageText string

//go:embed comparison.html
var comparisonText string

// page is parsed at its first use, since most commands write no report.
var pageTemplate = sync.OnceValue(func() *template.Template {
	t := template.Must(template.New("page").Funcs(template.FuncMap{
		"count": count, "positive": positive, "bytes": bytesShort, "percent": percent, "duration": duration, "scored": Words,
		"short":  func(v any) string { return short(asFloat(v)) },
		"figure": func(v any) string { return minus(figure(asFloat(v))) },
	}).Parse(pageText))
	template.Must(t.New("comparison").Parse(comparisonText))
	return t
})

func asFloat(v any) float64 {
	switch v := v.(type) {
	case metric.Number:
		return float64(v)
	case float64:
		return v
	case int64:
		return float64(v)
	}
	panic(fmt.Sprintf("report: a page shows a %T as a figure", v))
}

// Limits of what a page shows.
const (
	maxPoints = 700  // of a curve
	maxText   = 1500 // characters of an example or a sample
	maxMatrix = 64   // classes of a confusion matrix
)

type page struct {
	*Run
	Facts       []fact
	Results     []result
	Terms       []term // baselines of the results
	Trained     []trainedRow
	Columns     trainedColumns
	Training    []stageSection
	Races       []raceSection
	Damaged     string
	Classifiers []classifierSection
	Samples     []sampleGroup
	Data        []dataSection
	RecipeLines [][]span // the keys that were set, or all where that is not known
	AllLines    [][]span // all keys; nil: RecipeLines has them
	Uses        []Use
	Curves      [][]column
}

// WriteHTML writes the report of the run in a directory as one HTML file that loads nothing
// from the network. All values and texts are escaped. metrics may be nil.
func WriteHTML(w io.Writer, dir string, run *Run, metrics *Metrics, samples []Sample) error {
	if metrics == nil {
		metrics = new(Metrics)
	}
	p := &page{Run: run, Facts: facts(run), Samples: groupSamples(samples), Uses: run.Uses(dir, samples)}
	p.results()
	p.trained()
	p.training(metrics)
	for _, s := range run.Stages {
		if s.Race != nil {
			p.race(s.Race, metrics)
		}
	}
	for i := range run.Classifications {
		p.Classifiers = append(p.Classifiers, newClassifierSection(run, &run.Classifications[i]))
	}
	for i := range run.Data {
		p.Data = append(p.Data, newDataSection(&run.Data[i]))
	}
	p.RecipeLines = highlight(run.RecipeText)
	if run.RecipeSet != "" {
		p.RecipeLines, p.AllLines = highlight(run.RecipeSet), p.RecipeLines
	}
	if metrics.Damaged > 0 {
		p.Damaged = plural(int64(metrics.Damaged), "line") + " of metrics.jsonl could not be read and is not shown: a killed process may leave one"
	}
	// Rendered as a whole before writing: a fault must not leave half a page.
	var b bytes.Buffer
	if err := pageTemplate().Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// A stageSection is a training stage with its curves.
type stageSection struct {
	Stage   Stage
	Known   bool // report.json has the stage
	Charts  []chart
	Spreads []Spread // where trials have several seeds
	Wide    int      // number of charts that take the whole width
	Legend  []line
	Note    string
	Events  []string
}

// A series is a curve of the log: that of a stage, or of one of its trials.
type series struct {
	name  string // in the legend
	steps []Step
	val   []Validation
}

// take adds what a log has of a curve, and reports whether it has something.
func (s *series) take(m *Metrics, curve string) bool {
	for _, l := range m.Steps {
		if l.Stage == curve {
			s.steps = append(s.steps, l)
		}
	}
	for _, v := range m.Validation {
		if v.Stage == curve {
			s.val = append(s.val, v)
		}
	}
	return len(s.steps)+len(s.val) > 0
}

// column is what hovering over a chart shows, by step.
type column struct {
	Name string          `json:"name"`
	Kind string          `json:"kind"`
	X    []float64       `json:"x"`
	Y    []metric.Number `json:"y"`
}

func (p *page) training(m *Metrics) {
	stages := slices.Clone(p.Stages)
	known := len(stages)
	owner := func(curve string) int {
		return slices.IndexFunc(stages, func(s Stage) bool { return curve == s.Name || strings.HasPrefix(curve, s.Name+"/") })
	}
	for _, name := range m.Stages {
		if owner(name) < 0 {
			stages = append(stages, Stage{Name: name})
		}
	}
	for k, s := range stages {
		var list []series
		for _, name := range m.Stages {
			if owner(name) != k {
				continue
			}
			one := series{name: strings.TrimPrefix(strings.TrimPrefix(name, s.Name), "/")}
			for _, t := range s.Trials {
				if t.Curve == name {
					one.name = fmt.Sprintf("learning rate %g", t.LearningRate)
					if several(s.Trials) {
						one.name += fmt.Sprintf(", seed %d", t.Seed)
					}
					if t.Chosen {
						one.name += " (chosen)"
					}
				}
			}
			if one.take(m, name) {
				list = append(list, one)
			}
		}
		sec := stageSection{Stage: s, Known: k < known}
		if several(s.Trials) {
			sec.Spreads = Spreads(s.Trials)
		}
		var marked []Event
		for _, e := range m.Events {
			if owner(e.Stage) != k {
				continue
			}
			text := fmt.Sprintf("step %s: %s", count(int64(e.Step)), e.Event)
			if rest := strings.TrimPrefix(e.Stage, s.Name+"/"); rest != e.Stage {
				text = rest + ", " + text
			}
			if e.Detail != "" {
				text += " – " + e.Detail
			}
			sec.Events = append(sec.Events, text)
			marked = append(marked, e)
		}
		if len(list) == 0 && len(sec.Events) == 0 && len(s.Trials) == 0 {
			continue
		}
		p.draw(&sec, list, marked)
		p.Training = append(p.Training, sec)
	}
}

// draw makes the charts of a stage.
func (p *page) draw(sec *stageSection, list []series, events []Event) {
	end := 0.0
	for _, s := range list {
		for _, l := range s.steps {
			end = max(end, float64(l.Step))
		}
		for _, v := range s.val {
			end = max(end, float64(v.Step))
		}
	}
	if end == 0 {
		end = 1
	}
	x := newAxis(0, end, 5)
	// The axis ends with the stage, not at the next round number.
	xTicks := axis{0, end, x.step}.ticks(end, 1)
	x.hi = end

	type source struct {
		title, unit, kind string
		of                func(Step) metric.Number
		zero              bool // the axis begins at 0
	}
	pick := func(s series, of func(Step) metric.Number) []point {
		out := make([]point, len(s.steps))
		for i, l := range s.steps {
			out[i] = point{float64(l.Step), float64(of(l))}
		}
		return out
	}
	pickVal := func(s series, of func(Validation) metric.Number) []point {
		var out []point
		for _, v := range s.val {
			if y := of(v); y.Known() {
				out = append(out, point{float64(v.Step), float64(y)})
			}
		}
		return out
	}
	finish := func(c chart, y axis, scale float64, unit string, hover []column, all ...[]point) {
		c.XName = "step"
		c.Unit, c.XTicks, c.YTicks, c.MaxX = unit, xTicks, y.ticks(y.hi, scale), end
		for _, e := range events {
			c.Marks = append(c.Marks, tick{percentAt(min(1, x.at(float64(e.Step)))), e.Event})
		}
		c.Curve = len(p.Curves)
		p.Curves = append(p.Curves, hover)
		lo, hi, _ := bounds(all...)
		c.Label = fmt.Sprintf("%s over %s steps, between %.4g and %.4g", c.Title, count(int64(end)), lo, hi)
		sec.Charts = append(sec.Charts, c)
	}

	// The training loss, measured and smoothed, and the validation loss.
	var loss chart
	loss.Title = "Loss"
	var raw, mean, val [][]point
	var hover []column
	note := ""
	for _, s := range list {
		r := pick(s, func(l Step) metric.Number { return l.Loss })
		h := 0
		if len(r) >= 20 {
			h = max(1, len(r)/60)
		}
		if h > 0 {
			note = fmt.Sprintf("The strong line is smoothed over %d logged steps; the faint line shows every logged step.", 2*h+1)
		}
		raw, mean = append(raw, r), append(mean, smooth(r, h))
		val = append(val, pickVal(s, func(v Validation) metric.Number { return v.Loss }))
	}
	if lo, hi, ok := bounds(slices.Concat(raw, val)...); ok {
		y := newAxis(lo, hi, 5)
		for i, s := range list {
			name := "training"
			vname := "validation"
			trainColor, valColor := 0, 1
			if len(list) > 1 {
				name, vname = s.name+", training", s.name+", validation"
				trainColor, valColor = i%6, i%6
			}
			if note != "" {
				loss.Lines = append(loss.Lines, line{"raw", trainColor, path(thin(raw[i], maxPoints/2), x, y), ""})
			}
			class := "train"
			if len(s.steps) == 1 {
				class = "dots"
				loss.Lines = append(loss.Lines, line{class, trainColor, dots(raw[i], x, y), name})
			} else if len(s.steps) > 1 {
				loss.Lines = append(loss.Lines, line{class, trainColor, path(thin(mean[i], maxPoints/2), x, y), name})
			}
			hover = append(hover, columnOf(name, "f", raw[i]))
			if note != "" {
				hover = append(hover, columnOf("… smoothed", "f", mean[i]))
			}
			if len(val[i]) > 0 {
				loss.Lines = append(loss.Lines, line{"val", valColor, path(thin(val[i], maxPoints/2), x, y), vname},
					line{"dots", valColor, dots(thin(val[i], maxPoints/2), x, y), ""})
				hover = append(hover, columnOf(vname, "f", val[i]))
			}
			if i == 0 {
				hover = append(hover, columnOf("tokens", "n", pick(s, func(l Step) metric.Number { return metric.Number(l.Tokens) })),
					columnOf("time", "t", pick(s, func(l Step) metric.Number { return l.Seconds })))
			}
		}
		for _, l := range loss.Lines {
			if l.Name != "" {
				sec.Legend = append(sec.Legend, l)
			}
		}
		sec.Note = note
		bad := 0
		for _, r := range raw {
			for _, q := range r {
				if !metric.Number(q.y).Known() {
					bad++
				}
			}
		}
		if bad > 0 {
			sec.Note = strings.TrimSpace(fmt.Sprintf("%s The loss of %s was not finite: a gap.", sec.Note, plural(int64(bad), "logged step")))
		}
		finish(loss, y, 1, "nats per target", hover, slices.Concat(raw, val)...)
		sec.Wide = 1
	}

	type validated struct {
		title, unit string
		of          func(Validation) metric.Number
	}
	figures := []validated{
		{"Validation, bits per byte", "", func(v Validation) metric.Number { return v.BitsPerByte }},
		{"Validation accuracy", "share correct", func(v Validation) metric.Number { return v.Accuracy }},
	}
	var others []string
	for _, s := range list {
		for _, v := range s.val {
			others = slices.AppendSeq(others, maps.Keys(v.Metrics))
		}
	}
	slices.Sort(others)
	for _, name := range slices.Compact(others) {
		figures = append(figures, validated{"Validation, " + metricName(name), "", func(v Validation) metric.Number {
			if y, ok := v.Metrics[name]; ok {
				return y
			}
			return metric.Missing
		}})
	}
	for _, v := range figures {
		c := chart{Title: v.title}
		var all [][]point
		for _, s := range list {
			all = append(all, pickVal(s, v.of))
		}
		lo, hi, ok := bounds(all...)
		if !ok {
			continue
		}
		y := newAxis(lo, hi, 4)
		var hover []column
		for i, s := range list {
			if len(all[i]) == 0 {
				continue
			}
			color, name := 1, strings.ToLower(v.title)
			if len(list) > 1 {
				color, name = i%6, s.name
			}
			shown := thin(all[i], maxPoints/2)
			c.Lines = append(c.Lines, line{"val", color, path(shown, x, y), ""}, line{"dots", color, dots(shown, x, y), ""})
			hover = append(hover, columnOf(name, "f", all[i]))
		}
		finish(c, y, 1, v.unit, hover, all...)
	}

	for _, src := range []source{
		{"Learning rate", "", "e", func(l Step) metric.Number { return l.LR }, true},
		{"Throughput", "tokens per second", "n", func(l Step) metric.Number {
			if l.TokensPerSecond <= 0 { // it was not measured
				return metric.Missing
			}
			return l.TokensPerSecond
		}, true},
		{"Gradient norm", "before clipping", "e", func(l Step) metric.Number { return l.GradNorm }, true},
	} {
		c := chart{Title: src.title}
		var all [][]point
		for _, s := range list {
			all = append(all, pick(s, src.of))
		}
		lo, hi, ok := bounds(all...)
		if !ok || lo == 0 && hi == 0 {
			continue
		}
		if src.zero {
			lo = min(0, lo)
		}
		y := newAxis(lo, hi, 4)
		scale, unit := 1.0, src.unit
		if y.hi < 0.01 {
			e := int(math.Floor(math.Log10(y.hi)))
			scale = math.Pow(10, float64(e))
			unit = strings.TrimSpace(unit + " × 10" + superscript(e))
		}
		var hover []column
		for i, s := range list {
			color, name := 0, strings.ToLower(src.title)
			if len(list) > 1 {
				color, name = i%6, s.name
			}
			shown := thin(all[i], maxPoints/2)
			if len(shown) == 1 {
				c.Lines = append(c.Lines, line{"dots", color, dots(shown, x, y), ""})
			} else {
				c.Lines = append(c.Lines, line{"train", color, path(shown, x, y), ""})
			}
			hover = append(hover, columnOf(name, src.kind, all[i]))
			if src.title == "Throughput" {
				hover = append(hover, columnOf("of the machine's limit", "p", pick(s, func(l Step) metric.Number { return l.MFU })))
			}
		}
		finish(c, y, scale, unit, hover, all...)
	}
}

// columnOf takes evenly spaced points for hovering, with five digits.
func columnOf(name, kind string, points []point) column {
	c := column{Name: name, Kind: kind, X: []float64{}, Y: []metric.Number{}}
	every := max(1, (len(points)+maxPoints-1)/maxPoints)
	for i := 0; i < len(points); i += every {
		v := metric.Number(points[i].y)
		if v.Known() {
			r, _ := strconv.ParseFloat(strconv.FormatFloat(points[i].y, 'g', 5, 64), 64)
			if kind == "n" {
				r = math.Round(points[i].y)
			}
			v = metric.Number(r)
		}
		c.X, c.Y = append(c.X, points[i].x), append(c.Y, v)
	}
	return c
}

func superscript(n int) string {
	return strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").
		Replace(strconv.Itoa(n))
}

// A classifierSection shows the results of a classifier for each class.
type classifierSection struct {
	Model, Task string
	Labels      []string
	Rows        []confusionRow
	TooWide     int // number of classes where the matrix is left out because of it; else 0
	Pairs       []confusedPair
	ECE, Lean   string
	Bars        []reliabilityBar
	Wrong       []exampleCard
}

type confusionRow struct {
	Label                    string
	Cells                    []confusionCell
	N                        string
	Recall, Precision, F1, V string
}

type confusionCell struct {
	N, Share string // Share: shade, 0 to 1
	Hit      bool
	Tip      string
}

type confusedPair struct {
	True, Predicted string
	n               int
	N, Share        string
}

type reliabilityBar struct {
	Left, Width, Height, At, Count string // percent
	Tip                            string
	Over                           bool
}

type exampleCard struct {
	metric.Mistake
	Shown, More, Percent string
}

func newClassifierSection(run *Run, c *metric.ByLabel) classifierSection {
	s := classifierSection{Model: run.modelName(c.Stage), Task: c.Task, Labels: c.Labels}
	columns := make([]int, len(c.Labels))
	for _, row := range c.Confusion {
		for k, n := range row {
			columns[k] += n
		}
	}
	for t, row := range c.Confusion {
		total := 0
		for _, n := range row {
			total += n
		}
		r := confusionRow{Label: c.Labels[t], N: count(int64(total)),
			Recall: percent(ratio(row[t], total)), Precision: percent(ratio(row[t], columns[t])), F1: percent(ratio(2*row[t], total+columns[t]))}
		for k, n := range row {
			share := ratio(n, total)
			cell := confusionCell{N: count(int64(n)), Share: "0", Hit: k == t}
			if n > 0 {
				cell.Share = strconv.FormatFloat(math.Sqrt(float64(share)), 'f', 3, 64) // the root, so that rare confusions stay visible
			}
			if len(c.Labels) <= maxMatrix {
				cell.Tip = fmt.Sprintf("%s of %s %s taken for %s (%s)", count(int64(n)), count(int64(total)), c.Labels[t], c.Labels[k], percent(share))
				r.Cells = append(r.Cells, cell)
			}
			if k != t && n > 0 {
				s.Pairs = append(s.Pairs, confusedPair{c.Labels[t], c.Labels[k], n, count(int64(n)), percent(share)})
			}
		}
		s.Rows = append(s.Rows, r)
	}
	if len(c.Labels) > maxMatrix {
		s.TooWide = len(c.Labels)
	}
	slices.SortStableFunc(s.Pairs, func(a, b confusedPair) int { return b.n - a.n })
	s.Pairs = s.Pairs[:min(8, len(s.Pairs))]

	total, most, lean := 0, 0, 0.0
	for _, b := range c.Calibration.Bins {
		total += b.N
		most = max(most, b.N)
		lean += float64(b.N) * (b.Confidence - b.Accuracy)
	}
	if total > 0 {
		s.ECE = figure(c.Calibration.ECE)
		lean /= float64(total)
		word := "more"
		if lean < 0 {
			word = "less"
		}
		s.Lean = fmt.Sprintf("on average it is %.1f points %s sure of its answer than it is right", 100*math.Abs(lean), word)
		for _, b := range c.Calibration.Bins {
			bar := reliabilityBar{Left: percentAt(b.Lo), Width: percentAt(b.Hi - b.Lo)}
			if b.N > 0 {
				bar.Height, bar.At, bar.Count = percentAt(b.Accuracy), percentAt(b.Confidence), percentAt(float64(b.N)/float64(most))
				bar.Over = b.Confidence > b.Accuracy
				bar.Tip = fmt.Sprintf("said %.1f %%, right %.1f %%, %s", 100*b.Confidence, 100*b.Accuracy, plural(int64(b.N), "document"))
			}
			s.Bars = append(s.Bars, bar)
		}
	}
	for _, e := range c.Wrong {
		card := exampleCard{Mistake: e, Percent: percent(e.Probability)}
		card.Shown, card.More = clip(e.Text)
		s.Wrong = append(s.Wrong, card)
	}
	return s
}

func ratio(a, b int) metric.Number {
	if b == 0 {
		return metric.Missing
	}
	return metric.Number(float64(a) / float64(b))
}

// clip cuts a long text and appends how much was cut.
func clip(text string) (shown, more string) {
	r := []rune(text)
	if len(r) <= maxText {
		return text, ""
	}
	return string(r[:maxText]), plural(int64(len(r)-maxText), "more character")
}

// A sampleGroup holds the samples of a stage's model for one prompt, the latest first.
type sampleGroup struct {
	Stage, Prompt string
	Latest        sampleText
	Earlier       []sampleText
}

type sampleText struct {
	Sample
	Shown, More string
}

func groupSamples(samples []Sample) []sampleGroup {
	type key struct {
		stage, prompt string
		seed          uint64
		temperature   float64
	}
	at := map[key]int{}
	var groups []sampleGroup
	for _, s := range slices.Backward(samples) {
		t := sampleText{Sample: s}
		t.Shown, t.More = clip(s.Text)
		k := key{s.Stage, s.Prompt, s.Seed, s.Temperature}
		if i, ok := at[k]; ok {
			groups[i].Earlier = append(groups[i].Earlier, t)
			continue
		}
		at[k] = len(groups)
		groups = append(groups, sampleGroup{Stage: s.Stage, Prompt: s.Prompt, Latest: t})
	}
	slices.Reverse(groups)
	return groups
}

// A dataSection shows the statistics of a corpus.
type dataSection struct {
	*Data
	Overlap string
	Labels  []labelBar
	Dropped string
}

type labelBar struct{ Name, N, Width string }

func newDataSection(d *Data) dataSection {
	s := dataSection{Data: d, Overlap: upperFirst(d.overlapWords())}
	most, dropped := int64(1), int64(0)
	for _, c := range d.Labels {
		most = max(most, c.N)
	}
	for _, c := range d.Labels {
		s.Labels = append(s.Labels, labelBar{c.Name, count(c.N), percentAt(float64(c.N) / float64(most))})
	}
	for _, c := range d.Drops {
		dropped += c.N
	}
	s.Dropped = count(dropped)
	return s
}

// A span is a piece of the recipe in one style.
type span struct{ Class, Text string }

// highlight marks headers, keys and comments of a TOML text, line by line.
func highlight(text string) [][]span {
	if text == "" {
		return nil
	}
	var out [][]span
	for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		t := strings.TrimSpace(l)
		key, rest, ok := strings.Cut(l, "=")
		switch {
		case t == "":
			out = append(out, nil)
		case t[0] == '#':
			out = append(out, []span{{"comment", l}})
		case t[0] == '[' && t[len(t)-1] == ']':
			out = append(out, []span{{"header", l}})
		case ok && !strings.ContainsAny(key, `"',{[`):
			out = append(out, []span{{"key", key}, {"", "=" + rest}})
		default:
			out = append(out, []span{{"", l}})
		}
	}
	return out
}
