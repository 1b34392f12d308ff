package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hone/eval/generate"
	"hone/recipes"
	"hone/recipes/run"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

func newGenerate(t *terminal) *cobra.Command {
	var prompt string
	o := generate.Options{}
	c := &cobra.Command{
		Use:   "generate CHECKPOINT --prompt TEXT",
		Short: "continue a text with a language model",
		Long: `Continues a text with a language model. With --temperature 0 every token is the likeliest
one; with a higher temperature tokens are sampled, and the same --seed gives the same text.
A generation_config.json beside the model says which tokens end a text, and the values of
options that are not given.

CHECKPOINT is the directory of a checkpoint, or of a stage: its final model or, while it is
trained, its newest checkpoint. It can also be a Hugging Face directory, a GGUF file or
hf:ORG/NAME, which is imported into the cache once.`,
		Example: `  hone generate runs/quickstart/pretrain --prompt "Package http provides" --max-tokens 40
  hone generate runs/quickstart/pretrain --prompt "Reader is" --temperature 0.8 --top-p 0.9 --seed 7 --stop "."`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dev, err := run.OpenDevice(0, false)
			if err != nil {
				return err
			}
			defer dev.Close()
			dir, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			m, err := pretrained.Open(dev, dir, 0)
			if err != nil {
				return recipes.Input(err)
			}
			if m.Head != model.LanguageModel {
				return recipes.Input(fmt.Errorf("generate: %s is a %v; want a %v", args[0], m.Head, model.LanguageModel))
			}
			g, s, err := generate.Open(m)
			if err != nil {
				return recipes.Input(err)
			}
			if followed := s.Sampling(&o, c.Flags().Changed); len(followed) > 0 {
				t.say("generation_config.json: " + strings.Join(followed, ", "))
			}
			for _, key := range s.Ignored {
				t.say("generation_config.json: " + key + " is not followed")
			}
			t.verbatim()
			emit := func(piece string) { fmt.Fprint(t.out, piece) }
			if t.json {
				emit = nil
			} else if m.Config.Writing() != model.Answered {
				emit(prompt)
			}
			r, err := g.Generate(c.Context(), prompt, o, emit)
			if err != nil {
				return recipes.Input(err)
			}
			if t.json {
				return t.printJSON(r)
			}
			fmt.Fprintln(t.out)
			if err := c.Context().Err(); err != nil {
				return err
			}
			t.say(fmt.Sprintf("%d tokens, %.0f tokens/s, ended by %s", len(r.IDs), r.TokensPerSecond, r.Reason))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&prompt, "prompt", "", "text to continue")
	f.IntVar(&o.MaxTokens, "max-tokens", 100, "greatest number of tokens to generate")
	f.Float64Var(&o.Temperature, "temperature", 0.8, "temperature of the sampling; 0: always the likeliest token")
	f.IntVar(&o.TopK, "top-k", 0, "sample from so many of the likeliest tokens; 0: from all")
	f.Float64Var(&o.TopP, "top-p", 0, "sample from the likeliest tokens that together have this probability; 0: from all")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the sampling")
	f.StringArrayVar(&o.Stop, "stop", nil, "text at which the generation ends; can be given several times")
	return c
}
