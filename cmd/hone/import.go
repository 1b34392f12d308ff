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
		Short: "import a Hugging Face model directory, a GGUF file or a model on the hub",
		Long: `Imports a model: writes a checkpoint at DST from the Hugging Face model directory SRC. It
reads config.json, the tokenizer, and the weights from safetensors or pytorch_model.bin:
one file, or shards with their index, in float32, float16 or bfloat16, which become float32.
Nothing in PyTorch's files is executed. The headers of all weights are checked before the
weights are read.

SRC can be a GGUF file of the architectures llama, qwen2, qwen3, gemma3, gpt2 or bert; of a
model in several parts, name any of them. Quantised weights are dequantised to float32, so that
other programs read the checkpoint; a command that is given the file itself keeps its blocks.

SRC can be hf:ORG/NAME or hf:ORG/NAME@REVISION, a model on Hugging Face's hub, or
hf:ORG/NAME/FILE.gguf, a GGUF file there. Its files are downloaded into the cache and
checked, an interrupted download is resumed, and the checkpoint records the commit.
HF_ENDPOINT names another hub, HF_TOKEN is the token for models that need one, and
HF_HUB_OFFLINE=1 uses only what the cache holds.`,
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
