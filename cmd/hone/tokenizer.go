package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"hone/checkpoint/file"
	"hone/data/corpus"
	"hone/data/hub"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/recipes/run"
	"hone/trainer/pretrained"
)

func newTokenizer(t *terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "tokenizer",
		Short: "train, use and inspect tokenizers",
		Long: `Trains, uses and inspects tokenizers. TOKENIZER is a tokenizer.json, a vocab.json
beside its merges.txt, a vocab.txt, a SentencePiece model, a GGUF file, or a directory with
one of them.`,
		Example: "  hone tokenizer train goroot: go.json --vocab-size 4096\n  echo 'Reader is' | hone tokenizer encode go.json --json",
	}
	c.AddCommand(newTokenizerTrain(t), newTokenizerEncode(t), newTokenizerDecode(t), newTokenizerInfo(t), newTokenizerExtend(t), newTokenizerCompare(t))
	return c
}

func newTokenizerTrain(t *terminal) *cobra.Command {
	var o tokenizer.TrainOptions
	var column string
	c := &cobra.Command{
		Use:   "train CORPUS FILE",
		Short: "train a tokenizer on the training split of a corpus",
		Long: `Trains a tokenizer on the training split of a corpus, and writes it as a tokenizer.json.
The kinds are:

  byte_bpe   byte-level BPE, as GPT-2 has it
  wordpiece  WordPiece, as BERT has it
  unigram    Unigram, as SentencePiece has it
  byte       the 256 bytes
  char       the characters of the corpus
  kmer       runs of --k characters, for DNA and protein`,
		Example: "  hone tokenizer train goroot: go.json --vocab-size 4096\n" +
			"  hone tokenizer train goroot: characters.json --kind char --vocab-size 200",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(tokenizer.TrainKinds, o.Kind) {
				return recipes.Input(fmt.Errorf("tokenizer: --kind: unknown %q (known: %s)", o.Kind, strings.Join(tokenizer.TrainKinds, ", ")))
			}
			if o.Kind == "byte" && !c.Flags().Changed("vocab-size") {
				o.VocabSize = 0 // the bytes and the special tokens
			}
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			bar := t.newBar("reading corpus "+args[0], "bytes")
			corpus, err := corpus.Prepare(c.Context(), corpus.Spec{From: args[0], Text: column, Say: t.say}, cache, func(done, total int64) { bar.Set(done, total, "") })
			bar.Close()
			if err != nil {
				return recipes.Input(err)
			}
			defer corpus.Close()
			if corpus.Train == nil || corpus.Train.Rows() == 0 {
				return recipes.Input(fmt.Errorf("tokenizer: %s has no documents in split train (hint: hone data info shows which file is in which split)", args[0]))
			}
			bar = t.newBar("training tokenizer", "tokens")
			tok, err := run.TrainTokenizer(c.Context(), corpus.Train, nil, o, func(done, total int64) { bar.Set(done, total, "") })
			bar.Close()
			if err != nil {
				return err
			}
			return t.writeTokenizer(args[1], tok)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Kind, "kind", "byte_bpe", "kind of tokenizer: "+strings.Join(tokenizer.TrainKinds, ", "))
	f.IntVar(&o.VocabSize, "vocab-size", 4096, "number of tokens, special tokens included")
	f.IntVar(&o.MinFrequency, "min-frequency", 0, "least number of times that a learned token must occur")
	f.IntVar(&o.K, "k", 3, "of --kind kmer: number of characters of a token")
	f.BoolVar(&o.Lowercase, "lowercase", false, "of --kind wordpiece: lowercase the text, as BERT's uncased models do")
	f.StringArrayVar(&o.Special, "special", nil, "further special token, beside "+recipes.EndOfText+" and "+recipes.Pad+"; can be given several times")
	f.StringVar(&column, "text", "", "name of the column with the text (default text)")
	return c
}

func (t *terminal) writeTokenizer(path string, tok *tokenizer.Pipeline) error {
	if err := file.WriteBytes(path, tok.JSON()); err != nil {
		return err
	}
	t.say(fmt.Sprintf("wrote %s: %d tokens", path, tok.Size()))
	if t.json {
		return t.printJSON(map[string]any{"file": path, "vocab_size": tok.Size()})
	}
	return nil
}

func newTokenizerExtend(t *terminal) *cobra.Command {
	var file string
	var special bool
	var multiple int
	c := &cobra.Command{
		Use:   "extend TOKENIZER|CHECKPOINT TO [TOKEN…]",
		Short: "add tokens to a tokenizer, or to a checkpoint's tokenizer and embedding",
		Long: `Adds tokens to a tokenizer. They are found in a text before it is split into words.

From a tokenizer of any kind a new tokenizer.json is written. From a checkpoint, or a model
hf:ORG/NAME, a new checkpoint is written, whose embedding has rows for the new tokens. Each
new row is the mean of the present ones, and the number of rows is rounded up to a multiple
of --pad-to-multiple-of.`,
		Example: `  hone tokenizer extend runs/quickstart/tokenizer.json more.json '<|user|>' '<|assistant|>' --special
  hone tokenizer extend runs/quickstart/pretrain runs/more '<|user|>' '<|assistant|>' --special`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var tokens []tokenizer.AddedToken
			add := func(s string) error {
				if s != "" {
					// As in Hugging Face: ordinary tokens are matched as normalized.
					tokens = append(tokens, tokenizer.AddedToken{Content: s, Special: special, Normalized: !special})
				}
				return nil
			}
			for _, s := range args[2:] {
				if err := add(s); err != nil {
					return err
				}
			}
			if file != "" {
				if err := lines(file, add); err != nil {
					return err
				}
			}
			if len(tokens) == 0 {
				return recipes.Input(errors.New("tokenizer: no tokens to add: name them, or a file of them with --tokens"))
			}
			if strings.HasPrefix(args[0], hub.Scheme) {
				var err error
				if args[0], err = checkpointOf(c.Context(), t, args[0]); err != nil {
					return err
				}
			}
			if pretrained.IsCheckpoint(args[0]) {
				e, err := exchange.ExtendCheckpoint(args[0], args[1], tokens, multiple)
				if err != nil {
					return err
				}
				t.say(fmt.Sprintf("wrote %s: %d tokens, %d rows in the embedding", args[1], e.VocabSize, e.Rows))
				if t.json {
					return t.printJSON(e)
				}
				return nil
			}
			if c.Flags().Changed("pad-to-multiple-of") {
				return recipes.Input(fmt.Errorf("tokenizer: --pad-to-multiple-of is for checkpoints, and %s is a tokenizer", args[0]))
			}
			tok, err := readTokenizer(args[0])
			if err != nil {
				return err
			}
			if tok, err = tok.Extend(tokens); err != nil {
				return recipes.Input(err)
			}
			return t.writeTokenizer(args[1], tok)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "tokens", "", "file with a token on each line; - is stdin")
	f.BoolVar(&special, "special", false, "add them as special tokens, which decoding can leave out")
	f.IntVar(&multiple, "pad-to-multiple-of", 64, "number that the rows of the embedding are a multiple of")
	return c
}

// lines calls f with each line of a file, or of stdin.
func lines(file string, f func(line string) error) error {
	in := io.Reader(os.Stdin)
	if file != "" && file != "-" {
		r, err := os.Open(file)
		if err != nil {
			return recipes.Input(fmt.Errorf("tokenizer: %w", err))
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
			if err := f(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")); err != nil {
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
		return nil, recipes.Input(err)
	}
	return tok, nil
}

func newTokenizerEncode(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "encode TOKENIZER [FILE]",
		Short: "print the token ids of each line of a file or of stdin",
		Long: `Prints the token ids of each line of a file, or of stdin. With --json they are one array,
which has an array of ids for each line.`,
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
				if ids = tok.Encode(ids[:0], line); tok.Err() != nil {
					return recipes.Input(tok.Err())
				}
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
		Use:   "decode TOKENIZER [FILE]",
		Short: "print the text of each line of token ids",
		Long: `Prints the text of each line of token ids in a file, or in stdin. Ids are separated by blanks
or commas. With --json the texts are one array of strings.`,
		Example: "  echo '82 69 65 68' | hone tokenizer decode runs/quickstart/tokenizer.json",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			tok, err := readTokenizer(args[0])
			if err != nil {
				return err
			}
			t.verbatim()
			all := []string{}
			n := 0
			err = lines(fileArg(args), func(line string) error {
				n++
				var ids []int32
				for _, f := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,[]", r) }) {
					var id int32
					if _, err := fmt.Sscanf(f, "%d", &id); err != nil || id < 0 || int(id) >= tok.Size() {
						return recipes.Input(fmt.Errorf("tokenizer: line %d: %q is not a token id below %d", n, f, tok.Size()))
					}
					ids = append(ids, id)
				}
				text := tok.Decode(ids)
				if tok.Err() != nil {
					return recipes.Input(tok.Err())
				}
				if t.json {
					all = append(all, text)
					return nil
				}
				_, err := fmt.Fprintln(t.out, text)
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
		Use:   "info TOKENIZER",
		Short: "show what a tokenizer consists of",
		Long: `Shows what a tokenizer consists of: its kind, its size, the steps before and after its model,
its added tokens, and its longest tokens.`,
		Example: "  hone tokenizer info runs/quickstart/tokenizer.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			tok, err := readTokenizer(args[0])
			if err != nil {
				return err
			}
			info := struct {
				tokenizer.Info
				Longest []string `json:"longest"`
			}{tok.Info(), longest(tok, 10)}
			if t.json {
				return t.printJSON(info)
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			row := func(name, value string) { fmt.Fprintf(w, "%s\t%s\n", name, cmp.Or(value, "none")) }
			row("kind", info.Kind)
			row("vocab size", strconv.Itoa(info.VocabSize))
			row("merges", strconv.Itoa(info.Merges))
			row("normalizer", info.Normalizer)
			row("pre-tokenizer", info.PreTokenizer)
			row("post-processor", info.PostProcessor)
			row("decoder", info.Decoder)
			row("truncation", string(info.Truncation))
			row("padding", string(info.Padding))
			var names []string
			for _, a := range info.Added[:min(10, len(info.Added))] {
				names = append(names, fmt.Sprintf("%d %q", a.ID, a.Content))
			}
			row("added tokens", strings.TrimSpace(fmt.Sprintf("%d  %s", len(info.Added), strings.Join(names, ", "))))
			row("longest", fmt.Sprintf("%q", info.Longest))
			return w.Flush()
		},
	}
}

// scriptRows are the scripts that compare tells apart.
var scriptRows = []struct {
	name   string
	tables []*unicode.RangeTable
}{
	{"latin", []*unicode.RangeTable{unicode.Latin}},
	{"hangul", []*unicode.RangeTable{unicode.Hangul}},
	{"han", []*unicode.RangeTable{unicode.Han}},
	{"kana", []*unicode.RangeTable{unicode.Hiragana, unicode.Katakana}},
	{"cyrillic", []*unicode.RangeTable{unicode.Cyrillic}},
	{"arabic", []*unicode.RangeTable{unicode.Arabic}},
	{"hebrew", []*unicode.RangeTable{unicode.Hebrew}},
	{"devanagari", []*unicode.RangeTable{unicode.Devanagari}},
	{"greek", []*unicode.RangeTable{unicode.Greek}},
	{"thai", []*unicode.RangeTable{unicode.Thai}},
}

// scriptOf gives the script that most letters of a line are of.
func scriptOf(line string) string {
	counts := make([]int, len(scriptRows))
	best, other := -1, 0
	for _, r := range line {
		if !unicode.IsLetter(r) {
			continue
		}
		found := false
		for i, s := range scriptRows {
			if unicode.In(r, s.tables...) {
				counts[i]++
				if best < 0 || counts[i] > counts[best] {
					best = i
				}
				found = true
				break
			}
		}
		if !found {
			other++
		}
	}
	switch {
	case best >= 0 && counts[best] >= other:
		return scriptRows[best].name
	case other > 0:
		return "other"
	}
	return "no letters"
}

func newTokenizerCompare(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "compare FILE TOKENIZER…",
		Short: "compare how many tokens tokenizers make of a text, by script",
		Long: `Compares how many tokens tokenizers make of the lines of a file (- is stdin), for each byte
and for each word, by the script of most letters of a line. White space separates words.`,
		Example: "  hone show quickstart | hone tokenizer compare - runs/quickstart/tokenizer.json",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			type count struct {
				Script        string  `json:"script"`
				Lines         int     `json:"lines"`
				Bytes         int     `json:"bytes"`
				Words         int     `json:"words"`
				Tokens        int     `json:"tokens"`
				TokensPerByte float64 `json:"tokens_per_byte"`
				TokensPerWord float64 `json:"tokens_per_word"`
			}
			type result struct {
				Tokenizer string   `json:"tokenizer"`
				VocabSize int      `json:"vocab_size"`
				Scripts   []*count `json:"scripts"` // the first is "all"
			}
			var toks []*tokenizer.Pipeline
			var results []result
			for _, path := range args[1:] {
				tok, err := readTokenizer(path)
				if err != nil {
					return err
				}
				toks = append(toks, tok)
				results = append(results, result{path, tok.Size(), []*count{{Script: "all"}}})
			}
			var ids []int32
			err := lines(args[0], func(line string) error {
				script, words := scriptOf(line), len(strings.Fields(line))
				for i, tok := range toks {
					ids = tok.EncodeOrdinary(ids[:0], line)
					r := &results[i]
					at := slices.IndexFunc(r.Scripts, func(c *count) bool { return c.Script == script })
					if at < 0 {
						at = len(r.Scripts)
						r.Scripts = append(r.Scripts, &count{Script: script})
					}
					for _, c := range []*count{r.Scripts[0], r.Scripts[at]} {
						c.Lines++
						c.Bytes += len(line)
						c.Words += words
						c.Tokens += len(ids)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			for _, r := range results {
				slices.SortStableFunc(r.Scripts[1:], func(a, b *count) int { return b.Bytes - a.Bytes })
				for _, c := range r.Scripts {
					c.TokensPerByte = float64(c.Tokens) / float64(max(c.Bytes, 1))
					c.TokensPerWord = float64(c.Tokens) / float64(max(c.Words, 1))
				}
			}
			if t.json {
				return t.printJSON(results)
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(w, "script\tlines\tbytes\ttokens\tper byte\tper word\t  tokenizer")
			for _, r := range results {
				for _, c := range r.Scripts {
					fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.4f\t%.3f\t  %s\n", c.Script, c.Lines, c.Bytes, c.Tokens, c.TokensPerByte, c.TokensPerWord, r.Tokenizer)
				}
			}
			return w.Flush()
		},
	}
}

// longest gives the longest tokens, as text.
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
