package run

import (
	"encoding/json"
	"fmt"

	"hone/checkpoint"
	"hone/eval"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// decisionFile is, in a checkpoint, how its labels are decided.
const decisionFile = "decision.json"

// decisionOf is how the labels of a model are decided; nil: the most probable ones are predicted. An error is
// recipes.ErrInput.
func decisionOf(m *pretrained.Model) (*eval.Decision, error) {
	if _, ok := m.Checkpoint.Manifest.Files[decisionFile]; !ok {
		return nil, nil
	}
	text, err := m.Checkpoint.File(decisionFile)
	if err != nil {
		return nil, recipes.Input(err)
	}
	d := new(eval.Decision)
	if err = json.Unmarshal(text, d); err == nil {
		err = d.Check(m.Config.Labels())
	}
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("checkpoint %s: %s: %w", m.Checkpoint.Dir, decisionFile, err))
	}
	return d, nil
}

// decisionFileOf is the file of a decision.
func decisionFileOf(d *eval.Decision) (checkpoint.File, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	return checkpoint.BytesFile(decisionFile, append(text, '\n')), err
}
