package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"hone/eval/generate"
	"hone/recipes"
	"hone/recipes/run"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// A writer is a language model that generate and chat write with.
type writer struct {
	*generate.Generator
	model *run.Model
}

// writerArgument is what help says of the argument that openWriter takes.
const writerArgument = `CHECKPOINT is the directory of a checkpoint, or of a stage: its final model or, while it is
trained, its newest checkpoint. It can also be a Hugging Face directory, a GGUF file or
hf:ORG/NAME, which is imported into the cache once.`

// weightsArgument is what help says of weightFlags.
const weightsArgument = `Weights in blocks of Q8_0, Q4_0 and Q4_1, and in bfloat16 and float16, stay so in memory, and give
the bits of their values as float32; blocks of Q5_0 and IQ4_NL become ones of Q8_0, and others
float32, with the same values. --quantize rounds matrices of floats to such a type as they are loaded
(with q4_0 and q4_1, embeddings and output layers to q8_0). --activations int8 rounds what is
multiplied with blocks, to 8 bits with a scale for every 32 numbers. Both are faster, lose precision,
and say so.`

// openWriter opens a language model, the checkpoint in a directory. What its files say of sampling goes
// into o, except for the options for which given reports true, and is said.
func openWriter(t *terminal, dir string, load pretrained.Options, o *generate.Options, given func(option string) bool) (_ *writer, err error) {
	m, err := run.OpenModel(dir, load, t.say)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.Head != model.LanguageModel {
		return nil, recipes.Input(fmt.Errorf("%s is a %v; want a %v", dir, m.Head, model.LanguageModel))
	}
	g, s, err := generate.Open(m.Model)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if followed := s.Sampling(o, given); len(followed) > 0 {
		t.say("generation_config.json: " + strings.Join(followed, ", "))
	}
	for _, key := range s.Ignored {
		t.say("generation_config.json: " + key + " is not followed")
	}
	return &writer{g, m}, nil
}

func (w *writer) Close() error { return w.model.Close() }

// weightFlags are the flags of how a model's weights are kept and multiplied.
func weightFlags(o *pretrained.Options) *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.StringVar(&o.Quantize, "quantize", "", "round matrices of floats to a type as they are loaded: "+strings.Join(pretrained.Quantizations, ", ")+"; this loses precision")
	f.Var(&choice{&o.Int8, "f32", "int8"}, "activations", "multiply quantised matrices with numbers as they are (f32), or rounded to 8 bits (int8), which is faster and loses precision")
	return f
}
