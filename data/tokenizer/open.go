package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	inputs "hone/checkpoint/file"
)

// Open reads a tokenizer from a file, or from a directory that contains one. It detects
//
//   - tokenizer.json,
//   - GPT-2's vocab.json beside its merges.txt (give either, or encoder.json and vocab.bpe),
//   - BERT's vocab.txt: text is lower-cased and stripped of accents unless the
//     vocabulary has tokens with capitals,
//   - SentencePiece's .model, of BPE or Unigram,
//   - a GGUF model with its tokenizer inside.
//
// In a directory, tokenizer.json has precedence. Where a directory without it says in
// tokenizer_config.json or config.json which tokenizer it has, the ids are those of
// transformers, or the tokenizer is refused by name.
func Open(path string) (*Pipeline, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if info.IsDir() {
		if has := func(name string) bool { return exists(filepath.Join(path, name)) }; !has("tokenizer.json") && slices.ContainsFunc(vocabularyFiles, has) {
			if p, err := openDirectory(path); p != nil || err != nil {
				if err != nil {
					err = fmt.Errorf("tokenizer: %w", err)
				}
				return p, err
			}
		}
		if path, err = inDirectory(path); err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
	}
	p, err := open(path)
	if err != nil {
		var fault *fs.PathError
		if errors.As(err, &fault) && fault.Path == path { // said already
			err = fault.Err
		}
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	return p, nil
}

var vocabularyFiles = []string{"vocab.json", "encoder.json", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"}

func inDirectory(dir string) (string, error) {
	names := append([]string{"tokenizer.json"}, vocabularyFiles...)
	for _, name := range names {
		if path := filepath.Join(dir, name); exists(path) {
			return path, nil
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.gguf")); len(found) == 1 {
		return found[0], nil
	}
	return "", fmt.Errorf("%s has none of %s, and not one .gguf", dir, strings.Join(names, ", "))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// maxFile is the greatest size of a tokenizer's file. The largest known ones have some tens of
// megabytes.
const maxFile = 1 << 29

func readInput(path string) ([]byte, error) {
	f, err := inputs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

func readAll(f *os.File) ([]byte, error) {
	if info, err := f.Stat(); err == nil && info.Size() > maxFile {
		return nil, fmt.Errorf("it has %d bytes, which is too large for a tokenizer", info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes, which is too large for a tokenizer", maxFile)
	}
	return data, err
}

func open(path string) (*Pipeline, error) {
	f, err := inputs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("GGUF")) {
		return readGGUF(f)
	}
	data, err := readAll(f)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(path)
	switch {
	case strings.HasSuffix(base, "merges.txt") || strings.HasSuffix(base, ".bpe"):
		vocab := beside(path, "vocab.json", "encoder.json")
		if vocab == "" {
			return nil, errors.New("neither vocab.json nor encoder.json is beside it")
		}
		v, err := readInput(vocab)
		if err != nil {
			return nil, err
		}
		return parseGPT2(v, data)
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n\ufeff"), []byte("{")):
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(data, &keys); err != nil {
			return nil, explain(err)
		}
		if _, ok := keys["model"]; ok && len(keys["model"]) > 0 && keys["model"][0] == '{' {
			return parse(data)
		}
		if merges := beside(path, "merges.txt", "vocab.bpe"); merges != "" {
			m, err := readInput(merges)
			if err != nil {
				return nil, err
			}
			return parseGPT2(data, m)
		}
		return nil, errors.New("no section model, so not a tokenizer.json; and neither merges.txt nor vocab.bpe is beside it, so not a vocab.json")
	case strings.HasSuffix(base, ".txt"):
		return parseVocab(data)
	}
	return parseSentencePiece(data)
}

// beside finds the first of some names in the directory of path; "": none is there.
func beside(path string, names ...string) string {
	for _, name := range names {
		if p := filepath.Join(filepath.Dir(path), name); exists(p) {
			return p
		}
	}
	return ""
}

const (
	byteLevelPre  = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
	byteLevelRest = `{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}`
	byteLevelPost = `{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}`
)

// parseGPT2 makes the tokenizer that transformers makes of GPT-2's two files.
func parseGPT2(vocab, merges []byte) (*Pipeline, error) {
	v, err := readMerges(vocab, merges)
	if err != nil {
		return nil, err
	}
	f := file{PreTokenizer: json.RawMessage(byteLevelPre), PostProcessor: json.RawMessage(byteLevelPost), Decoder: json.RawMessage(byteLevelRest)}
	if id, ok := v.ids[endOfText]; ok && id < maxSize && id >= 0 {
		f.AddedTokens = []AddedToken{{ID: int32(id), Content: endOfText, Normalized: true, Special: true}}
	}
	return build(f, v)
}

const endOfText = "<|endoftext|>"

// readMerges reads GPT-2's two files.
func readMerges(vocab, merges []byte) (*vocabulary, error) {
	v := &vocabulary{kind: "BPE"}
	if err := json.Unmarshal(vocab, &v.ids); err != nil {
		return nil, fmt.Errorf("vocab: %w", explain(err))
	}
	for i, line := range strings.Split(string(merges), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		pair, err := mergeLine(line)
		if err != nil {
			return nil, fmt.Errorf("merges: line %d: %w", i+1, err)
		}
		v.merges = append(v.merges, pair)
	}
	return v, nil
}

// parseVocab makes the tokenizer that transformers makes of BERT's vocabulary. Whether text is
// lower-cased is guessed from the vocabulary.
func parseVocab(data []byte) (*Pipeline, error) {
	v, err := readVocab(data, "[UNK]")
	if err != nil {
		return nil, err
	}
	cased := false
	for piece := range v.ids {
		cased = cased || !strings.HasPrefix(piece, "[") && strings.ContainsFunc(piece, func(r rune) bool { return lower(r) != r })
	}
	f := bertFile(!cased, true, nil)
	for _, name := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if id, ok := v.ids[name]; ok {
			f.AddedTokens = append(f.AddedTokens, AddedToken{ID: int32(id), Content: name, Special: true})
		}
	}
	_, ok := v.ids["[CLS]"]
	_, ok2 := v.ids["[SEP]"]
	if ok && ok2 {
		if f.PostProcessor, err = bertTemplate("[CLS]", "[SEP]", tokenID(&f, v)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(f.AddedTokens, func(a, b AddedToken) int { return int(a.ID - b.ID) })
	return build(f, v)
}
