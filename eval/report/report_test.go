package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hone/checkpoint/provenance"
	"hone/eval/metric"
)

func estimate(v, lo, hi float64, n int) metric.Estimate {
	return metric.Estimate{Value: v, Lo: lo, Hi: hi, N: n}
}

func TestNumberHasNoNaN(t *testing.T) {
	for v, want := range map[metric.Number]string{metric.Missing: "null", metric.Number(math.Inf(1)): "null", metric.Number(math.Inf(-1)): "null", 0: "0", 1.5: "1.5"} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%v: %s, %v; want %s", v, got, err, want)
		}
		var back metric.Number
		if err := json.Unmarshal(got, &back); err != nil || back.Known() != v.Known() || v.Known() && back != v {
			t.Errorf("%s read back as %v, %v", got, back, err)
		}
	}
}

func TestMetricsAfterKills(t *testing.T) {
	for _, c := range []struct {
		name, text string
		steps      []int
		losses     []metric.Number
		damaged    int
	}{
		{"torn last line", `{"step":1,"stage":"p","loss":3}
{"step":2,"stage":"p","loss":2}
{"step":3,"stage":"p","lo`, []int{1, 2}, []metric.Number{3, 2}, 1},
		{"only a torn line", `{"step":1,"sta`, nil, nil, 1},
		{"torn line inside", `{"step":1,"stage":"p","loss":3}
{"step":2,"stage":"p","lo{"step":2,"stage":"p","loss":2}
{"step":3,"stage":"p","loss":1}`, []int{1, 3}, []metric.Number{3, 1}, 1},
		{"repeated", `{"step":1,"stage":"p","loss":3}
{"step":2,"stage":"p","loss":2}
{"step":1,"stage":"p","loss":2.5}
`, []int{1, 2}, []metric.Number{2.5, 2}, 0},
		{"resumed", `{"step":1,"stage":"p","loss":3}
{"step":2,"stage":"p","loss":2}
{"step":2,"stage":"p","val_loss":2}
{"step":3,"stage":"p","loss":1}
{"event":"resumed","step":1,"stage":"p"}
{"step":2,"stage":"p","loss":2.5}
`, []int{1, 2}, []metric.Number{3, 2.5}, 0},
		{"null", `{"step":1,"stage":"p","loss":null,"lr":0}` + "\n", []int{1}, []metric.Number{metric.Missing}, 0},
		{"empty", "", nil, nil, 0},
	} {
		m, err := ReadMetrics(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var steps []int
		for i, s := range m.Steps {
			steps = append(steps, s.Step)
			if i < len(c.losses) && s.Loss != c.losses[i] && (s.Loss.Known() || c.losses[i].Known()) {
				t.Errorf("%s: step %d: loss %v, want %v", c.name, s.Step, s.Loss, c.losses[i])
			}
			if s.GradNorm.Known() {
				t.Errorf("%s: grad_norm is %v, but the line has none", c.name, s.GradNorm)
			}
		}
		if !reflect.DeepEqual(steps, c.steps) || m.Damaged != c.damaged || len(m.Validation) != 0 {
			t.Errorf("%s: steps %v, %d damaged, %d validations", c.name, steps, m.Damaged, len(m.Validation))
		}
	}
	if _, err := ReadMetrics(strings.NewReader("no\nlog\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a file that is no log: %v", err)
	}
}

func TestStagesKeepTheirOrder(t *testing.T) {
	m, err := ReadMetrics(strings.NewReader(`{"step":5,"stage":"z","loss":1,"val_loss":2,"val_bits_per_byte":1.5}
{"event":"resumed","step":5,"stage":"z","detail":"from z/checkpoints/step-000005"}
{"step":1,"stage":"a","loss":1}
{"step":5,"stage":"z","loss":1.25}
{"step":9,"stage":"z","loss":1}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range m.Steps {
		got = append(got, s.Stage)
	}
	if !reflect.DeepEqual(got, []string{"z", "z", "a"}) || !reflect.DeepEqual(m.Stages, []string{"z", "a"}) {
		t.Errorf("steps of %v, stages %v", got, m.Stages)
	}
	if len(m.Validation) != 1 || m.Validation[0].BitsPerByte != 1.5 || m.Validation[0].Loss != 2 {
		t.Errorf("validation %+v", m.Validation)
	}
	if m.Steps[0].Loss != 1.25 {
		t.Errorf("step 5's own line says 1.25, not %v", m.Steps[0].Loss)
	}
	if len(m.Events) != 1 || m.Events[0].Detail == "" {
		t.Errorf("events %+v", m.Events)
	}
}

func TestLogGoesOnAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	for _, torn := range []string{"", `{"step":1`, `{"step":7,"stage":"` + strings.Repeat("x", 10000)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		write := func(line any) {
			t.Helper()
			log, err := OpenLog(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Write(line); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
		}
		write(Step{Step: 1, Stage: "p", Loss: 3, GradNorm: metric.Missing})
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(torn)
		f.Close()
		write(Validation{Step: 1, Stage: "p", Loss: 2, BitsPerByte: metric.Missing})
		write(Event{Event: "resumed", Step: 1, Stage: "p"})
		write(Step{Step: 2, Stage: "p", Loss: 2})
		f, err = os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ReadMetrics(f)
		f.Close()
		if err != nil || m.Damaged != 0 || len(m.Steps) != 2 || len(m.Validation) != 1 || len(m.Events) != 1 {
			t.Errorf("torn %.12q: %+v, %v", torn, m, err)
		}
	}
}

func TestSamplesLastWins(t *testing.T) {
	got, err := ReadSamples(strings.NewReader(`{"stage":"p","step":1,"prompt":"a","text":"old"}
{"stage":"p","step":1,"prompt":"b","text":"b"}
{"stage":"p","step":1,"prompt":"a","text":"new"}
{"stage":"p","st`))
	if err != nil || len(got) != 2 || got[0].Text != "new" || got[1].Text != "b" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOutcome(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name  string
		lower bool
		own   metric.Estimate
		base  metric.Estimate
		diff  metric.Estimate
		want  metric.Outcome
	}{
		{"paired, above", false, estimate(.7, .6, .8, 9), estimate(.6, .5, .7, 9), estimate(.1, .05, .15, 9), metric.Better},
		{"paired, below", false, estimate(.7, .6, .8, 9), estimate(.8, .7, .9, 9), estimate(-.1, -.15, -.05, 9), metric.Worse},
		{"paired, across", false, estimate(.7, .6, .8, 9), estimate(.6, .5, .7, 9), estimate(.1, -.01, .2, 9), metric.Undecided},
		{"paired, touching 0", false, estimate(.7, .6, .8, 9), estimate(.6, .5, .7, 9), estimate(.1, 0, .2, 9), metric.Undecided},
		{"lower is better", true, estimate(1.5, 1.4, 1.6, 9), estimate(2, 1.9, 2.1, 9), estimate(-.5, -.6, -.4, 9), metric.Better},
		{"lower is better, worse", true, estimate(2, 1.9, 2.1, 9), estimate(1.5, 1.4, 1.6, 9), estimate(.5, .4, .6, 9), metric.Worse},
		{"unpaired", true, estimate(1.5, 1.4, 1.6, 9), estimate(1.7, nan, nan, 9), metric.Estimate{}, metric.Better},
		{"unpaired, inside", true, estimate(1.5, 1.4, 1.6, 9), estimate(1.55, nan, nan, 9), metric.Estimate{}, metric.Undecided},
		{"unpaired, apart", false, estimate(.7, .68, .72, 9), estimate(.6, .55, .65, 9), metric.Estimate{}, metric.Better},
		{"unpaired, below", false, estimate(.6, .55, .65, 9), estimate(.7, .68, .72, 9), metric.Estimate{}, metric.Worse},
		{"unpaired, overlapping", false, estimate(.7, .68, .72, 9), estimate(.66, .63, .69, 9), metric.Estimate{}, metric.Undecided},
		{"no value", false, estimate(nan, nan, nan, 0), estimate(.5, .4, .6, 9), metric.Estimate{}, metric.Unknown},
		{"no baseline", false, estimate(.7, .6, .8, 9), estimate(nan, nan, nan, 0), metric.Estimate{}, metric.Unknown},
	} {
		e := metric.Evaluation{Metric: map[bool]string{true: "mse", false: "spearman"}[c.lower], Estimate: c.own}
		if got := e.Outcome(&metric.Baseline{Estimate: c.base, Diff: c.diff}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, metric.Outcomes[got], metric.Outcomes[c.want])
		}
	}
}

func TestVerdictsInWords(t *testing.T) {
	run := &Run{
		Stages: []Stage{{Name: "finetune", Kind: "finetune"}, {Name: "scratch", Kind: "finetune"}},
		Evaluations: []metric.Evaluation{{Stage: "finetune", Metric: "accuracy", Estimate: estimate(.712, .69, .733, 1680), Baselines: []metric.Baseline{
			{Name: "majority", Estimate: estimate(.224, .2, .25, 1680), Diff: estimate(.488, .46, .51, 1680)},
			{Name: "naive_bayes", Estimate: estimate(.78, .76, .8, 1680), Diff: estimate(-.068, -.09, -.046, 1680)},
			{Name: "random_init", Estimate: estimate(.7, .68, .72, 1680), Diff: estimate(.012, -.01, .03, 1680)},
		}}},
	}
	var got []string
	for _, v := range run.Verdicts() {
		got = append(got, v.Text)
	}
	want := []string{
		"the fine-tuned model beats majority (accuracy 0.712 [0.690, 0.733] against 0.224; difference +0.488 [0.460, 0.510])",
		"the fine-tuned model does not beat naive_bayes: it is worse (accuracy 0.712 [0.690, 0.733] against 0.780; difference −0.068 [−0.090, −0.046])",
		"the fine-tuned model does not beat random_init beyond the 95 % interval (accuracy 0.712 [0.690, 0.733] against 0.700; difference +0.012 [−0.010, 0.030])",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestJSONRoundTrip(t *testing.T) {
	nan := math.NaN()
	run := &Run{
		Recipe: "quickstart", Seed: 1 << 63, Version: "v0.1", Machine: Machine{Kernels: "avx2", PeakFLOPs: metric.Missing},
		Stages: []Stage{{Name: "pretrain", Kind: "pretrain", Steps: 3, TrainLoss: 2.5, ValLoss: metric.Missing, BitsPerByte: metric.Number(math.Inf(1)),
			Trials: []Trial{{LearningRate: 1e-3, Curve: "pretrain/lr-0.001", Metric: "val_loss", Value: 2.5, Chosen: true}}}},
		Evaluations: []metric.Evaluation{{Stage: "pretrain", Task: "lm", Metric: "bits_per_byte", Estimate: estimate(1.7, 1.65, 1.75, 800),
			Baselines: []metric.Baseline{{Name: "zstd_primed", Estimate: estimate(2.1, nan, nan, 800)},
				{Name: "kneser_ney_5", Estimate: estimate(1.6, 1.5, 1.7, 800), Diff: estimate(.1, .05, .15, 800)}}}},
		Classifications: []metric.ByLabel{{Task: "family", Labels: []string{"a<b", "c"}, Confusion: metric.Confusion{{3, 1}, {0, 2}},
			Calibration: metric.Calibration{ECE: .1, Bins: []metric.Bin{{Lo: 0, Hi: 1, N: 6, Confidence: .9, Accuracy: .8}}},
			Wrong:       []metric.Mistake{{Text: "t", True: "a<b", Predicted: "c", Probability: .99}}}},
		Provenance: []Corpus{{provenance.Corpus{Name: "godoc", Collected: "2024", Documents: 7, Cleaning: map[string]int64{"too short": 2}}, []Steps{{"pretrain", 1, 3, .5}}}},
	}
	var first bytes.Buffer
	if err := WriteJSON(&first, run); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, RunFile), first.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	back, _, _, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	if err := WriteJSON(&second, back); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Errorf("written, read and written again:\n%s\n%s", first.String(), second.String())
	}
	// What other programs read, by name.
	var doc struct {
		Recipe, Version string
		Seed            uint64
		Machine         map[string]any
		Stages          []map[string]any
		Evaluations     []struct {
			Stage, Task, Metric string
			Value               float64
			CI95                []float64
			N                   int
			Baselines           map[string]float64
		}
		Provenance []struct {
			Name, Collected string
			Documents, Rows int64
		}
		Verdicts []string
	}
	if err := json.Unmarshal(first.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	e := doc.Evaluations[0]
	if e.Value != 1.7 || !reflect.DeepEqual(e.CI95, []float64{1.65, 1.75}) || e.N != 800 || e.Baselines["zstd_primed"] != 2.1 || e.Baselines["kneser_ney_5"] != 1.6 {
		t.Errorf("evaluation %+v", e)
	}
	for _, key := range strings.Fields("name kind steps tokens tokens_per_second wall_seconds train_loss val_loss bits_per_byte checkpoint") {
		if _, ok := doc.Stages[0][key]; !ok {
			t.Errorf("stage has no %s", key)
		}
	}
	if doc.Stages[0]["val_loss"] != nil || doc.Seed != 1<<63 || len(doc.Verdicts) != 2 {
		t.Errorf("%+v", doc)
	}
	if p := doc.Provenance[0]; p.Name != "godoc" || p.Collected != "2024" || p.Documents != 7 || p.Rows != 7 {
		t.Errorf("provenance %+v", p)
	}
	// Earlier reports say rows alone.
	var earlier Corpus
	if err := json.Unmarshal([]byte(`{"name": "godoc", "rows": 5}`), &earlier); err != nil || earlier.Name != "godoc" || earlier.Documents != 5 {
		t.Errorf("%+v, error %v", earlier, err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, _, _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no report.json: %v", err)
	}
	for _, text := range []string{
		`{"recipe":`,
		`{"classifications":[{"labels":["a"],"confusion":[]}]}`,
		`{"classifications":[{"labels":["a"],"confusion":[[1,2]]}]}`,
		`{"stages":[{"train_loss":"high"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, RunFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := Read(dir); err == nil || !strings.Contains(err.Error(), RunFile) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
