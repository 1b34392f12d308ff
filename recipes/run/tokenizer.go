package run

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/eval"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/model"
)

// masking is the name of the special token that replaces hidden tokens; "": there is none.
func masking(tok tokenizer.Tokenizer) string {
	for _, name := range []string{recipes.Mask, "<mask>", "[MASK]"} {
		if _, ok := tok.Special(name); ok {
			return name
		}
	}
	return ""
}

// padding is the name of the special token that fills rows; "": there is none of its own.
func padding(tok tokenizer.Tokenizer) string {
	for _, name := range []string{recipes.Pad, "<pad>", "[PAD]"} {
		if _, ok := tok.Special(name); ok {
			return name
		}
	}
	return ""
}

// endsOf are the special tokens around a text that the model of a stage reads, which the tokenizer
// of its checkpoint sets there: those around a document in training, but without an end where the
// model is to continue the text.
func endsOf(r *recipes.Recipe, s *recipes.Stage) (before, after string) {
	t := &r.Tokenizer
	before, after = cmp.Or(t.BOS, t.Separator), cmp.Or(t.EOS, t.Separator)
	if r.Model.Traits().EncoderDecoder { // which reads a text to its end
		return before, after
	}
	return s.Learns().Ends(before, after)
}

// settings are the keys of tokenizer_config.json: the roles of the special tokens, and the side on
// which rows are padded.
func settings(t *recipes.Tokenizer, tok tokenizer.Tokenizer, c model.Config) map[string]any {
	first, last := cmp.Or(t.BOS, t.Separator), cmp.Or(t.EOS, t.Separator)
	keys := map[string]any{"bos_token": first, "eos_token": last, "pad_token": padding(tok), "mask_token": masking(tok)}
	if t := c.Traits(); t.FirstToken {
		keys["cls_token"], keys["sep_token"] = first, last
		if t.TokenTypes {
			keys["model_input_names"] = []string{"input_ids", "token_type_ids", "attention_mask"}
		}
	}
	maps.DeleteFunc(keys, func(_ string, name any) bool { return name == "" })
	keys["padding_side"] = exchange.PaddingSide(c)
	return keys
}

// joins reports whether the two texts of a pair share the token at their start.
func joins(c model.Config) bool { return c.Traits().FirstToken }

// openTokenizer opens the tokenizer, and trains it first where there is none. The inputs are
// compared with those that the run was begun with before the tokenizer is trained, and again with
// the tokenizer among them.
func (w *runner) openTokenizer(ctx context.Context) error {
	w.tokPath = w.r.Tokenizer.File
	if w.tokPath == "" {
		w.tokPath = filepath.Join(w.o.Dir, checkpoint.TokenizerFile)
		if _, err := os.Lstat(w.tokPath); errors.Is(err, fs.ErrNotExist) {
			if err := w.remember(); err != nil {
				return err
			}
			if err := w.trainTokenizer(ctx, w.tokPath); err != nil {
				return err
			}
		}
	}
	var err error
	if w.tokFile, err = os.ReadFile(w.tokPath); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	tok, err := tokenizer.Open(w.tokPath)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(tok.JSON())
	w.tok, w.tokSum = tok, hex.EncodeToString(sum[:])
	t := w.r.Tokenizer
	for _, name := range []string{t.BOS, t.EOS, t.Separator} {
		if _, ok := w.tok.Special(name); name != "" && !ok {
			return recipes.Input(fmt.Errorf("tokenizer %s: no special token is called %s", w.tokPath, name))
		}
	}
	return w.remember()
}

func (w *runner) trainTokenizer(ctx context.Context, path string) error {
	train := w.corpora[w.r.Tokenizer.Corpus].Train
	bar := w.o.Bar("training tokenizer", "tokens")
	defer bar.Close()
	t, err := TrainTokenizer(ctx, train, read(w.r, w.r.Tokenizer.Corpus), w.r.TokenizerOptions(), recipes.Progress(bar))
	if err != nil {
		return err
	}
	w.log(fmt.Sprintf("tokenizer: trained on corpus %s, %d tokens", w.r.Tokenizer.Corpus, t.Size()))
	return file.WriteBytes(path, t.JSON())
}

// read gives all that the stages of a recipe read or write of a record of a corpus: second texts, choices and answers too.
func read(r *recipes.Recipe, name string) func(*corpus.Record) ([]string, error) {
	var tasks []*task.Task
	for i := range r.Stages {
		s := &r.Stages[i]
		if !s.Trains() || !slices.Contains(s.Sources(), name) {
			continue
		}
		of := data.TaskOf(s.Learns())
		if of == nil {
			of = task.WholeTexts
		}
		tasks = append(tasks, of)
	}
	return func(r *corpus.Record) (texts []string, err error) {
		for _, t := range tasks {
			e, err := t.Example(r)
			if err != nil {
				return nil, err
			}
			if e.Null {
				continue
			}
			for _, text := range slices.Concat([]string{e.Text, e.Pair, e.Answer, strings.Join(e.Words, " ")}, e.Choices) {
				if text != "" && !slices.Contains(texts, text) {
					texts = append(texts, text)
				}
			}
		}
		return texts, nil
	}
}

// TrainTokenizer trains a tokenizer on the texts that read gives of the records of a split; nil: their own. The special
// tokens that every recipe needs come before those of the options.
func TrainTokenizer(ctx context.Context, split corpus.Records, read func(*corpus.Record) ([]string, error), o tokenizer.TrainOptions, progress func(done, total int64)) (*tokenizer.Pipeline, error) {
	var failed error
	texts := eval.Texts(ctx, split, &failed)
	if read != nil {
		texts = func(yield func(string) bool) {
			for i := range split.Rows() {
				if failed = ctx.Err(); failed != nil {
					return
				}
				r, err := split.Record(i)
				if err != nil {
					failed = err
					return
				}
				list, err := read(&r)
				if err != nil {
					failed = fmt.Errorf("%s: %w", corpus.Where(split, i, &r), err)
					return
				}
				for _, text := range list {
					if !yield(text) {
						return
					}
				}
			}
		}
	}
	o.Special = append([]string{recipes.EndOfText, recipes.Pad}, o.Special...)
	t, err := tokenizer.Train(texts, o, progress)
	if failed != nil {
		return nil, recipes.Input(fmt.Errorf("tokenizer: %w", failed))
	}
	return t, err
}

// tokenizerFiles are the files of the tokenizer in a checkpoint of a stage, taken from the base
// where there is one. Its tokenizer.json sets around a text the special tokens that stood there in
// training.
func (w *runner) tokenizerFiles(s *recipes.Stage, c model.Config) ([]checkpoint.File, error) {
	before, after := endsOf(w.r, s)
	text := w.tokFile
	anew := !framedBy(w.tok, before, after)
	if anew {
		var err error
		if text, err = w.tok.Framed(before, after, joins(c)); err != nil {
			return nil, err
		}
	}
	files := []checkpoint.File{checkpoint.BytesFile(checkpoint.TokenizerFile, text)}
	if w.r.Base == nil {
		text, err := exchange.TokenizerConfig(c, settings(&w.r.Tokenizer, w.tok, c))
		return append(files, checkpoint.BytesFile(checkpoint.TokenizerConfigFile, text)), err
	}
	for _, name := range exchange.TokenizerFiles {
		text, err := os.ReadFile(filepath.Join(w.r.Base.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && name == checkpoint.TokenizerConfigFile {
			text, err = w.adapted(text, anew, c)
		}
		if err != nil {
			return nil, fmt.Errorf("run: %w", err)
		}
		files = append(files, checkpoint.BytesFile(name, text))
	}
	return files, nil
}

// framedBy reports whether a tokenizer sets exactly these tokens around a text; "": none.
func framedBy(tok *tokenizer.Pipeline, before, after string) bool {
	first, last := tok.Frame()
	is := func(ids []int32, name string) bool {
		if name == "" {
			return len(ids) == 0
		}
		id, ok := tok.Special(name)
		return ok && len(ids) == 1 && ids[0] == id
	}
	return is(first, before) && is(last, after)
}

// adapted is the tokenizer_config.json of a base, for its tokenizer as a stage writes it. Where that
// sets other tokens around texts (anew), a class of transformers that would set its own is replaced
// by one that follows tokenizer.json.
func (w *runner) adapted(text []byte, anew bool, c model.Config) ([]byte, error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", checkpoint.TokenizerConfigFile, err)
	}
	_, padded := keys["pad_token"]
	pad := padding(w.tok)
	if !anew && (padded || pad == "") {
		return text, nil
	}
	if !padded && pad != "" {
		keys["pad_token"] = json.RawMessage(strconv.Quote(pad))
	}
	if _, ok := keys["padding_side"]; !ok && anew {
		keys["padding_side"] = json.RawMessage(strconv.Quote(exchange.PaddingSide(c)))
	}
	if anew {
		return exchange.TokenizerConfig(c, keys)
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}
