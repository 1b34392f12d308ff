package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hone/checkpoint/file"
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
		Long: `Runs every stage of a recipe, built in or from a file, in the directory runs/NAME. The
same command again resumes the run from its last checkpoint; when every stage is done, it
has nothing to do. KEY=VALUE overrides a key of the recipe; dots lead to the keys of tables,
and a stage goes by its name: stage.pretrain.mixture.0.weight=2. hone help recipe lists all
keys.

On SIGINT, SIGTERM or SIGHUP the current step is finished and saved, and the exit code is
130. A second signal ends the program at once.

A stage can start from a Hugging Face directory, a GGUF file or hf:ORG/NAME (key from),
which is imported into the cache once; a corpus can be hf:datasets/ORG/NAME. See hone
import and hone data info.

The environment variable HONE_KERNELS chooses the CPU kernels: generic, avx2 or avx512,
or with matrix products in bf16 avx512+amx or avx512+vdpbf16ps. HONE_CACHE moves the
cache of converted corpora and imported models.`,
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
			o.Dir = cmp.Or(o.Dir, r.Dir())
			o.Console, o.Hold, o.Command = t.console(), t.hold, t.command()
			return t.perform(c.Context(), r, o)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "run directory (default runs/NAME)")
	c.Flags().BoolVar(&o.Fresh, "fresh", false, "remove what an earlier run has written there, and nothing else, then start over")
	c.Flags().BoolVar(&o.Accept, "accept-changes", false, "go on although a corpus, the tokenizer or the checkpoint to start from has changed; the provenance keeps both versions")
	return c
}

// perform runs a recipe, or resumes it, and prints its results.
func (t *terminal) perform(ctx context.Context, r *recipes.Recipe, o run.Options) error {
	t.resumes = true
	run, err := run.Run(ctx, r, o)
	if err != nil {
		return err
	}
	if err := t.printRun(run); err != nil {
		return err
	}
	return t.tellNext(o.Dir, run)
}

// printRun prints results, as tables or as JSON.
func (t *terminal) printRun(run *report.Run) error {
	if t.json {
		return report.WriteJSON(t.out, run)
	}
	return report.WriteText(t.out, run)
}

// tellNext says where the report of a run is, and which commands can follow.
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
	dir, _, err := modelOf(ctx, t, name)
	return dir, err
}

// modelOf is checkpointOf, with the options of what is done with it.
func modelOf(ctx context.Context, t *terminal, name string) (dir string, o run.Options, err error) {
	cache, err := cacheDir()
	if err != nil {
		return "", o, err
	}
	o = run.Options{Cache: cache, Console: t.console()}
	if len(t.adapters) > 0 {
		dir, err = run.WithAdapters(ctx, name, t.adapters, o)
		return dir, o, err
	}
	dir, note, err := run.Checkpoint(ctx, name, o)
	if note != "" {
		t.say(note)
	}
	return dir, o, err
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
		Use:   "ls [recipes|tasks|models]",
		Short: "list the built-in recipes, tasks and model families",
		Long: `Lists the built-in recipes, tasks and model families, each with a line on what it is.
hone show RECIPE prints a recipe; hone eval --task NAME takes a task.`,
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
		Use:   "show RECIPE|TASK | CHECKPOINT --provenance",
		Short: "print a recipe or a task, or where a checkpoint comes from",
		Long: `Prints a recipe or a task as it is written, with its comments.

--provenance prints, as a tree, the stages, recipes and corpora that a checkpoint comes
from, with licences, hashes and the documents that cleaning has left out. --card prints the
same as a data card in Markdown.`,
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
	c.Flags().BoolVar(&provenance, "provenance", false, "print the recipes and corpora that a checkpoint comes from, as a tree")
	c.Flags().BoolVar(&card, "card", false, "print the data card of a checkpoint, in Markdown")
	return c
}

func newCp(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "cp RECIPE|TASK FILE",
		Short: "copy a recipe or a task to a file, to change it",
		Long: `Copies a recipe or a task, built in or from a file, to a new file, with its comments. The copy
can be changed and run: hone run FILE; of a task, hone check FILE.`,
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
			next := "run "
			if recipes.IsTask(args[1]) {
				next = "check "
			}
			t.say("wrote " + args[1] + "; hone " + next + args[1])
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
		Short: "print the results of a run, and write its report.html again",
		Long: `Prints the results of a run as tables, and writes its report.html again from the files of
its directory. While the run goes on, these are the results so far.`,
		Example: "  hone report runs/quickstart",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			run, err := run.Report(args[0])
			if err != nil {
				return err
			}
			if err := t.printRun(run); err != nil {
				return err
			}
			return t.tellNext(args[0], run)
		},
	}
}

func newCompare(t *terminal) *cobra.Command {
	var markdown, csv, latex bool
	var html string
	c := &cobra.Command{
		Use:   "compare RUN…",
		Short: "compare the results of runs in tables, or on a page",
		Long: `Compares the results of runs in up to three tables. The first has every result beside its
baselines. The second has mean and standard deviation of runs that differ in their seed
alone. The third has each run against the first one, with the confidence interval of the
difference where both runs have kept the results of the same documents.

--html FILE writes a page too, which opens offline: the runs with their time, memory and
parameters, these tables, the curves of training over one another, and the settings that
differ.`,
		Example: "  hone compare runs/quickstart\n  hone compare runs/* --markdown\n  hone compare runs/* --html compared.html\n  hone compare runs/* --csv",
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
					return recipes.Input(fmt.Errorf("compare: --%s and --%s: choose one of them", format, f.name))
				}
				if f.set {
					format = f.name
				}
			}
			if html != "" {
				var b bytes.Buffer
				if err := compared.WriteHTML(&b); err != nil {
					return err
				}
				if err := file.WriteBytes(html, b.Bytes()); err != nil {
					return fmt.Errorf("compare: %w", err)
				}
				t.say("wrote " + html)
			}
			if t.json {
				return t.printJSON(compared)
			}
			return compared.Write(t.out, format)
		},
	}
	c.Flags().StringVar(&html, "html", "", "file to write the comparison to as a page")
	c.Flags().BoolVar(&markdown, "markdown", false, "print the tables in Markdown")
	c.Flags().BoolVar(&csv, "csv", false, "print CSV: a row for each result and baseline, with all digits")
	c.Flags().BoolVar(&latex, "latex", false, "print the tables in LaTeX")
	return c
}
