package generate

import (
	"fmt"
	"slices"

	"hone/checkpoint"
	"hone/trainer/pretrained"
)

// Open makes a generator for a checkpoint, with the settings that its files contain.
func Open(m *pretrained.Model) (*Generator, *Settings, error) {
	s, err := SettingsOf(m.Checkpoint)
	if err != nil {
		return nil, nil, err
	}
	g, err := New(m.Net, m.Tokenizer, *s)
	return g, s, err
}

// SettingsOf gives the settings of a checkpoint. A model that a recipe has trained starts each
// text as its training documents started; an imported model, as its tokenizer says.
func SettingsOf(c *checkpoint.Checkpoint) (*Settings, error) {
	s, name := &Settings{}, checkpoint.GenerationFile
	if _, ok := c.Manifest.Files[name]; ok {
		text, err := c.File(name)
		if err != nil {
			return nil, err
		}
		if s, err = ReadSettings(text); err != nil {
			return nil, fmt.Errorf("checkpoint %s: %s: %w", c.Dir, name, err)
		}
	}
	chain := c.Manifest.Provenance
	s.Starts = len(chain) == 0 || slices.ContainsFunc(chain, func(o checkpoint.Origin) bool { return len(o.Corpora) > 0 })
	return s, nil
}
