package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/exchange"
	"hone/recipes/run"
)

// completions gives the words that can complete the one at the cursor.
type completions = func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// complete sets the completions of the commands under root: the n-th argument by the n-th
// function, further ones by the last. Commands that are not listed take files, which a shell
// completes by itself.
func complete(root *cobra.Command) {
	for command, by := range map[string][]completions{
		"show": {completeShown, completeNothing}, "cp": {completeRecipe, completeFile},
		"check": {completeRecipe, completeKey}, "run": {completeRecipe, completeKey}, "data preview": {completeRecipe, completeKey},
		"eval": {completeCheckpoint, completeNothing}, "generate": {completeCheckpoint, completeNothing}, "chat": {completeCheckpoint, completeNothing}, "export": {completeCheckpoint, completeDirectory},
		"report": {completeRun, completeNothing}, "compare": {completeRun}, "import": {completeDirectory},
	} {
		c, _, err := root.Find(strings.Fields(command))
		if err != nil {
			panic(err) // there is no such command
		}
		c.ValidArgsFunction = func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return by[min(len(args), len(by)-1)](c, args, toComplete)
		}
	}
	for command, by := range map[string]completions{
		"eval task": completeTask, "run dir": completeDirectory, "generate context": completeWords("stop", "slide"), "chat context": completeWords("stop", "slide"), "export dtype": completeWords(exchange.ExportDTypes...), "export format": completeWords("hf", "gguf"),
		"bench precision": completeWords(recipes.Precisions...),
	} {
		name, flag, _ := strings.Cut(command, " ")
		c, _, err := root.Find([]string{name})
		if err == nil {
			err = c.RegisterFlagCompletionFunc(flag, by)
		}
		if err != nil {
			panic(err) // there is no such flag
		}
	}
}

// completeRecipe gives the built-in recipes, and TOML files.
func completeRecipe(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return builtInOrFile("recipes", toComplete)
}

// completeTask gives the built-in tasks, and TOML files.
func completeTask(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return builtInOrFile("tasks", toComplete)
}

func builtInOrFile(kind, toComplete string) (list []string, d cobra.ShellCompDirective) {
	items, err := recipes.List()
	if err == nil {
		for _, item := range items[kind] {
			if strings.HasPrefix(item.Name, toComplete) {
				list = append(list, item.Name+"\t"+item.Description)
			}
		}
	}
	if len(list) == 0 {
		return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	files, _ := filepath.Glob(toComplete + "*.toml") // an invalid pattern matches nothing
	return append(list, files...), cobra.ShellCompDirectiveNoFileComp
}

// completeKey gives the keys of the recipe that is the first argument, for KEY=VALUE.
func completeKey(_ *cobra.Command, args []string, toComplete string) (list []string, d cobra.ShellCompDirective) {
	d = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if strings.Contains(toComplete, "=") {
		return nil, cobra.ShellCompDirectiveDefault // a value, which may be a file
	}
	for _, key := range recipes.Keys(args[0]) {
		if strings.HasPrefix(key, toComplete) {
			list = append(list, key+"=")
		}
	}
	return list, d
}

// completeRun gives the directories of runs.
func completeRun(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return directoriesOr(toComplete, func(run string) []string { return []string{run} })
}

// completeCheckpoint gives the stages of runs that have a model.
func completeCheckpoint(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return directoriesOr(toComplete, func(dir string) []string {
		return slices.DeleteFunc(run.Stages(dir), func(stage string) bool {
			_, err := os.Stat(stage)
			return err != nil
		})
	})
}

// directoriesOr gives the directories that of lists for each run in runs/; where none of them
// begins with the word, any directory.
func directoriesOr(toComplete string, of func(run string) []string) (list []string, d cobra.ShellCompDirective) {
	runs, _ := filepath.Glob(filepath.Join("runs", "*"))
	for _, at := range runs {
		if len(run.Stages(at)) == 0 {
			continue
		}
		for _, dir := range of(at) {
			if strings.HasPrefix(dir, toComplete) {
				list = append(list, dir)
			}
		}
	}
	if len(list) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeShown gives recipes, or with --provenance or --card checkpoints.
func completeShown(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if c.Flags().Changed("provenance") || c.Flags().Changed("card") {
		return completeCheckpoint(c, args, toComplete)
	}
	return completeRecipe(c, args, toComplete)
}

func completeDirectory(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func completeFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func completeWords(words ...string) completions {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}
