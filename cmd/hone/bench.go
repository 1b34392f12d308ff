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
		Short: "this machine's limit, and how near a training step comes",
		Long: `Measures this machine's fused multiply-adds and memory, matrix products, and the
training step of four GPT-2s (nano, char, small, gpt2) on the way that hone run goes:
loader, forward, backward, clipping, AdamW. The step is split by operation, each beside
its own limit: arithmetic or memory, whichever binds, and none where operands are still
in a cache. Shares count 6N + 12LCT FLOPs a token (N parameters without positions), and
nothing for what is computed twice. They are of the limits as measured in turns with the
steps, so that a clock that moves changes none; one above 100 % is a fault of the
measurement, and said as such.

--config llama, qwen3, palm, bert, t5 or xlnet, or several, measures model families at
equal parameters in turns with a GPT-2, and their tokens/s over its.

--against torch=PYTHON trains the same models in PyTorch too, plain and compiled, in
turns with hone; PYTHON is the interpreter of an environment that has torch. With
--against transformers=PYTHON they are that library's: a BERT base and a Llama of 135 M
parameters (SmolLM2's) or, by --config, other GPT-2s, BERTs and Llamas. This takes
minutes, above all until PyTorch has compiled; how many is said first.

--precision bf16 measures steps whose matrix products are of bf16, beside the peak of
these; of a peer, its autocast to bfloat16.`,
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
				return recipes.Input(errors.New("bench: --seconds must be above 0, --threads 0 or more"))
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
				return recipes.Input(errors.New("bench: --markdown writes the comparison with a peer: --against is missing"))
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
	c.Flags().StringSliceVar(&configs, "config", nil, "nano, char, small or gpt2 alone, or a family; several with commas")
	c.Flags().Float64Var(&o.Seconds, "seconds", 7, "time for the step of each config, about")
	c.Flags().IntVar(&o.Threads, "threads", 0, "threads; 0: one for each core")
	c.Flags().StringVar(&o.Precision, "precision", "fp32", "of matrix products: fp32, bf16")
	c.Flags().StringVar(&against, "against", "", "measure a peer beside: torch=PYTHON or transformers=PYTHON")
	c.Flags().BoolVar(&markdown, "markdown", false, "write the comparison as a table for a README")
	return c
}
