package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Open reads a tokenizer from a file or a directory that has one. It detects
//
//   - tokenizer.json,
//   - GPT-2's vocab.json beside its merges.txt (give either, or encoder.json and vocab.bpe),
//   - BERT's vocab.txt: its letters are made lower case and lose their accents
//     unless the vocabulary has tokens with capitals,
//   - SentencePiece's .model, of BPE or Unigram,
//   - a GGUF model with its tokenizer inside.
//
// In a directory tokenizer.json goes before the others.
func Open(path string) (*Pipeline, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if info.IsDir() {
		if path, err = inDirectory(path); err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
	}
	p, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	return p, nil
}

func inDirectory(dir string) (string, error) {
	names := []string{"tokenizer.json", "vocab.json", "encoder.json", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"}
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

func open(path string) (*Pipeline, error) {
	f, err := os.Open(path)
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
	data, err := io.ReadAll(f)
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
		v, err := os.ReadFile(vocab)
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
			m, err := os.ReadFile(merges)
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

// beside finds a file of one of some names in the directory of path.
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

// parseGPT2 makes what transformers makes of GPT-2's two files.
func parseGPT2(vocab, merges []byte) (*Pipeline, error) {
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
	f := file{PreTokenizer: json.RawMessage(byteLevelPre), PostProcessor: json.RawMessage(byteLevelPost), Decoder: json.RawMessage(byteLevelRest)}
	if id, ok := v.ids["<|endoftext|>"]; ok && id < maxSize && id >= 0 {
		f.AddedTokens = []AddedToken{{ID: int32(id), Content: "<|endoftext|>", Normalized: true, Special: true}}
	}
	return build(f, v)
}

// parseVocab makes what transformers makes of BERT's vocabulary.
func parseVocab(data []byte) (*Pipeline, error) {
	unk := "[UNK]"
	v := &vocabulary{kind: "WordPiece", ids: make(map[string]int64), prefix: "##", maxRune: 100, unk: &unk}
	text := strings.TrimSuffix(string(data), "\n")
	cased := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if other, ok := v.ids[line]; ok {
			return nil, fmt.Errorf("line %d: %q stands in line %d too", i+1, line, other+1)
		}
		v.ids[line] = int64(i)
		cased = cased || !strings.HasPrefix(line, "[") && strings.ContainsFunc(line, func(r rune) bool { return lower(r) != r })
	}
	f := file{
		Normalizer:   json.RawMessage(fmt.Sprintf(`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": %t}`, !cased)),
		PreTokenizer: json.RawMessage(`{"type": "BertPreTokenizer"}`),
		Decoder:      json.RawMessage(`{"type": "WordPiece", "prefix": "##", "cleanup": true}`),
	}
	for _, name := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if id, ok := v.ids[name]; ok {
			f.AddedTokens = append(f.AddedTokens, AddedToken{ID: int32(id), Content: name, Special: true})
		}
	}
	cls, ok := v.ids["[CLS]"]
	sep, ok2 := v.ids["[SEP]"]
	if ok && ok2 {
		f.PostProcessor = json.RawMessage(fmt.Sprintf(`{"type": "TemplateProcessing",
"single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
"pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [%d], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [%d], "tokens": ["[SEP]"]}}}`, cls, sep))
	}
	slices.SortFunc(f.AddedTokens, func(a, b AddedToken) int { return int(a.ID - b.ID) })
	return build(f, v)
}
