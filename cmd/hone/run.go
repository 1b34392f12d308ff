package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hone/eval/report"
	"hone/recipes"
	"hone/recipes/run"
	"hone/trainer/pretrained"
)

func newRun(t *terminal) *cobra.Command {
	var o run.Options
	c := &cobra.Command{
		Use:   "run RECIPE [KEY=VALUE…]",
		Short: "run every stage of a recipe; run again to resume",
		Long: `Runs every stage of a recipe, built in or from a file, in runs/NAME. Run the same
command again to resume: from the last checkpoint after an interruption, with
nothing to do once all is done. KEY=VALUE overrides a key of the recipe; words
with dots between them reach keys of tables, stages by their names:
stage.pretrain.mixture.0.weight=2. hone help recipe lists all keys.

SIGINT, SIGTERM and SIGHUP finish the step, save and exit with 130; a second one ends
at once.
A stage's from can also be a Hugging Face directory, a GGUF file or hf:ORG/NAME, which
is imported into the cache once, and a corpus hf:datasets/ORG/NAME (see hone import and
hone data info).

HONE_KERNELS=generic|avx2|avx512 forces a set of CPU kernels, avx512+amx or
avx512+vdpbf16ps what multiplies in bf16 too; HONE_CACHE moves the directory of
converted corpora.`,
		Example: "  hone run quickstart\n  hone run quickstart --dir runs/short stage.pretrain.steps=20",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t.say("hone " + recipes.Version() + ": reading " + args[0])
			r, err := load(c.Context(), t, args)
			if err != nil {
				return err
			}
			if o.Cache, err = cacheDir(); err != nil {
				return err
			}
			t.resumes = true
			o.Dir = cmp.Or(o.Dir, r.Dir())
			o.Console, o.Hold, o.Command = t.console(), t.hold, t.command()
			run, err := run.Run(c.Context(), r, o)
			if err != nil {
				return err
			}
			if t.json {
				err = report.WriteJSON(t.out, run)
			} else {
				err = report.WriteText(t.out, run)
			}
			if err != nil {
				return err
			}
			return t.tellNext(o.Dir, run)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "run directory (default runs/NAME)")
	c.Flags().BoolVar(&o.Fresh, "fresh", false, "remove what an earlier run made there (nothing else), and start over")
	c.Flags().BoolVar(&o.Accept, "accept-changes", false, "go on although corpora, tokenizer or the checkpoint to start from have changed; the provenance keeps both")
	return c
}

// tellNext says where the report of a run is, and which commands go on from it.
func (t *terminal) tellNext(dir string, run *report.Run) error {
	_, _, samples, err := report.Read(dir)
	if err != nil {
		return err
	}
	t.say("report: " + filepath.Join(dir, report.HTMLFile))
	var lines []string
	for _, u := range run.Uses(dir, samples) {
		if !u.Program {
			lines = append(lines, u.Lines...)
		}
	}
	if len(lines) > 0 {
		t.say("next:\n  " + strings.Join(lines, "\n  "))
	}
	return nil
}

// checkpointOf is the checkpoint that the user means by a name.
func checkpointOf(ctx context.Context, t *terminal, name string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	found, note, err := run.Checkpoint(ctx, name, run.Options{Cache: cache, Console: t.console()})
	if note != "" {
		t.say(note)
	}
	return found, err
}

// load reads the recipe args[0] with the overrides args[1:].
func load(ctx context.Context, t *terminal, args []string) (*recipes.Recipe, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	r, err := run.Load(ctx, args[0], args[1:], run.Options{Cache: cache, Console: t.console()})
	if err != nil {
		return nil, err
	}
	for _, o := range args[1:] {
		t.say("set " + o)
	}
	return r, nil
}

func newLs(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:       "ls [recipes|tasks|models]",
		Short:     "list what is built in",
		Example:   "  hone ls\n  hone ls tasks",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"recipes", "tasks", "models"},
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := recipes.List()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				list = map[string][]recipes.Item{args[0]: list[args[0]]}
			}
			if t.json {
				return t.printJSON(list)
			}
			for _, kind := range []string{"recipes", "tasks", "models"} {
				for i, item := range list[kind] {
					if i == 0 && len(list) > 1 {
						fmt.Fprintf(t.out, "%s\n", kind)
					}
					fmt.Fprintf(t.out, "  %-20s %s\n", item.Name, item.Description)
				}
			}
			return nil
		},
	}
}

func newShow(t *terminal) *cobra.Command {
	var provenance, card bool
	c := &cobra.Command{
		Use:   "show RECIPE | CHECKPOINT --provenance",
		Short: "print a recipe, or where a checkpoint comes from",
		Long: `Prints a recipe as it is written. With --provenance: the chain of stages, recipes and
corpora behind a checkpoint as a tree, with licences, hashes and what cleaning left
out. With --card: the same as a data card in Markdown.`,
		Example: "  hone show quickstart\n  hone show runs/quickstart/finetune --provenance",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if provenance || card {
				dir := args[0]
				if !pretrained.IsCheckpoint(dir) {
					var err error
					if dir, err = checkpointOf(c.Context(), t, dir); err != nil {
						return err
					}
				}
				p, err := run.ReadProvenance(dir)
				if err != nil {
					return err
				}
				p.Checkpoint = args[0]
				switch {
				case t.json:
					return t.printJSON(p)
				case card:
					return p.Card(t.out)
				}
				return p.Tree(t.out)
			}
			text, _, err := recipes.Source(args[0])
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(map[string]string{"recipe": args[0], "toml": text})
			}
			t.verbatim()
			fmt.Fprint(t.out, text)
			return nil
		},
	}
	c.Flags().BoolVar(&provenance, "provenance", false, "of a checkpoint: the chain of its corpora and recipes as a tree")
	c.Flags().BoolVar(&card, "card", false, "of a checkpoint: its data card in Markdown")
	return c
}

func newCp(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "cp RECIPE FILE",
		Short:   "copy a recipe to a file, to change it",
		Example: "  hone cp quickstart my.toml",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			text, _, err := recipes.Source(args[0])
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, fs.ErrExist) {
				return recipes.Input(fmt.Errorf("cp: %s exists already: choose another name", args[1]))
			}
			if err != nil {
				return recipes.Input(fmt.Errorf("cp: %w", err))
			}
			_, err = f.WriteString(text)
			if err := errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("cp: %w", err)
			}
			t.say("wrote " + args[1] + "; hone run " + args[1])
			if t.json {
				return t.printJSON(map[string]string{"recipe": args[0], "file": args[1]})
			}
			return nil
		},
	}
}

func newReport(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "report RUN",
		Short: "print a run's results, and write its report.html again",
		Long: `Prints the results of a run directory as tables, and writes its report.html again from
what lies there. While the run goes on, these are its results so far.`,
		Example: "  hone report runs/quickstart",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			run, err := run.Report(args[0])
			if err != nil {
				return err
			}
			if t.json {
				err = report.WriteJSON(t.out, run)
			} else {
				err = report.WriteText(t.out, run)
			}
			if err != nil {
				return err
			}
			return t.tellNext(args[0], run)
		},
	}
}

func newCompare(t *terminal) *cobra.Command {
	var markdown, csv, latex bool
	c := &cobra.Command{
		Use:   "compare RUN…",
		Short: "put the results of runs into one table, each figure beside its baselines",
		Long: `Puts the results of runs into one table, each figure beside its baselines. Runs of which
the seed alone differs have their mean and standard deviation in a second table; a third
has each run against the first, with the interval of the difference where both have kept
their figures of the same documents.`,
		Example: "  hone compare runs/quickstart\n  hone compare runs/* --markdown\n  hone compare runs/* --csv",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			compared, err := run.Compare(args)
			if err != nil {
				return err
			}
			format := ""
			for _, f := range []struct {
				name string
				set  bool
			}{{"markdown", markdown}, {"csv", csv}, {"latex", latex}, {"json", t.json}} {
				if f.set && format != "" {
					return recipes.Input(fmt.Errorf("compare: --%s and --%s: one table has one form", format, f.name))
				}
				if f.set {
					format = f.name
				}
			}
			if t.json {
				return t.printJSON(compared)
			}
			return compared.Write(t.out, format)
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "as tables in Markdown")
	c.Flags().BoolVar(&csv, "csv", false, "as CSV: a row for each figure and baseline, with all digits")
	c.Flags().BoolVar(&latex, "latex", false, "as tables in LaTeX")
	return c
}
