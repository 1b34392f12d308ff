package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"hone/checkpoint/file"
	"hone/data/source"
	"hone/recipes"
	"hone/recipes/run"
)

func newFinetune(t *terminal) *cobra.Command {
	var f run.Finetuner
	var o run.Options
	var read readFlags
	c := &cobra.Command{
		Use:   "finetune MODEL FILE -o DIR [KEY=VALUE…]",
		Short: "train a model on a file of labels: writes the recipe, shows it, runs it",
		Long: `Trains a model on a file. What its columns are, and what is to be predicted, is guessed from
their names and values, and said; --task, --text and --label say it instead. The recipe is
written to DIR.toml, shown, and run in DIR: change it there, and go on with hone run DIR.toml
--dir DIR. KEY=VALUE overrides a key of the recipe, as in hone run.

MODEL is a checkpoint, a Hugging Face directory, a GGUF file or hf:ORG/NAME. FILE is CSV, TSV,
JSONL, Parquet or Arrow, or a directory of these with the splits in their names; --column-names names the columns of CSV and
TSV without a header line. --task takes
a kind (hone help task kind), a built-in task (hone ls tasks) or the file of a task.`,
		Example: "  hone finetune runs/quickstart/pretrain reviews.csv -o runs/reviews\n  hone finetune runs/quickstart/pretrain reviews.csv --task regression --label stars -o runs/stars\n  hone finetune t5-small captions.jsonl --task text_to_text --text en --label de -o runs/captions",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Dir == "" {
				return recipes.Input(errors.New("finetune: -o is missing: the directory of the run"))
			}
			f.Model, f.File = args[0], args[1]
			var as source.Options
			if err := read.set(&as); err != nil {
				return err
			}
			f.Read = recipes.Reading{Format: as.Format, Separator: as.Separator, ColumnNames: as.ColumnNames, Delimiter: as.Delimiter, Quote: as.Quote, Rows: as.Rows}
			if o.Cache, err = cacheDir(); err != nil {
				return err
			}
			o.Console, o.Hold, o.Command = t.console(), t.hold, t.command()
			tuning, err := run.Finetune(c.Context(), f, o)
			if err != nil {
				return err
			}
			for _, line := range tuning.Why {
				t.say(line)
			}
			path := filepath.Clean(o.Dir) + ".toml"
			switch text, err := os.ReadFile(path); {
			case err == nil && string(text) != tuning.Recipe:
				return recipes.Input(fmt.Errorf("finetune: %s exists, and has another recipe (hint: hone run %s --dir %s goes on with it; remove it, or choose another -o, to start anew)", path, path, o.Dir))
			case err != nil && !errors.Is(err, fs.ErrNotExist):
				return recipes.Input(fmt.Errorf("finetune: %w", err))
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				return fmt.Errorf("finetune: %w", err)
			}
			if err := file.WriteBytes(path, []byte(tuning.Recipe)); err != nil {
				return fmt.Errorf("finetune: %w", err)
			}
			t.say("wrote " + path + ":\n" + tuning.Recipe)
			r, err := load(c.Context(), t, append([]string{path}, args[2:]...))
			if err != nil {
				return err
			}
			return t.perform(c.Context(), r, o)
		},
	}
	c.Flags().StringVarP(&o.Dir, "output", "o", "", "directory of the run")
	c.Flags().StringVar(&f.Task, "task", "", "kind, name or file of the task (default guessed from the file)")
	c.Flags().StringVar(&f.Text, "text", "", "column of the text (default guessed)")
	c.Flags().StringVar(&f.Label, "label", "", "column of the label (default guessed)")
	read.addReading(c)
	return c
}
