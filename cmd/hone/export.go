package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes/exchange"
)

func newExport(t *terminal) *cobra.Command {
	var format, size string
	o := exchange.ExportOptions{}
	c := &cobra.Command{
		Use:   "export CHECKPOINT DST",
		Short: "write a checkpoint for other tools",
		Long: `Writes a checkpoint as a Hugging Face model directory, which AutoModel… and
AutoTokenizer of transformers open. CHECKPOINT is a checkpoint's directory, or a
stage's, whose final model is meant then, or its newest checkpoint while it is
trained. The manifest goes along, and with it
what the model has learned from.`,
		Example: "  hone export runs/quickstart/pretrain my-model\n  hone export runs/quickstart/pretrain my-small-model --dtype bf16 --max-shard-size 500MB",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "hf" {
				return inputError{fmt.Errorf("export: format %q is not known; known is hf", format)}
			}
			var err error
			if o.MaxShardSize, err = parseSize(size); err != nil {
				return inputError{fmt.Errorf("export: --max-shard-size: %w", err)}
			}
			dir, err := checkpointOf(t, args[0])
			if err != nil {
				return err
			}
			x, err := exchange.Export(c.Context(), dir, args[1], o, t.console())
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(x)
			}
			fmt.Fprintf(t.out, "%s: %s, %d parameters of %s in %s\n", x.Directory, x.Architecture, x.Parameters, x.DType, strings.Join(x.Files, ", "))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&format, "format", "hf", "hf: a Hugging Face model directory")
	f.StringVar(&o.DType, "dtype", "fp32", "of the weights: "+strings.Join(exchange.ExportDTypes, ", "))
	f.StringVar(&size, "max-shard-size", "5GB", "weights in one file, at most: a number of bytes, KB, MB or GB (powers of 1000)")
	return c
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
		return 0, fmt.Errorf("%q is no size, such as 500MB or 5GB", s)
	}
	return n * factor, nil
}
