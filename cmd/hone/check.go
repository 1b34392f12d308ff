package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"hone/recipes/run"
)

func newCheck(t *terminal) *cobra.Command {
	var program bool
	c := &cobra.Command{
		Use:   "check RECIPE [KEY=VALUE…]",
		Short: "validate a recipe, and estimate its memory and time",
		Long: `Validates a recipe, and reports all its faults at once. Then plans it: the splits of each
corpus, with files, documents, tokens and the number of held-out texts that are in training
too; and for each stage documents per step, epochs, parameters, FLOPs, peak memory and
minutes, by the speed of a few steps on this machine. It warns of what will run but is
probably not meant. hone data preview shows what the model will read.`,
		Example: "  hone check quickstart\n  hone check quickstart --program",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
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
	return c
}
