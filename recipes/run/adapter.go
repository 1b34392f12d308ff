package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"hone/checkpoint"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// adapted is the model that an adapter makes of the base that it names, in the cache.
func adapted(ctx context.Context, dir string, o Options) (string, error) {
	a, err := pretrained.OpenAdapter(dir)
	if err != nil {
		return "", recipes.Input(err)
	}
	a.Close()
	if a.Base == "" {
		return "", recipes.Input(fmt.Errorf("adapter %s does not say which model it was made for (hint: name the model, and the adapter with --adapter)", dir))
	}
	found, err := WithAdapters(ctx, a.Base, []string{dir}, o)
	if _, gone := os.Stat(a.Base); err != nil && gone != nil {
		return "", recipes.Input(fmt.Errorf("adapter %s: the model that it was made for, %s, is not there: %w\nhint: name the model, and the adapter with --adapter", dir, a.Base, err))
	}
	return found, err
}

// WithAdapters is the model that adapters make of a model, in the cache.
func WithAdapters(ctx context.Context, name string, adapters []string, o Options) (string, error) {
	base, _, err := Checkpoint(ctx, name, o)
	if err != nil {
		return "", err
	}
	return exchange.Merged(ctx, base, adapters, o.Cache, o.Console)
}

// model is the directory of a stage's final model; of an adapter, with its base.
func (w *runner) model(ctx context.Context, stage string) (string, error) {
	dir := checkpoint.FinalDir(w.stageDir(stage))
	if !pretrained.IsAdapter(dir) {
		return dir, nil
	}
	return adapted(ctx, dir, w.o)
}

// adapterBase says which model a stage's adapter is made for.
func (w *runner) adapterBase(s *recipes.Stage, from *checkpoint.Checkpoint) (*pretrained.Base, error) {
	dir, err := filepath.Abs(from.Dir)
	if err != nil {
		return nil, err
	}
	b := &pretrained.Base{Name: dir, Dir: dir, SHA256: from.Manifest.Weights()}
	if !w.r.IsBase(s) {
		return b, nil
	}
	b.Name = s.From
	if info, err := os.Stat(s.From); err == nil { // not one of the hub
		if b.Name, err = filepath.Abs(s.From); err != nil {
			return nil, err
		}
		if info.IsDir() && !pretrained.IsAdapter(s.From) {
			b.Dir = pretrained.Dir(b.Name)
		}
	}
	return b, nil
}

// frozen are those of some parameters that are not trained.
func frozen(net *model.Network, names []string) (left []string) {
	for _, name := range names {
		if p, ok := net.Layout().Param(name); ok && !p.Trainable {
			left = append(left, name)
		}
	}
	return left
}
