package report

import (
	"fmt"
	"slices"
	"strings"

	"hone/eval/metric"
)

// A Race compares how soon a stage reached the lowest validation loss of an earlier one, each
// at the learning rate that was chosen for it.
type Race struct {
	Goal    metric.Number `json:"goal"` // that loss
	Runners [2]Runner     `json:"runners"`
}

// A Runner is one of the trainings of a race. Steps and Seconds are those of the first
// validation whose loss was at most the goal; the loss itself may have passed it earlier.
type Runner struct {
	Stage        string        `json:"stage"`
	Curve        string        `json:"curve"` // its Stage in metrics.jsonl
	LearningRate metric.Number `json:"learning_rate"`
	Lowest       metric.Number `json:"lowest"`  // validation loss
	Steps        int           `json:"steps"`   // to the goal; 0: not reached
	Seconds      metric.Number `json:"seconds"` // to the goal, including earlier validations
	OfSteps      int           `json:"of_steps"`
	OfSeconds    metric.Number `json:"of_seconds"`
	points       []place       // from metrics.jsonl; not in report.json
}

// A place is a validation of a curve, with its step and time.
type place struct {
	step    int
	seconds metric.Number
	loss    metric.Number
}

// NewRace finds in the log how soon a stage reached the lowest loss of an earlier one; nil
// where the log does not have it.
func NewRace(m *Metrics, goal, stage *Stage) *Race {
	r := &Race{Goal: metric.Missing}
	for i, s := range []*Stage{goal, stage} {
		run := &r.Runners[i]
		*run = Runner{Stage: s.Name, Curve: s.Name, LearningRate: metric.Missing, Lowest: metric.Missing, Seconds: metric.Missing, OfSeconds: metric.Missing}
		for _, t := range s.Trials {
			if t.Chosen {
				run.Curve, run.LearningRate = t.Curve, metric.Number(t.LearningRate)
			}
		}
		run.points = m.places(run.Curve)
		for _, p := range run.points {
			run.OfSteps, run.OfSeconds = p.step, p.seconds
			if p.loss.Known() && (!run.Lowest.Known() || p.loss < run.Lowest) {
				run.Lowest = p.loss
			}
		}
		if i == 0 {
			r.Goal = run.Lowest
		}
		at := slices.IndexFunc(run.points, func(p place) bool { return p.loss <= r.Goal })
		if !r.Goal.Known() || len(run.points) == 0 {
			return nil
		}
		if at >= 0 {
			run.Steps, run.Seconds = run.points[at].step, run.points[at].seconds
		}
	}
	return r
}

// places lists the validations of a curve.
func (m *Metrics) places(curve string) (list []place) {
	for _, v := range m.Validation {
		if v.Stage != curve {
			continue
		}
		p, before := place{v.Step, metric.Missing, v.Loss}, Step{}
		for _, s := range m.Steps {
			if s.Stage != curve {
				continue
			}
			if s.Step >= v.Step { // time is interpolated between two lines of the log
				p.seconds = before.Seconds + (s.Seconds-before.Seconds)*metric.Number(v.Step-before.Step)/metric.Number(s.Step-before.Step)
				break
			}
			before = s
		}
		list = append(list, p)
	}
	return list
}

// words gives the result of the race in words.
func (r *Race) words() string {
	a, b := &r.Runners[0], &r.Runners[1]
	if b.Steps == 0 {
		return fmt.Sprintf("%s does not reach the lowest validation loss of %s, %s: its own is %s", b.Stage, a.Stage, figure(float64(r.Goal)), figure(float64(b.Lowest)))
	}
	text := fmt.Sprintf("%s reaches the lowest validation loss of %s, %s, after %s steps instead of %s (%s)", b.Stage, a.Stage,
		figure(float64(r.Goal)), count(int64(b.Steps)), count(int64(a.Steps)), percent(metric.Number(float64(b.Steps)/float64(a.Steps))))
	if a.Seconds > 0 && b.Seconds.Known() {
		text += fmt.Sprintf(" and after %s instead of %s (%s)", duration(b.Seconds), duration(a.Seconds), percent(b.Seconds/a.Seconds))
	}
	return text
}

// A raceSection is a race with its curves.
type raceSection struct {
	*Race
	Title, Words string
	Charts       []chart
	Legend       []line
	Rows         []raceRow
}

type raceRow struct{ Name, Rate, Steps, Seconds, Lowest string }

// race draws validation losses over steps, and over seconds.
func (p *page) race(r *Race, m *Metrics) {
	sec := raceSection{Race: r, Title: r.Runners[1].Stage + " against " + r.Runners[0].Stage, Words: upperFirst(r.words()) + "."}
	var all [2][]point
	for i := range r.Runners {
		run := &r.Runners[i]
		run.points = m.places(run.Curve)
		for _, q := range run.points {
			all[i] = append(all[i], point{float64(q.step), float64(q.loss)})
		}
		row := raceRow{Name: run.Stage, Rate: missing, Steps: missing, Seconds: duration(run.Seconds), Lowest: figure(float64(run.Lowest))}
		if run.LearningRate.Known() {
			row.Rate = fmt.Sprintf("%g", float64(run.LearningRate))
		}
		if run.Steps > 0 {
			row.Steps = fmt.Sprintf("%s of %s", count(int64(run.Steps)), count(int64(run.OfSteps)))
		}
		sec.Rows = append(sec.Rows, row)
		sec.Legend = append(sec.Legend, line{Class: "train", Color: i, Name: run.Stage})
	}
	sec.Legend = append(sec.Legend, line{Class: "val", Color: 0, Name: "lowest of " + r.Runners[0].Stage})
	lo, hi, ok := bounds(all[0], all[1])
	if !ok {
		return
	}
	// The first validations are much higher and would flatten the rest of the curves.
	if cut := lo + 4*(float64(r.Goal)-lo) + 0.15*(hi-lo); cut < hi {
		hi = cut
	}
	y := newAxis(lo, hi, 5)
	for _, over := range []struct {
		title, unit, x string
		of             func(place) float64
	}{
		{"Validation loss by steps", "nats per target", "step", func(q place) float64 { return float64(q.step) }},
		{"Validation loss by time", "nats per target", "second", func(q place) float64 { return float64(q.seconds) }},
	} {
		c := chart{Title: over.title, Unit: over.unit, XName: over.x, Curve: len(p.Curves), YTicks: y.ticks(y.hi, 1)}
		for _, run := range r.Runners {
			for _, q := range run.points {
				if v := over.of(q); metric.Number(v).Known() {
					c.MaxX = max(c.MaxX, v)
				}
			}
		}
		if c.MaxX == 0 {
			continue
		}
		x := axis{0, c.MaxX, newAxis(0, c.MaxX, 5).step}
		c.XTicks = x.ticks(c.MaxX, 1)
		goal := []point{{0, float64(r.Goal)}, {c.MaxX, float64(r.Goal)}}
		c.Lines = append(c.Lines, line{"val", 0, path(goal, x, y), ""})
		var hover []column
		for i, run := range r.Runners {
			var points []point
			for _, q := range run.points {
				if v := over.of(q); metric.Number(v).Known() {
					points = append(points, point{v, float64(q.loss)})
				}
			}
			hover = append(hover, columnOf(run.Stage, "f", points))
			points = slices.DeleteFunc(points, func(q point) bool { return q.y > y.hi })
			c.Lines = append(c.Lines, line{"train", i, path(points, x, y), ""}, line{"dots", i, dots(points, x, y), ""})
		}
		p.Curves = append(p.Curves, hover)
		c.Label = strings.ToLower(over.title) + ": " + r.words()
		sec.Charts = append(sec.Charts, c)
	}
	p.Races = append(p.Races, sec)
}
