package recipes

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// A Loaded model is a checkpoint on a device, with its tokenizer.
type Loaded struct {
	Checkpoint *checkpoint.Checkpoint
	Config     model.Config
	Head       model.Head
	Net        *model.Network
	Tokenizer  tokenizer.Tokenizer
}

// OpenModel loads a checkpoint: its directory, or a stage's or a run's, whose final
// model is meant then.
func OpenModel(dev exec.Device, dir string) (*Loaded, error) { return openModel(dev, dir, 0) }

// openModel is OpenModel with rows of an encoder that are so long; 0: as long as the decoder's.
func openModel(dev exec.Device, dir string, encoderLength int) (*Loaded, error) {
	c, err := checkpoint.Open(checkpointDir(dir))
	if err != nil {
		return nil, err
	}
	b, err := c.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, err
	}
	m := &Loaded{Checkpoint: c}
	if m.Config, err = model.ReadConfig(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if m.Head, err = m.Config.Head(); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if m.Head == model.Pretraining { // what it is without its judgement of pairs
		m.Head = model.LanguageModel
	}
	if m.Net, err = model.NewNetwork(dev, exec.F32, m.Config, model.Options{Head: m.Head, EncoderLength: encoderLength}); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	fresh, err := trainer.LoadWeights(m.Net, c)
	if err != nil {
		return nil, err
	}
	if len(fresh) > 0 {
		return nil, fmt.Errorf("checkpoint %s: lacks %v", c.Dir, fresh)
	}
	if m.Tokenizer, err = tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile)); err != nil {
		return nil, err
	}
	return m, nil
}

// Generator prepares the writing of texts, and gives what the model's files say of it. A model
// that a recipe has trained starts each text as documents were framed; one that was only ever
// imported, as its tokenizer says.
func (m *Loaded) Generator() (*generate.Generator, *generate.Settings, error) {
	s, name := &generate.Settings{}, generationFile
	if _, ok := m.Checkpoint.Manifest.Files[name]; ok {
		text, err := m.Checkpoint.File(name)
		if err != nil {
			return nil, nil, err
		}
		if s, err = generate.ReadSettings(text); err != nil {
			return nil, nil, fmt.Errorf("checkpoint %s: %s: %w", m.Checkpoint.Dir, name, err)
		}
	}
	chain := m.Checkpoint.Manifest.Provenance
	s.Starts = len(chain) == 0 || slices.ContainsFunc(chain, func(o checkpoint.Origin) bool { return len(o.Corpora) > 0 })
	g, err := generate.New(m.Net, m.Tokenizer, *s)
	return g, s, err
}
