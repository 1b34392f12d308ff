package report

import (
	"fmt"

	"hone/eval/metric"
)

// A Verdict says in words whether a model beats a baseline.
type Verdict struct {
	Outcome metric.Outcome
	Text    string // the fine-tuned model beats majority (accuracy 0.712 [0.690, 0.733] against 0.224)
}

// Verdicts compares each result with each of its baselines, in order.
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

func (r *Run) verdict(e *metric.Evaluation, b *metric.Baseline) Verdict {
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
	case metric.Better:
		text = fmt.Sprintf("%s beats %s (%s)", model, b.Name, figures)
	case metric.Worse:
		text = fmt.Sprintf("%s does not beat %s: it is worse (%s)", model, b.Name, figures)
	case metric.Undecided:
		text = fmt.Sprintf("%s does not beat %s beyond the 95 %% interval (%s)", model, b.Name, figures)
	case metric.Unknown:
		text = fmt.Sprintf("%s cannot be compared with %s: a figure is missing (%s)", model, b.Name, figures)
	}
	return Verdict{o, text}
}

// modelName gives a common name for the model of a stage, where only one evaluated stage is
// of its kind.
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
