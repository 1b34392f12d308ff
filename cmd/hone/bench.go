package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/bench"
	"hone/recipes/exchange"
)

func newBench(t *terminal) *cobra.Command {
	var configs []string
	var against string
	var markdown bool
	var decode bench.DecodeOptions
	var tune bench.FinetuneOptions
	o := bench.Options{Configs: bench.Configs, Matmuls: true, Say: t.say}
	c := &cobra.Command{
		Use:   "bench",
		Short: "measure this machine, and how near a training step comes to its limits",
		Long: `Measures this machine's peak of fused multiply-adds, its memory bandwidth, matrix products,
and the training step of four GPT-2 models (nano, char, small, gpt2) as hone run does it:
loader, forward, backward, clipping, AdamW. Each operation of a step is shown beside its own
limit, arithmetic or memory; an operation whose operands are still in a cache has none.

The share of the peak counts 6N + 12LCT FLOPs per token (N parameters without positions),
and nothing for what is computed twice. The peak is measured in turns with the steps, so
that a changing clock rate does not matter. A share above 100 % is reported as an error of
the measurement.

--config takes names of models, or of families (llama, qwen3, palm, bert, t5, xlnet). A
family is measured in turns with a GPT-2 of as many parameters, and its tokens/s are given
relative to that one's.

--against torch=PYTHON trains the same models in PyTorch too, plain and compiled, in turns
with hone; PYTHON is the interpreter of an environment that has torch. --against
transformers=PYTHON trains models of that library: a BERT base and a Llama of 135 M
parameters (SmolLM2's) or, by --config, other GPT-2, BERT and Llama models. Either takes
minutes, mostly for PyTorch's compiler; hone prints an estimate first.

--config decode measures how fast a language model reads a prompt and writes, one text and
eight side by side, beside what the machine's memory and multiply-adds allow. --model is the
model, else random weights in the shape of SmolLM2-135M; --types are types of weights, which
it is rounded to: f32, bf16, f16, q8_0, q4_0, and q8_0+int8 or q4_0+int8, whose products
round their other operand to 8 bits too. --against llama=PYTHON reads and writes with the same
weights in llama.cpp, in turns; PYTHON is an interpreter that has llama-cpp-python.

--config finetune measures how fast a classifier is trained from --model, all of its weights,
on short texts: random tokens in the lengths of SST-2's sentences, or the texts and labels of
--file (columns text, or the one that --text names, and label). Tokens of padding do not
count. --against transformers=PYTHON trains the same model on the same documents with that
library's Trainer in turns, plain and compiled, its batches grouped by length, with as many
documents a step. The losses show that both do the same work: before training of the same
documents, and the mean of the timed steps.

--precision bf16 measures steps with matrix products in bf16, beside the peak in bf16; a
peer then runs under autocast to bfloat16.`,
		Example: "  hone bench --config nano --seconds 1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if slices.Contains(configs, "decode") {
				if len(configs) > 1 || c.Flags().Changed("precision") || c.Flags().Changed("seconds") {
					return recipes.Input(errors.New("bench: --config decode goes with --model, --types, --threads, --against and --markdown alone"))
				}
				decode.Threads, decode.Say = o.Threads, t.say
				return runDecode(c.Context(), t, decode, against, markdown)
			}
			if slices.Contains(configs, "finetune") {
				if len(configs) > 1 || c.Flags().Changed("types") {
					return recipes.Input(errors.New("bench: --config finetune goes with --model, --file, --text, --seconds, --threads, --precision, --against and --markdown alone"))
				}
				tune.Model, tune.Seconds, tune.Threads, tune.Precision, tune.Say = decode.Model, o.Seconds, o.Threads, o.Precision, t.say
				return runFinetune(c.Context(), t, tune, against, markdown)
			}
			if c.Flags().Changed("model") || c.Flags().Changed("types") {
				return recipes.Input(errors.New("bench: --model is for --config decode and --config finetune, and --types for --config decode"))
			}
			if tune.File != "" || tune.Text != "" {
				return recipes.Input(errors.New("bench: --file and --text are for --config finetune"))
			}
			if len(configs) > 0 {
				o.Configs, o.Matmuls = nil, false
				for _, name := range configs {
					config, err := bench.FindConfig(name)
					if err != nil {
						return err
					}
					o.Configs = append(o.Configs, config)
				}
			}
			if o.Seconds <= 0 || o.Threads < 0 {
				return recipes.Input(errors.New("bench: want --seconds above 0, and --threads 0 or more"))
			}
			if against != "" {
				peer, err := bench.ParsePeer(against)
				if err != nil {
					return err
				}
				if peer.Name == "llama" {
					return recipes.Input(errors.New("bench: --against llama does not train: it is for --config decode"))
				}
				o.Peers, o.Matmuls = []bench.Peer{peer}, false
				if len(configs) == 0 {
					o.Configs = peer.Configs()
				}
				for _, c := range o.Configs {
					if err := peer.Check(c); err != nil {
						return err
					}
				}
			} else if markdown {
				return recipes.Input(errors.New("bench: --markdown prints the comparison with another program: --against is missing"))
			}
			b, err := bench.Run(c.Context(), o)
			if err != nil {
				return err
			}
			return t.printMeasured(b, markdown)
		},
	}
	c.Flags().StringSliceVar(&configs, "config", nil, "models or families to measure, separated by commas: nano, char, small, gpt2, llama, …")
	c.Flags().Float64Var(&o.Seconds, "seconds", 7, "seconds to measure each model for, about")
	c.Flags().IntVar(&o.Threads, "threads", 0, "number of threads; 0: one for each core")
	c.Flags().StringVar(&o.Precision, "precision", "fp32", "precision of matrix products: fp32 or bf16")
	c.Flags().StringVar(&against, "against", "", "program to compare with: torch=PYTHON, transformers=PYTHON or llama=PYTHON")
	c.Flags().StringVar(&decode.Model, "model", "", "model to decode with or to fine-tune: a checkpoint, a GGUF file or hf:ORG/NAME")
	c.Flags().StringVar(&tune.File, "file", "", "texts and labels to fine-tune on (default random tokens)")
	c.Flags().StringVar(&tune.Text, "text", "", "column of the texts (default text)")
	c.Flags().StringSliceVar(&decode.Types, "types", []string{"f32"}, "types of weights to decode with, separated by commas: "+strings.Join(bench.DecodeTypes, ", "))
	c.Flags().BoolVar(&markdown, "markdown", false, "print the comparison as a Markdown table")
	return c
}

// runDecode measures decoding. A model is exported to temporary files for the peer.
func runDecode(ctx context.Context, t *terminal, o bench.DecodeOptions, against string, markdown bool) error {
	if o.Threads < 0 {
		return recipes.Input(errors.New("bench: want --threads 0 or more"))
	}
	if markdown && against == "" {
		return recipes.Input(errors.New("bench: --markdown prints the comparison with another program: --against is missing"))
	}
	if o.Model != "" {
		dir, err := checkpointOf(ctx, t, o.Model)
		if err != nil {
			return err
		}
		o.Model = dir
	}
	if against != "" {
		peer, err := bench.ParsePeer(against)
		if err != nil {
			return err
		}
		if peer.Name != "llama" || o.Model == "" {
			return recipes.Input(errors.New("bench: --config decode is compared with llama=PYTHON, and takes --model then"))
		}
		temporary, err := os.MkdirTemp("", "hone-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		o.Against = &peer
		o.Export = func(dtype string) (string, error) {
			path := filepath.Join(temporary, dtype+".gguf")
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
			_, err := exchange.ExportGGUF(ctx, o.Model, path, dtype, t.console())
			return path, err
		}
	}
	b, err := bench.RunDecode(ctx, o)
	if err != nil {
		return err
	}
	return t.printMeasured(b, markdown)
}

// runFinetune measures fine-tuning.
func runFinetune(ctx context.Context, t *terminal, o bench.FinetuneOptions, against string, markdown bool) (err error) {
	if o.Seconds <= 0 || o.Threads < 0 {
		return recipes.Input(errors.New("bench: want --seconds above 0, and --threads 0 or more"))
	}
	if o.Model == "" {
		return recipes.Input(errors.New("bench: --config finetune takes --model, an encoder such as all-MiniLM-L6-v2"))
	}
	o.Name = filepath.Base(o.Model)
	if o.Model, err = checkpointOf(ctx, t, o.Model); err != nil {
		return err
	}
	if o.Cache, err = cacheDir(); err != nil {
		return err
	}
	if against != "" {
		peer, err := bench.ParsePeer(against)
		if err != nil {
			return err
		}
		if peer.Name != "transformers" {
			return recipes.Input(errors.New("bench: --config finetune is compared with transformers=PYTHON"))
		}
		o.Against = &peer
	} else if markdown {
		return recipes.Input(errors.New("bench: --markdown prints the comparison with another program: --against is missing"))
	}
	b, err := bench.RunFinetune(ctx, o)
	if err != nil {
		return err
	}
	return t.printMeasured(b, markdown)
}

// measured is what a benchmark has found.
type measured interface {
	Print(w io.Writer) error
	Markdown(w io.Writer) error
}

func (t *terminal) printMeasured(b measured, markdown bool) error {
	switch {
	case t.json:
		return t.printJSON(b)
	case markdown:
		return b.Markdown(t.out)
	}
	return b.Print(t.out)
}
