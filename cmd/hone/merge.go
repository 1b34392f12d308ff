package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes/exchange"
)

func newMerge(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "merge BASE ADAPTER… DST",
		Short: "write the model that adapters make of their base",
		Long: `Writes a checkpoint at DST, whole, of the model BASE with what adapters add to its matrices.

ADAPTER is a directory in PEFT's format, with adapter_config.json and adapter_model.safetensors, or
a stage that has trained one with [stage.adapter]. An adapter that says which weights it was made
for, as hone's do, is refused beside others. What it changes is written in float32; the rest stays
as it is in BASE. Where an adapter stands beside an output layer that shares its matrix with the
embedding, or beside that, each gets a matrix of its own.

BASE is a checkpoint, a stage of a run, a Hugging Face directory, a GGUF file or hf:ORG/NAME.

A command that takes a model takes an adapter too: by itself, where the model that it was made for
is still there, or with --adapter beside a model. It is merged into the cache then.`,
		Example: "  hone merge t5-small t5-adapter t5-tuned",
		Args:    cobra.MinimumNArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			last := len(args) - 1
			base, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			m, err := exchange.Merge(c.Context(), base, args[1:last], args[last], t.console())
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(m)
			}
			fmt.Fprintf(t.out, "%s: %d parameters, of %s with %s\n", m.Directory, m.Parameters, m.Base, strings.Join(m.Adapters, ", "))
			return nil
		},
	}
}

// adapterFlag gives a command that takes a model the adapters beside it.
func (t *terminal) adapterFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&t.adapters, "adapter", nil, "directory of an adapter, of PEFT or of hone, that stands beside the model; may be given several times")
}
