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

// Options say how Open loads a checkpoint.
type Options struct {
	EncoderLength int // of an encoder's rows; 0: that of the decoder's
	// Body leaves out the head, for the last hidden states; of an encoder and decoder, those of the encoder.
	Body bool
	// Quantize is the type that matrices of floats are rounded to, one of Quantizations; "": they stay as they are.
	Quantize string
	// Int8 rounds what is multiplied with quantised matrices to 8 bits, as llama.cpp does. It is faster, and loses
	// precision.
	Int8 bool
}

// A Model is a checkpoint on a device, with its tokenizer.
type Model struct {
	Checkpoint *checkpoint.Checkpoint
	Config     model.Config
	Head       model.Head
	Net        *model.Network
	Tokenizer  tokenizer.Tokenizer
	Storage    *Storage
}

// Open loads a checkpoint for inference: its directory, or a stage's or a run's, whose final
// model is meant then. Matrices keep the types that they have there, where products read these.
// encoderLength is the length of an encoder's rows; 0: that of the decoder's.
func Open(dev exec.Device, dir string, encoderLength int) (*Model, error) {
	return OpenWith(dev, dir, Options{EncoderLength: encoderLength})
}

// OpenWith is Open with options.
func OpenWith(dev exec.Device, dir string, o Options) (*Model, error) {
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
	switch {
	case o.Body && m.Config.Traits().Classes[model.Encoder] != "":
		m.Head = model.Encoder
	case o.Body:
		m.Head = model.Base
	case m.Head == model.Pretraining: // used without its judgement of pairs
		m.Head = model.LanguageModel
	}
	file, err := c.Tensors(checkpoint.ModelFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	options := model.Options{Head: m.Head, EncoderLength: o.EncoderLength, Inference: true, Int8: o.Int8}
	layout, err := model.NewLayout(m.Config, exec.F32, options)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if m.Storage, err = newStorage(layout, file.Tensors(), o); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if o.Int8 && !m.Storage.quantised() {
		return nil, fmt.Errorf("checkpoint %s: activations cannot be rounded to 8 bits: no matrix is quantised", c.Dir)
	}
	options.Stored = m.Storage.of
	if m.Net, err = model.NewNetwork(dev, exec.F32, m.Config, options); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	fresh, err := load(m.Net.Load, c, m.Storage)
	if err != nil {
		return nil, err
	}
	if len(fresh) > 0 {
		return nil, fmt.Errorf("checkpoint %s: lacks %v", c.Dir, fresh)
	}
	if err := m.Storage.load(m.Net, file); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if m.Tokenizer, err = tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile)); err != nil {
		return nil, err
	}
	return m, nil
}
