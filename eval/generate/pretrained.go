package generate

import (
	"fmt"
	"slices"

	"hone/checkpoint"
	"hone/trainer/pretrained"
)

// Open prepares the writing of texts, and gives what the model's files say of it. A model
// that a recipe has trained starts each text as documents were framed; one that was only ever
// imported, as its tokenizer says.
func Open(m *pretrained.Model) (*Generator, *Settings, error) {
	s, name := &Settings{}, checkpoint.GenerationFile
	if _, ok := m.Checkpoint.Manifest.Files[name]; ok {
		text, err := m.Checkpoint.File(name)
		if err != nil {
			return nil, nil, err
		}
		if s, err = ReadSettings(text); err != nil {
			return nil, nil, fmt.Errorf("checkpoint %s: %s: %w", m.Checkpoint.Dir, name, err)
		}
	}
	chain := m.Checkpoint.Manifest.Provenance
	s.Starts = len(chain) == 0 || slices.ContainsFunc(chain, func(o checkpoint.Origin) bool { return len(o.Corpora) > 0 })
	g, err := New(m.Net, m.Tokenizer, *s)
	return g, s, err
}
