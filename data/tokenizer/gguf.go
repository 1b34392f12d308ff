package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"hone/checkpoint/gguf"
)

// ggufPre are the pre-tokenizers that GGUF has names for: a normalizer, and the
// stages before the bytes.
var ggufPre = map[string]struct {
	normalizer, pre string
	ignoreMerges    bool
}{
	"gpt-2":     {"", byteLevelPre, false},
	"smollm":    {"", `{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, ` + byteLevelPre + `]}`, false},
	"llama-bpe": {"", splitPre(llama3Pattern), true},
	"qwen2":     {`{"type": "NFC"}`, splitPre(qwenPattern), false},
}

func splitPre(pattern string) string {
	return `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ` + quote(pattern) + `}, "behavior": "Isolated", "invert": false}, ` +
		`{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}`
}

// readGGUF reads the tokenizer of a GGUF model: kinds gpt2, llama, bert and t5.
func readGGUF(f *os.File) (*Pipeline, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	g, err := gguf.Read(f, info.Size())
	if err != nil {
		return nil, err
	}
	p, err := fromGGUF(g.Keys)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return p, nil
}

// ggufTexts collects a list of strings; nil: it is none.
func ggufTexts(v gguf.Value) []string {
	list, ok := v.Texts()
	if !ok {
		return nil
	}
	texts := make([]string, 0, v.Len())
	for _, s := range list {
		texts = append(texts, s)
	}
	return texts
}

// ggufNumbers collects a list of numbers; nil: it is none.
func ggufNumbers(v gguf.Value) []float64 {
	list, ok := v.Numbers()
	if !ok {
		return nil
	}
	numbers := make([]float64, 0, v.Len())
	for _, x := range list {
		numbers = append(numbers, x)
	}
	return numbers
}

func fromGGUF(keys map[string]gguf.Value) (*Pipeline, error) {
	const in = "tokenizer.ggml."
	kind, ok := keys[in+"model"].Text()
	if !ok {
		return nil, errors.New("no tokenizer.ggml.model: the file has no tokenizer")
	}
	tokens, types, scores := ggufTexts(keys[in+"tokens"]), ggufNumbers(keys[in+"token_type"]), ggufNumbers(keys[in+"scores"])
	if len(tokens) == 0 {
		return nil, errors.New("no tokenizer.ggml.tokens")
	}
	if types != nil && len(types) != len(tokens) || scores != nil && len(scores) != len(tokens) {
		return nil, fmt.Errorf("%d tokens, but %d types and %d scores", len(tokens), len(types), len(scores))
	}
	id := func(name string) int {
		if i, ok := keys[in+name].Int(); ok && i >= 0 && i < len(tokens) {
			return i
		}
		return -1
	}
	flag := func(name string, def bool) bool {
		if b, ok := keys[in+name].Bool(); ok {
			return b
		}
		return def
	}
	typeOf := func(i int) int {
		if types == nil {
			return pieceNormal
		}
		return int(types[i])
	}
	end := func(name string, def bool) string {
		if i := id(name + "_token_id"); i >= 0 && flag("add_"+name+"_token", def) {
			return tokens[i]
		}
		return ""
	}
	var f file
	var err error
	f.PostProcessor, err = surround(end("bos", kind == "llama"), end("eos", false), func(name string) (int32, bool) {
		i := slices.Index(tokens, name)
		return int32(i), i >= 0
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case "llama", "t5":
		if scores == nil {
			return nil, errors.New("no tokenizer.ggml.scores")
		}
		m := spModel{pieces: tokens, scores: scores, bpe: kind == "llama", unk: max(id("unknown_token_id"), 0),
			prefix: flag("add_space_prefix", true), squeeze: flag("remove_extra_whitespaces", false)}
		for i := range tokens {
			m.types = append(m.types, min(max(typeOf(i), pieceNormal), pieceByte))
			m.bytes = m.bytes || typeOf(i) == pieceByte
		}
		for _, b := range ggufNumbers(keys[in+"precompiled_charsmap"]) {
			m.charsmap = append(m.charsmap, byte(int(b)))
		}
		return m.pipeline(f.PostProcessor)
	case "gpt2":
		name, _ := keys[in+"pre"].Text()
		pre, ok := ggufPre[name]
		if !ok {
			known := make([]string, 0, len(ggufPre))
			for k := range ggufPre {
				known = append(known, k)
			}
			slices.Sort(known)
			return nil, fmt.Errorf("tokenizer.ggml.pre: unknown %q (known: %s)", name, strings.Join(known, ", "))
		}
		merges := ggufTexts(keys[in+"merges"])
		v := &vocabulary{kind: "BPE", ids: make(map[string]int64, len(tokens)), ignore: pre.ignoreMerges}
		for i, line := range merges {
			pair, err := mergeLine(line)
			if err != nil {
				return nil, fmt.Errorf("merges: entry %d: %w", i, err)
			}
			v.merges = append(v.merges, pair)
		}
		for i, piece := range tokens {
			if t := typeOf(i); t == pieceControl || t == pieceUser {
				f.AddedTokens = append(f.AddedTokens, AddedToken{ID: int32(i), Content: piece, Special: t == pieceControl})
			}
			if other, ok := v.ids[piece]; ok {
				return nil, fmt.Errorf("token %d: %q is token %d too", i, piece, other)
			}
			v.ids[piece] = int64(i)
		}
		if pre.normalizer != "" {
			f.Normalizer = json.RawMessage(pre.normalizer)
		}
		f.PreTokenizer, f.Decoder = json.RawMessage(pre.pre), json.RawMessage(byteLevelRest)
		if f.PostProcessor == nil {
			f.PostProcessor = json.RawMessage(byteLevelPost)
		}
		return build(f, v)
	case "bert":
		// "▁the" and "ing" stand for "the" and "##ing" there.
		var lines strings.Builder
		for i, piece := range tokens {
			if rest, ok := strings.CutPrefix(piece, meta); ok {
				piece = rest
			} else if t := typeOf(i); t == pieceNormal && !(strings.HasPrefix(piece, "[") && strings.HasSuffix(piece, "]")) {
				piece = "##" + piece
			}
			lines.WriteString(piece + "\n")
		}
		return parseVocab([]byte(lines.String()))
	}
	return nil, fmt.Errorf("tokenizer.ggml.model: unknown %q (known: bert, gpt2, llama, t5)", kind)
}
