package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hone/checkpoint"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/pretrained"
)

// Checkpoint finds the checkpoint that a name stands for: the directory itself; of a stage the
// final model or, while it is trained, the newest checkpoint, which note then says; of a model of
// another library the checkpoint in the cache, into which it is imported first.
func Checkpoint(ctx context.Context, dir string, o Options) (found, note string, err error) {
	if stages := Stages(dir); len(stages) > 0 {
		return "", "", recipes.Input(fmt.Errorf("%s is a run: name one of its stages, %s", dir, strings.Join(stages, ", ")))
	}
	if pretrained.IsAdapter(dir) {
		found, err := adapted(ctx, pretrained.Dir(dir), o)
		return found, "", err
	}
	if exchange.Importable(dir) {
		found, err := exchange.Cached(ctx, dir, o.Cache, o.Console)
		return found, "", err
	}
	if pretrained.IsCheckpoint(dir) {
		return pretrained.Dir(dir), "", nil
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", "", recipes.Input(fmt.Errorf("%s: no such directory", dir))
	}
	var newest *checkpoint.Checkpoint
	var at time.Time
	trials, err := filepath.Glob(filepath.Join(dir, "lr-*"))
	if err != nil {
		trials = nil // a name that is a pattern: the stage itself may do
	}
	for _, d := range append(trials, dir) {
		c, err := checkpoint.Latest(d, nil)
		if err != nil || c == nil {
			continue
		}
		if info, err := os.Stat(c.Dir); err == nil && !info.ModTime().Before(at) {
			newest, at = c, info.ModTime()
		}
	}
	if newest != nil {
		found := newest.Dir
		if pretrained.IsAdapter(found) {
			if found, err = adapted(ctx, found, o); err != nil {
				return "", "", err
			}
		}
		return found, fmt.Sprintf("%s is not finished: using its newest checkpoint, of step %d", dir, newest.Manifest.Step), nil
	}
	if _, err := os.Stat(filepath.Join(dir, stageFile)); err == nil {
		return "", "", recipes.Input(fmt.Errorf("%s has no checkpoint yet", dir))
	}
	return dir, "", nil // opening it will say what it lacks
}

// Stages are the directories of the stages of a run that train a model; nil: dir is not a run.
func Stages(dir string) (stages []string) {
	text, err := os.ReadFile(filepath.Join(dir, runRecipeFile))
	if err != nil {
		return nil
	}
	list, _ := recipes.Outlines(string(text)) // a file that cannot be read has no stages
	for _, s := range list {
		if s.Trains() {
			stages = append(stages, filepath.Join(dir, s.Name))
		}
	}
	return stages
}
