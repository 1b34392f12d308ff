package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes/exchange"
)

func newImport(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "import SRC DST",
		Short: "make a checkpoint of a Hugging Face model directory",
		Long: `Makes a checkpoint at DST of the Hugging Face model directory SRC: config.json,
weights in safetensors (one file, or shards and their index; of float32, float16 or
bfloat16, which become float32) and the tokenizer. Every fault of the weights is
reported from their headers, before anything is read.`,
		Example: "  hone export runs/quickstart/finetune shared-model --dtype bf16\n  hone import shared-model imported-model",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := exchange.Import(c.Context(), args[0], args[1], t.console())
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(r)
			}
			for _, note := range r.Notes {
				t.say(note)
			}
			fmt.Fprintf(t.out, "%s: %s, %d parameters, from %s\n", r.Checkpoint, r.Architecture, r.Parameters, strings.Join(r.Files, ", "))
			return nil
		},
	}
}
