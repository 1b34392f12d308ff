package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/run"
)

func newCheck(t *terminal) *cobra.Command {
	var program bool
	var model, source string
	c := &cobra.Command{
		Use:   "check RECIPE|TASK [KEY=VALUE…]",
		Short: "validate a recipe or a task, and estimate a recipe's memory and time",
		Long: `Validates a recipe, and reports all its faults at once. Then plans it: the splits of each
corpus, with files, documents, tokens and the number of held-out texts that are in training
too; and for each stage documents per step, epochs, parameters, FLOPs, peak memory and
minutes, by the speed of a few steps on this machine. It warns of what will run but is
probably not meant. hone data preview shows what the model will read.

Of a task it reads all documents, counts their labels, and shows ten of them as a model reads
them. --model MODEL sets them in its tokens: those that the model is trained on are in
brackets, or coloured.`,
		Example: "  hone check quickstart\n  hone check quickstart --program\n  hone check godoc_family",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if recipes.IsTask(args[0]) {
				if len(args) > 1 || program {
					return recipes.Input(fmt.Errorf("check: %s is a task, which takes no keys and has no programs", args[0]))
				}
				return t.checkTask(c.Context(), args[0], model, source)
			}
			if model != "" || source != "" {
				return recipes.Input(errors.New("check: --model and --source are for a task; a recipe names its model and its corpora"))
			}
			r, err := load(c.Context(), t, args)
			if err != nil {
				return err
			}
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			o := run.Options{Cache: cache, Console: t.console()}
			if program {
				list, err := run.Programs(c.Context(), r, o)
				if err != nil {
					return err
				}
				if t.json {
					return t.printJSON(list)
				}
				for i, p := range list {
					if i > 0 {
						fmt.Fprintln(t.out)
					}
					if err := p.Print(t.out); err != nil {
						return err
					}
				}
				return nil
			}
			plan, err := run.Check(c.Context(), r, o)
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(plan)
			}
			return plan.Print(t.out)
		},
	}
	c.Flags().BoolVar(&program, "program", false, "print the programs instead: every instruction with its shapes, bytes and FLOPs")
	c.Flags().StringVar(&model, "model", "", "of a task: the model in whose tokens documents are shown")
	c.Flags().StringVar(&source, "source", "", "of a task: where its documents are, as source of a corpus (default the task's)")
	return c
}

// checkTask shows what a task makes of its documents.
func (t *terminal) checkTask(ctx context.Context, name, model, source string) error {
	tk, err := recipes.LoadTask(name)
	if err != nil {
		return err
	}
	if source != "" {
		tk.Spec.From = source
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	dir := ""
	if model != "" {
		if dir, err = checkpointOf(ctx, t, model); err != nil {
			return err
		}
	}
	plan, err := run.CheckTask(ctx, tk, dir, run.Options{Cache: cache, Console: t.console()}, t.interactive() && !t.json)
	if err != nil {
		return err
	}
	if t.json {
		return t.printJSON(plan)
	}
	return plan.Print(t.out)
}
