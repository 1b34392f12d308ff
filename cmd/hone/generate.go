package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

func newGenerate(t *terminal) *cobra.Command {
	var prompt, file string
	o := generate.Options{}
	load := pretrained.Options{}
	c := &cobra.Command{
		Use:   "generate CHECKPOINT --prompt TEXT",
		Short: "continue texts with a language model",
		Long: `Continues texts with a language model. With --temperature 0 every token is the likeliest one;
with a higher temperature tokens are sampled, and the same --seed gives the same text, whatever
is written beside it. Of --n results the first has the seed, the second the seed after it, and
so on. With --num-beams a beam search looks for the likeliest text as a whole.

A generation_config.json beside the model says which tokens end a text, and the values of
options that are not given.

With --json stdout is one JSON document: an object with the keys text and ids (without the
prompt), reason (why the text ended: end of text, stop, length, interrupted; context_full says that
the context ended it), tokens_per_second, prompt_tokens with prompt_seconds and how many of them
were read (prompt_tokens_read), dropped (tokens that have left a context that slides), and score (of
a beam search). With --file, or more than one result, it is {"results": [...]} of such objects in
the order of the prompts, each with its prompt.

` + writerArgument + `

` + weightsArgument,
		Example: `  hone generate runs/quickstart/pretrain --prompt "Package http provides" --max-tokens 40
  hone generate runs/quickstart/pretrain --prompt "Reader is" --temperature 0.8 --top-p 0.9 --seed 7 --stop "."
  hone generate SmolLM2-135M-Instruct.Q4_1.gguf --prompt "The capital of Korea is" --activations int8
  hone generate runs/quickstart/pretrain --prompt "Reader is" --n 3 --max-tokens 20
  hone generate runs/quickstart/pretrain --prompt "Reader is" --num-beams 4 --max-tokens 20
  printf 'Package http\nReader is\n' | hone generate runs/quickstart/pretrain --file - --max-tokens 20 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			// Before the model is opened.
			if err := settle(&o, c.Flags().Changed); err != nil {
				return recipes.Input(err)
			}
			prompts, err := readPrompts(prompt, file)
			if err != nil {
				return recipes.Input(err)
			}
			dir, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			w, err := openWriter(t, dir, load, &o, c.Flags().Changed)
			if err != nil {
				return err
			}
			defer w.Close()
			err = settle(&o, c.Flags().Changed)
			for _, flag := range []string{"length-penalty", "early-stopping"} {
				if c.Flags().Changed(flag) && o.NumBeams <= 1 {
					err = errors.Join(err, fmt.Errorf("--%s is of a beam search (hint: --num-beams)", flag))
				}
			}
			if err != nil {
				return recipes.Input(err)
			}
			t.verbatim()
			if file != "" || o.N > 1 {
				return t.continueAll(c.Context(), w, prompts, o)
			}
			return t.continueOne(c.Context(), w, prompts[0], o)
		},
	}
	t.adapterFlag(c)
	f := c.Flags()
	f.StringVar(&prompt, "prompt", "", "text to continue; -: read it from stdin, without its last newline")
	f.StringVar(&file, "file", "", "continue every line of a file, several at once; -: of stdin")
	f.IntVar(&o.N, "n", 1, "number of results of each prompt")
	f.AddFlagSet(samplingFlags(&o, 100))
	f.AddFlagSet(beamFlags(&o))
	f.AddFlagSet(weightFlags(&load))
	return c
}

// readPrompts gives the lines of a file, or the one prompt.
func readPrompts(prompt, file string) ([]string, error) {
	name := file
	switch {
	case file != "" && prompt != "":
		return nil, errors.New("--prompt and --file: want one of them")
	case prompt == "-":
		name = "-"
	case file == "":
		return []string{prompt}, nil
	}
	read, from := func() ([]byte, error) { return os.ReadFile(name) }, name
	if name == "-" {
		read, from = func() ([]byte, error) { return io.ReadAll(os.Stdin) }, "stdin"
	}
	data, err := read()
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	lines := []string{text}
	if file != "" {
		if len(data) == 0 {
			return nil, fmt.Errorf("%s: empty: want a prompt in each line", from)
		}
		lines = strings.Split(text, "\n")
	}
	for i, line := range lines {
		if lines[i] = strings.TrimSuffix(line, "\r"); !utf8.ValidString(line) {
			return nil, fmt.Errorf("%s: line %d: invalid UTF-8", from, i+1)
		}
	}
	return lines, nil
}

// continueOne continues a prompt, and shows the text as it is written.
func (t *terminal) continueOne(ctx context.Context, w *writer, prompt string, o generate.Options) error {
	shown := w.model.Config.Writing() == model.Answered
	emit := func(piece string) {
		if !shown { // now that the prompt is accepted
			fmt.Fprint(t.out, prompt)
			shown = true
		}
		fmt.Fprint(t.out, piece)
	}
	if t.json {
		emit = nil
	}
	r, err := w.Generate(ctx, prompt, o, emit)
	if err != nil {
		return recipes.Input(err)
	}
	if t.json {
		return t.printJSON(r)
	}
	emit("") // of a text that ended at once
	fmt.Fprintln(t.out)
	if err := ctx.Err(); err != nil {
		return err
	}
	by := r.Reason
	if r.ContextFull {
		by = fmt.Sprintf("the context of %d tokens, which is full", w.Context())
	}
	t.say(fmt.Sprintf("%d tokens, %.0f tokens/s, ended by %s", len(r.IDs), r.TokensPerSecond, by))
	return nil
}

// continueAll continues prompts with o.N results each.
func (t *terminal) continueAll(ctx context.Context, w *writer, prompts []string, o generate.Options) error {
	var requests []generate.Request
	for i, prompt := range prompts {
		ids, err := w.Prompt(prompt)
		if err != nil {
			return recipes.Input(fmt.Errorf("prompt %d: %w", i+1, err))
		}
		requests = append(requests, generate.Request{Prompt: ids, Options: o})
	}
	began := time.Now()
	results, err := w.Write(ctx, requests)
	if err != nil {
		return recipes.Input(err)
	}
	type result struct {
		Prompt string `json:"prompt"`
		*generate.Result
	}
	n, tokens := len(results)/len(prompts), 0
	var all []result
	for i, r := range results {
		all = append(all, result{prompts[i/n], r})
		tokens += len(r.IDs)
	}
	if t.json {
		return errors.Join(t.printJSON(map[string]any{"results": all}), ctx.Err())
	}
	for i, r := range all {
		title := fmt.Sprintf("prompt %d", i/n+1)
		if n > 1 {
			title += fmt.Sprintf(", result %d", i%n+1)
		}
		if r.Score != nil {
			title += fmt.Sprintf(", score %.4f", *r.Score)
		}
		fmt.Fprintf(t.out, "[%s]\n", title)
		if w.model.Config.Writing() != model.Answered {
			fmt.Fprint(t.out, r.Prompt)
		}
		fmt.Fprintf(t.out, "%s\n\n", r.Text)
	}
	t.say(fmt.Sprintf("texts: %d, tokens: %d, %.0f tokens/s", len(all), tokens, float64(tokens)/time.Since(began).Seconds()))
	return ctx.Err()
}
