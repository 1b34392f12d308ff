package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/run"
)

func newEmbed(t *terminal) *cobra.Command {
	var o run.EmbedOptions
	var read readFlags
	var prompt string
	c := &cobra.Command{
		Use:   "embed MODEL FILE|- [-o OUT]",
		Short: "add a vector of each text to the rows of a file",
		Long: `Adds the column embedding, a vector of each row's text, to the rows of a file. Rows stay in
order, with all their columns.

MODEL pools the states of a text's tokens, and makes vectors of length 1, as its files say; those
of sentence-transformers do. For another model --pooling says how. Of a text that is too long the
beginning is read, and how many these were is said. MODEL is a checkpoint, a stage of a run, a
directory of Hugging Face or sentence-transformers, a GGUF file or hf:ORG/NAME.

` + rowsHelp,
		Example: "  printf '{\"text\": \"a cat\"}\\n{\"text\": \"고양이\"}\\n' > texts.jsonl\n  hone embed all-MiniLM-L6-v2 texts.jsonl -o vectors.parquet\n  printf 'id,review\\n1,good\\n2,bad\\n' | hone embed all-MiniLM-L6-v2 - --format csv --text review",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("prompt") {
				o.Prompt = &prompt
			}
			return t.rows(c, args, &o.RowsOptions, &read, func(dir string, ro run.Options) (*run.Rowed, error) {
				return run.Embed(c.Context(), dir, o, ro)
			})
		},
	}
	addRowsFlags(t, c, &o.RowsOptions, &read)
	f := c.Flags()
	f.StringVar(&o.Pooling, "pooling", "", "how a model that does not say so makes one vector of the states of tokens: mean, cls, lasttoken, max, mean_sqrt_len_tokens or weightedmean")
	f.StringVar(&prompt, "prompt", "", `name of the model's prompt that stands before each text; "": none (default: the one that the model says)`)
	return c
}

// rowsHelp is what commands that add columns to rows have in common.
const rowsHelp = `FILE is Arrow, Parquet, JSONL, CSV, TSV or plain text; - is stdin. The end of OUT chooses the
format that is written, .jsonl, .csv, .tsv, .arrow or .parquet; without OUT it is JSONL on
stdout. Arrow and Parquet keep all types. In JSONL and CSV, dates, times and decimals are
strings, bytes are base64, and numbers that are not finite are null in JSONL; a list has its JSON
text in a cell of CSV. Cells of CSV are text.

The text is in the column text, or in the only column of strings, or --text names it. A text that
is null or no string is an error, and so is a column in FILE of a name that is added.

Rows that are done are kept in OUT.part until OUT is there: the same command again goes on after
them.`

// addRowsFlags adds the flags of commands that add columns to rows.
func addRowsFlags(t *terminal, c *cobra.Command, o *run.RowsOptions, read *readFlags) {
	t.adapterFlag(c)
	f := c.Flags()
	f.StringVarP(&o.Out, "output", "o", "", "file to write; the end of its name says the format (default: JSONL on stdout)")
	f.StringSliceVar(&o.Text, "text", nil, "name of the column with the text")
	f.BoolVar(&o.Fresh, "fresh", false, "replace OUT, and start over where an interrupted command has stopped")
	read.add(c)
}

// rows does the work of a command that adds columns to rows, and says how much it was.
func (t *terminal) rows(c *cobra.Command, args []string, o *run.RowsOptions, read *readFlags, work func(dir string, o run.Options) (*run.Rowed, error)) error {
	if err := read.set(&o.Read); err != nil {
		return err
	}
	if t.json && o.Out == "" {
		return recipes.Input(errors.New(c.Name() + ": with --json, rows need -o OUT: stdout has one document"))
	}
	dir, ro, err := modelOf(c.Context(), t, args[0])
	if err != nil {
		return err
	}
	o.In, o.Stdin, o.Stdout = args[1], os.Stdin, t.out
	t.resumes = o.Out != "" && o.In != "-"
	t.verbatim()
	done, err := work(dir, ro)
	if err != nil {
		return err
	}
	if t.json {
		return t.printJSON(done)
	}
	line := fmt.Sprintf("rows: %d, %.0f a second", done.Rows, done.RowsPerSecond)
	if done.Resumed > 0 {
		line += fmt.Sprintf("; %d of them were kept", done.Resumed)
	}
	if done.Truncated > 0 {
		line += fmt.Sprintf("; %d had a text that is too long for the model, and only its beginning was read", done.Truncated)
	}
	if k := o.Read.Skips; k != nil && k.Count() > 0 {
		line += fmt.Sprintf("; %d records could not be read and were left out, the first: %s", k.Count(), k.First()[0])
	}
	t.say(line)
	return nil
}
