package main

import (
	"errors"

	"github.com/spf13/cobra"

	"hone/eval/report"
	"hone/recipes"
	"hone/recipes/run"
)

func newEval(t *terminal) *cobra.Command {
	var task string
	var limit int
	c := &cobra.Command{
		Use:   "eval CHECKPOINT --task NAME|FILE",
		Short: "evaluate a checkpoint on a task",
		Long: `Evaluates a checkpoint on a task, built in (hone ls tasks) or from a TOML file,
beside the task's baselines. CHECKPOINT is a checkpoint's directory, or a stage's,
whose final model is meant then, or its newest checkpoint while it is trained; or a
Hugging Face directory, a GGUF file or hf:ORG/NAME, which is imported into the cache once.`,
		Example: "  hone eval runs/quickstart/finetune --task godoc_family\n  hone eval runs/quickstart/pretrain --task godoc_text --limit 100",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if task == "" {
				return recipes.Input(errors.New("eval: --task is missing; hone ls tasks lists what is built in"))
			}
			if limit < 0 {
				return recipes.Input(errors.New("eval: --limit is negative"))
			}
			tk, err := recipes.LoadTask(task)
			if err != nil {
				return err
			}
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			dir, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			run, err := run.Evaluate(c.Context(), dir, tk, limit, run.Options{Cache: cache, Console: t.console()})
			if err != nil {
				return err
			}
			if t.json {
				return report.WriteJSON(t.out, run)
			}
			return report.WriteText(t.out, run)
		},
	}
	c.Flags().StringVar(&task, "task", "", "task to evaluate on")
	c.Flags().IntVar(&limit, "limit", 0, "so many documents, evenly spaced; 0: all")
	return c
}
