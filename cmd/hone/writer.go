package main

import (
	"fmt"
	"strings"

	"hone/eval/generate"
	"hone/recipes"
	"hone/recipes/run"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// A writer is a language model that generate and chat write with.
type writer struct {
	*generate.Generator
	model *pretrained.Model
	dev   run.Device
}

// writerArgument is what help says of the argument that openWriter takes.
const writerArgument = `CHECKPOINT is the directory of a checkpoint, or of a stage: its final model or, while it is
trained, its newest checkpoint. It can also be a Hugging Face directory, a GGUF file or
hf:ORG/NAME, which is imported into the cache once.`

// openWriter opens a language model, the checkpoint in a directory. What its files say of sampling goes
// into o, except for the options for which given reports true, and is said.
func openWriter(t *terminal, dir string, o *generate.Options, given func(option string) bool) (_ *writer, err error) {
	dev, err := run.OpenDevice(0, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			dev.Close()
		}
	}()
	m, err := pretrained.Open(dev, dir, 0)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if m.Head != model.LanguageModel {
		return nil, recipes.Input(fmt.Errorf("%s is a %v; want a %v", dir, m.Head, model.LanguageModel))
	}
	g, s, err := generate.Open(m)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if followed := s.Sampling(o, given); len(followed) > 0 {
		t.say("generation_config.json: " + strings.Join(followed, ", "))
	}
	for _, key := range s.Ignored {
		t.say("generation_config.json: " + key + " is not followed")
	}
	return &writer{g, m, dev}, nil
}

func (w *writer) Close() error { return w.dev.Close() }
