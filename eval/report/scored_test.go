package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"hone/eval/metric"
)

// Which documents a figure is of stands beside it, in every form of the report.
func TestScored(t *testing.T) {
	for _, c := range []struct {
		of   metric.Scored
		want string
	}{
		{metric.Scored{Split: "validation", Documents: 904, Chosen: 904, Scored: 904, What: "each token of a text", Row: 128},
			"all 904 documents of the validation split; each token of a text"},
		{metric.Scored{Split: "validation", Documents: 1904, Chosen: 256, Scored: 250, What: "each token of a text, and its end", Row: 128, Longer: 31},
			"256 of the 1 904 documents of the validation split, evenly spaced, but for 6 without a text or label; each token of a text, and its end; 31 longer than the 128 tokens of a row: read in windows"},
		{metric.Scored{Split: "test", Documents: 985, Chosen: 985, Scored: 985, What: "the label of each", Row: 64, Longer: 120, Cut: true},
			"all 985 documents of the test split; the label of each; 120 longer than the 64 tokens of a row: cut there"},
	} {
		if got := strings.ReplaceAll(Words(&c.of), "\u202f", " "); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		run := &Run{
			Recipe:      "r",
			Stages:      []Stage{{Name: "model", Kind: "pretrain", Steps: 3, Validated: &c.of}},
			Evaluations: []metric.Evaluation{{Stage: "model", Task: "text", Metric: "bits_per_byte", Estimate: estimate(1.8, 1.7, 1.9, 250), Scored: &c.of}},
		}
		var text, page, file bytes.Buffer
		if err := WriteText(&text, run); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"validation of model: " + Words(&c.of), "text of model: " + Words(&c.of)} {
			if !strings.Contains(text.String(), "\n"+line+"\n") {
				t.Errorf("no line %q in\n%s", line, text.String())
			}
		}
		if err := WriteHTML(&page, "", run, new(Metrics), nil); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(page.String(), Words(&c.of)); n != 2 {
			t.Errorf("the page says %q %d times, want beside the result and the training", Words(&c.of), n)
		}
		if err := WriteJSON(&file, run); err != nil {
			t.Fatal(err)
		}
		again := new(Run)
		if err := json.Unmarshal(file.Bytes(), again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Evaluations[0].Scored, &c.of) || !reflect.DeepEqual(again.Stages[0].Validated, &c.of) {
			t.Errorf("read again: %+v and %+v", again.Evaluations[0].Scored, again.Stages[0].Validated)
		}
	}
}
