package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes"
)

// references are what hone help lists keys of.
var references = map[string]func() recipes.Reference{"recipe": recipes.RecipeReference, "task": recipes.TaskReference}

func newHelp(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | recipe [KEY] | task [KEY]]",
		Short: "print help on a command, or on the keys of recipes and tasks",
		Long: `Prints the help of a command, or the keys of recipes or tasks, each with its default, type,
unit and meaning. KEY is a key, or a table of keys: corpus, tokenizer, model, stage or
stage.mixture.`,
		Example: "  hone help run\n  hone help recipe\n  hone help recipe batch_size\n  hone help recipe corpus.text\n  hone help recipe model\n  hone help task",
		ValidArgsFunction: func(c *cobra.Command, args []string, toComplete string) (list []string, d cobra.ShellCompDirective) {
			d = cobra.ShellCompDirectiveNoFileComp
			switch {
			case len(args) == 0:
				list = append(list, "recipe\tkeys of recipes", "task\tkeys of tasks")
				for _, sub := range c.Root().Commands() {
					if sub.IsAvailableCommand() {
						list = append(list, sub.Name()+"\t"+sub.Short)
					}
				}
			case len(args) == 1 && references[args[0]] != nil:
				for _, s := range references[args[0]]() {
					for _, k := range s.Keys {
						list = append(list, k.Name)
					}
				}
				slices.Sort(list)
				list = slices.Compact(list)
			}
			return slices.DeleteFunc(list, func(s string) bool { return !strings.HasPrefix(s, toComplete) }), d
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && references[args[0]] != nil {
				return t.printReference(references[args[0]](), args)
			}
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				err := fmt.Errorf("there is no help on %q", strings.Join(args, " "))
				if near := c.Root().SuggestionsFor(args[0]); len(near) > 0 {
					err = fmt.Errorf("%w; did you mean %q?", err, near[0])
				}
				return recipes.Input(err)
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// printReference prints keys: all that there are, or those that the second argument names.
func (t *terminal) printReference(keys recipes.Reference, args []string) (err error) {
	if len(args) > 2 {
		return recipes.Input(fmt.Errorf("hone help %s: %q is one argument too many", args[0], args[2]))
	}
	if len(args) == 2 {
		if keys, err = keys.Find(args[1]); err != nil {
			return recipes.Input(fmt.Errorf("%w (hint: hone help %s lists all)", err, args[0]))
		}
	}
	if t.json {
		return t.printJSON(keys)
	}
	return keys.Print(t.out)
}
