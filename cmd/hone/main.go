// Command hone trains, fine-tunes and evaluates language models from TOML recipes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hone/data/hub"
	"hone/recipes"
)

// Exit codes.
const (
	exitFailed      = 1
	exitInput       = 2 // the user's input is wrong
	exitInterrupted = 130
)

func main() {
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// execute is the program: its arguments, its streams, its exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// A reader that closes the pipe, as head does, ends the program.
	out, log := &stream{Writer: stdout, broken: cancel, printing: true}, &stream{Writer: stderr, broken: cancel}
	t := &terminal{args: args, out: out, err: log}
	over := make(chan struct{})
	defer close(over)
	listen(t, ctx, cancel, over)
	root := newRoot(t)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(log)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		t.sayInterrupted()
		return exitInterrupted
	}
	if err == nil {
		err = out.failed()
	}
	if err == nil {
		return 0
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(log, "hone: %s\n", printable(line))
	}
	if errors.Is(err, recipes.ErrInput) && !machineFails(err) {
		return exitInput
	}
	return exitFailed
}

// machineFails reports whether an error is the machine's fault, whatever the user has asked for:
// a disk that is full or read-only, a cache without permission, no memory or file descriptors
// left, a hub that does not answer.
func machineFails(err error) bool {
	if errors.As(err, new(*hub.Fault)) {
		return true
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	var at *fs.PathError
	cache, noCache := cacheDir()
	return noCache == nil && errors.Is(err, fs.ErrPermission) && errors.As(err, &at) && (at.Path == cache || strings.HasPrefix(at.Path, cache+string(filepath.Separator)))
}

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "hone",
		Short: "train, fine-tune and evaluate language models from recipes",
		Long: `hone trains, fine-tunes and evaluates language models from TOML recipes.

Start with a built-in recipe, which trains on the Go source tree on this machine:

  hone run quickstart`,
		Version:       recipes.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) (err error) {
		c.Flags().Visit(func(f *pflag.Flag) {
			if fault := finite(f); fault != nil {
				err = recipes.Input(fmt.Errorf("--%s: %w", f.Name, fault))
			}
		})
		return err
	}
	root.PersistentFlags().BoolVar(&t.json, "json", false, "print one JSON document on stdout; progress stays on stderr")
	help := newHelp(t)
	root.SetHelpCommand(help)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return recipes.Input(fmt.Errorf("%w\nhint: %s --help", err, c.CommandPath()))
	})
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Recipes and runs:", []*cobra.Command{newLs(t), newShow(t), newCp(t), newCheck(t), newRun(t), newReport(t), newCompare(t)}},
		{"Models:", []*cobra.Command{newFinetune(t), newChat(t), newGenerate(t), newEval(t), newPredict(t), newEmbed(t), newSearch(t), newExport(t), newImport(t), newMerge(t)}},
		{"Data:", []*cobra.Command{newData(t), newTokenizer(t)}},
		{"The program and its machine:", []*cobra.Command{newBench(t), newVersion(t)}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, c := range group.commands {
			c.GroupID = group.title
			root.AddCommand(c)
		}
		help.GroupID = group.title // the last
		root.SetCompletionCommandGroupID(group.title)
	}
	cobra.EnableCommandSorting = false // the order above, in which a user meets them
	complete(root)
	root.SetVersionTemplate(versionText())
	wrapArgs(root)
	return root
}

// finite refuses a number that is none.
func finite(f *pflag.Flag) error {
	if v, err := strconv.ParseFloat(f.Value.String(), 64); f.Value.Type() == "float64" && err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return fmt.Errorf("%g is not a finite number", v)
	}
	return nil
}

// wrapArgs makes wrong arguments recipes.ErrInput, with the usage.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil {
				return nil
			}
			usage := strings.TrimSuffix(c.UseLine(), " [flags]")
			if slices.ContainsFunc(args, func(a string) bool { return len(c.ValidArgs) > 0 && !slices.Contains(c.ValidArgs, a) }) {
				return recipes.Input(fmt.Errorf("%w\nusage: %s", err, usage))
			}
			what := "an argument is missing"
			for n := range args {
				if check(c, args[:n]) == nil {
					what = fmt.Sprintf("%q is one argument too many", args[n])
					break
				}
			}
			return recipes.Input(fmt.Errorf("%s: %s\nusage: %s", c.CommandPath(), what, usage))
		}
	} else if c.HasSubCommands() {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %q for %s", args[0], c.CommandPath())
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w; did you mean %q?", err, near[0])
			}
			return recipes.Input(err)
		}
		if c.RunE == nil && c.Run == nil {
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
		c.SuggestionsMinimumDistance = 2
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// printJSON prints the one document of --json.
func (t *terminal) printJSON(v any) error {
	enc := json.NewEncoder(t.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// cacheDir is the directory of converted corpora and imported models: HONE_CACHE, or hone in the
// user's cache directory.
func cacheDir() (string, error) {
	if dir := os.Getenv("HONE_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", recipes.Input(fmt.Errorf("no cache directory: %w (hint: set HONE_CACHE)", err))
	}
	return filepath.Join(dir, "hone"), nil
}
