package main

import (
	"errors"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/bench"
)

func newBench(t *terminal) *cobra.Command {
	var configs []string
	var against string
	var markdown bool
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

--precision bf16 measures steps with matrix products in bf16, beside the peak in bf16; a
peer then runs under autocast to bfloat16.`,
		Example: "  hone bench --config nano --seconds 1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
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
			switch {
			case t.json:
				return t.printJSON(b)
			case markdown:
				return b.Markdown(t.out)
			}
			return b.Print(t.out)
		},
	}
	c.Flags().StringSliceVar(&configs, "config", nil, "models or families to measure, separated by commas: nano, char, small, gpt2, llama, …")
	c.Flags().Float64Var(&o.Seconds, "seconds", 7, "seconds to measure each model for, about")
	c.Flags().IntVar(&o.Threads, "threads", 0, "number of threads; 0: one for each core")
	c.Flags().StringVar(&o.Precision, "precision", "fp32", "precision of matrix products: fp32 or bf16")
	c.Flags().StringVar(&against, "against", "", "program to compare with: torch=PYTHON or transformers=PYTHON")
	c.Flags().BoolVar(&markdown, "markdown", false, "print the comparison as a Markdown table")
	return c
}
