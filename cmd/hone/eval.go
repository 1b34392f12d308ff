package main

import (
	"errors"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/run"
)

func newEval(t *terminal) *cobra.Command {
	var task, source string
	var limit int
	c := &cobra.Command{
		Use:   "eval CHECKPOINT --task NAME|FILE",
		Short: "evaluate a checkpoint on a task",
		Long: `Evaluates a checkpoint on a task, built in (hone ls tasks) or from a TOML file (hone help
task), beside the task's baselines.

CHECKPOINT is the directory of a checkpoint, or of a stage: its final model or, while it is
trained, its newest checkpoint. It can also be a Hugging Face directory, a GGUF file or
hf:ORG/NAME, which is imported into the cache once. --source PATH says where the documents of a
task lie that does not say so itself.`,
		Example: "  hone eval runs/quickstart/finetune --task godoc_family\n  hone eval runs/quickstart/pretrain --task godoc_text --limit 100",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if task == "" {
				return recipes.Input(errors.New("eval: --task is missing; hone ls tasks lists what is built in"))
			}
			if limit < 0 {
				return recipes.Input(errors.New("eval: --limit is negative; 0 scores all documents"))
			}
			tk, err := recipes.LoadTask(task)
			if err != nil {
				return err
			}
			if source != "" {
				tk.Spec.From = source
			}
			dir, ro, err := modelOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			run, err := run.Evaluate(c.Context(), dir, tk, limit, ro)
			if err != nil {
				return err
			}
			return t.printRun(run)
		},
	}
	t.adapterFlag(c)
	c.Flags().StringVar(&task, "task", "", "name or file of the task")
	c.Flags().StringVar(&source, "source", "", "where the documents of the task are, as source of a corpus (default the task's)")
	c.Flags().IntVar(&limit, "limit", 0, "documents to score, evenly spaced in the split; 0: all")
	return c
}
