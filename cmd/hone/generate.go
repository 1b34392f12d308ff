package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/model"
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

` + writerArgument,
		Example: `  hone generate runs/quickstart/pretrain --prompt "Package http provides" --max-tokens 40
  hone generate runs/quickstart/pretrain --prompt "Reader is" --temperature 0.8 --top-p 0.9 --seed 7 --stop "."`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.Validate(0); err != nil { // before the model is opened
				return recipes.Input(err)
			}
			dir, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			w, err := openWriter(t, dir, &o, c.Flags().Changed)
			if err != nil {
				return err
			}
			defer w.Close()
			t.verbatim()
			emit := func(piece string) { fmt.Fprint(t.out, piece) }
			if t.json {
				emit = nil
			} else if w.model.Config.Writing() != model.Answered {
				emit(prompt)
			}
			r, err := w.Generate(c.Context(), prompt, o, emit)
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
			by := r.Reason
			if r.ContextFull {
				by = fmt.Sprintf("the context of %d tokens, which is full", w.Context())
			}
			t.say(fmt.Sprintf("%d tokens, %.0f tokens/s, ended by %s", len(r.IDs), r.TokensPerSecond, by))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&prompt, "prompt", "", "text to continue")
	f.AddFlagSet(samplingFlags(&o, 100))
	return c
}
