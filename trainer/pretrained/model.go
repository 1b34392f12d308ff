// Package pretrained loads checkpoints: a model on a device, with its tokenizer.
package pretrained

import (
	"bytes"
	"fmt"
	"path/filepath"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// A Model is a checkpoint on a device, with its tokenizer.
type Model struct {
	Checkpoint *checkpoint.Checkpoint
	Config     model.Config
	Head       model.Head
	Net        *model.Network
	Tokenizer  tokenizer.Tokenizer
}

// Open loads a checkpoint for inference: its directory, or a stage's or a run's, whose final
// model is meant then. encoderLength is the length of an encoder's rows; 0: that of the
// decoder's.
func Open(dev exec.Device, dir string, encoderLength int) (*Model, error) {
	return open(dev, dir, encoderLength, func(_ model.Config, h model.Head) model.Head {
		if h == model.Pretraining { // used without its judgement of pairs
			return model.LanguageModel
		}
		return h
	})
}

// OpenBase loads a checkpoint for its last hidden states, without the head that it may have; of an
// encoder and decoder, those of the encoder.
func OpenBase(dev exec.Device, dir string) (*Model, error) {
	return open(dev, dir, 0, func(c model.Config, _ model.Head) model.Head {
		if c.Traits().Classes[model.Encoder] != "" {
			return model.Encoder
		}
		return model.Base
	})
}

// open loads a checkpoint with the head that as gives, for the one that it has.
func open(dev exec.Device, dir string, encoderLength int, as func(model.Config, model.Head) model.Head) (*Model, error) {
	c, err := checkpoint.Open(Dir(dir))
	if err != nil {
		return nil, err
	}
	b, err := c.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, err
	}
	m := &Model{Checkpoint: c}
	if m.Config, err = model.ReadConfig(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if m.Head, err = m.Config.Head(); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	m.Head = as(m.Config, m.Head)
	if m.Net, err = model.NewNetwork(dev, exec.F32, m.Config, model.Options{Head: m.Head, EncoderLength: encoderLength, Inference: true}); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	fresh, err := Load(m.Net, c)
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
