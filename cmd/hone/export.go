package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hone/data/source"
	"hone/recipes"
	"hone/recipes/exchange"
)

func newExport(t *terminal) *cobra.Command {
	var format, size string
	o := exchange.ExportOptions{}
	c := &cobra.Command{
		Use:   "export CHECKPOINT DST",
		Short: "write a checkpoint for other tools",
		Long: `Writes a checkpoint as a Hugging Face model directory, which AutoModel… and AutoTokenizer of
transformers open. The manifest goes along, and with it the provenance of the model.

With --format gguf, DST is a file for llama.cpp and the programs built on it. It holds a
language model of the families llama, qwen2, qwen3, gemma3 or gpt2, with its tokenizer and
chat template.

CHECKPOINT is the directory of a checkpoint, or of a stage: its final model or, while it is
trained, its newest checkpoint. It can also be a Hugging Face directory, a GGUF file or
hf:ORG/NAME, which is imported into the cache once.`,
		Example: "  hone export runs/quickstart/pretrain my-model\n  hone export runs/quickstart/pretrain my-small-model --dtype bf16 --max-shard-size 500MB\n  hone export runs/quickstart/pretrain my-model.gguf --format gguf --dtype Q8_0",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "hf" && format != "gguf" {
				return recipes.Input(fmt.Errorf("export: --format: unknown %q (known: hf, gguf)", format))
			}
			var err error
			if o.MaxShardSize, err = parseSize(size); err != nil {
				return recipes.Input(fmt.Errorf("export: --max-shard-size: %w", err))
			}
			dir, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			var x *exchange.Exported
			if format == "gguf" {
				if c.Flags().Changed("max-shard-size") {
					return recipes.Input(errors.New("export: --max-shard-size is for --format hf: a GGUF export is one file"))
				}
				x, err = exchange.ExportGGUF(c.Context(), dir, args[1], ggufType(o.DType), t.console())
			} else {
				x, err = exchange.Export(c.Context(), dir, args[1], o, t.console())
			}
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(x)
			}
			if len(x.AsF16) > 0 {
				t.say(fmt.Sprintf("written in F16, since their rows are not a whole number of blocks: %s", source.Listed(x.AsF16)))
			}
			fmt.Fprintf(t.out, "%s: %s, %d parameters of %s in %s\n", x.Directory, x.Architecture, x.Parameters, x.DType, strings.Join(x.Files, ", "))
			return nil
		},
	}
	t.adapterFlag(c)
	f := c.Flags()
	f.StringVar(&format, "format", "hf", "hf: a Hugging Face model directory; gguf: a file for llama.cpp")
	f.StringVar(&o.DType, "dtype", "fp32", "type of the weights: "+strings.Join(exchange.ExportDTypes, ", ")+"; in a GGUF file "+strings.Join(exchange.GGUFTypes, ", "))
	f.StringVar(&size, "max-shard-size", "5GB", "greatest size of a file of weights, in bytes, KB, MB or GB (powers of 1000)")
	return c
}

// ggufType is a type by GGUF's name, where it is given by the name that it has elsewhere.
func ggufType(dtype string) string {
	if name, ok := map[string]string{"fp32": "F32", "fp16": "F16", "bf16": "BF16"}[dtype]; ok {
		return name
	}
	return strings.ToUpper(dtype)
}

// parseSize reads a number of bytes.
func parseSize(s string) (int64, error) {
	number, factor := s, int64(1)
	for _, u := range []struct {
		name   string
		factor int64
	}{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if n, ok := strings.CutSuffix(strings.ToUpper(s), u.name); ok {
			number, factor = n, u.factor
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 1 || n > (1<<62)/factor {
		return 0, fmt.Errorf("%q is not a size such as 500MB or 5GB", s)
	}
	return n * factor, nil
}
