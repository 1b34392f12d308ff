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
		Long: `Continues a text with a language model. With --temperature 0 it takes the likeliest
token each time; above, it samples, the same text for the same --seed. Where the model
comes with a generation_config.json, that one's ends of a text are followed, and what it
says of options that are not given. CHECKPOINT is a checkpoint's directory, or a stage's,
whose final model is meant then, or its newest checkpoint while it is trained; or a
Hugging Face directory, a GGUF file or hf:ORG/NAME, which is imported into the cache once.`,
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
				return recipes.Input(fmt.Errorf("generate: %s is a %v, not a %v", args[0], m.Head, model.LanguageModel))
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
	f.IntVar(&o.MaxTokens, "max-tokens", 100, "tokens to generate at most")
	f.Float64Var(&o.Temperature, "temperature", 0.8, "0: the likeliest token each time")
	f.IntVar(&o.TopK, "top-k", 0, "sample from the k likeliest tokens; 0: from all")
	f.Float64Var(&o.TopP, "top-p", 0, "sample from the likeliest tokens that together have this probability; 0: from all")
	f.Uint64Var(&o.Seed, "seed", 1, "of the sampling")
	f.StringArrayVar(&o.Stop, "stop", nil, "text that ends the generation; may be given again")
	return c
}
