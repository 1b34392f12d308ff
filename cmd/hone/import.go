package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hone/data/hub"
	"hone/recipes"
	"hone/recipes/exchange"
)

func newImport(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "import SRC DST",
		Short: "make a checkpoint of a Hugging Face model directory, a GGUF file or a model on the hub",
		Long: `Makes a checkpoint at DST of the Hugging Face model directory SRC: config.json,
weights in safetensors or pytorch_model.bin (one file, or shards and their index; of
float32, float16 or bfloat16, which become float32) and the tokenizer. Of PyTorch's
files nothing is run. Every fault of the weights is reported from their headers,
before anything is read.

SRC can also be a GGUF file of llama.cpp's, of the architectures llama, qwen2, qwen3,
gemma3, gpt2 and bert; of a model in parts, any of them. Quantised weights become the
float32 that they stand for.

SRC can also be hf:ORG/NAME or hf:ORG/NAME@REVISION, a model on Hugging Face's hub.
Its files are fetched into the cache, where an interrupted download goes on, and
checked; the checkpoint notes which commit it is of. HF_ENDPOINT names another hub,
HF_TOKEN a token for models that ask for one; with HF_HUB_OFFLINE=1 only what was
fetched before is used.`,
		Example: "  hone export runs/quickstart/finetune shared-model --dtype bf16\n  hone import shared-model imported-model\n  hone import hf:HuggingFaceTB/SmolLM2-135M smollm2-135m\n  hone import SmolLM2-135M-Instruct.Q4_1.gguf smollm2",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := importModel(c.Context(), args[0], args[1], t.console())
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

func importModel(ctx context.Context, src, dst string, o recipes.Console) (*exchange.Imported, error) {
	if !strings.HasPrefix(src, hub.Scheme) {
		return exchange.Import(ctx, src, dst, o)
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return exchange.ImportHub(ctx, src, dst, cache, o)
}
