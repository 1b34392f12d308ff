package checkpoint

import (
	"fmt"
	"path/filepath"
)

// Retention says which checkpoints of a stage are kept.
type Retention struct {
	Keep int // number of the latest checkpoints to keep, at least 1
	// Metric is the metric of the manifest whose best checkpoint is kept too; "":
	// none. A checkpoint without it is never the best.
	Metric         string
	HigherIsBetter bool
}

// Retain removes the checkpoints of a stage that r does not keep and returns
// their directories. Checkpoints that cannot be opened are neither counted nor
// removed, because they may be damaged or of a newer version of hone. Checkpoints
// with files that their manifests do not list are not removed either. All files of the
// newest checkpoint are verified, of the others only the manifest.
func Retain(stageDir string, r Retention) (removed []string, err error) {
	removed, err = osDisk.retain(stageDir, r)
	if err != nil {
		err = fmt.Errorf("checkpoint: retain: %w", err)
	}
	return removed, err
}

func (d disk) retain(stageDir string, r Retention) (removed []string, err error) {
	if r.Keep < 1 {
		return nil, fmt.Errorf("keep %d checkpoints: at least 1", r.Keep)
	}
	steps, err := stepsOf(stageDir)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, nil
	}
	if err := d.clean(filepath.Join(stageDir, stepsDir)); err != nil {
		return nil, err
	}
	var found []*Checkpoint
	open := Open
	for _, step := range steps {
		if c, err := openStep(stageDir, step, open); err == nil {
			found = append(found, c)
			open = openManifest
		}
	}
	best := r.best(found)
	for i, c := range found {
		if i < r.Keep || c == best {
			continue
		}
		others, err := strangers(c.Dir)
		if err != nil {
			return removed, err
		}
		if len(others) > 0 {
			continue
		}
		// Half removed, it must not look like what it was.
		tmp, err := free(beside(c.Dir, tmpPrefix))
		if err != nil {
			return removed, err
		}
		if err := d.Rename(c.Dir, tmp); err != nil {
			return removed, err
		}
		if err := d.Remove(tmp); err != nil {
			return removed, err
		}
		removed = append(removed, c.Dir)
	}
	return removed, nil
}

// best returns the checkpoint with the best metric, the earliest of equals;
// nil if none has it. found has the latest first.
func (r Retention) best(found []*Checkpoint) *Checkpoint {
	var best *Checkpoint
	var bestValue float64
	for _, c := range found {
		value, ok := c.Manifest.Metrics[r.Metric]
		if !ok {
			continue
		}
		better := value <= bestValue
		if r.HigherIsBetter {
			better = value >= bestValue
		}
		if best == nil || better {
			best, bestValue = c, value
		}
	}
	return best
}

// Best returns the good checkpoint of a stage with the best value of r.Metric, of
// equals the earliest; nil if none has the metric. Keep is not used; log is as for
// Latest.
func Best(stageDir string, r Retention, log func(string)) (*Checkpoint, error) {
	steps, err := stepsOf(stageDir)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var found []*Checkpoint
	for _, step := range steps {
		c, err := openStep(stageDir, step, Open)
		if err == nil {
			found = append(found, c)
		} else if log != nil {
			log("skipped: " + err.Error())
		}
	}
	return r.best(found), nil
}
