package metric

import (
	"encoding/json"
	"fmt"
)

// A ByLabel is how a classifier did, class by class. Rows and columns of
// the confusion matrix, and Mistake's labels, are Labels.
type ByLabel struct {
	Stage       string
	Task        string
	Labels      []string
	Confusion   Confusion
	Calibration Calibration // of the probability given to the predicted label
	Wrong       []Mistake   // most confident first
}

// A Mistake is a document with the label that it has and the one it was given.
type Mistake struct {
	Text        string `json:"text"`
	Path        string `json:"path,omitempty"` // where the document is from
	True        string `json:"true"`
	Predicted   string `json:"predicted"`
	Probability Number `json:"probability"` // of Predicted
}

type bin struct {
	Lo         float64 `json:"lo"`
	Hi         float64 `json:"hi"`
	N          int     `json:"n"`
	Confidence Number  `json:"confidence"`
	Accuracy   Number  `json:"accuracy"`
}

type byLabel struct {
	Stage     string    `json:"stage"`
	Task      string    `json:"task"`
	Labels    []string  `json:"labels"`
	Confusion Confusion `json:"confusion"`
	ECE       Number    `json:"ece"`
	Bins      []bin     `json:"bins,omitempty"`
	Wrong     []Mistake `json:"most_wrong,omitempty"`
}

func (c ByLabel) MarshalJSON() ([]byte, error) {
	out := byLabel{c.Stage, c.Task, c.Labels, c.Confusion, Number(c.Calibration.ECE), nil, c.Wrong}
	for _, b := range c.Calibration.Bins {
		out.Bins = append(out.Bins, bin{b.Lo, b.Hi, b.N, Number(b.Confidence), Number(b.Accuracy)})
	}
	return json.Marshal(out)
}

func (c *ByLabel) UnmarshalJSON(text []byte) error {
	var in byLabel
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	if len(in.Confusion) != len(in.Labels) {
		return fmt.Errorf("classification %s: %d rows for %d labels", in.Task, len(in.Confusion), len(in.Labels))
	}
	for k, row := range in.Confusion {
		if len(row) != len(in.Labels) {
			return fmt.Errorf("classification %s: row %d has %d columns for %d labels", in.Task, k, len(row), len(in.Labels))
		}
	}
	*c = ByLabel{Stage: in.Stage, Task: in.Task, Labels: in.Labels, Confusion: in.Confusion, Wrong: in.Wrong}
	c.Calibration.ECE = float64(in.ECE)
	for _, b := range in.Bins {
		c.Calibration.Bins = append(c.Calibration.Bins,
			Bin{Lo: b.Lo, Hi: b.Hi, N: b.N, Confidence: float64(b.Confidence), Accuracy: float64(b.Accuracy)})
	}
	return nil
}
