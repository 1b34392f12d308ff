package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hone/checkpoint"
	"hone/data"
	"hone/data/tokenizer"
	"hone/recipes"
)

func newTokenizer(t *terminal) *cobra.Command {
	c := &cobra.Command{
		Use:     "tokenizer",
		Short:   "train, use and look at a tokenizer",
		Example: "  hone tokenizer train goroot: go.json --vocab-size 4096\n  echo 'Reader is' | hone tokenizer encode go.json --json",
	}
	c.AddCommand(newTokenizerTrain(t), newTokenizerEncode(t), newTokenizerDecode(t), newTokenizerInfo(t))
	return c
}

func newTokenizerTrain(t *terminal) *cobra.Command {
	var vocab int
	var column string
	c := &cobra.Command{
		Use:     "train CORPUS FILE",
		Short:   "learn a byte-level BPE from a corpus' training split",
		Example: "  hone tokenizer train goroot: go.json --vocab-size 4096",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			bar := t.newBar("reading corpus "+args[0], "bytes")
			corpus, err := data.Prepare(c.Context(), data.Spec{From: args[0], Text: column}, cache, func(done, total int64) { bar.Set(done, total, "") })
			bar.Close()
			if err != nil {
				return inputError{err}
			}
			defer corpus.Close()
			if corpus.Train == nil {
				return inputError{fmt.Errorf("tokenizer: %s has no split train", args[0])}
			}
			bar = t.newBar("learning tokenizer", "merges")
			tok, err := recipes.TrainTokenizer(c.Context(), corpus.Train, vocab, func(done, total int64) { bar.Set(done, total, "") })
			bar.Close()
			if err != nil {
				return err
			}
			if err := checkpoint.WriteFile(args[1], tok.JSON()); err != nil {
				return err
			}
			t.say(fmt.Sprintf("%d tokens, in %s", tok.Size(), args[1]))
			if t.json {
				return t.printJSON(map[string]any{"file": args[1], "vocab_size": tok.Size()})
			}
			return nil
		},
	}
	c.Flags().IntVar(&vocab, "vocab-size", 4096, "tokens in all")
	c.Flags().StringVar(&column, "text", "", "column of the text (default text)")
	return c
}

// lines calls f with each line of a file, or of stdin.
func lines(file string, f func(line string) error) error {
	in := io.Reader(os.Stdin)
	if file != "" && file != "-" {
		r, err := os.Open(file)
		if err != nil {
			return inputError{fmt.Errorf("tokenizer: %w", err)}
		}
		defer r.Close()
		in = r
	}
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("tokenizer: %w", err)
		}
		if line != "" {
			if err := f(strings.TrimSuffix(line, "\n")); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func fileArg(args []string) string {
	if len(args) > 1 {
		return args[1]
	}
	return ""
}

func readTokenizer(path string) (*tokenizer.Pipeline, error) {
	tok, err := tokenizer.Open(path)
	if err != nil {
		return nil, inputError{err}
	}
	return tok, nil
}

func newTokenizerEncode(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "encode TOKENIZER [FILE]",
		Short:   "print the token ids of each line of a file, or of stdin",
		Long:    "Prints the token ids of each line; with --json one array of an array of ids for each line.",
		Example: "  echo 'Reader is the interface' | hone tokenizer encode runs/quickstart/tokenizer.json",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			tok, err := readTokenizer(args[0])
			if err != nil {
				return err
			}
			all := [][]int32{}
			var ids []int32
			err = lines(fileArg(args), func(line string) error {
				ids = tok.Encode(ids[:0], line)
				if t.json {
					all = append(all, append([]int32{}, ids...))
					return nil
				}
				_, err := fmt.Fprintln(t.out, strings.Trim(fmt.Sprint(ids), "[]"))
				return err
			})
			if err != nil || !t.json {
				return err
			}
			return json.NewEncoder(t.out).Encode(all)
		},
	}
}

func newTokenizerDecode(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "decode TOKENIZER [FILE]",
		Short:   "print the text of each line of token ids",
		Example: "  echo '82 69 65 68' | hone tokenizer decode runs/quickstart/tokenizer.json",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			tok, err := readTokenizer(args[0])
			if err != nil {
				return err
			}
			all := []string{}
			n := 0
			err = lines(fileArg(args), func(line string) error {
				n++
				var ids []int32
				for _, f := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,[]", r) }) {
					var id int32
					if _, err := fmt.Sscanf(f, "%d", &id); err != nil || id < 0 || int(id) >= tok.Size() {
						return inputError{fmt.Errorf("tokenizer: line %d: %q is no token id below %d", n, f, tok.Size())}
					}
					ids = append(ids, id)
				}
				if t.json {
					all = append(all, tok.Decode(ids))
					return nil
				}
				_, err := fmt.Fprintln(t.out, tok.Decode(ids))
				return err
			})
			if err != nil || !t.json {
				return err
			}
			return t.printJSON(all)
		},
	}
}

func newTokenizerInfo(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "info TOKENIZER",
		Short:   "show what a tokenizer.json holds",
		Example: "  hone tokenizer info runs/quickstart/tokenizer.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			tok, err := readTokenizer(args[0])
			if err != nil {
				return err
			}
			info := struct {
				Kind      string   `json:"kind"`
				VocabSize int      `json:"vocab_size"`
				Longest   []string `json:"longest"`
			}{Kind: "byte_bpe", VocabSize: tok.Size(), Longest: longest(tok, 10)}
			if t.json {
				return t.printJSON(info)
			}
			_, err = fmt.Fprintf(t.out, "kind        %s\nvocab size  %d\nlongest     %q\n", info.Kind, info.VocabSize, info.Longest)
			return err
		},
	}
}

// longest is the longest tokens, as text.
func longest(tok *tokenizer.Pipeline, n int) []string {
	var best []string
	for id := range int32(tok.Size()) {
		s := tok.Decode([]int32{id})
		at := len(best)
		for at > 0 && len(best[at-1]) < len(s) {
			at--
		}
		if at < n {
			best = append(best[:at], append([]string{s}, best[at:]...)...)
			best = best[:min(n, len(best))]
		}
	}
	return best
}
