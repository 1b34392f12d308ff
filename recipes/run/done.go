package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hone/checkpoint"
	"hone/eval/report"
)

// stageDone is stage.json: the model that a stage started from and, once it is done, its results.
// Steps is 0 until then.
type stageDone struct {
	report.Stage
	// From is the hash of the model that the stage started from. A stage whose start has
	// changed since is not done.
	From string `json:"from,omitempty"`
	// Asked is the number of steps that it was to train, which may have ended early.
	Asked int `json:"asked,omitempty"`
}

const stageFile = "stage.json"

// stageFiles are those of a stage's directory beside checkpoints.
var stageFiles = []string{stageFile, evaluationFile}

// readStage reads stage.json; nil: the stage has not begun.
func readStage(dir string) (*stageDone, error) {
	d := new(stageDone)
	err := checkpoint.ReadSealed(filepath.Join(dir, stageFile), d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, checkpoint.ErrDamaged):
		return nil, fmt.Errorf("run: %w\nhint: remove it to go on from the stage's checkpoints; --fresh starts over", err)
	case err != nil:
		return nil, fmt.Errorf("run: %w", err)
	}
	return d, nil
}

func writeStage(dir string, d *stageDone) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return checkpoint.WriteSealed(filepath.Join(dir, stageFile), d)
}
