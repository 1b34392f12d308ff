package report

import (
	"bytes"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	run, _, _ := madeUp()
	other := &Run{Recipe: "dna-mini", Stages: []Stage{{Name: "pretrain", WallSeconds: 60, Tokens: 9, Parameters: 7}, {Name: "text", WallSeconds: 2}},
		Evaluations: []Evaluation{{Stage: "pretrain", Task: "test characters", Metric: "bits_per_character", LowerIsBetter: true, Estimate: estimate(1.9, 1.8, 2, 5),
			Baselines: []Baseline{{Name: "markov", Estimate: estimate(1.95, 1.9, 2, 5), Diff: estimate(-.05, -.06, -.04, 5)}}}}}
	rows := Compare([]*Run{run, other})
	figures := 0
	for _, e := range run.Evaluations {
		figures += max(1, len(e.Baselines))
	}
	if len(rows) != figures+1 {
		t.Fatalf("%d rows, want %d", len(rows), figures+1)
	}
	if r := rows[figures]; r.Run != "dna-mini" || r.Baseline != "markov" || r.Against != 1.95 || r.Diff != -.05 || r.Outcome != "beats" || r.Seconds != 62 || r.Tokens != 9 || r.Parameters != 7 {
		t.Errorf("%+v", r)
	}
	for markdown, wants := range map[bool][]string{
		false: {"quickstart  pretrain", "dna-mini    pretrain  test characters", "−0.050 [−0.060, −0.040]  beaten", "not beaten"},
		true:  {"| run | model |", "|---|---|", "| dna-mini | pretrain | test characters | bits per character | 1.900 | [1.800, 2.000] | markov | 1.950 | −0.050 [−0.060, −0.040] | beaten | 1 min 02 s |"},
	} {
		var b bytes.Buffer
		if err := WriteComparison(&b, rows, markdown); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("markdown %v lacks %q:\n%s", markdown, want, &b)
			}
		}
	}
}
