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
		Short: "validate a recipe and say what it will take",
		Long: `Validates a recipe, every fault at once, then plans it: the splits of its corpora with
files, documents and tokens, and how many held-out texts are in training too; of each
stage documents a step and epochs, parameters, FLOPs, peak memory and minutes, the speed
measured by some steps on this machine. What will work and is hardly meant is warned of.
hone data preview shows what the model will see.`,
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
	c.Flags().BoolVar(&program, "program", false, "print the lowered programs instead: every instruction with shapes, bytes and FLOPs")
	return c
}
