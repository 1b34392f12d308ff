package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"hone/eval/metric"
)

// raced is a log of two trainings: adamw's lowest loss is 2.5, at step 40 of 50; muon is
// there at step 20 of 50, having been validated at 10 and 20.
func raced(t *testing.T) *Metrics {
	var log bytes.Buffer
	enc := json.NewEncoder(&log)
	for curve, losses := range map[string][]float64{
		"adamw/lr-0.001": {5, 4.5, 4.4, 4.4, 4.4}, "adamw/lr-0.004": {4, 3, 2.75, 2.5, 2.6}, "muon": {3, 2.5, 2.25, 2, 2},
	} {
		for i, loss := range losses {
			step := 10 * (i + 1)
			if err := enc.Encode(Validation{Step: step, Stage: curve, Loss: metric.Number(loss), BitsPerByte: metric.Missing, Accuracy: metric.Missing}); err != nil {
				t.Fatal(err)
			}
		}
		for step := 25; step <= 50; step += 25 {
			if err := enc.Encode(Step{Step: step, Stage: curve, Loss: 3, Seconds: metric.Number(2 * step)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, err := ReadMetrics(&log)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRace(t *testing.T) {
	m := raced(t)
	adamw := Stage{Name: "adamw", Trials: []Trial{{LearningRate: 1e-3, Curve: "adamw/lr-0.001", Metric: "val_loss", Value: 4.4, Chosen: false}, {LearningRate: 4e-3, Curve: "adamw/lr-0.004", Metric: "val_loss", Value: 2.5, Chosen: true}}}
	muon := Stage{Name: "muon"}
	r := NewRace(m, &adamw, &muon)
	if a, b := r.Runners[0], r.Runners[1]; r.Goal != 2.5 || a.Steps != 40 || a.Seconds != 80 || a.OfSteps != 50 || b.Steps != 20 || b.Seconds != 40 || b.Lowest != 2 {
		t.Errorf("%+v", r)
	}
	if want := "muon reaches the lowest validation loss of adamw, 2.500, after 20 steps instead of 40 (50.0 %) and after 40 s instead of 1 min 20 s (50.0 %)"; r.words() != want {
		t.Errorf("%q, want %q", r.words(), want)
	}
	// The other way round the goal is out of reach.
	back := NewRace(m, &muon, &adamw)
	if back.Runners[1].Steps != 0 || !strings.Contains(back.words(), "adamw does not reach the lowest validation loss of muon, 2.000: its own is 2.500") {
		t.Errorf("%q, %+v", back.words(), back)
	}
	if NewRace(m, &adamw, &Stage{Name: "lion"}) != nil || NewRace(new(Metrics), &adamw, &muon) != nil {
		t.Error("a race that the log says nothing of")
	}

	// report.json gives the same words and, with the log, the page its curves.
	muon.Race = r
	var b bytes.Buffer
	if err := WriteJSON(&b, &Run{Stages: []Stage{adamw, muon}}); err != nil {
		t.Fatal(err)
	}
	var again Run
	if err := json.Unmarshal(b.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := WriteText(&b, &again); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\n"+r.words()+"\n") {
		t.Errorf("the text lacks %q:\n%s", r.words(), &b)
	}
	b.Reset()
	if err := WriteHTML(&b, "runs/quickstart", &again, m, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"muon against adamw", "Validation loss by steps", "Validation loss by time", `data-x="second"`, "lowest of adamw", "20 of 50"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
